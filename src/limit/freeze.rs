//! Freezing: an account that may do nothing until an admin, or the time, says otherwise.
//!
//! # Invariants
//!
//! - **B6** A frozen account is refused by every check and cannot begin an upload: by commands from
//!   the commit of the freeze on, in the memory of the instance that froze it with the answer, and
//!   in other instances within a second.

use crate::{
    AccountId, Actor, Refusal, Timestamp, audit,
    ledger::Account,
    limit::change::{self, Change},
    storage::{Command, KeySet, Rows},
};

/// The most bytes of an admin's reason.
const REASON_BYTES_MAX: usize = 1_000;

/// Freezes an account, or lifts the freeze.
#[derive(Clone, Debug)]
pub(crate) struct Freeze {
    pub(crate) account: AccountId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    /// Until when, at most; `None` inside: without an end. `None` outside: lift it.
    pub(crate) until: Option<Option<Timestamp>>,
}

/// A reason that an admin must give: not empty, not a novel, no control characters.
pub(crate) fn checked_reason(reason: &str) -> Result<String, Refusal> {
    let why = if reason.trim().is_empty() {
        "it is empty"
    } else if reason.len() > REASON_BYTES_MAX {
        "it is longer than 1,000 bytes"
    } else if reason.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(reason.to_owned());
    };
    Err(Refusal::Invalid { field: "reason", why })
}

impl Command for Freeze {
    type Out = Result<Account, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Account>(&self.account);
        change::keys(keys);
        audit::keys(&audit::of_account(&self.account), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let found = rows.get::<Account>(&self.account).cloned();
        let account = found.unwrap_or_else(|| Account::new(&self.account, now));
        let version = account.version + 1;
        let (account, action) = match self.until {
            Some(until) => {
                let frozen = Account {
                    frozen_at: Some(now),
                    frozen_until: until,
                    frozen_by: Some(self.actor.to_string()),
                    frozen_reason: Some(self.reason.clone()),
                    version,
                    ..account
                };
                (frozen, "freeze")
            }
            // Nothing to lift: the same answer, and no entry for an act that did nothing.
            None if account.frozen_at.is_none() => return Ok(account),
            None => {
                let (frozen_at, frozen_until, frozen_by, frozen_reason) = (None, None, None, None);
                let lifted = Account {
                    frozen_at,
                    frozen_until,
                    frozen_by,
                    frozen_reason,
                    version,
                    ..account
                };
                (lifted, "unfreeze")
            }
        };
        rows.put(account.clone());
        change::note(rows, Change::Account(&self.account), now);
        audit::note(
            rows,
            &audit::of_account(&self.account),
            &self.actor,
            action,
            &self.reason,
            now,
        );
        Ok(account)
    }
}
