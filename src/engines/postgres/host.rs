//! The host's transactions: its rows and ours commit together.
//!
//! Two drivers, one that blocks and one that awaits. What they say and how they decide is the same:
//! [`Hosted`] names the steps, the drivers only carry texts there and rows back.

use tokio_postgres::{Error, Row};

use super::{
    fault::fault,
    session::{Flying, together},
    statements::{self, Call, Change},
    tx::time,
};
use crate::{
    storage::{
        Command, StoreError,
        decide::{Plan, Step},
    },
    time::Timestamp,
};

const ISOLATION: &str = "SHOW transaction_isolation";
const SAVE: &str = "SAVEPOINT fm_run_in";
const UNDO: &str = "ROLLBACK TO SAVEPOINT fm_run_in; RELEASE SAVEPOINT fm_run_in";
const KEEP: &str = "RELEASE SAVEPOINT fm_run_in";

/// Decides commands inside a transaction of the host's own, on a database that finalmile has
/// opened. The host commits or rolls back; what `commands` changed goes with the host's rows.
///
/// A `Vec` of commands or a pair of them is a command too: give all you have at once, so that all
/// their locks are taken in one ordered pass. Two transactions that call this twice may wait for
/// each other until one is told [`StoreError::Conflict`]. `now` is the time to decide at; `None`
/// takes the database's clock after the locks. Not for async code: see [`run_in_async`].
///
/// ```no_run
/// # use finalmile::{engines::postgres::run_in, storage::{Command, StoreError}};
/// # fn book<C: Command>(client: &mut postgres::Client, command: C) -> Result<(), Box<dyn std::error::Error>> {
/// let mut tx = client.transaction()?;
/// tx.execute("INSERT INTO posts (title) VALUES ($1)", &[&"hello"])?;
/// run_in(&mut tx, &command, None)?;
/// tx.commit()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`StoreError::Backend`] when the transaction's isolation level is not READ COMMITTED, under which
/// alone the rows are read as they are once locked; the store's faults. Either way, everything that
/// `commands` changed is taken back, and the host's transaction can go on.
pub fn run_in<C: Command>(
    tx: &mut postgres::Transaction<'_>,
    commands: &C,
    now: Option<Timestamp>,
) -> Result<C::Out, StoreError> {
    let level = tx.query_typed(ISOLATION, &[]).map_err(|e| fault(&e))?;
    refuse_isolation(&level)?;
    tx.batch_execute(SAVE).map_err(|e| fault(&e))?;
    let done = (|| {
        let mut hosted = Hosted::new(commands, now);
        while let Some(step) = hosted.next()? {
            let mut answers = Vec::new();
            for load in &statements::loads(&step.keys).0 {
                answers.push(tx.query_typed(&load.call.text, &load.call.typed()));
            }
            hosted.take(&step, answers)?;
        }
        let clock = hosted.clock().map(|call| tx.query_typed(&call.text, &[])).transpose();
        let (out, changes) = hosted.decide(clock)?;
        for change in changes {
            check(&change, tx.execute_typed(&change.call.text, &change.call.typed()))?;
        }
        Ok(out)
    })();
    let end = if done.is_ok() { KEEP } else { UNDO };
    tx.batch_execute(end).map_err(|e| fault(&e))?;
    done
}

/// As [`run_in`], for a host that awaits. The statements of a step are sent together.
///
/// Dropping the future in the middle leaves the savepoint open: roll the transaction back then.
///
/// # Errors
///
/// Those of [`run_in`].
pub async fn run_in_async<C: Command>(
    tx: &mut tokio_postgres::Transaction<'_>,
    commands: &C,
    now: Option<Timestamp>,
) -> Result<C::Out, StoreError> {
    let level = tx.query_typed(ISOLATION, &[]).await.map_err(|e| fault(&e))?;
    refuse_isolation(&level)?;
    tx.batch_execute(SAVE).await.map_err(|e| fault(&e))?;
    let done = decide_async(tx, commands, now).await;
    let end = if done.is_ok() { KEEP } else { UNDO };
    tx.batch_execute(end).await.map_err(|e| fault(&e))?;
    done
}

async fn decide_async<C: Command>(
    tx: &tokio_postgres::Transaction<'_>,
    commands: &C,
    now: Option<Timestamp>,
) -> Result<C::Out, StoreError> {
    let mut hosted = Hosted::new(commands, now);
    while let Some(step) = hosted.next()? {
        let answers = {
            let loads = statements::loads(&step.keys).0;
            let typed: Vec<_> = loads.iter().map(|load| load.call.typed()).collect();
            let mut flight: Vec<Flying<'_, _>> = Vec::with_capacity(loads.len());
            for (load, typed) in loads.iter().zip(&typed) {
                flight.push(Box::pin(tx.query_typed(&load.call.text, typed)));
            }
            together(flight).await
        };
        hosted.take(&step, answers)?;
    }
    let clock = match hosted.clock() {
        Some(call) => tx.query_typed(&call.text, &[]).await.map(Some),
        None => Ok(None),
    };
    let (out, changes) = hosted.decide(clock)?;
    let typed: Vec<_> = changes.iter().map(|change| change.call.typed()).collect();
    let mut flight: Vec<Flying<'_, _>> = Vec::with_capacity(changes.len());
    for (change, typed) in changes.iter().zip(&typed) {
        flight.push(Box::pin(tx.execute_typed(&change.call.text, typed)));
    }
    for (change, count) in changes.iter().zip(together(flight).await) {
        check(change, count)?;
    }
    Ok(out)
}

/// The decision of commands in a host's transaction, up to the statements to be run.
struct Hosted<'c, C> {
    commands: &'c C,
    plan: Plan,
    now: Option<Timestamp>,
}

impl<'c, C: Command> Hosted<'c, C> {
    fn new(commands: &'c C, now: Option<Timestamp>) -> Self {
        Self { commands, plan: Plan::new(), now }
    }

    /// What to load next; `None` when everything is read and locked.
    fn next(&mut self) -> Result<Option<Step>, StoreError> {
        self.plan.next(self.commands, false)
    }

    /// Takes the answers to a step's statements, in their order.
    fn take(
        &mut self,
        step: &Step,
        answers: Vec<Result<Vec<Row>, Error>>,
    ) -> Result<(), StoreError> {
        self.plan.load(step, |keys, rows| {
            for (load, answer) in statements::loads(keys).0.iter().zip(answers) {
                load.take(&answer.map_err(|e| fault(&e))?, rows)?;
            }
            Ok(())
        })
    }

    /// What to ask for the time, if the host did not say it.
    fn clock(&self) -> Option<Call> {
        self.now.is_none().then(|| statements::clock(false))
    }

    /// Decides, and names the statements that apply it.
    fn decide(
        self,
        clock: Result<Option<Vec<Row>>, Error>,
    ) -> Result<(C::Out, Vec<Change>), StoreError> {
        let clock = clock.map_err(|e| fault(&e))?;
        let now = self.now.or_else(|| Some(time(&clock?)?.0));
        let now = now.ok_or_else(|| StoreError::Backend("the server told no time".to_owned()))?;
        let (out, rows) = self.plan.decide(self.commands, now)?;
        Ok((out, statements::changes(&rows)))
    }
}

fn refuse_isolation(level: &[Row]) -> Result<(), StoreError> {
    let level: &str = level.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
    if level == "read committed" {
        return Ok(());
    }
    let text = format!("the transaction is {level}; finalmile's rules need READ COMMITTED");
    Err(StoreError::Backend(text))
}

fn check(change: &Change, count: Result<u64, Error>) -> Result<(), StoreError> {
    if count.map_err(|e| fault(&e))? == change.count {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!("{}: a row went astray", change.table.name)))
}
