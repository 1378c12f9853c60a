//! A transaction of the writer's: two flights, and what the second one's answers mean.

use tokio_postgres::{Error, Row, error::SqlState};

use super::{
    fault::{fault, is_lost},
    session::{Answer, Session},
    statements::{self, Change},
};
use crate::{
    storage::{EngineTx, KeySet, Rows, StoreError},
    time::Timestamp,
};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How a transaction ended.
#[derive(Debug)]
pub(super) enum End {
    /// Its outcome is known.
    Done(Result<(), StoreError>),
    /// COMMIT was sent and the connection ended before its answer.
    Doubt { xid: Option<String>, cause: String },
}

/// A transaction that begins with its first flight.
pub(super) struct PgTx<'s> {
    session: &'s mut Session,
    begun: bool,
    /// Decisions take this process's time.
    own_clock: bool,
    now: Option<Timestamp>,
    /// The transaction's id, once it has one: what to ask for if the commit's answer is lost.
    xid: Option<String>,
    changes: Vec<Change>,
}

impl<'s> PgTx<'s> {
    pub(super) fn on(session: &'s mut Session, own_clock: bool) -> Self {
        Self { session, begun: false, own_clock, now: None, xid: None, changes: Vec::new() }
    }

    /// Sends the changes and COMMIT. After a failed statement the server answers COMMIT by rolling
    /// back, so the first failure is the outcome.
    pub(super) fn commit(mut self) -> End {
        if let Err(fault) = self.session.prepare(self.changes.iter().map(|change| &change.call)) {
            return End::Done(Err(fault));
        }
        let first = (!self.begun).then_some(BEGIN);
        let calls = self.changes.iter().map(|change| &change.call);
        let answers = self.session.fly(first, calls, Some("COMMIT"));
        // Without its answer, COMMIT was never sent.
        self.begun = answers.len() <= self.changes.len() + usize::from(first.is_some());
        let mut astray = None;
        for (i, answer) in answers.iter().enumerate() {
            match answer {
                Err(error) if is_lost(error) => {
                    // After a crash of the server's, ids may be given out twice.
                    let crash = error.code() == Some(&SqlState::CRASH_SHUTDOWN);
                    let xid = self.xid.take().filter(|_| !crash);
                    return End::Doubt { xid, cause: error.to_string() };
                }
                Err(error) => return End::Done(Err(fault(error))),
                Ok(answer) => {
                    let change = i.checked_sub(usize::from(first.is_some()));
                    let change = change.and_then(|i| self.changes.get(i));
                    let wrong = change.filter(|change| change.count != answer.count);
                    astray = astray.or(wrong.map(|change| change.table.name));
                }
            }
        }
        // The rows were locked, so only a rule or trigger of somebody else's can do this.
        End::Done(astray.map_or(Ok(()), |table| {
            // Not to be decided again: the rest of it did commit.
            Err(StoreError::Unknown(format!("{table}: a row went astray in a committed change")))
        }))
    }

    /// Forgets everything. The locks go as soon as the server reads this; nobody waits for it.
    pub(super) fn rollback(mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.session.dismiss("ROLLBACK");
        }
    }
}

impl Drop for PgTx<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl EngineTx for PgTx<'_> {
    fn load(&mut self, keys: &KeySet, rows: &mut Rows) -> Result<(), StoreError> {
        let (loads, owns) = statements::loads(keys);
        let clock = statements::clock(owns);
        let calls = || loads.iter().map(|load| &load.call).chain([&clock]);
        self.session.prepare(calls())?;
        let first = (!self.begun).then_some(BEGIN);
        let answers = self.session.fly(first, calls(), None);
        self.begun = true;
        let answers = first_failure(answers)?;
        let mut answers = answers.into_iter().skip(usize::from(first.is_some()));
        for load in &loads {
            load.take(&answers.next().unwrap_or_default().rows, rows)?;
        }
        if let Some((now, xid)) = answers.next().and_then(|answer| time(&answer.rows)) {
            self.now = Some(now);
            self.xid = xid;
        }
        Ok(())
    }

    fn apply(&mut self, rows: &Rows) -> Result<(), StoreError> {
        self.changes = statements::changes(rows);
        Ok(())
    }

    fn now(&self) -> Option<Timestamp> {
        self.now.filter(|_| !self.own_clock)
    }
}

/// All answers, or the first failure: those after it only say that the transaction failed.
fn first_failure(answers: Vec<Result<Answer, Error>>) -> Result<Vec<Answer>, StoreError> {
    answers.into_iter().collect::<Result<_, _>>().map_err(|error| fault(&error))
}

/// What [`statements::clock`] answered.
pub(super) fn time(rows: &[Row]) -> Option<(Timestamp, Option<String>)> {
    let row = rows.first()?;
    Some((Timestamp::from_micros(row.try_get(0).ok()?), row.try_get(1).ok()?))
}
