//! PostgreSQL by hand, one round trip: the whole transfer in one prepared statement.
//!
//! Sixteen connections, in one of two ways. A pool hands each to one caller at a time, as services do.
//! Pipelined, they are taken in turn and a query is sent without waiting for the connection's last
//! answer: no connection idles, no pool is locked, and a lost connection fails many callers at once.
//! Either way each transfer is a transaction of its own. The index is read in the order of the keys, so two transfers lock the same accounts in the same order.
//! A `CHECK` on the balance would refuse an overdraft.

use std::sync::{Mutex, PoisonError};

use tokio::{runtime::Runtime, sync::Semaphore};
use tokio_postgres::{Client, Error, NoTls, Statement};

use crate::transfer::{FEE, Moved, Transfer};

/// As many connections as a service usually has.
pub const CONNECTIONS: usize = 16;

const TEXT: &str = "
    WITH fresh AS (
        INSERT INTO bench_once (key, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key
    )
    UPDATE bench_account
    SET balance = balance + CASE id WHEN $3 THEN $5::bigint ELSE $6::bigint END
    WHERE id = ANY (ARRAY[$3::bigint, $4::bigint]) AND EXISTS (SELECT FROM fresh)";

/// The connections, each with the statement prepared.
#[derive(Debug)]
pub struct OneStatement {
    all: Vec<(Client, Statement)>,
    /// The pool; `None`: pipelined.
    pool: Option<Pool>,
}

#[derive(Debug)]
struct Pool {
    free: Semaphore,
    idle: Mutex<Vec<usize>>,
}

impl OneStatement {
    /// Connects and prepares.
    ///
    /// # Errors
    ///
    /// Whatever hinders the connection.
    pub fn connect(runtime: &Runtime, url: &str, pipelined: bool) -> Result<Self, Error> {
        let mut all = Vec::new();
        for _ in 0..CONNECTIONS {
            all.push(runtime.block_on(async {
                let client = connect(url).await?;
                let statement = client.prepare(TEXT).await?;
                Ok::<_, Error>((client, statement))
            })?);
        }
        let pool = (!pipelined).then(|| Pool {
            free: Semaphore::new(CONNECTIONS),
            idle: Mutex::new((0..CONNECTIONS).collect()),
        });
        Ok(Self { all, pool })
    }

    /// The n-th transfer, in a transaction of its own.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn transfer(&self, n: u64) -> Result<Moved, Error> {
        let Some(pool) = &self.pool else {
            let turn = usize::try_from(n).unwrap_or_default() % self.all.len();
            return self.on(turn, n).await;
        };
        let _permit = pool.free.acquire().await.expect("nobody closes the pool");
        let idle = || pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = idle().pop().expect("a permit stands for an idle connection");
        let moved = self.on(turn, n).await;
        idle().push(turn);
        moved
    }

    async fn on(&self, turn: usize, n: u64) -> Result<Moved, Error> {
        let (client, statement) = &self.all[turn];
        let Transfer { key, digest, from, to, amount } = Transfer::nth(n);
        let takes = -amount - FEE;
        let (key, digest) = (&key[..], &digest[..]);
        let changed =
            client.execute(statement, &[&key, &digest, &from, &to, &takes, &amount]).await?;
        Ok(if changed == 2 { Moved::Now } else { Moved::Before })
    }
}

/// One connection, driven by a task of the runtime that asks.
///
/// # Errors
///
/// Whatever hinders it.
pub async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client; what breaks it is an error for the next query.
    drop(tokio::spawn(connection));
    // Without the index, accounts would be locked in the order in which they happen to lie.
    client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await?;
    Ok(client)
}
