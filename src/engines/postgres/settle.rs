//! A lost connection: opened again, and a commit in doubt looked up.

use std::{thread, time::Duration};

use super::{PgEngine, Purpose, Session, statements::Call};
use crate::{
    storage::{StoreError, Value},
    time::Deadline,
};

/// How long a commit in doubt is looked for.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// How long to wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a server that cannot be reached is believed to stay so. A batch whose commands are
/// tried one by one does not wait for each.
const DOWN_FOR: Duration = Duration::from_millis(250);

/// A transaction in progress has a session that lost its client and may not have noticed. Ended, the
/// transaction is either committed or not.
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE backend_xid = $1::xid8::xid";

impl PgEngine {
    /// The session, opened again if it was lost.
    pub(super) fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.is_none() {
            if let Some((fault, _)) = self.down.as_ref().filter(|(_, until)| !until.is_over()) {
                return Err(fault.clone());
            }
            let session = Session::open(&self.options, Purpose::Write).inspect_err(|fault| {
                self.down = Some((fault.clone(), Deadline::after(DOWN_FOR)));
            })?;
            self.down = None;
            self.server = session.server();
            self.session = Some(session);
        }
        self.session.as_mut().ok_or(StoreError::Closed)
    }

    /// Finds out what became of the transaction `xid`, whose commit was not answered (**PG3**).
    pub(super) fn settle(&mut self, xid: Option<&str>, cause: &str) -> Result<(), StoreError> {
        let unknown = || StoreError::Unknown(cause.to_owned());
        let xid = xid.ok_or_else(unknown)?;
        let server = self.server;
        let deadline = Deadline::after(SETTLE_MAX);
        while !deadline.is_over() {
            if let Some(status) = self.look_up(xid) {
                // A server that crashed may give the id of a transaction that it never wrote down
                // to another one. So only what says "not committed" is certain then.
                let same = self.server == server;
                return match status {
                    Status::Committed if same => Ok(()),
                    Status::Aborted => {
                        Err(StoreError::Busy(format!("the connection was lost: {cause}")))
                    }
                    Status::Committed | Status::Forgotten => Err(unknown()),
                };
            }
            thread::sleep(LOOK_AGAIN);
        }
        Err(unknown())
    }

    /// One look; `None` when there is nothing to know yet.
    fn look_up(&mut self, xid: &str) -> Option<Status> {
        let ask = |session: &mut Session, text: &str| {
            session.ask(&Call::with(text.to_owned(), vec![Value::Text(xid.to_owned())]))
        };
        let session = self.session().ok()?;
        let answer = ask(session, "SELECT pg_xact_status($1::xid8)");
        let status = match answer {
            Ok(answer) => match answer.rows.first()?.get::<_, Option<&str>>(0) {
                Some("committed") => Some(Status::Committed),
                Some("aborted") => Some(Status::Aborted),
                Some(_) => {
                    drop(ask(session, END));
                    None
                }
                None => Some(Status::Forgotten),
            },
            // An id "in the future": the server crashed before it wrote anything of it down.
            Err(StoreError::Backend(text)) if text.contains("in the future") => {
                Some(Status::Aborted)
            }
            Err(StoreError::Backend(_)) => Some(Status::Forgotten),
            Err(_) => None,
        };
        if session.is_lost() {
            self.session = None;
        }
        status
    }
}

enum Status {
    Committed,
    Aborted,
    /// Too long ago for the server to say.
    Forgotten,
}
