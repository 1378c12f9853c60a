//! The limiter of a [`FinalMile`]: endpoints found once, checks in nanoseconds.

use std::num::NonZeroU32;

use crate::{
    AccountId, EndpointName, Error, FinalMile, Refusal,
    limit::{Decision, Hold, Home, Policy, Reason, Subject, Take, live::Live, subject::uuid_text},
    storage::{Page, Pending, Scan},
};

/// An endpoint whose buckets are in memory, found once and kept: checks look no name up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoint {
    name: &'static str,
    pub(super) lane: usize,
    table: u64,
}

impl Endpoint {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The limiter of a [`FinalMile`].
#[derive(Clone, Debug)]
pub struct Limiter {
    pub(super) fm: FinalMile,
}

impl Limiter {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    pub(super) fn live(&self) -> &Live {
        self.fm.keeper().live()
    }

    /// Finds an endpoint whose buckets are in memory. The first call takes in what is stored of all
    /// of them, and starts the thread that writes behind.
    ///
    /// # Errors
    ///
    /// [`Refusal::EndpointUnknown`] when none of that name is configured; [`Refusal::Invalid`] when
    /// its buckets live in the store: a command takes from those, and a check before it would charge
    /// twice.
    pub fn endpoint(&self, name: &str) -> Result<Endpoint, Error> {
        self.find(name).inspect_err(|error| error.log("endpoint", None))
    }

    fn find(&self, name: &str) -> Result<Endpoint, Error> {
        self.fm.keeper().open()?;
        let live = self.live();
        let known = match live.lane(name) {
            Some(lane) => lane,
            None => {
                let name = EndpointName::new(name)?;
                let policy = self.fm.store().get::<Policy>(&name).wait()?;
                let policy = policy.ok_or(Refusal::EndpointUnknown { endpoint: name })?;
                if policy.home == Home::Store {
                    let why = "its buckets are in the store: take from it";
                    return Err(Refusal::Invalid { field: "endpoint", why }.into());
                }
                let why = "there are 1,280 in memory already";
                live.take_in(&policy).ok_or(Refusal::Invalid { field: "endpoint", why })?
            }
        };
        let (name, table) = (live.name(known), live.core.table.serial());
        Ok(Endpoint { name, lane: known, table })
    }

    /// The lane of an endpoint; of another limiter's, the one of that name.
    #[inline]
    pub(super) fn lane(&self, endpoint: Endpoint) -> usize {
        let live = self.live();
        if endpoint.table == live.core.table.serial() {
            return endpoint.lane;
        }
        live.lane(endpoint.name).unwrap_or(usize::MAX)
    }

    /// Spends what one check costs, or says why not. Takes no lock, waits for nothing, and logs
    /// nothing but the row that [`LogMode`](crate::limit::LogMode) asks for.
    ///
    /// # Example
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let search = fm.limiter().endpoint("search")?;
    /// let decision = fm.limiter().check(search, &AccountId::new("ada")?);
    /// assert_eq!((decision.is_allowed(), decision.remaining()), (true, Some(119)));
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    #[inline]
    pub fn check<'s>(&self, endpoint: Endpoint, subject: impl Into<Subject<'s>>) -> Decision {
        self.check_n(endpoint, subject, NonZeroU32::MIN)
    }

    /// Spends what so many checks cost, all or nothing.
    #[inline]
    pub fn check_n<'s>(
        &self,
        endpoint: Endpoint,
        subject: impl Into<Subject<'s>>,
        times: NonZeroU32,
    ) -> Decision {
        let decision = self.live().check(self.lane(endpoint), subject.into(), times);
        self.make_room();
        decision
    }

    /// A check whose refusal is an error, logged once.
    ///
    /// # Errors
    ///
    /// [`Refusal::RateLimited`] with the time to wait, [`Refusal::AccountFrozen`].
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let search = fm.limiter().endpoint("search")?;
    /// fm.limiter().allow(search, &AccountId::new("ada")?)?;
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn allow<'s>(
        &self,
        endpoint: Endpoint,
        subject: impl Into<Subject<'s>>,
    ) -> Result<Decision, Error> {
        let subject = subject.into();
        let decision = self.check(endpoint, subject);
        let Some(refusal) = self.refusal(subject, &decision) else { return Ok(decision) };
        let error = Error::from(refusal);
        match subject {
            Subject::Account(account) => error.log("check-rate-limit", Some(account)),
            _ => error.log("check-rate-limit", None),
        }
        Err(error)
    }

    fn refusal(&self, subject: Subject<'_>, decision: &Decision) -> Option<Refusal> {
        let named = self.live().names.of(subject);
        let key = named.name.as_str().map_or_else(|| uuid_text(named.id), str::to_owned);
        if decision.reason() == Some(Reason::Frozen)
            && let Ok(account) = AccountId::new(&key)
        {
            // The reason is in the account's row, which a check does not read.
            return Some(Refusal::AccountFrozen { account, reason: String::new(), until: None });
        }
        decision.refusal(&key)
    }

    /// How a bucket stands: what a check would answer if it cost nothing.
    pub fn peek<'s>(&self, endpoint: Endpoint, subject: impl Into<Subject<'s>>) -> Decision {
        self.live().peek(self.lane(endpoint), subject.into())
    }

    /// Spends now, and gives it back unless [`Hold::commit`] is called: for work that may turn out
    /// not to count. `Err`: the refusal.
    ///
    /// # Errors
    ///
    /// The decision that refused.
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory};
    /// # let (fm, ada) = (FinalMile::builder(Memory::new()).open()?, AccountId::new("ada")?);
    /// let search = fm.limiter().endpoint("search")?;
    /// let held = fm.limiter().reserve(search, &ada).expect("a fresh bucket is full");
    /// drop(held);
    /// assert_eq!(fm.limiter().peek(search, &ada).remaining(), Some(120));
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn reserve<'s>(
        &self,
        endpoint: Endpoint,
        subject: impl Into<Subject<'s>>,
    ) -> Result<Hold, Decision> {
        let (decision, spent) = self.live().reserve(self.lane(endpoint), subject.into());
        self.make_room();
        match decision.is_allowed() {
            true => Ok(Hold::new(self.clone(), spent, decision)),
            false => Err(decision),
        }
    }

    /// Checks many at once: their cache misses overlap, so each costs less than alone. One decision
    /// each, in order; those that are refused spend nothing, the others do.
    #[must_use]
    pub fn check_many(&self, asked: &[(Endpoint, Subject<'_>)]) -> Vec<Decision> {
        let lanes = asked.iter().map(|(endpoint, subject)| (self.lane(*endpoint), *subject));
        let decisions = self.live().check_many(&lanes.collect::<Vec<_>>());
        self.make_room();
        decisions
    }

    /// Checks all of these, all or nothing: a user, his address and everybody. Answers the refusal,
    /// or of those that allowed it the one with the fewest tokens left. What was spent before a
    /// refusal is given back.
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory, limit::Subject};
    /// # use std::net::IpAddr;
    /// # let (fm, ada) = (FinalMile::builder(Memory::new()).open()?, AccountId::new("ada")?);
    /// # let (limiter, address) = (fm.limiter(), IpAddr::from([192, 0, 2, 1]));
    /// let (search, api) = (limiter.endpoint("search")?, limiter.endpoint("api_general")?);
    /// let asked = [(search, Subject::from(&ada)), (api, Subject::from(address))];
    /// assert!(limiter.check_all(&asked).is_allowed());
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Never; of an empty list, the answer is an unlimited one.
    pub fn check_all(&self, asked: &[(Endpoint, Subject<'_>)]) -> Decision {
        let mut held = Vec::with_capacity(asked.len());
        for (endpoint, subject) in asked {
            match self.reserve(*endpoint, *subject) {
                Ok(hold) => held.push(hold),
                // Dropping the others gives their tokens back.
                Err(refused) => return refused,
            }
        }
        let decisions = held.into_iter().map(Hold::commit);
        let tightest = decisions.min_by_key(|decision| decision.remaining().unwrap_or(u32::MAX));
        tightest.unwrap_or_else(|| self.live().nothing())
    }

    /// Takes a token from an endpoint whose buckets live in the store: durable, and exact across
    /// instances. Costs a commit, shared with others; a refused one commits too. Inside a command
    /// of its own, begin and finalize do this with the rows that they write.
    ///
    /// # Errors
    ///
    /// [`Refusal::RateLimited`] with the time to wait, [`Refusal::AccountFrozen`],
    /// [`Refusal::EndpointUnknown`]; [`Refusal::Invalid`] when its buckets live in memory.
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let taken = fm.limiter().take(&"begin-upload".parse()?, &AccountId::new("ada")?).wait()?;
    /// assert_eq!(taken.remaining(), Some(49));
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn take(&self, endpoint: &EndpointName, account: &AccountId) -> Pending<Decision> {
        let command = Take::new(endpoint.clone(), account.clone());
        let at = endpoint.to_string();
        self.fm.ask_taking("check-rate-limit", at, account, command, |_| false)
    }

    /// The configured endpoints, by name.
    pub fn policies(&self) -> Pending<Page<Policy>> {
        let scan = Scan::of::<Policy>().limit(1_000);
        self.fm.store().scan_in(scan, FinalMile::fault("policies", None))
    }

    /// Writes what is only in memory, and follows what other instances changed, now instead of
    /// within half a second. Waits for the disk.
    ///
    /// # Errors
    ///
    /// What the store says. What could not be written stays in memory for the next time.
    pub fn flush(&self) -> Result<(), Error> {
        self.fm.keeper().flush().map_err(FinalMile::fault("flush-limits", None))
    }

    /// Writes the log, when everything is logged and it comes faster than it is written.
    #[inline]
    fn make_room(&self) {
        if self.live().journal.is_full() {
            self.make_room_now();
        }
    }

    #[cold]
    fn make_room_now(&self) {
        // What fails stays in memory, and the next check tries again.
        drop(self.fm.keeper().flush_figures());
    }
}
