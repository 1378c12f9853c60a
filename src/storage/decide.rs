//! One batch in one transaction: discover the keys, lock them, decide in order, apply once.
//!
//! # Invariants
//!
//! - **J1** A command that panics or breaks the contract fails alone; its neighbours' changes stand.
//! - **J2** Keys that changed between discovery and lock make the batch decide again, never decide
//!   on rows that it does not hold.
//! - **J3** A batch that wrote nothing is rolled back: a replay costs no sync.

use std::{
    cell::Cell,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    storage::{
        Command, EngineTx, KeySet, Rows, StoreError, Verdict, engine::Capabilities,
        rows::DecideAgain,
    },
    time::{Timestamp, World},
};

/// How often `keys` may name something new.
const ROUNDS_MAX: usize = 4;

thread_local! {
    static DECIDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a command or a host's transaction, where waiting for the store
/// would wait for itself.
pub(crate) fn is_deciding() -> bool {
    DECIDING.get()
}

/// Marks this thread as deciding until it is dropped.
pub(crate) struct Deciding(bool);

impl Deciding {
    pub(crate) fn enter() -> Self {
        Self(DECIDING.replace(true))
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        DECIDING.set(self.0);
    }
}

/// A command with a place for its answer, its types forgotten.
pub(crate) trait Job: Send {
    fn keys(&self, seen: &Rows, keys: &mut KeySet);
    /// Decides and keeps the answer.
    fn decide(&mut self, rows: &mut Rows, now: Timestamp);
    /// Hands the kept answer to whoever waits, or the error.
    fn answer(self: Box<Self>, fault: Option<StoreError>);
    fn size_bytes(&self) -> usize;
    fn is_background(&self) -> bool;
    /// Whether the thread that waits for this one took over the lead.
    fn offer_lead(&self) -> bool;
}

/// What became of one job of a batch that committed.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It was decided; its answer may be handed out.
    Decided,
    /// It failed alone.
    Failed(StoreError),
    /// It needs rows that this batch did not read: decide it in the next.
    Again,
}

/// Runs `jobs` in the open transaction `tx`.
///
/// # Errors
///
/// What the engine reports, or [`StoreError::Conflict`] (**J2**). Nothing may commit then.
pub(crate) fn batch(
    tx: &mut dyn EngineTx,
    jobs: &mut [Box<dyn Job>],
    capabilities: Capabilities,
    world: &dyn World,
) -> Result<(Vec<Fate>, Verdict), StoreError> {
    let _deciding = Deciding::enter();
    let mut fates: Vec<Fate> = jobs.iter().map(|_| Fate::Decided).collect();
    let (mut rows, curious) = lock(tx, jobs, &mut fates, capabilities)?;
    let now = tx.now().unwrap_or_else(|| world.now());
    let mut is_first = true;
    for (i, (job, fate)) in jobs.iter_mut().zip(&mut fates).enumerate() {
        if matches!(fate, Fate::Decided) {
            // A neighbour may have changed the rows that its keys follow from.
            let moved = !is_first && curious.contains(&i) && {
                let mut keys = KeySet::new();
                let asked = guarded(|| rows.discover(|rows| job.keys(rows, &mut keys)));
                // Also after a panic of its own.
                rows.decide_now();
                keys.settle();
                asked.is_err() || !rows.holds(&keys)
            };
            *fate = if moved { Fate::Again } else { one(&mut rows, |rows| job.decide(rows, now)) };
            // The first of a batch has no neighbour to blame; put back, it would come back for ever.
            if is_first && matches!(fate, Fate::Again) {
                *fate = Fate::Failed(cut_short());
            }
            is_first = false;
        }
    }
    if rows.is_dirty() {
        tx.apply(&rows)?;
        return Ok((fates, Verdict::Commit));
    }
    Ok((fates, Verdict::Rollback))
}

/// Runs one command in a transaction that the host owns and ends, and answers what it answered.
///
/// # Errors
///
/// As [`batch`]; also [`StoreError::Backend`] when the command panicked.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only SQLite's host side needs it"))]
pub(crate) fn single<C: Command>(
    tx: &mut dyn EngineTx,
    command: &C,
    capabilities: Capabilities,
    now: Timestamp,
) -> Result<C::Out, StoreError> {
    let mut plan = Plan::new();
    while let Some(step) = plan.next(command, capabilities.exclusive)? {
        plan.load(&step, |keys, rows| tx.load(keys, rows))?;
    }
    let (out, rows) = plan.decide(command, tx.now().unwrap_or(now))?;
    if rows.is_dirty() {
        tx.apply(&rows)?;
    }
    Ok(out)
}

/// The steps by which one command is decided in a host's transaction, for drivers that wait
/// differently: each step names what to load, until there is none.
pub(crate) struct Plan {
    keys: KeySet,
    rows: Rows,
    round: usize,
    locked: bool,
    curious: bool,
}

/// One load of a [`Plan`]: its keys say which rows to lock.
pub(crate) struct Step {
    pub(crate) keys: KeySet,
}

impl Plan {
    pub(crate) fn new() -> Self {
        let rows = Rows::discovering();
        Self { keys: KeySet::new(), rows, round: 0, locked: false, curious: false }
    }

    /// What to load next; `None` when everything is read and locked.
    pub(crate) fn next<C: Command>(
        &mut self,
        command: &C,
        exclusive: bool,
    ) -> Result<Option<Step>, StoreError> {
        if self.locked && !self.curious {
            return Ok(None);
        }
        let mut keys = KeySet::new();
        guarded(|| command.keys(&self.rows, &mut keys))?;
        keys.settle();
        self.curious = self.rows.was_curious();
        let fresh = keys.beyond(&self.keys);
        if self.locked {
            // Asked again under the locks: another answer means that others moved the rows.
            let moved = StoreError::Conflict("the keys changed before they were locked".to_owned());
            return if fresh.is_empty() { Ok(None) } else { Err(moved) };
        }
        if self.round == ROUNDS_MAX && !fresh.is_empty() {
            return Err(unsettled());
        }
        self.round += 1;
        self.keys.merge(fresh.clone());
        if exclusive {
            self.locked = fresh.is_empty() || !self.curious;
            return Ok((!fresh.is_empty()).then_some(Step { keys: fresh }));
        }
        if self.curious && !fresh.is_empty() {
            return Ok(Some(Step { keys: fresh.unlocked() }));
        }
        // Settled. What was read without locks is read again with them.
        self.curious = self.round > 1;
        self.rows = Rows::discovering();
        self.locked = true;
        Ok(Some(Step { keys: self.keys.clone() }))
    }

    /// Loads one step by `load`.
    pub(crate) fn load(
        &mut self,
        step: &Step,
        load: impl FnOnce(&KeySet, &mut Rows) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        load(&step.keys, &mut self.rows)?;
        self.rows.close(&step.keys);
        Ok(())
    }

    /// Decides on what was loaded.
    pub(crate) fn decide<C: Command>(
        mut self,
        command: &C,
        now: Timestamp,
    ) -> Result<(C::Out, Rows), StoreError> {
        let _deciding = Deciding::enter();
        self.rows.decide_now();
        let mut out = None;
        match one(&mut self.rows, |rows| out = Some(command.decide(rows, now))) {
            Fate::Failed(fault) => Err(fault),
            Fate::Again => Err(cut_short()),
            Fate::Decided => out.map(|out| (out, self.rows)).ok_or_else(|| panicked(&"no answer")),
        }
    }
}

/// Finds every job's keys and locks them: the rows to decide on, and the jobs whose keys follow from
/// rows.
fn lock(
    tx: &mut dyn EngineTx,
    jobs: &[Box<dyn Job>],
    fates: &mut [Fate],
    capabilities: Capabilities,
) -> Result<(Rows, BTreeSet<usize>), StoreError> {
    let mut rows = Rows::discovering();
    let mut keys = KeySet::new();
    let mut curious: Vec<usize> = (0..jobs.len()).collect();
    let mut discovered = false;
    for round in 0..=ROUNDS_MAX {
        let mut asked = KeySet::new();
        let mut still = Vec::new();
        for i in curious {
            // In the last round a command may name only what is known.
            let mut mine = KeySet::new();
            let names = if round == ROUNDS_MAX { &mut mine } else { &mut asked };
            if let Err(fault) = guarded(|| jobs[i].keys(&rows, names)) {
                fates[i] = Fate::Failed(fault);
                rows.was_curious();
                continue;
            }
            let looked = rows.was_curious();
            mine.settle();
            if !mine.beyond(&keys).is_empty() {
                fates[i] = Fate::Failed(unsettled());
                continue;
            }
            if looked || round > 0 {
                still.push(i);
            }
        }
        curious = still;
        asked.settle();
        let fresh = if round == 0 { asked } else { asked.beyond(&keys) };
        if fresh.is_empty() {
            break;
        }
        if capabilities.exclusive {
            tx.load(&fresh, &mut rows)?;
            rows.close(&fresh);
            if curious.is_empty() {
                break;
            }
            keys.merge(fresh);
            continue;
        }
        keys.merge(fresh.clone());
        if round == 0 && curious.is_empty() {
            break;
        }
        discovered |= !curious.is_empty();
        let fresh = fresh.unlocked();
        tx.load(&fresh, &mut rows)?;
        rows.close(&fresh);
        if curious.is_empty() {
            break;
        }
    }
    if !capabilities.exclusive {
        rows = Rows::discovering();
        tx.load(&keys, &mut rows)?;
        rows.close(&keys);
        if discovered {
            // Only those that looked at rows can answer differently now that the rows are held.
            let mut again = KeySet::new();
            for i in curious.iter().copied() {
                if matches!(fates[i], Fate::Decided) {
                    guarded(|| jobs[i].keys(&rows, &mut again))?;
                }
            }
            again.settle();
            if !again.beyond(&keys).is_empty() {
                let text = "the keys changed before they were locked";
                return Err(StoreError::Conflict(text.to_owned()));
            }
        }
    }
    rows.decide_now();
    Ok((rows, curious.into_iter().collect()))
}

/// Lets one command decide; it fails alone.
fn one(rows: &mut Rows, decide: impl FnOnce(&mut Rows)) -> Fate {
    match catch_unwind(AssertUnwindSafe(|| decide(rows))) {
        Ok(()) => match rows.keep() {
            Ok(()) => Fate::Decided,
            Err(fault) => Fate::Failed(fault),
        },
        Err(payload) => {
            rows.drop_changes();
            if payload.is::<DecideAgain>() {
                Fate::Again
            } else {
                Fate::Failed(panicked(&*payload))
            }
        }
    }
}

fn guarded(keys: impl FnOnce()) -> Result<(), StoreError> {
    catch_unwind(AssertUnwindSafe(keys)).map_err(|payload| panicked(&*payload))
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> StoreError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    StoreError::Backend(format!("a command panicked: {}", text.unwrap_or("no text")))
}

fn cut_short() -> StoreError {
    StoreError::Backend("a command read a range that it had itself cut short".to_owned())
}

fn unsettled() -> StoreError {
    StoreError::Backend(format!("a command named new keys in each of {ROUNDS_MAX} rounds"))
}
