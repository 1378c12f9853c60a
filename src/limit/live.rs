//! The limiter in memory: what is frozen, which endpoints are here, and what a check leaves behind.
//!
//! A freeze (**B6**) is a flag on the account's lines, which a check reads anyway; who makes a new line
//! asks first.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use crate::{
    AccountId, EndpointName, Refusal, Timestamp, World,
    ledger::Account,
    limit::{
        LimitOptions, Policy,
        bucket::Bucket,
        core::{Caller, Core, Spending, Trouble, line_key},
        counts::MINUTE_US,
        decision::{Decision, Quota, Reason},
        here::Here,
        journal::Journal,
        lanes::NewLane,
        meter::{Level, State},
        rows::LogRow,
        subject::{Name, Named, Names, Subject, uuid_text},
        sync::{lock, read, write},
        top::Top,
    },
    time::sixteen,
};

/// One instance's limits.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) core: Core,
    pub(super) world: Arc<dyn World>,
    pub(crate) options: LimitOptions,
    pub(super) names: Names,
    /// Accounts that are or were frozen, as of the latest version of their rows: answers may come out
    /// of order, and an old one must not lift a new freeze.
    frozen: RwLock<HashMap<u128, Freezing>>,
    pub(super) journal: Journal,
    pub(super) figures: Mutex<Figures>,
    /// Held while rows are made and written, so that a newer row is never overwritten by an older.
    pub(super) flushing: Mutex<()>,
    /// Held while changes are followed, so that none is done twice.
    pub(super) following: Mutex<()>,
    /// Tells this instance's rows from others'.
    pub(crate) instance: [u8; 16],
    /// The last change that was followed.
    pub(super) followed: AtomicI64,
    /// Numbers the log's rows.
    logged: AtomicU64,
    /// Whether what is stored was taken in.
    is_open: AtomicBool,
}

/// What is known of an account's freeze.
#[derive(Clone, Copy, Debug)]
struct Freezing {
    /// Of the account's row.
    version: i64,
    /// Until when; `None` outside: it is not frozen.
    until: Option<Option<Timestamp>>,
}

/// Figures on their way to the store.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By endpoint and minute: allowed and refused, since the minute began.
    pub(super) minutes: BTreeMap<(EndpointName, i64), [u64; 2]>,
    /// Those that changed since they were written.
    pub(super) changed: Vec<(EndpointName, i64)>,
    /// The busiest keys of the ten minutes of this slot.
    pub(super) slot: i64,
    pub(super) top: Top,
    /// Those of slots that are over, until they are written.
    pub(super) ended: Vec<(i64, Top)>,
}

impl Figures {
    /// Counts checks of an endpoint in a minute.
    pub(super) fn add(&mut self, endpoint: &EndpointName, minute: i64, [ok, no]: [u64; 2]) {
        let key = (endpoint.clone(), minute);
        let count = self.minutes.entry(key.clone()).or_default();
        *count = [count[0] + ok, count[1] + no];
        if !self.changed.contains(&key) {
            self.changed.push(key);
        }
    }
}

impl Live {
    pub(crate) fn new(world: Arc<dyn World>, options: LimitOptions) -> Self {
        let instance = sixteen(&*world);
        Self {
            core: Core::new(world.clone(), options.precision, options.keys_max, true),
            world,
            options,
            names: Names::default(),
            frozen: RwLock::default(),
            journal: Journal::new(options.log),
            figures: Mutex::default(),
            flushing: Mutex::default(),
            following: Mutex::default(),
            instance,
            followed: AtomicI64::new(0),
            logged: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
        }
    }

    /// Whether what is stored was taken in.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    pub(super) fn opened(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// The lane of an endpoint that is here.
    pub(super) fn lane(&self, endpoint: &str) -> Option<usize> {
        self.core.lanes().list.iter().position(|lane| lane.quota.name == endpoint)
    }

    /// How many lanes there are.
    pub(super) fn lanes(&self) -> usize {
        self.core.lanes().list.len()
    }

    /// Takes a policy in, new or changed; answers its lane. `None`: there are too many.
    pub(super) fn take_in(&self, policy: &Policy) -> Option<usize> {
        self.core.set_lane(&NewLane::of(policy)?)
    }

    /// Spends, or says why not.
    #[inline]
    pub(crate) fn check(&self, lane: usize, subject: Subject<'_>, times: NonZeroU32) -> Decision {
        let named = self.names.of(subject);
        match self.core.try_check::<true>(lane, named.id, times) {
            Ok(decision) => {
                if self.journal.wants(true) {
                    self.log(&named, &decision, times);
                }
                decision
            }
            Err(trouble) => self.check_again(lane, &named, times, trouble),
        }
    }

    #[cold]
    #[inline(never)]
    fn check_again(
        &self,
        lane: usize,
        named: &Named<'_>,
        times: NonZeroU32,
        trouble: Option<Trouble>,
    ) -> Decision {
        let is_frozen = |id: u128| self.is_frozen(id);
        let caller = Caller { id: named.id, name: named.name.as_str(), is_frozen: &is_frozen };
        let check = |trouble| self.core.check_again::<true>(lane, &caller, times, trouble);
        self.answered(named, times, check(trouble), || check(None))
    }

    #[inline]
    fn spend(
        &self,
        here: &mut Here,
        lane: usize,
        named: &Named<'_>,
        times: NonZeroU32,
    ) -> Decision {
        let is_frozen = |id: u128| self.is_frozen(id);
        let caller = Caller { id: named.id, name: named.name.as_str(), is_frozen: &is_frozen };
        let time = self.core.interval();
        let mut check = |time| self.core.check::<true>(here, lane, &caller, times, time);
        let decision = check(time);
        self.answered(named, times, decision, || check(self.core.interval()))
    }

    /// Asks again where a freeze is over, and logs.
    fn answered(
        &self,
        named: &Named<'_>,
        times: NonZeroU32,
        mut decision: Decision,
        again: impl FnOnce() -> Decision,
    ) -> Decision {
        if decision.reason() == Some(Reason::Frozen) && self.thaw(named.id) {
            decision = again();
        }
        if self.journal.wants(decision.is_allowed()) {
            self.log(named, &decision, times);
        }
        decision
    }

    /// Checks many callers: first every line is brought near, so that their misses overlap, then each
    /// is spent on.
    pub(crate) fn check_many(&self, asked: &[(usize, Subject<'_>)]) -> Vec<Decision> {
        let mut decisions = Vec::with_capacity(asked.len());
        // As many as a processor fetches at once, and some to spare.
        for some in asked.chunks(32) {
            let named: Vec<_> = some.iter().map(|(_, subject)| self.names.of(*subject)).collect();
            let spend = |here: &mut Here| {
                let near = some.iter().zip(&named);
                let touched =
                    near.map(|((lane, _), named)| here.touch(&self.core, named.id, *lane));
                std::hint::black_box(touched.fold(0, u64::wrapping_add));
                for ((lane, _), named) in some.iter().zip(&named) {
                    decisions.push(self.spend(here, *lane, named, NonZeroU32::MIN));
                }
            };
            if self.core.here(spend).is_none() {
                let alone = some.iter().map(|(lane, who)| self.check(*lane, *who, NonZeroU32::MIN));
                decisions.extend(alone);
            }
        }
        decisions
    }

    /// How a bucket stands.
    pub(super) fn peek(&self, lane: usize, subject: Subject<'_>) -> Decision {
        let id = self.names.of(subject).id;
        let stands = self.core.peek(id, lane);
        match self.is_frozen(id) {
            true => stands.denied(Reason::Frozen, None),
            false => stands,
        }
    }

    /// Spends on trial: also answers what to give back.
    pub(super) fn reserve(&self, lane: usize, subject: Subject<'_>) -> (Decision, Spending) {
        let named = self.names.of(subject);
        let spend = |here: &mut Here| {
            let decision = self.spend(here, lane, &named, NonZeroU32::MIN);
            // As this thread remembers the lane: so it was when the check was decided.
            let (units, full, parts) = here.units(lane);
            let (Level { used, start_us }, at_us) = decision.level();
            let units = (units, full);
            (decision, Spending { id: named.id, lane, units, start_us, used, at_us, parts })
        };
        self.core.here(spend).unwrap_or_else(|| spend(&mut Here::new(&self.core)))
    }

    /// The answer where nothing was asked.
    pub(super) fn nothing(&self) -> Decision {
        Decision::untouched(Quota::of("", None), self.core.clock.now_us())
    }

    /// The one copy of a lane's name.
    pub(super) fn name(&self, lane: usize) -> &'static str {
        self.core.lanes().list.get(lane).map_or("", |lane| lane.quota.name)
    }

    /// Whether an account is frozen now.
    pub(super) fn is_frozen(&self, id: u128) -> bool {
        let until = {
            let frozen = read(&self.frozen);
            frozen.get(&id).and_then(|freezing| freezing.until)
        };
        until.is_some_and(|until| until.is_none_or(|until| self.world.now() < until))
    }

    /// Ends a freeze whose time is over; whether it was.
    #[cold]
    fn thaw(&self, id: u128) -> bool {
        if let Some(known) = write(&self.frozen).get_mut(&id) {
            let now = self.world.now();
            if known.until.is_some_and(|until| until.is_none_or(|until| now < until)) {
                return false;
            }
            known.until = None;
        }
        self.flag(id);
        true
    }

    /// Obeys an account's row.
    pub(crate) fn obey(&self, account: &Account) {
        let id = self.names.of(Subject::Account(&account.id)).id;
        let is_frozen = account.is_frozen(self.world.now());
        let now =
            Freezing { version: account.version, until: is_frozen.then_some(account.frozen_until) };
        {
            let mut frozen = write(&self.frozen);
            let known = frozen.entry(id).or_insert(now);
            if known.version > now.version {
                return;
            }
            *known = now;
        }
        self.flag(id);
    }

    /// Brings the flags of an account's lines in line with what is known of him. Until they are: who
    /// makes a line asks under the shard's lock, so neither lock may be held here.
    fn flag(&self, id: u128) {
        let known = || {
            let frozen = read(&self.frozen);
            frozen.get(&id).is_some_and(|freezing| freezing.until.is_some())
        };
        let lanes = self.lanes();
        loop {
            let is_frozen = known();
            // One line for every page of endpoints.
            for lane in (0..lanes).step_by(super::lines::SLOTS) {
                self.core.table.set_frozen(line_key(id, lane).0, is_frozen);
            }
            if known() == is_frozen {
                return;
            }
        }
    }

    /// Takes in a bucket as it was stored.
    pub(super) fn load(&self, bucket: &Bucket, state: State) -> bool {
        let Some(lane) = self.lane(bucket.endpoint.as_str()) else { return true };
        let Named { id, name } = self.names.of_text(&bucket.key);
        let is_frozen = |id: u128| self.is_frozen(id);
        let caller = Caller { id, name: name.as_str(), is_frozen: &is_frozen };
        self.core.load(lane, &caller, state)
    }

    /// Gives everything back that an account has spent.
    pub(crate) fn reset(&self, subject: Subject<'_>) {
        let id = self.names.of(subject).id;
        let lanes = self.lanes();
        (0..lanes).for_each(|lane| self.core.clear(id, lane));
    }

    #[cold]
    fn log(&self, named: &Named<'_>, decision: &Decision, times: NonZeroU32) {
        let key = match named.name {
            Name::Uuid => uuid_text(named.id),
            name => name.as_str().unwrap_or_default().to_owned(),
        };
        let Ok(endpoint) = EndpointName::new(decision.endpoint()) else { return };
        let (reason, remaining) = (decision.reason(), decision.remaining());
        self.journal.note(|| self.log_row(key, endpoint, reason, times, remaining));
    }

    fn log_row(
        &self,
        key: String,
        endpoint: EndpointName,
        reason: Option<Reason>,
        times: NonZeroU32,
        remaining: Option<u32>,
    ) -> LogRow {
        LogRow {
            key,
            at: self.world.now(),
            id: self.row_id(),
            endpoint,
            is_allowed: reason.is_none(),
            reason: reason.map_or("", Reason::as_str).to_owned(),
            tokens: i64::from(times.get()),
            remaining: remaining.map(i64::from),
        }
    }

    /// This instance's next number for a row.
    fn row_id(&self) -> [u8; 16] {
        let mut id = self.instance;
        let number = self.logged.fetch_add(1, Ordering::Relaxed);
        id[8..].copy_from_slice(&number.to_be_bytes());
        id
    }

    /// Counts what a command took, or was refused, for the dashboards and the log.
    pub(crate) fn note_taken(
        &self,
        account: &AccountId,
        endpoint: &str,
        refusal: Option<&Refusal>,
    ) {
        let Ok(endpoint) = EndpointName::new(endpoint) else { return };
        let reason = match refusal {
            Some(Refusal::RateLimited { .. }) => Some(Reason::RateLimited),
            Some(Refusal::AccountFrozen { .. }) => Some(Reason::Frozen),
            // The token was taken before anything else could be refused.
            Some(Refusal::InsufficientCredits { .. }) | None => None,
            Some(_) => return,
        };
        let refused = u64::from(reason.is_some());
        {
            let mut figures = lock(&self.figures);
            let minute = self.world.now().micros().div_euclid(MINUTE_US);
            figures.add(&endpoint, minute, [1 - refused, refused]);
            figures.top.add(account.as_str(), 1, refused);
        }
        if self.journal.wants(reason.is_none()) {
            let (key, once) = (account.to_string(), NonZeroU32::MIN);
            self.journal.note(|| self.log_row(key, endpoint, reason, once, None));
        }
    }
}
