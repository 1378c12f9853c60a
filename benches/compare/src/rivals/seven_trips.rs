//! PostgreSQL by hand, the usual way: read for update, decide in the program, write back.
//!
//! BEGIN, the key, both accounts in one ordered `FOR UPDATE`, two updates, the key's row, COMMIT:
//! seven round trips, every statement prepared, a pool of sixteen connections.

use std::sync::{Mutex, PoisonError};

use tokio::{runtime::Runtime, sync::Semaphore};
use tokio_postgres::{Client, Error, Statement};

use super::one_statement::{CONNECTIONS, connect};
use crate::transfer::{FEE, Moved, Transfer};

const TEXTS: [&str; 4] = [
    "SELECT digest FROM bench_once WHERE key = $1",
    "SELECT id, balance FROM bench_account WHERE id IN ($1, $2) ORDER BY id FOR UPDATE",
    "UPDATE bench_account SET balance = $2 WHERE id = $1",
    "INSERT INTO bench_once (key, digest) VALUES ($1, $2)",
];

/// The pool.
#[derive(Debug)]
pub struct SevenTrips {
    free: Semaphore,
    idle: Mutex<Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    client: Client,
    statements: Vec<Statement>,
}

impl SevenTrips {
    /// Connects and prepares.
    ///
    /// # Errors
    ///
    /// Whatever hinders the connection.
    pub fn connect(runtime: &Runtime, url: &str) -> Result<Self, Error> {
        let session = || {
            runtime.block_on(async {
                let client = connect(url).await?;
                let mut statements = Vec::new();
                for text in TEXTS {
                    statements.push(client.prepare(text).await?);
                }
                Ok(Session { client, statements })
            })
        };
        let all = (0..CONNECTIONS).map(|_| session()).collect::<Result<_, Error>>()?;
        Ok(Self { free: Semaphore::new(CONNECTIONS), idle: Mutex::new(all) })
    }

    /// One transfer in a transaction of its own.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn transfer(&self, transfer: &Transfer) -> Result<Moved, Error> {
        let _permit = self.free.acquire().await.expect("nobody closes the pool");
        let session = self.idle().pop().expect("a permit stands for an idle connection");
        let moved = session.transfer(transfer).await;
        self.idle().push(session);
        moved
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    async fn transfer(&self, transfer: &Transfer) -> Result<Moved, Error> {
        self.client.batch_execute("BEGIN").await?;
        let moved = self.inside(transfer).await?;
        let end = if moved == Moved::Now { "COMMIT" } else { "ROLLBACK" };
        self.client.batch_execute(end).await?;
        Ok(moved)
    }

    async fn inside(&self, transfer: &Transfer) -> Result<Moved, Error> {
        let (client, texts) = (&self.client, &self.statements);
        let Transfer { key, digest, from, to, amount } = transfer;
        let (key, digest) = (&key[..], &digest[..]);
        if let Some(row) = client.query_opt(&texts[0], &[&key]).await? {
            let known: &[u8] = row.get(0);
            return Ok(if known == digest { Moved::Before } else { Moved::Never });
        }
        let held = client.query(&texts[1], &[from, to]).await?;
        let balance = |id: &i64| {
            let row = held.iter().find(|row| row.get::<_, i64>(0) == *id);
            row.map_or(0, |row| row.get::<_, i64>(1))
        };
        if balance(from) < amount + FEE {
            return Ok(Moved::Never);
        }
        client.execute(&texts[2], &[from, &(balance(from) - amount - FEE)]).await?;
        client.execute(&texts[2], &[to, &(balance(to) + amount)]).await?;
        client.execute(&texts[3], &[&key, &digest]).await?;
        Ok(Moved::Now)
    }
}
