//! Reads: a connection for each reader, beside the writer and never behind it.
//!
//! Engines that any thread may use are read on the caller's thread; the others on a few threads of
//! their own, so a read inside an async runtime blocks nobody but those.
//!
//! # Invariants
//!
//! - **V1** A read sees every commit that was answered before it began.
//! - **V2** No read waits for the writer, however long the queue is.
//! - **V3** While suspended, no connection is open.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::storage::{
    StoreError,
    engine::{Reader, Readers},
};

/// The most idle connections that are kept, and the most threads that read.
const KEPT_MAX: usize = 4;

type Job = Box<dyn FnOnce(Result<&mut dyn Reader, StoreError>) + Send>;

pub(crate) struct ReadPool {
    readers: Arc<dyn Readers>,
    inline: bool,
    state: Mutex<State>,
    /// Wakes the threads that read.
    bell: Condvar,
    /// Wakes whoever waits for all readers to be back.
    calm: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Box<dyn Reader>>,
    out: usize,
    shut: bool,
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    waiting: usize,
    closed: bool,
}

impl ReadPool {
    pub(crate) fn new(readers: Arc<dyn Readers>, inline: bool) -> Arc<Self> {
        Arc::new(Self {
            readers,
            inline,
            state: Mutex::default(),
            bell: Condvar::new(),
            calm: Condvar::new(),
        })
    }

    /// Gives `job` a reader, here or on a reading thread.
    pub(crate) fn read(self: &Arc<Self>, job: Job) {
        if self.inline {
            return self.serve(job);
        }
        let mut state = self.lock();
        if state.shut || state.closed {
            drop(state);
            return job(Err(StoreError::Closed));
        }
        state.jobs.push_back(job);
        if state.jobs.len() > state.waiting && state.threads.len() < KEPT_MAX {
            let pool = self.clone();
            let builder = thread::Builder::new().name("finalmile-reader".to_owned());
            if let Ok(thread) = builder.spawn(move || pool.work()) {
                state.threads.push(thread);
            }
        }
        if state.threads.is_empty() {
            let job = state.jobs.pop_back();
            drop(state);
            if let Some(job) = job {
                job(Err(StoreError::Backend("no thread could be started".to_owned())));
            }
            return;
        }
        drop(state);
        self.bell.notify_one();
    }

    fn work(self: &Arc<Self>) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.serve(job);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                // Connections are let go on the threads that may drop them.
                if state.shut {
                    let idle = std::mem::take(&mut state.idle);
                    drop(state);
                    drop(idle);
                    self.calm.notify_all();
                    state = self.lock();
                }
                state.waiting += 1;
                state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
    }

    fn serve(&self, job: Job) {
        let mut state = self.lock();
        if state.shut || state.closed {
            drop(state);
            return job(Err(StoreError::Closed));
        }
        state.out += 1;
        let kept = state.idle.pop();
        drop(state);
        let reader = match kept {
            Some(reader) => Ok(reader),
            None => self.readers.open(),
        };
        let mut reader = reader;
        // The answer wakes the host's tasks; their panic is not the pool's.
        drop(catch_unwind(AssertUnwindSafe(|| match &mut reader {
            Ok(reader) => job(Ok(&mut **reader)),
            Err(fault) => job(Err(fault.clone())),
        })));
        let mut state = self.lock();
        let keep = !state.shut && !state.closed && state.idle.len() < KEPT_MAX;
        match reader {
            Ok(reader) if keep => state.idle.push(reader),
            surplus => {
                // Gone before it is reported back: whoever suspends counts on it.
                drop(state);
                drop(surplus);
                state = self.lock();
            }
        }
        state.out -= 1;
        drop(state);
        self.calm.notify_all();
    }

    /// Refuses new reads and lets go of every connection (**V3**).
    pub(crate) fn suspend(&self) {
        let mut state = self.lock();
        state.shut = true;
        self.bell.notify_all();
        while state.out > 0 || (!self.inline && !state.idle.is_empty()) {
            state = self.calm.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    pub(crate) fn resume(&self) {
        self.lock().shut = false;
    }

    /// Ends the threads and every connection.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.bell.notify_all();
        for thread in threads {
            if thread.thread().id() != thread::current().id() {
                // A panic of a reader was already an error for whoever asked.
                drop(thread.join());
            }
        }
        if self.inline {
            let idle = std::mem::take(&mut self.lock().idle);
            drop(idle);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a reader and turns a panic into an error.
pub(crate) fn guarded<T>(
    reader: Result<&mut dyn Reader, StoreError>,
    work: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let reader = reader?;
    catch_unwind(AssertUnwindSafe(|| work(reader)))
        .unwrap_or_else(|_| Err(StoreError::Backend("a read panicked".to_owned())))
}

impl fmt::Debug for ReadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPool").field("inline", &self.inline).finish_non_exhaustive()
    }
}
