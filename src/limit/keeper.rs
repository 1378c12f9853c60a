//! The keeper: a thread that flushes, follows and tidies while the limiter is in use.
//!
//! It is started by the first endpoint that is asked for; a host that limits nothing in memory has
//! none. The last handle's drop ends it and flushes a last time.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    World,
    limit::{LimitOptions, live::Live, sync::lock},
    storage::{Store, StoreError},
};

/// How often buckets are flushed and changes followed: twice as often as is promised.
const TURN: Duration = Duration::from_millis(500);

/// Figures are written every so many turns: dashboards need not be quicker, and each is a sync.
const FIGURES_TURNS: usize = 10;

/// Owns the limiter in memory, and its thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    live: Arc<Live>,
    store: Store,
    /// Held by whoever takes in what is stored.
    opening: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<Stop>,
    process: u32,
}

/// Ends the thread's sleep.
#[derive(Debug, Default)]
struct Stop {
    is_over: Mutex<bool>,
    bell: Condvar,
}

impl Keeper {
    pub(crate) fn new(store: Store, world: Arc<dyn World>, options: LimitOptions) -> Self {
        let live = Arc::new(Live::new(world, options));
        let (opening, thread, stop) = (Mutex::new(()), Mutex::new(None), Arc::default());
        let process = std::process::id();
        Self { live, store, opening, thread, stop, process }
    }

    /// The limiter in memory.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// For whoever must not keep it alive.
    pub(crate) fn weak(&self) -> Weak<Live> {
        Arc::downgrade(&self.live)
    }

    /// Takes in what is stored, once, and starts the thread.
    pub(crate) fn open(&self) -> Result<(), StoreError> {
        if !self.live.is_open() {
            let _one_at_a_time = lock(&self.opening);
            if !self.live.is_open() {
                self.live.open(&self.store)?;
            }
        }
        self.start()
    }

    /// Starts the thread, once.
    pub(crate) fn start(&self) -> Result<(), StoreError> {
        let mut thread = lock(&self.thread);
        if thread.is_some() {
            return Ok(());
        }
        let (live, store, stop) = (self.live.clone(), self.store.clone(), self.stop.clone());
        let work = move || {
            let mut turn = 0;
            while !stop.sleep() {
                turn += 1;
                // What fails now is tried again at the next turn; the store says why elsewhere.
                if live.is_open() {
                    drop(live.follow(&store));
                }
                drop(live.flush_buckets(&store));
                if turn % FIGURES_TURNS == 0 {
                    drop(live.flush_figures(&store));
                }
                live.tidy(turn);
            }
            // What is only in memory, by the thread that has nobody waiting beneath it.
            drop(live.flush_buckets(&store));
            drop(live.flush_figures(&store));
        };
        let spawned = thread::Builder::new().name("finalmile-limits".to_owned()).spawn(work);
        *thread = Some(spawned.map_err(|error| StoreError::Backend(error.to_string()))?);
        Ok(())
    }

    /// Starts the thread for what commands count. Without it they count in vain, which is no reason to
    /// refuse them.
    pub(crate) fn start_for_figures(&self) {
        drop(self.start());
    }

    /// Writes what is only in memory, if anything ever was.
    pub(crate) fn flush_if_used(&self) -> Result<(), StoreError> {
        if lock(&self.thread).is_none() {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what is only in memory, and follows what others changed.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let followed = match self.live.is_open() {
            true => self.live.follow(&self.store),
            false => Ok(()),
        };
        // Each is tried, whatever became of the others.
        let written = self.live.flush_buckets(&self.store);
        let figures = self.flush_figures();
        followed.and(written).and(figures)
    }

    /// Writes counters and the log.
    pub(crate) fn flush_figures(&self) -> Result<(), StoreError> {
        self.live.flush_figures(&self.store)
    }
}

impl Stop {
    /// Sleeps a turn; whether it is over.
    fn sleep(&self) -> bool {
        let is_over = lock(&self.is_over);
        let wait = self.bell.wait_timeout_while(is_over, TURN, |is_over| !*is_over);
        *wait.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *lock(&self.stop.is_over) = true;
        self.stop.bell.notify_all();
        let thread = lock(&self.thread).take();
        // Inside a command, or on the thread that answers it, the last flush could never be decided
        // while this waits for it; in a forked child the thread does not exist.
        let may_wait = !self.store.is_answering() && std::process::id() == self.process;
        if let Some(thread) = thread.filter(|_| may_wait) {
            drop(thread.join());
        }
    }
}
