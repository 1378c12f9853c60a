//! Group commit: one leader commits for many.
//!
//! Callers put commands into a queue. Whoever finds no leader becomes it: takes a batch, decides it
//! in order, commits once, wakes the next leader and only then its followers. A lone caller pays
//! nothing extra; a thousand callers share a few syncs. The lead passes to another waiting thread,
//! or to a worker thread that is started when nobody waits; never to a future.
//!
//! # Invariants
//!
//! - **W1** Commands are decided in the order in which they were accepted.
//! - **W2** At most one thread uses the engine, and somebody leads while the queue holds anything.
//! - **W3** The queue holds at most 65,536 commands; a batch at most 512, or 4 MiB, and at most one
//!   of background work.
//! - **W4** A poisoned command cannot fail its neighbours: if a batch fails for good, its commands
//!   are decided again one by one.
//! - **W5** The last handle's drop decides everything that was accepted.
//!
//! Source: the write group of `LevelDB` (`DBImpl::BuildBatchGroup`), with an explicit hand-off.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{
    storage::{
        Backend, Engine, StoreError,
        decide::{self, Job},
        engine::{Capabilities, Readers},
        pending::{Cell, Seat, reentrant},
        queue::{Batch, Entry, Gate, QUEUE_MAX, Queue, Task},
        retry::Run,
    },
    time::World,
};

/// How soon work is done for which nobody waits.
const TICK: Duration = Duration::from_millis(1);
/// How rarely the worker looks while those who wait lead: each look takes from them.
const TICK_MAX: Duration = Duration::from_millis(32);
/// How long to see whether a queue still grows, where a transaction takes round trips.
const GATHER: Duration = Duration::from_micros(50);
/// From how many commands of the last batch on it is worth a look.
const GATHER_MIN: usize = 2;
/// How many waiting commands are asked for a thread that would lead.
const OFFERS_MAX: usize = 16;

pub(crate) struct Combiner {
    queue: Mutex<Queue>,
    /// Wakes the worker.
    bell: Condvar,
    /// Wakes whoever waits for the queue to be empty.
    calm: Condvar,
    engine: Mutex<Option<Box<dyn Engine>>>,
    capabilities: Capabilities,
    world: Arc<dyn World>,
    process: u32,
}

/// What a thread that wants an answer has to do.
pub(crate) enum Role {
    Done,
    Lead,
    Sleep,
}

impl Combiner {
    /// Opens the backend on the thread that will use it.
    pub(crate) fn open(
        backend: Box<dyn Backend>,
        world: Arc<dyn World>,
    ) -> Result<(Arc<Self>, Arc<dyn Readers>), StoreError> {
        if backend.is_inline() {
            let engine = backend.open()?;
            let readers = engine.readers();
            return Ok((Self::around(engine, world), readers));
        }
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::Builder::new().name("finalmile-writer".to_owned()).spawn(move || {
            let opened = catch_unwind(AssertUnwindSafe(|| backend.open()))
                .unwrap_or_else(|_| Err(StoreError::Backend("opening panicked".to_owned())));
            let engine = match opened {
                Ok(engine) => engine,
                Err(fault) => return drop(tell.send(Err(fault))),
            };
            let readers = engine.readers();
            let core = Self::around(engine, world);
            if tell.send(Ok((core.clone(), readers))).is_ok() {
                core.work();
            }
        });
        let thread = thread.map_err(|e| StoreError::Backend(e.to_string()))?;
        let (core, readers) = told.recv().unwrap_or(Err(StoreError::Closed))?;
        core.lock().worker.thread = Some(thread);
        Ok((core, readers))
    }

    fn around(engine: Box<dyn Engine>, world: Arc<dyn World>) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::new(Queue::new()),
            bell: Condvar::new(),
            calm: Condvar::new(),
            capabilities: engine.capabilities(),
            engine: Mutex::new(Some(engine)),
            world,
            process: process::id(),
        })
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    pub(crate) fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// Puts a command into the queue.
    pub(crate) fn accept(self: &Arc<Self>, job: Box<dyn Job>) {
        if let Err((job, fault)) = self.enqueue(Entry::Job(job))
            && let Entry::Job(job) = job
        {
            hand_out(job, Some(fault));
        }
    }

    /// Runs `task` on the engine, alone, after everything accepted before it.
    pub(crate) fn alone<T: Send + 'static>(
        self: &Arc<Self>,
        gate: Option<bool>,
        task: impl FnOnce(&mut dyn Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.refuse_inside()?;
        let cell: Arc<Cell<Result<T, StoreError>>> = Cell::waiting();
        let answer = cell.clone();
        let task: Task = Box::new(move |engine| {
            let done = catch_unwind(AssertUnwindSafe(|| engine.map(task)));
            let panicked = StoreError::Backend("the engine panicked".to_owned());
            let done = done.unwrap_or(Some(Err(panicked)));
            answer.answer(done.unwrap_or(Err(StoreError::Closed)));
        });
        self.enqueue_as(Entry::Task(task), gate).map_err(|(_, fault)| fault)?;
        crate::storage::Pending::new(cell, Some(self.clone())).wait()
    }

    /// Refuses what would wait for the command or transaction that this thread is inside of.
    pub(crate) fn refuse_inside(&self) -> Result<(), StoreError> {
        if decide::is_deciding() { Err(reentrant()) } else { Ok(()) }
    }

    /// Whether this thread is the worker, or inside of a command or transaction.
    pub(crate) fn is_answering(&self) -> bool {
        let queue = self.lock();
        let me = thread::current().id();
        let worker = queue.worker.thread.as_ref();
        decide::is_deciding() || worker.is_some_and(|worker| worker.thread().id() == me)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.lock().state == Gate::Suspended
    }

    /// Takes the lead for the calling thread, in its turn.
    pub(crate) fn turn(self: &Arc<Self>) -> Result<Turn, StoreError> {
        self.refuse_inside()?;
        let seat: Arc<Cell<()>> = Cell::waiting();
        seat.announce();
        self.enqueue(Entry::Turn(seat.clone())).map_err(|(_, fault)| fault)?;
        let leads = {
            let mut queue = self.lock();
            !std::mem::replace(&mut queue.leading, true)
        };
        if leads {
            // Nobody led: what came before this turn is led from here.
            self.lead();
        }
        while !seat.sleep() {}
        Ok(Turn { core: self.clone() })
    }

    fn enqueue(self: &Arc<Self>, entry: Entry) -> Result<(), (Entry, StoreError)> {
        self.enqueue_as(entry, None)
    }

    /// Puts an entry into the queue. `gate` opens (`true`) or shuts (`false`) the queue to what
    /// comes after it, in the same moment.
    fn enqueue_as(
        self: &Arc<Self>,
        entry: Entry,
        gate: Option<bool>,
    ) -> Result<(), (Entry, StoreError)> {
        if process::id() != self.process {
            return Err((entry, StoreError::Closed));
        }
        let mut queue = self.lock();
        let shut = match queue.state {
            Gate::Open => false,
            Gate::Suspended => gate != Some(true),
            Gate::Closed => true,
        };
        if shut {
            return Err((entry, StoreError::Closed));
        }
        if queue.entries.len() >= QUEUE_MAX {
            return Err((entry, StoreError::Busy("the queue is full".to_owned())));
        }
        if gate == Some(false) {
            queue.state = Gate::Suspended;
        }
        queue.entries.push_back(entry);
        queue.worker.touched = true;
        if !self.capabilities.inline {
            if !std::mem::replace(&mut queue.leading, true) {
                self.call_worker(&mut queue);
            }
        } else if !queue.worker.armed {
            self.start_worker(&mut queue);
            queue.worker.armed = queue.worker.thread.is_some();
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Lets what was suspended come in again, or keeps it out after a failed attempt.
    pub(crate) fn set_open(&self, open: bool) {
        let mut queue = self.lock();
        if queue.state != Gate::Closed {
            queue.state = if open { Gate::Open } else { Gate::Suspended };
        }
    }

    /// What a thread that waits at `seat` has to do next.
    pub(crate) fn join(&self, seat: &dyn Seat) -> Role {
        let mut queue = self.lock();
        if seat.is_done() {
            return Role::Done;
        }
        // With nothing in the queue, its answer is already on the way.
        if self.capabilities.inline && !queue.leading && !queue.entries.is_empty() {
            queue.leading = true;
            return Role::Lead;
        }
        seat.announce();
        Role::Sleep
    }

    /// Sees to it that somebody leads, though the caller will not.
    pub(crate) fn nudge(self: &Arc<Self>) {
        let mut queue = self.lock();
        if !queue.leading && !queue.entries.is_empty() {
            queue.leading = self.call_worker(&mut queue);
        }
    }

    /// Leads one batch and passes the lead on. Only for whoever has the lead.
    pub(crate) fn lead(self: &Arc<Self>) {
        self.gather();
        let batch = self.lock().next_batch();
        match batch {
            Batch::Given => {}
            Batch::Nothing => self.pass_on(),
            Batch::Task(task) => {
                task(self.engine().as_deref_mut());
                self.pass_on();
            }
            Batch::Jobs(jobs) => {
                let mut run = Run { answers: Vec::with_capacity(jobs.len()), again: Vec::new() };
                match self.engine().as_deref_mut() {
                    Some(engine) => run.run(engine, &*self.world, jobs, 0),
                    None => run.all(jobs, &StoreError::Closed),
                }
                let again = run.again.into_iter().rev().map(Entry::Job);
                let mut queue = self.lock();
                queue.last_batch = run.answers.len();
                again.for_each(|entry| queue.entries.push_front(entry));
                drop(queue);
                self.pass_on();
                run.answers.into_iter().for_each(|(job, fault)| hand_out(job, fault));
            }
        }
    }

    /// Lets those who were just answered ask again, so that they share a batch instead of leaving
    /// the first of them one of his own: a batch of one costs a commit, as one of fifty does. A lone
    /// caller never waits here.
    fn gather(&self) {
        let mut seen = 0;
        loop {
            let (waiting, last) = {
                let queue = self.lock();
                (queue.entries.len(), queue.last_batch)
            };
            if last < GATHER_MIN || waiting >= last || waiting == seen {
                return;
            }
            seen = waiting;
            if self.capabilities.inline {
                thread::yield_now();
            } else {
                thread::sleep(GATHER);
            }
        }
    }

    /// Gives the lead to somebody who waits, to the worker, or to nobody if there is no work.
    fn pass_on(self: &Arc<Self>) {
        if self.lock().entries.is_empty()
            && let Some(engine) = self.engine().as_deref_mut()
        {
            engine.idle();
        }
        let mut queue = self.lock();
        if queue.entries.is_empty() {
            queue.leading = false;
            // Only a store that closes waits for this, and a bell costs a system call.
            if queue.state == Gate::Closed {
                drop(queue);
                self.calm.notify_all();
                self.bell.notify_all();
            }
            return;
        }
        if let Some(Entry::Turn(_)) = queue.entries.front() {
            queue.next_batch();
            return;
        }
        let offer = |entry: &Entry| matches!(entry, Entry::Job(job) if job.offer_lead());
        if self.capabilities.inline && queue.entries.iter().take(OFFERS_MAX).any(offer) {
            return;
        }
        if !self.call_worker(&mut queue) && !queue.entries.iter().any(offer) {
            queue.leading = false;
        }
    }

    /// Gives the lead to the worker; false if no thread can be had.
    fn call_worker(self: &Arc<Self>, queue: &mut Queue) -> bool {
        self.start_worker(queue);
        queue.worker.lead = queue.worker.thread.is_some() || !self.capabilities.inline;
        self.bell.notify_one();
        queue.worker.lead
    }

    fn start_worker(self: &Arc<Self>, queue: &mut Queue) {
        if queue.worker.thread.is_some() || !self.capabilities.inline {
            return;
        }
        let core = self.clone();
        let builder = thread::Builder::new().name("finalmile-writer".to_owned());
        // Without a thread, whoever waits still leads; only work that nobody waits for waits too.
        queue.worker.thread = builder.spawn(move || core.work()).ok();
    }

    /// The worker's life.
    fn work(self: Arc<Self>) {
        let mut tick = TICK;
        loop {
            let mut queue = self.lock();
            loop {
                if std::mem::take(&mut queue.worker.lead) {
                    break;
                }
                if queue.state == Gate::Closed && queue.entries.is_empty() && !queue.leading {
                    drop(queue);
                    *self.engine() = None;
                    return;
                }
                if !queue.worker.armed {
                    tick = TICK;
                    queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let slept = self.bell.wait_timeout(queue, tick);
                let over;
                (queue, over) = slept.unwrap_or_else(PoisonError::into_inner);
                if over.timed_out() {
                    tick = TICK_MAX.min(tick * 2);
                    if !queue.leading && !queue.entries.is_empty() {
                        tick = TICK;
                        queue.leading = true;
                        queue.worker.lead = true;
                    }
                    queue.worker.armed = std::mem::take(&mut queue.worker.touched);
                }
            }
            drop(queue);
            self.lead();
        }
    }

    /// Refuses new work, decides what was accepted and lets go of the engine (**W5**).
    pub(crate) fn close(self: &Arc<Self>) {
        if process::id() != self.process {
            return;
        }
        let mut queue = self.lock();
        queue.state = Gate::Closed;
        let me = thread::current().id();
        let on_worker = queue.worker.thread.as_ref().is_some_and(|w| w.thread().id() == me);
        // Inside a command or a transaction this thread already leads, and the worker finishes.
        while !on_worker && !decide::is_deciding() && (queue.leading || !queue.entries.is_empty()) {
            if queue.leading {
                queue = self.calm.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                queue.leading = true;
                drop(queue);
                self.lead();
                queue = self.lock();
            }
        }
        // Taken only now: while there was work, a missing worker would have been started again.
        let worker = queue.worker.thread.take();
        drop(queue);
        self.bell.notify_all();
        if let Some(worker) = worker.filter(|_| !on_worker && !decide::is_deciding()) {
            // A panic of the worker was already an error for whoever waited.
            drop(worker.join());
        }
        if self.capabilities.inline && !on_worker && !decide::is_deciding() {
            *self.engine() = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engine(&self) -> MutexGuard<'_, Option<Box<dyn Engine>>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lead, held by a thread for work of its own.
pub(crate) struct Turn {
    core: Arc<Combiner>,
}

impl Turn {
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only SQLite's host side"))]
    pub(crate) fn engine(&self) -> MutexGuard<'_, Option<Box<dyn Engine>>> {
        self.core.engine()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.core.pass_on();
    }
}

/// Answers a job. Its waker and what it drops are the host's, and their panic is not the leader's.
fn hand_out(job: Box<dyn Job>, fault: Option<StoreError>) {
    drop(catch_unwind(AssertUnwindSafe(|| job.answer(fault))));
}

impl fmt::Debug for Combiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combiner").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}
