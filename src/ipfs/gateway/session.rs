//! One fetch: what its caller wants, how far it is, and what each gateway has done for it.
//!
//! # Invariants
//!
//! - **C57** Room is asked for before bytes are written, over whatever ways the fetch takes.
//! - **C58** A fetch that is cancelled ends soon, whatever it waits for, and the network is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::fetch::FetchError;
use crate::time::{Deadline, Timestamp};

use super::super::error::IpfsError;
use super::super::room::Room;
use super::ask::{Ask, Fault, Form, Head};
use super::options::{FetchControl, FetchOptions, Progress};
use super::site::{Knows, Record, Site};
use super::transfer::{Began, Pumps, TICK, Transfer};
use super::{Inner, duration_us};

/// A fetch that is under way.
pub(super) struct Session<'a> {
    pub(super) inner: &'a Inner,
    control: &'a FetchControl,
    room: Arc<Mutex<dyn Room>>,
    /// What was asked for, for messages.
    wanted: String,
    total: Deadline,
    patience: Deadline,
    dealings: Mutex<Vec<Dealing>>,
    /// How often gateways failed.
    failures: AtomicU64,
    /// What was wrong with what came, if something came.
    wrong: Mutex<Option<IpfsError>>,
    pub(super) bytes: AtomicU64,
    pub(super) size: Mutex<Option<u64>>,
}

/// What one gateway has done for this fetch.
#[derive(Clone, Debug, Default)]
struct Dealing {
    tries: u32,
    /// Not asked again for this.
    is_out: bool,
    last: Option<Ended>,
    /// The same for people.
    why: String,
}

/// How the last question ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Unreachable,
    Slow,
    Absent,
    Other,
}

/// Whether a gateway may be asked now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// One may be, and might have been before.
    NoNeed,
    /// One may be, which had to be waited for.
    Waited,
    /// None will in time.
    Over,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        control: &'a FetchControl,
        room: Arc<Mutex<dyn Room>>,
        wanted: String,
    ) -> Self {
        Self {
            inner,
            control,
            room,
            wanted,
            total: Deadline::after(inner.options.total),
            patience: Deadline::after(inner.options.patience),
            dealings: Mutex::new(vec![Dealing::default(); inner.sites.len()]),
            failures: AtomicU64::new(0),
            wrong: Mutex::default(),
            bytes: AtomicU64::new(0),
            size: Mutex::default(),
        }
    }

    pub(super) fn options(&self) -> &FetchOptions {
        &self.inner.options
    }

    pub(super) fn shared_room(&self) -> Arc<Mutex<dyn Room>> {
        Arc::clone(&self.room)
    }

    /// Asks for room for so many bytes in all (**C57**).
    pub(super) fn grow_to(&self, total_bytes: u64) -> Result<(), Fault> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(room.grow_to(total_bytes)?)
    }

    /// Whether to stop (**C58**).
    pub(super) fn stop(&self) -> Result<(), Fault> {
        if self.control.cancel.is_cancelled() {
            return Err(Fault::Final(IpfsError::Cancelled));
        }
        if self.total.is_over() {
            return Err(Fault::Final(self.too_slow()));
        }
        Ok(())
    }

    /// Says that so many bytes of the file are on the disk.
    pub(super) fn tell(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        if let Some(told) = &self.control.told {
            let total_bytes = *self.size.lock().unwrap_or_else(PoisonError::into_inner);
            told(Progress { bytes, total_bytes });
        }
    }

    pub(super) fn proved_size(&self, bytes: u64) {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.world.now()
    }

    pub(super) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// How often gateways failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn site(&self, site: usize) -> Option<&Site> {
        self.inner.sites.get(site)
    }

    fn dealings(&self) -> MutexGuard<'_, Vec<Dealing>> {
        self.dealings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which gateways may be asked for this now, the best first.
    pub(super) fn ready(&self, knows: impl Fn(&Record) -> Knows) -> Vec<usize> {
        let now = self.now();
        let dealings = self.dealings().clone();
        let mut ready: Vec<(f64, usize)> = Vec::new();
        for (place, (site, dealing)) in self.inner.sites.iter().zip(dealings).enumerate() {
            let record = site.record();
            let may = !dealing.is_out && dealing.tries < self.options().tries;
            if may && knows(&record) != Knows::No && record.waits_until(now).is_none() {
                ready.push((record.score(), place));
            }
        }
        ready.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ready.into_iter().map(|(_, place)| place).collect()
    }

    /// Whether any gateway that is not out may know this.
    pub(super) fn may_know(&self, knows: impl Fn(&Record) -> Knows) -> bool {
        let dealings = self.dealings().clone();
        let mut sites = self.inner.sites.iter().zip(dealings);
        sites.any(|(site, dealing)| !dealing.is_out && knows(&site.record()) != Knows::No)
    }

    /// Asks one gateway after the other, the next one also when the last is slow to answer; the first
    /// good answer counts, and the others are dropped.
    pub(super) fn open(&self, sites: &[usize], ask: &Ask) -> Result<Transfer, Fault> {
        self.open_unless(sites, ask, || self.stop())
    }

    /// The same, where something else may stop it too.
    pub(super) fn open_unless(
        &self,
        sites: &[usize],
        ask: &Ask,
        stop: impl Fn() -> Result<(), Fault>,
    ) -> Result<Transfer, Fault> {
        let pumps = Pumps::new();
        let mut waiting: Vec<(usize, Timestamp, _)> = Vec::new();
        let mut next = sites.iter().copied();
        let (mut hedge, mut idle) = (Deadline::after(self.options().hedge_after), None);
        let mut may_start = true;
        loop {
            stop()?;
            if may_start
                && let Some(place) = next.next()
                && let Some(site) = self.site(place)
            {
                let request = ask.request(&site.gateway).timeouts(self.options().timeouts);
                let pieces = pumps.start(&self.inner.fetcher, request, place);
                waiting.push((place, self.now(), pieces));
                let usual = site.record().usual().unwrap_or(self.options().hedge_after);
                hedge = Deadline::after(usual.max(TICK).min(self.options().hedge_after));
                idle = Some(Deadline::after(self.options().timeouts.idle));
            }
            may_start = false;
            if waiting.is_empty() {
                return Err(Fault::Nobody);
            }
            let Some(Began { slot, head }) = pumps.wait() else {
                may_start = hedge.is_over();
                if idle.is_some_and(Deadline::is_over) {
                    waiting
                        .iter()
                        .for_each(|(place, ..)| self.blame(*place, &ask.form, Fault::Slow));
                    return Err(Fault::Nobody);
                }
                continue;
            };
            let Some(at) = waiting.iter().position(|(place, ..)| *place == slot) else { continue };
            let (place, began, pieces) = waiting.swap_remove(at);
            match self.judge(ask, head) {
                Ok(head) => {
                    if let Some(site) = self.site(place) {
                        site.record().answered(duration_us(self.now(), began));
                    }
                    let mut transfer = Transfer::new(place, head, pieces, self.options());
                    if sites.len() > 1 {
                        transfer.hurry(self.stall());
                    }
                    return Ok(transfer);
                }
                // A part that ends behind the whole: whoever asked knows what to do.
                Err(Fault::Range) if ask.range.is_some_and(|(_, last)| last.is_none()) => {
                    return Err(Fault::Range);
                }
                Err(fault) => self.blame(place, &ask.form, fault),
            }
            may_start = true;
        }
    }

    pub(super) fn judge(
        &self,
        ask: &Ask,
        head: Result<(u16, Vec<(String, String)>), FetchError>,
    ) -> Result<Head, Fault> {
        let (status, headers) = head.map_err(|error| match error {
            FetchError::Timeout => Fault::Slow,
            FetchError::Transport(_) => Fault::Unreachable(error),
            error => Fault::Refused(error.to_string()),
        })?;
        let header = |name: &str| {
            headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
        };
        ask.judge(status, header, self.now())
    }

    /// How long an answer may stand still where another gateway could go on.
    pub(super) fn stall(&self) -> Duration {
        self.options().hedge_after * 4
    }

    /// Notes what a gateway did wrong.
    pub(super) fn blame(&self, place: usize, form: &Form, fault: Fault) {
        let Some(site) = self.site(place) else { return };
        let (now, chance) = (self.now(), self.inner.world.random());
        let mut record = site.record();
        let mut dealings = self.dealings();
        let Some(dealing) = dealings.get_mut(place) else { return };
        dealing.tries += 1;
        self.failures.fetch_add(1, Ordering::Relaxed);
        dealing.why = fault.to_string();
        let ended = match fault {
            Fault::Unreachable(_) => {
                record.unreachable(now, chance);
                Ended::Unreachable
            }
            Fault::Slow => {
                record.failed(now, None, chance);
                Ended::Slow
            }
            Fault::Busy(_, after) => {
                record.failed(now, after, chance);
                Ended::Other
            }
            Fault::Absent => {
                dealing.is_out = true;
                Ended::Absent
            }
            Fault::Form | Fault::Page => {
                if matches!(fault, Fault::Page) {
                    // The next fetch looks again.
                    record.probed_at = None;
                }
                let known = match form {
                    Form::Raw => &mut record.raw,
                    Form::Car => &mut record.car,
                    // A block that is a file may be had as a file all the same.
                    Form::RawOrPlain => {
                        dealing.tries -= 1;
                        &mut record.raw
                    }
                    Form::Plain => &mut record.plain,
                };
                *known = Knows::No;
                Ended::Other
            }
            Fault::Range => {
                record.ranges = Knows::No;
                Ended::Other
            }
            Fault::Lie(error) => {
                record.lied(now, self.options().disqualified_for);
                dealing.is_out = true;
                drop(dealings);
                drop(record);
                self.note(error);
                self.end(place, Ended::Other);
                return;
            }
            Fault::Refused(_) => {
                record.failed(now, None, chance);
                dealing.is_out = true;
                Ended::Other
            }
            Fault::Nobody | Fault::Final(_) => {
                dealing.tries -= 1;
                return;
            }
        };
        dealing.last = Some(ended);
    }

    fn end(&self, place: usize, ended: Ended) {
        if let Some(dealing) = self.dealings().get_mut(place) {
            dealing.last = Some(ended);
        }
    }

    /// What a gateway sent is whole and right.
    pub(super) fn praise(&self, place: usize) {
        if let Some(site) = self.site(place) {
            site.record().served();
        }
    }

    /// A gateway gave something that is kept, so it may fail again as often.
    pub(super) fn moved_on(&self, place: usize) {
        if let Some(dealing) = self.dealings().get_mut(place) {
            dealing.tries = 0;
        }
    }

    /// Remembers what was wrong with what came, to be told if nothing better comes.
    pub(super) fn note(&self, error: IpfsError) {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// This gateway has nothing more to give for this.
    pub(super) fn done_with(&self, place: usize) {
        if let Some(dealing) = self.dealings().get_mut(place) {
            dealing.is_out = true;
            dealing.last.get_or_insert(Ended::Other);
        }
    }

    /// Waits until a gateway that failed may be asked again.
    pub(super) fn wait_for_a_gateway(&self) -> Result<Patience, Fault> {
        let options = self.options();
        let mut patience = Patience::NoNeed;
        loop {
            self.stop()?;
            let now = self.now();
            let dealings = self.dealings().clone();
            let mut first: Option<Timestamp> = None;
            for (site, dealing) in self.inner.sites.iter().zip(dealings) {
                if dealing.is_out || dealing.tries >= options.tries {
                    continue;
                }
                match site.record().waits_until(now) {
                    None => return Ok(patience),
                    Some(until) => first = Some(first.map_or(until, |first| first.min(until))),
                }
            }
            let Some(until) = first else { return Ok(Patience::Over) };
            let left = u64::try_from(self.patience.left().as_micros()).unwrap_or(u64::MAX);
            if duration_us(until, now) > left {
                return Ok(Patience::Over);
            }
            patience = Patience::Waited;
            thread::sleep(TICK);
        }
    }

    /// Why nothing came, once nobody is left to be asked. Whether all said that they do not have it.
    pub(super) fn verdict(&self) -> (IpfsError, bool) {
        let now = self.now();
        let dealings = self.dealings().clone();
        // One that was not asked, because the network failed on the way to it just before, counts as such.
        let ended = dealings.iter().zip(&self.inner.sites).filter_map(|(dealing, site)| {
            dealing.last.or_else(|| site.record().is_unreachable().then_some(Ended::Unreachable))
        });
        let ended: Vec<Ended> = ended.collect();
        let all = |which| !ended.is_empty() && ended.iter().all(|ended| *ended == which);
        let is_absent = !dealings.is_empty()
            && dealings.iter().all(|dealing| dealing.last == Some(Ended::Absent));
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take();
        let wanted = self.wanted.clone();
        let error = if let Some(wrong) = wrong {
            wrong
        } else if all(Ended::Unreachable) {
            let why =
                dealings.iter().map(|dealing| dealing.why.clone()).find(|why| !why.is_empty());
            IpfsError::Offline { why: why.unwrap_or_else(|| "none was a moment ago".to_owned()) }
        } else if all(Ended::Slow) {
            self.too_slow()
        } else if is_absent {
            IpfsError::Unavailable { wanted }
        } else {
            let waits = self.inner.sites.iter().filter_map(|site| site.record().waits_until(now));
            let first = waits.min().map(|until| duration_us(until, now) / 1_000);
            let why = self.inner.sites.iter().zip(&dealings);
            let why = why.map(|(site, dealing)| match dealing.why.as_str() {
                "" => format!("{} was not asked", site.gateway.url()),
                why => format!("{}: {why}", site.gateway.url()),
            });
            let why = why.collect::<Vec<_>>().join("; ");
            IpfsError::NoGateway { wanted, why, retry_after_ms: first }
        };
        (error, is_absent)
    }

    fn too_slow(&self) -> IpfsError {
        IpfsError::RateTooLow { wanted: self.wanted.clone() }
    }

    /// Where a gateway is, for the result.
    pub(super) fn url(&self, place: usize) -> Option<String> {
        self.site(place).map(|site| site.gateway.url().to_owned())
    }
}
