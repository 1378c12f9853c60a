//! What users and operators look at: buckets, the log, and the dashboards' figures.

use std::collections::BTreeMap;

use crate::{
    AccountId, Error, FinalMile,
    limit::{
        Decision, Home, Limiter, Policy, Subject,
        bucket::Bucket,
        counts::{MINUTE_US, SLOT_US},
        meter::{Meter, State},
        rows::{LogRow, Minute, TopKey},
        subject::NO_ACCOUNT,
    },
    storage::{Cursor, Page, Pending, Scan, StoreError},
};

/// One endpoint over the last hour, to the minute, of all instances.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndpointFigures {
    /// Which.
    pub endpoint: String,
    /// Buckets that were spent on.
    pub active_buckets: u64,
    /// Checks.
    pub requests: u64,
    /// Those of them that were refused.
    pub blocked: u64,
}

impl EndpointFigures {
    /// Refused checks in ten thousand.
    #[must_use]
    pub fn block_rate_bp(&self) -> u64 {
        (self.blocked * 10_000).checked_div(self.requests).unwrap_or(0)
    }
}

/// One of the busiest keys of the last hour.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TopUser {
    /// The account; `None`: nobody who is signed in.
    pub account: Option<AccountId>,
    /// Its checks: never fewer than there were but for a flood of more than 65,000 a second, and more
    /// by at most the total divided by 512.
    pub requests: u64,
    /// Those of them that were refused.
    pub blocked: u64,
}

const HOUR_US: i64 = 60 * MINUTE_US;

impl Limiter {
    /// How an account stands at every active endpoint, by name: in memory as of now, in the store as
    /// of its last commit.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn buckets(&self, account: &AccountId) -> Result<Vec<Decision>, Error> {
        let mut stands = Vec::new();
        let mut read = || -> Result<(), StoreError> {
            for policy in self.fm.store().scan(Scan::of::<Policy>().limit(1_000)).wait()?.rows {
                let policy: Policy = policy;
                let Some(meter) = Meter::of(&policy).filter(|_| policy.is_active) else { continue };
                let lane = self.live().lane(policy.endpoint.as_str());
                if let (Home::Local, Some(lane)) = (policy.home, lane) {
                    stands.push(self.live().peek(lane, Subject::Account(account)));
                    continue;
                }
                let id = (account.to_string(), policy.endpoint.clone());
                let bucket = self.fm.store().get::<Bucket>(&id).wait()?;
                let state = bucket.map_or(State::FULL, |one| one.state(&policy, &meter));
                let now_us = self.fm.store().now().micros();
                let level = meter.level(state, now_us);
                stands.push(Decision::of(policy.quota(), level, now_us));
            }
            Ok(())
        };
        read().map_err(FinalMile::fault("buckets", Some(account.clone())))?;
        Ok(stands)
    }

    /// An account's own requests that were logged, newest first, one page.
    pub fn log(
        &self,
        account: &AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Pending<Page<LogRow>> {
        let scan = Scan::of::<LogRow>().under(&account.to_string()).descending();
        let fault = FinalMile::fault("limit-log", Some(account.clone()));
        self.fm.store().scan_in(scan.limit(limit).after(after), fault)
    }

    /// How many rows of the log were dropped by this instance since it was opened.
    #[must_use]
    pub fn log_dropped(&self) -> u64 {
        self.live().journal.dropped()
    }

    /// The last hour of every endpoint: the figures of the view `v_rate_limit_dashboard`. What was
    /// counted in the last five seconds may be missing, unless [`Limiter::flush`] was called.
    pub(crate) fn dashboard(&self) -> Result<Vec<EndpointFigures>, StoreError> {
        let store = self.fm.store();
        let since_us = store.now().micros().saturating_sub(HOUR_US);
        let mut figures = BTreeMap::new();
        store.for_each(&Scan::of::<Policy>(), |policy: Policy| {
            let endpoint = policy.endpoint.to_string();
            let fresh = EndpointFigures { endpoint: endpoint.clone(), ..Default::default() };
            figures.insert(endpoint, fresh);
            true
        })?;
        store.for_each(&Scan::of::<Minute>().descending(), |row: Minute| {
            // The view's own bound.
            let is_recent = row.minute > since_us.div_euclid(MINUTE_US);
            if let Some(known) = figures.get_mut(row.endpoint.as_str()).filter(|_| is_recent) {
                let [allowed, refused] = [row.allowed, row.refused].map(i64::unsigned_abs);
                known.requests += allowed + refused;
                known.blocked += refused;
            }
            is_recent
        })?;
        for index in ["fm_bucket_idle", "fm_window_idle"] {
            store.for_each(&Scan::of::<Bucket>().by(index).descending(), |row: Bucket| {
                let is_recent = row.touched_at.micros() > since_us;
                if let Some(known) = figures.get_mut(row.endpoint.as_str()) {
                    known.active_buckets += u64::from(is_recent);
                }
                is_recent
            })?;
        }
        Ok(figures.into_values().collect())
    }

    /// The busiest keys of the last hour: the rows of the view `v_rate_limit_top_users`.
    pub(crate) fn top_users(&self) -> Result<Vec<TopUser>, StoreError> {
        let store = self.fm.store();
        let oldest = store.now().micros().div_euclid(SLOT_US) - 6;
        let mut keys: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        store.for_each(&Scan::of::<TopKey>().descending(), |row: TopKey| {
            if row.slot > oldest {
                let sum = keys.entry(row.key).or_default();
                sum[0] += row.requests.unsigned_abs();
                sum[1] += row.refused.unsigned_abs();
            }
            row.slot > oldest
        })?;
        let mut users: Vec<_> = keys.into_iter().collect();
        users.sort_by(|(a, x), (b, y)| y[0].cmp(&x[0]).then_with(|| a.cmp(b)));
        users.truncate(100);
        let user = |(key, [requests, blocked]): (String, [u64; 2])| {
            let account = (!key.starts_with(NO_ACCOUNT)).then(|| AccountId::new(&key).ok());
            TopUser { account: account.flatten(), requests, blocked }
        };
        Ok(users.into_iter().map(user).collect())
    }
}
