//! The host's transactions: its rows and ours commit together.

use std::any::Any;

use rusqlite::{Connection, TransactionState};

use super::{
    SqliteEngine,
    fault::fault,
    tx::{Open, SqlTx},
};
use crate::{
    Error, FinalMile, Refusal,
    storage::{
        Capabilities, Command, StoreError,
        decide::{self, Deciding},
    },
    time::{Timestamp, World},
};

const EXCLUSIVE: Capabilities = Capabilities { exclusive: true, inline: true, durable: true };

/// An open transaction on the writer's connection.
#[derive(Debug)]
pub struct SqliteTx<'t> {
    connection: &'t Connection,
    world: &'t dyn World,
}

impl SqliteTx<'_> {
    /// The connection, for the host's own statements.
    #[must_use]
    pub fn sql(&self) -> &Connection {
        self.connection
    }

    /// Decides a command in this transaction. What it changed is visible to [`SqliteTx::sql`] at
    /// once, and to others when the transaction commits.
    ///
    /// # Errors
    ///
    /// The command's refusal, or the store's fault. Passed on with `?`, either takes the host's own
    /// changes back too.
    #[expect(clippy::needless_pass_by_value, reason = "a command is made where it is run")]
    pub fn run<T, C>(&mut self, command: C) -> Result<T, Error>
    where
        C: Command<Out = Result<T, Refusal>>,
    {
        let answer = self.decide(&command).map_err(Error::from);
        answer.and_then(|done| done.map_err(Error::from)).inspect_err(|error| {
            error.log("transaction", None);
        })
    }

    /// As [`SqliteTx::run`], for a command of any answer.
    ///
    /// # Errors
    ///
    /// The store's fault.
    pub fn decide<C: Command>(&mut self, command: &C) -> Result<C::Out, StoreError> {
        single(self.connection, command, self.world.now())
    }
}

impl FinalMile {
    /// Runs `work` in one transaction on the writer's connection: the host's statements and this
    /// crate's commands commit together or not at all.
    ///
    /// It waits for its turn among the queued commands and keeps all other writers waiting while it
    /// runs, so keep it short; do not wait for other commands inside it. Blocks the thread: in an
    /// async task, use the runtime's way to block.
    ///
    /// ```
    /// # use finalmile::{FinalMile, engines::Sqlite};
    /// # let dir = tempfile::tempdir()?;
    /// let fm = FinalMile::builder(Sqlite::file(dir.path().join("app.db"))).open()?;
    /// fm.transaction(|tx| {
    ///     tx.sql().execute_batch("CREATE TABLE posts (title TEXT)")?;
    ///     tx.sql().execute("INSERT INTO posts VALUES (?1)", ["hello"])?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What `work` answered, after taking everything back; the store's faults; and
    /// [`StoreError::Backend`] on an engine that is not SQLite.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&mut SqliteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let turn = self.store().turn()?;
        let mut engine = turn.engine();
        let engine: &mut dyn Any = match engine.as_deref_mut() {
            Some(engine) => engine,
            None => return Err(StoreError::Closed.into()),
        };
        let engine: &mut SqliteEngine = engine.downcast_mut().ok_or_else(|| {
            StoreError::Backend("only SQLite has such transactions; see `run_in`".to_owned())
        })?;
        let _deciding = Deciding::enter();
        let open = Open::begin(engine.connection()?)?;
        let world = &**self.store().world();
        let done = work(&mut SqliteTx { connection: open.connection, world })?;
        if open.connection.is_autocommit() {
            let text = "the host ended the transaction inside it";
            return Err(StoreError::Backend(text.to_owned()).into());
        }
        open.commit()?;
        Ok(done)
    }
}

/// Decides commands inside a write transaction on a connection of the host's own, which must be to
/// a database that finalmile has opened. The host commits or rolls back.
///
/// Use [`FinalMile::transaction`] where you can: a second connection that holds the write lock
/// keeps the queue waiting.
///
/// # Errors
///
/// [`StoreError::Backend`] when no *write* transaction is open (a deferred one that only read would
/// fail at its first write) or when `synchronous` is weaker than FULL; the store's faults.
pub fn run_in<C: Command>(
    connection: &Connection,
    commands: &C,
    now: Timestamp,
) -> Result<C::Out, StoreError> {
    let state = connection.transaction_state(None::<&str>).map_err(|e| fault(&e))?;
    if state != TransactionState::Write {
        return Err(refused("begin the transaction with BEGIN IMMEDIATE"));
    }
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(|e| fault(&e))?;
    if synchronous < 2 {
        return Err(refused("synchronous must be FULL, or a power cut loses credits"));
    }
    single(connection, commands, now)
}

/// Decides in the open transaction, under a savepoint: a fault in the middle takes back what the
/// command wrote and nothing else, whatever the host then does.
fn single<C: Command>(
    connection: &Connection,
    command: &C,
    now: Timestamp,
) -> Result<C::Out, StoreError> {
    if connection.is_autocommit() {
        return Err(refused("the transaction has ended: by the host, or by a fault before this"));
    }
    let run = |text| connection.execute_batch(text).map_err(|e| fault(&e));
    run("SAVEPOINT fm_run_in")?;
    let done = decide::single(&mut SqlTx::new(connection), command, EXCLUSIVE, now);
    // After some faults SQLite has taken everything back by itself; the first fault is what counts.
    if done.is_err() && run("ROLLBACK TO fm_run_in").is_err() {
        return done;
    }
    run("RELEASE fm_run_in")?;
    done
}

fn refused(text: &str) -> StoreError {
    StoreError::Backend(text.to_owned())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(fault(&error))
    }
}
