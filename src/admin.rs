//! Admin: what only the host's own staff may do.
//!
//! The host makes an [`Admin`] after its own authorisation; nothing else has these methods, and
//! every act leaves an audit row with the actor's name.

use crate::{
    AccountId, Actor, AuditEntry, Error, FinalMile, ReservationId, Timestamp, audit,
    ledger::{Account, Reservation, high_reserved},
    limit::{Configure, EndpointFigures, Freeze, Policy, Reset, Subject, TopUser, checked_reason},
    report::{self, Report},
    storage::{Pending, Scan},
    trash::Trash,
    upload::{FailUpload, FreeReservation, Upload},
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

    /// Deletes items, restores, holds and purges them.
    #[must_use]
    pub fn trash(&self) -> Trash {
        Trash::new(self.fm.clone(), self.actor.clone())
    }

    pub(crate) fn fm(&self) -> &FinalMile {
        &self.fm
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
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

    /// Frees a reservation that is stuck, the host's own or an upload's; an upload that it belongs to
    /// fails with it, so that nothing is half done. This is what to do instead of setting
    /// `credits_reserved` to 0 by hand.
    ///
    /// # Errors
    ///
    /// As [`Admin::freeze`]; `ReservationUnknown`, `ReservationEnded`.
    pub fn release_reservation(
        &self,
        account: &AccountId,
        id: ReservationId,
        reason: &str,
    ) -> Pending<Reservation> {
        let command = checked_reason(reason).map(|reason| {
            let (account, actor) = (account.clone(), self.actor.clone());
            FreeReservation { account, id, actor, reason }
        });
        self.fm.ask_checked("release-reservation", Some(account), command)
    }

    /// Fails all pending uploads of an account and frees their credits; answers how many. Waits.
    /// Reads all pending uploads, of which there are two hours' worth.
    ///
    /// # Errors
    ///
    /// As [`Admin::freeze`], and what the store says.
    pub fn fail_pending_uploads(&self, account: &AccountId, reason: &str) -> Result<u64, Error> {
        let service = "fail-pending-uploads";
        let reason = match checked_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return self.fm.refuse(service, Some(account), refusal).wait(),
        };
        let fault = || FinalMile::fault(service, Some(account.clone()));
        let store = self.fm.store();
        let mut stuck = Vec::new();
        let scan = Scan::of::<Upload>().by("fm_upload_stuck");
        let read = store.for_each(&scan, |upload: Upload| {
            stuck.extend((upload.account == *account).then_some(upload.id));
            true
        });
        read.map_err(fault())?;
        let mut failed = 0;
        let fail = |upload| {
            let (account, actor) = (account.clone(), self.actor.clone());
            FailUpload { account, upload, actor, reason: reason.clone() }
        };
        // One that ended by itself meanwhile is not stuck.
        let count = |done: Result<_, _>| failed += u64::from(done.is_ok());
        store.submit_all(stuck.into_iter().map(fail), count).map_err(fault())?;
        Ok(failed)
    }

    /// The accounts that have at least `percent` of their balance set aside, the fullest first. Reads
    /// all pending reservations and their accounts.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn high_reserved(&self, percent: i64) -> Result<Vec<Account>, Error> {
        let found = high_reserved(self.fm.store(), percent, || true);
        found.map_err(FinalMile::fault("high-reserved", None))
    }

    /// The last hour of every endpoint, by name, of all instances: what the view
    /// `v_rate_limit_dashboard` shows. Counters reach the store within five seconds, or with
    /// [`Limiter::flush`](crate::limit::Limiter::flush). Reads the rows of that hour.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn limit_dashboard(&self) -> Result<Vec<EndpointFigures>, Error> {
        self.fm.limiter().dashboard().map_err(FinalMile::fault("limit-dashboard", None))
    }

    /// The 100 busiest keys of the last hour, the busiest first: what the view
    /// `v_rate_limit_top_users` shows.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn top_users(&self) -> Result<Vec<TopUser>, Error> {
        self.fm.limiter().top_users().map_err(FinalMile::fault("top-users", None))
    }

    /// The dashboards' figures as of now, read at one moment: the rows of the views that
    /// [`report`](crate::report) lists. With a million uploads it takes well under a second, most of
    /// it for the totals over all time.
    ///
    /// # Errors
    ///
    /// What the store says; [`StoreError::Busy`](crate::storage::StoreError::Busy) after a minute.
    pub fn report(&self) -> Pending<Report> {
        self.report_at(self.fm.store().now())
    }

    /// The same with windows that end at `now` (what came later counts as recent), for a page that is
    /// made of an old file.
    ///
    /// # Errors
    ///
    /// As [`Admin::report`].
    pub fn report_at(&self, now: Timestamp) -> Pending<Report> {
        report::read(&self.fm, now)
    }

    /// What was done to an item (`account:ada`, `endpoint:search`), oldest first, its chain
    /// verified.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`](crate::storage::StoreError::Corrupt) when the chain breaks.
    pub fn audit(&self, subject: &str) -> Result<Vec<AuditEntry>, Error> {
        audit::read(self.fm.store(), subject).map_err(FinalMile::fault("audit", None))
    }
}
