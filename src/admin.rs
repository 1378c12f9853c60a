//! Admin: what only the host's own staff may do.
//!
//! The host makes an [`Admin`] after its own authorisation; nothing else has these methods, and
//! every act leaves an audit row with the actor's name.

use crate::{
    AccountId, Actor, AuditEntry, FinalMile, Timestamp, audit,
    ledger::Account,
    limit::{Configure, EndpointFigures, Freeze, Policy, Reset, Subject, TopUser, checked_reason},
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

    /// An account with its freeze: since when, until when, by whom and why. `None`: nobody of that
    /// name has one. The view `account_status` shows the same.
    pub fn account_status(&self, account: &AccountId) -> Pending<Option<Account>> {
        let fault = FinalMile::fault("account-status", Some(account.clone()));
        self.fm.store().get_in(account, fault)
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
                self.fm.ask_then(service, Some(account), command, |live, account| {
                    if let Ok(account) = account {
                        live.obey(account);
                    }
                })
            }
            Err(refusal) => self.fm.refuse(service, Some(&account), refusal),
        }
    }

    /// Sets an endpoint's limit, live: in this instance at once, in others within a second. What was
    /// spent keeps its share: a bucket that was half empty is half empty under the new limit.
    ///
    /// # Errors
    ///
    /// [`Refusal::Conflict`](crate::Refusal::Conflict) for [`Home::Store`](crate::limit::Home) when
    /// the endpoint's buckets live in memory: an endpoint has one home for good.
    pub fn configure(&self, policy: Policy) -> Pending<Policy> {
        let command = Configure { policy, actor: self.actor.clone() };
        self.fm.ask_then("configure-limit", None, command, |live, policy| {
            if let Ok(policy) = policy {
                live.follow_policy(policy);
            }
        })
    }

    /// Gives an account back what it has spent at every endpoint, after a false alarm: in this
    /// instance at once, in others within a second. Answers how many buckets were stored. A frozen
    /// account stays frozen.
    ///
    /// # Errors
    ///
    /// As [`Admin::freeze`], and what the store says.
    pub fn reset_limits(&self, account: &AccountId, reason: &str) -> Pending<u64> {
        let service = "reset-limits";
        let reason = match checked_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return self.fm.refuse(service, Some(account), refusal),
        };
        let endpoints = match self.fm.limiter().policies().wait() {
            Ok(page) => page.rows.into_iter().map(|policy| policy.endpoint().clone()).collect(),
            Err(error) => return Pending::ready(Err(error)),
        };
        let (account, actor) = (account.clone(), self.actor.clone());
        let instance = self.fm.keeper().live().instance;
        let command = Reset { account: account.clone(), endpoints, actor, reason, instance };
        self.fm.ask_then(service, Some(account.clone()), command, move |live, done| {
            if done.is_ok() {
                live.reset(Subject::Account(&account));
            }
        })
    }

    /// The last hour of every endpoint, by name, of all instances: what the view
    /// `v_rate_limit_dashboard` shows. Counters reach the store within five seconds, or with
    /// [`Limiter::flush`](crate::limit::Limiter::flush). Reads the rows of that hour.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn limit_dashboard(&self) -> Result<Vec<EndpointFigures>, crate::Error> {
        self.fm.limiter().dashboard().map_err(FinalMile::fault("limit-dashboard", None))
    }

    /// The 100 busiest keys of the last hour, the busiest first: what the view
    /// `v_rate_limit_top_users` shows.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn top_users(&self) -> Result<Vec<TopUser>, crate::Error> {
        self.fm.limiter().top_users().map_err(FinalMile::fault("top-users", None))
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
