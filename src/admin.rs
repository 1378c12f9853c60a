//! Admin: what only the host's own staff may do.
//!
//! The host makes an [`Admin`] after its own authorisation; nothing else has these methods, and
//! every act leaves an audit row with the actor's name.

use crate::{
    AccountId, Actor, AuditEntry, FinalMile, Timestamp, audit,
    ledger::Account,
    limit::{Configure, Freeze, Policy, checked_reason},
    storage::Pending,
};

/// The capability to act as an admin.
///
/// A plain handle has no such methods:
///
/// ```compile_fail
/// # use finalmile::{AccountId, FinalMile, engines::Memory};
/// # let fm = FinalMile::builder(Memory::new()).open().unwrap();
/// fm.limiter().freeze(&AccountId::new("ada").unwrap(), "spam", None);
/// ```
#[derive(Clone, Debug)]
pub struct Admin {
    fm: FinalMile,
    actor: Actor,
}

impl Admin {
    pub(crate) fn new(fm: FinalMile, actor: Actor) -> Self {
        Self { fm, actor }
    }

    /// Freezes an account, until a time or until it is lifted. Freezing again replaces reason and
    /// end. An account that does not exist yet is opened, frozen.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`](crate::Refusal::Invalid) for a reason that is empty, longer than 1,000
    /// bytes or holds control characters.
    pub fn freeze(
        &self,
        account: &AccountId,
        reason: &str,
        until: Option<Timestamp>,
    ) -> Pending<Account> {
        self.change("freeze-account", account, reason, Some(until))
    }

    /// Lifts a freeze. Lifting none changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Admin::freeze`].
    pub fn unfreeze(&self, account: &AccountId, reason: &str) -> Pending<Account> {
        self.change("unfreeze-account", account, reason, None)
    }

    fn change(
        &self,
        service: &'static str,
        account: &AccountId,
        reason: &str,
        until: Option<Option<Timestamp>>,
    ) -> Pending<Account> {
        let (account, actor) = (account.clone(), self.actor.clone());
        match checked_reason(reason) {
            Ok(reason) => {
                let command = Freeze { account: account.clone(), actor, reason, until };
                self.fm.ask(service, Some(account), command)
            }
            Err(refusal) => self.fm.refuse(service, Some(&account), refusal),
        }
    }

    /// Sets an endpoint's limit, live. What was spent stays spent while the rule stays the same; a
    /// change between a token bucket and a window, or of a window's length, starts buckets afresh.
    pub fn configure(&self, policy: Policy) -> Pending<Policy> {
        self.fm.ask("configure-limit", None, Configure { policy, actor: self.actor.clone() })
    }

    /// What was done to an item (`account:ada`, `endpoint:search`), oldest first, its chain
    /// verified.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`](crate::storage::StoreError::Corrupt) when the chain breaks.
    pub fn audit(&self, subject: &str) -> Result<Vec<AuditEntry>, crate::Error> {
        audit::read(self.fm.store(), subject).map_err(|fault| {
            let error = crate::Error::from(fault);
            error.log("audit", None);
            error
        })
    }
}
