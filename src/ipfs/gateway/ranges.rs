//! The leaves of a file, fetched in ranges from several gateways at once, each leaf checked by itself.
//!
//! What is missing is cut into ranges at the borders of leaves. Each gateway takes the next one when it has
//! done its last, so fast ones do more; one that stalls loses its range to another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::fetch::FetchError;
use crate::time::Deadline;

use super::super::cid::{Cid, Codec};
use super::super::error::IpfsError;
use super::super::path::ContentPath;
use super::super::unixfs::{Sink, Walk};
use super::archive;
use super::ask::{Ask, Fault, Form};
use super::filling::Filling;
use super::session::Session;
use super::site::Knows;
use super::skeleton::Leaf;
use super::transfer::TICK;

/// Fetches what is missing of the leaves from `first` to `end`.
pub(super) fn fill(
    filling: &Filling,
    session: &Session<'_>,
    cid: &Cid,
    first: usize,
    end: usize,
) -> Result<(), Fault> {
    loop {
        session.stop()?;
        let ranges = filling.missing(first, end, session.options().range_bytes);
        if ranges.is_empty() {
            return Ok(());
        }
        let sites = session
            .ready(|record| if record.plain == Knows::No { record.raw } else { record.plain });
        if sites.is_empty() {
            return Err(Fault::Nobody);
        }
        // Those that know no ranges give all of it each time, so one of them is enough.
        let knows_ranges = |site: &&usize| {
            let site = session.inner.sites.get(**site);
            site.is_some_and(|site| site.record().ranges != Knows::No)
        };
        let mut at_once: Vec<usize> = sites.iter().filter(knows_ranges).copied().collect();
        at_once.truncate(session.options().parallel.max(1));
        if at_once.is_empty() {
            at_once.extend(sites.first());
        }
        let is_alone = at_once.len() == 1;
        let round = Round::new(filling, session, cid, ranges, end, is_alone);
        thread::scope(|scope| {
            for site in at_once {
                let round = &round;
                scope.spawn(move || round.work(site));
            }
        });
        round.ended()?;
    }
}

/// Leaves that are asked for together, and who does.
#[derive(Debug)]
struct Job {
    first: usize,
    end: usize,
    /// Raised when somebody else took it over.
    is_lost: Arc<AtomicBool>,
    /// Without a leaf until then, it may be taken over.
    stalls: Deadline,
}

/// Some ranges, and the gateways that work on them.
struct Round<'r> {
    filling: &'r Filling,
    session: &'r Session<'r>,
    path: ContentPath,
    /// The leaf behind the last one that is wanted.
    end: usize,
    /// Whether one gateway works on this alone.
    is_alone: bool,
    table: Mutex<Table>,
}

struct Table {
    waiting: Vec<(usize, usize)>,
    running: Vec<Job>,
    error: Option<IpfsError>,
}

impl<'r> Round<'r> {
    fn new(
        filling: &'r Filling,
        session: &'r Session<'r>,
        cid: &Cid,
        mut waiting: Vec<(usize, usize)>,
        end: usize,
        is_alone: bool,
    ) -> Self {
        // The next one is taken from the end.
        waiting.reverse();
        let table = Mutex::new(Table { waiting, running: Vec::new(), error: None });
        Self { filling, session, path: cid.clone().into(), end, is_alone, table }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(self) -> Result<(), Fault> {
        let table = self.table.into_inner().unwrap_or_else(PoisonError::into_inner);
        table.error.map_or(Ok(()), |error| Err(Fault::Final(error)))
    }

    /// Takes one range after the other, as long as this gateway gives what it is asked for.
    fn work(&self, site: usize) {
        loop {
            let (range, is_lost) = match self.next() {
                Next::Range(range, is_lost) => (range, is_lost),
                Next::Wait => {
                    thread::sleep(TICK);
                    continue;
                }
                Next::End => return,
            };
            let done = self.fetch(site, range, &is_lost);
            let mut table = self.table();
            table.running.retain(|job| !Arc::ptr_eq(&job.is_lost, &is_lost));
            match done {
                Ok(()) => {}
                Err((_, Fault::Final(error))) => {
                    // Once it is lost, the other one's answer counts.
                    if table.error.is_none() {
                        table.error = Some(error);
                    }
                    return;
                }
                Err((form, fault)) => {
                    drop(table);
                    self.session.blame(site, &form, fault);
                    return;
                }
            }
        }
    }

    fn next(&self) -> Next {
        let mut table = self.table();
        if table.error.is_some() || self.session.stop().is_err() {
            return Next::End;
        }
        let stall = self.session.stall();
        let take = |table: &mut Table, (first, end): (usize, usize)| {
            let is_lost = Arc::new(AtomicBool::new(false));
            let job =
                Job { first, end, is_lost: Arc::clone(&is_lost), stalls: Deadline::after(stall) };
            table.running.push(job);
            Next::Range((first, end), is_lost)
        };
        if let Some(range) = table.waiting.pop() {
            return take(&mut table, range);
        }
        // All are under way. One that stalls is done again.
        if let Some(job) = table.running.iter().find(|job| job.stalls.is_over()) {
            let range = (job.first, job.end);
            job.is_lost.store(true, Ordering::Release);
            let is_lost = Arc::clone(&job.is_lost);
            table.running.retain(|job| !Arc::ptr_eq(&job.is_lost, &is_lost));
            return take(&mut table, range);
        }
        if table.running.is_empty() { Next::End } else { Next::Wait }
    }

    /// A leaf came.
    fn moved(&self, is_lost: &Arc<AtomicBool>) {
        let stalls = Deadline::after(self.session.stall());
        let mut table = self.table();
        let job = table.running.iter_mut().find(|job| Arc::ptr_eq(&job.is_lost, is_lost));
        if let Some(job) = job {
            job.stalls = stalls;
        }
    }

    /// Fetches the leaves of a range from one gateway, as bytes or else one by one as blocks.
    fn fetch(
        &self,
        site: usize,
        range: (usize, usize),
        is_lost: &Arc<AtomicBool>,
    ) -> Result<(), (Form, Fault)> {
        // One that knows no ranges has given it already, on its way.
        if self.filling.missing(range.0, range.1, u64::MAX).is_empty() {
            return Ok(());
        }
        let site_of = self.session.inner.sites.get(site);
        if site_of.is_some_and(|site| site.record().plain != Knows::No) {
            self.bytes(site, range, is_lost).map_err(|fault| (Form::Plain, fault))
        } else {
            self.blocks(site, range, is_lost).map_err(|fault| (Form::Raw, fault))
        }
    }

    fn stop(&self, is_lost: &AtomicBool) -> Result<(), Fault> {
        self.session.stop()?;
        if is_lost.load(Ordering::Acquire) { Err(Fault::Slow) } else { Ok(()) }
    }

    fn bytes(
        &self,
        site: usize,
        (first, end): (usize, usize),
        is_lost: &Arc<AtomicBool>,
    ) -> Result<(), Fault> {
        let leaves = &self.filling.skeleton.leaves;
        let (Some(from), Some(last)) = (leaves.get(first), leaves.get(end.saturating_sub(1)))
        else {
            return Ok(());
        };
        let is_whole = from.at == 0 && last.at + last.bytes == self.filling.skeleton.size;
        let record = |change: &dyn Fn(&mut Knows)| {
            if let Some(site) = self.session.inner.sites.get(site) {
                change(&mut site.record().ranges);
            }
        };
        let site_of = self.session.inner.sites.get(site);
        let knows_ranges = site_of.is_none_or(|site| site.record().ranges != Knows::No);
        let mut ask = Ask::new(Form::Plain, &self.path);
        if !is_whole && knows_ranges {
            ask = ask.from(from.at, Some(last.at + last.bytes - 1));
        }
        let mut transfer = self.session.open_unless(&[site], &ask, || self.stop(is_lost))?;
        let (mut place, mut end, mut at) = (first, end, transfer.head.starts_at);
        let is_page = transfer.head.is_page;
        if transfer.head.is_range {
            record(&|ranges| *ranges = Knows::Yes);
        } else if !is_whole {
            record(&|ranges| *ranges = Knows::No);
            if !self.is_alone {
                return Err(Fault::Range);
            }
            // It gives all of it: what is missing on the way is taken, too.
            (place, end, at) = (0, self.end, 0);
        }
        let mut content = Vec::new();
        while place < end {
            let Some(leaf) = leaves.get(place) else { break };
            let Some(piece) = transfer.next(|| self.stop(is_lost))? else {
                self.session.note(IpfsError::Incomplete { missing: leaf.cid.clone() });
                let why = "it ended too early".to_owned();
                return Err(Fault::Unreachable(FetchError::Transport(why)));
            };
            let mut rest = piece.as_slice();
            while let Some(leaf) = leaves.get(place).filter(|_| place < end && !rest.is_empty()) {
                // What inner blocks carry lies between the leaves.
                let gap = usize::try_from(leaf.at.saturating_sub(at)).unwrap_or(usize::MAX);
                if gap > 0 && content.is_empty() {
                    let (skipped, after) = rest.split_at(gap.min(rest.len()));
                    at += skipped.len() as u64;
                    rest = after;
                    continue;
                }
                let wants = usize::try_from(leaf.bytes).unwrap_or_default() - content.len();
                let (head, after) = rest.split_at(wants.min(rest.len()));
                content.extend_from_slice(head);
                at += head.len() as u64;
                rest = after;
                if content.len() as u64 == leaf.bytes {
                    let checked = self.check(site, place, leaf, &content, is_lost);
                    checked.map_err(|fault| match fault {
                        // A page in place of an answer: a fault of the house, not a lie.
                        Fault::Lie(error) if is_page => {
                            self.session.note(error);
                            Fault::Refused("a page".to_owned())
                        }
                        fault => fault,
                    })?;
                    content.clear();
                    place += 1;
                }
            }
        }
        self.session.praise(site);
        Ok(())
    }

    /// Keeps a leaf if it is right. Where its block was made in another way, the block itself decides.
    fn check(
        &self,
        site: usize,
        place: usize,
        leaf: &Leaf,
        content: &[u8],
        is_lost: &Arc<AtomicBool>,
    ) -> Result<(), Fault> {
        self.moved(is_lost);
        if self.filling.has(place) {
            return Ok(());
        }
        if leaf.holds(content) {
            return self.filling.keep(self.session, place, leaf, content, site);
        }
        let reason = "its bytes are something else";
        let lie = IpfsError::InvalidBlock { cid: Some(leaf.cid.clone()), reason };
        if leaf.cid.codec() == Codec::Raw {
            return Err(Fault::Lie(lie));
        }
        let right = match self.leaf(leaf) {
            Err(Fault::Nobody) => return Err(Fault::Lie(lie)),
            right => right?,
        };
        self.filling.keep(self.session, place, leaf, &right, site)?;
        if right == content { Ok(()) } else { Err(Fault::Lie(lie)) }
    }

    /// The content below a block that need not be a leaf.
    fn leaf(&self, leaf: &Leaf) -> Result<Vec<u8>, Fault> {
        struct Content(Vec<u8>);
        impl Sink for Content {
            fn bytes(&mut self, bytes: &[u8]) -> Result<(), IpfsError> {
                self.0.extend_from_slice(bytes);
                Ok(())
            }

            fn completed(&mut self, _: &Cid, _: u64) -> Result<(), IpfsError> {
                Ok(())
            }
        }
        let mut limits = self.session.options().limits;
        limits.file_bytes = leaf.bytes;
        let mut walk = Walk::new(leaf.cid.clone(), &[], limits);
        let mut content = Content(Vec::new());
        while let Some(wanted) = walk.wanted().map(|(cid, _)| cid.clone()) {
            let (block, _) = archive::block(self.session, &wanted)?;
            walk.take(&block, &mut content)?;
        }
        if content.0.len() as u64 != leaf.bytes {
            let reason = "it has another size than its parent says";
            let cid = Some(leaf.cid.clone());
            return Err(Fault::Final(IpfsError::InvalidBlock { cid, reason }));
        }
        Ok(content.0)
    }

    /// For gateways that give blocks and nothing else.
    fn blocks(
        &self,
        site: usize,
        (first, end): (usize, usize),
        is_lost: &Arc<AtomicBool>,
    ) -> Result<(), Fault> {
        for place in first..end {
            self.stop(is_lost)?;
            let Some(leaf) = self.filling.skeleton.leaves.get(place) else { break };
            if self.filling.has(place) {
                continue;
            }
            let content = self.leaf(leaf)?;
            self.filling.keep(self.session, place, leaf, &content, site)?;
            self.moved(is_lost);
        }
        Ok(())
    }
}

enum Next {
    Range((usize, usize), Arc<AtomicBool>),
    Wait,
    End,
}
