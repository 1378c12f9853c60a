//! The queue of fetches: what the user waits for, and then what he will look at next.
//!
//! A feed asks for the next few of its pictures before they are scrolled to. That must never make anybody
//! wait: what is waited for goes before every prefetch, one place is kept free of prefetches, and a prefetch
//! that somebody begins to wait for is raised. What a fetch is, the queue does not know: it runs a job for
//! a key.
//!
//! # Invariants
//!
//! - **C30** While the job of a key runs, no second one of that key begins, and all who ask get its answer.
//! - **C31** Who stops waiting leaves the others alone; when the last one does, the job is cancelled, unless
//!   it was begun ahead.
//! - **C32** At most so many jobs run at once, one a key; a prefetch begins only when nothing waits that
//!   somebody waits for, and prefetches leave a place free.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::IpfsError;
use crate::fetch::Cancel;

/// How often who waits looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);
/// How long a thread waits for more to do.
const IDLE: Duration = Duration::from_secs(5);

/// How a [`Prefetcher`] works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct PrefetchOptions {
    /// How many jobs run at once. Default: 4, of which prefetches take 3.
    pub at_once: NonZeroUsize,
    /// How many of a feed are fetched ahead. Default: 3, about a screen.
    pub ahead: usize,
}

impl Default for PrefetchOptions {
    fn default() -> Self {
        Self { at_once: NonZeroUsize::MIN.saturating_add(3), ahead: 3 }
    }
}

/// A queue of jobs by key, with threads of its own. Clones share it; the last one's drop cancels what runs.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Cancel, PrefetchOptions, Prefetcher};
///
/// let queue = Prefetcher::new(PrefetchOptions::default(), |page: &u32, _: &Cancel| page * 2);
/// queue.feed(&[1, 2, 3, 4, 5, 6], 0);
/// assert_eq!(queue.wait(&21, &Cancel::default())?, 42);
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
pub struct Prefetcher<K, T>(Arc<Handle<K, T>>);

/// What its users hold, apart from what its threads hold.
struct Handle<K, T>(Arc<Queue<K, T>>);

type Job<K, T> = dyn Fn(&K, &Cancel) -> T + Send + Sync;

struct Queue<K, T> {
    options: PrefetchOptions,
    job: Box<Job<K, T>>,
    state: Mutex<State<K, T>>,
    changed: Condvar,
}

struct State<K, T> {
    /// What is queued or runs.
    tasks: HashMap<K, Task<T>>,
    /// What is queued, by rank and age.
    order: BTreeMap<(Rank, u64), K>,
    next: u64,
    threads: usize,
    /// Threads that look for work.
    resting: usize,
    /// Prefetches that run.
    ahead: usize,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    /// Somebody waits.
    Wanted,
    Ahead,
}

struct Task<T> {
    /// `None`: it runs.
    place: Option<(Rank, u64)>,
    waiters: usize,
    /// Whether it goes on when nobody waits any more.
    is_prefetch: bool,
    cancel: Cancel,
    answer: Arc<Mutex<Option<Answer<T>>>>,
}

#[derive(Clone)]
enum Answer<T> {
    Done(T),
    Cancelled,
    /// It panicked.
    Lost,
}

impl<K, T> Clone for Prefetcher<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, T> fmt::Debug for Prefetcher<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Queue { options, state, .. } = &*self.0.0;
        let tasks = lock(state).tasks.len();
        f.debug_struct("Prefetcher").field("options", options).field("tasks", &tasks).finish()
    }
}

impl<K, T> Prefetcher<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + 'static,
{
    /// A queue whose work is `job`. It should look at its [`Cancel`] from time to time. Threads start when
    /// there is work, and end when there is none.
    #[must_use]
    pub fn new(
        options: PrefetchOptions,
        job: impl Fn(&K, &Cancel) -> T + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            tasks: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            threads: 0,
            resting: 0,
            ahead: 0,
            is_closed: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let queue = Queue { options, job: Box::new(job), state, changed };
        Self(Arc::new(Handle(Arc::new(queue))))
    }

    /// Runs the job of `key` before all prefetches, or joins it, and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`IpfsError::Cancelled`] when `cancel` is raised (others who wait for it go on), or
    /// [`cancel`](Self::cancel) was called; [`IpfsError::Closed`] when the job panicked.
    pub fn wait(&self, key: &K, cancel: &Cancel) -> Result<T, IpfsError> {
        let queue = &self.0.0;
        let mut state = lock(&queue.state);
        // One that was cancelled is about to end; two of a key would get into each other's way.
        while !cancel.is_cancelled()
            && state.tasks.get(key).is_some_and(|task| task.cancel.is_cancelled())
        {
            let waited = queue.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if cancel.is_cancelled() {
            return Err(IpfsError::Cancelled);
        }
        let place = state.place(Rank::Wanted);
        let answer = match state.tasks.get_mut(key) {
            Some(task) => {
                task.waiters += 1;
                let answer = task.answer.clone();
                if let Some(known) = task.place.filter(|known| known.0 == Rank::Ahead) {
                    task.place = Some(place);
                    state.order.remove(&known);
                    state.order.insert(place, key.clone());
                }
                answer
            }
            None => state.queue(key, place, 1),
        };
        queue.start_threads(&mut state);
        loop {
            match &*lock(&answer) {
                Some(Answer::Done(answer)) => return Ok(answer.clone()),
                Some(Answer::Cancelled) => return Err(IpfsError::Cancelled),
                Some(Answer::Lost) => return Err(IpfsError::Closed),
                None => {}
            }
            if cancel.is_cancelled() {
                state.leave(key, &answer);
                return Err(IpfsError::Cancelled);
            }
            let waited = queue.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Runs the job of `key` some time, when nobody waits for another. A key that is queued or runs is left.
    pub fn prefetch(&self, key: &K) {
        let mut state = lock(&self.0.0.state);
        state.prefetch(key);
        self.0.0.start_threads(&mut state);
    }

    /// Fetches ahead what follows `keys[at]`, in order, [`PrefetchOptions::ahead`] of them, and forgets
    /// prefetches that were queued for another place of the feed. What runs goes on.
    pub fn feed(&self, keys: &[K], at: usize) {
        self.replace(keys.iter().skip(at.saturating_add(1)).take(self.ahead()).cloned());
    }

    /// Fetches `keys` ahead, in order, and forgets prefetches that were queued before.
    pub(crate) fn replace(&self, keys: impl Iterator<Item = K>) {
        let keys: Vec<K> = keys.collect();
        let mut state = lock(&self.0.0.state);
        state.forget_queued();
        keys.iter().for_each(|key| state.prefetch(key));
        self.0.0.start_threads(&mut state);
    }

    /// How many of a feed are fetched ahead.
    pub(crate) fn ahead(&self) -> usize {
        self.0.0.options.ahead
    }

    /// Cancels the job of `key`, queued or running, whoever waits for it; `false` when there is none.
    pub fn cancel(&self, key: &K) -> bool {
        let mut state = lock(&self.0.0.state);
        let Some(task) = state.tasks.get(key) else { return false };
        task.cancel.cancel();
        if let Some(place) = task.place {
            *lock(&task.answer) = Some(Answer::Cancelled);
            state.order.remove(&place);
            state.tasks.remove(key);
        }
        drop(state);
        self.0.0.changed.notify_all();
        true
    }

    /// How many jobs are queued, and how many run.
    #[must_use]
    pub fn tasks(&self) -> (usize, usize) {
        let state = lock(&self.0.0.state);
        (state.order.len(), state.tasks.len() - state.order.len())
    }
}

impl<K: Clone + Eq + Hash, T> State<K, T> {
    fn place(&mut self, rank: Rank) -> (Rank, u64) {
        self.next += 1;
        (rank, self.next)
    }

    fn queue(
        &mut self,
        key: &K,
        place: (Rank, u64),
        waiters: usize,
    ) -> Arc<Mutex<Option<Answer<T>>>> {
        let answer = Arc::default();
        let is_prefetch = place.0 == Rank::Ahead;
        let (place_, cancel, kept) = (Some(place), Cancel::default(), Arc::clone(&answer));
        let task = Task { place: place_, waiters, is_prefetch, cancel, answer: kept };
        self.order.insert(place, key.clone());
        self.tasks.insert(key.clone(), task);
        answer
    }

    fn prefetch(&mut self, key: &K) {
        let place = self.place(Rank::Ahead);
        match self.tasks.get_mut(key) {
            Some(task) => task.is_prefetch = true,
            None => drop(self.queue(key, place, 0)),
        }
    }

    /// Forgets the prefetches that have not begun.
    fn forget_queued(&mut self) {
        let mut ahead = self.order.split_off(&(Rank::Ahead, 0));
        while let Some((_, key)) = ahead.pop_first() {
            self.tasks.remove(&key);
        }
    }

    /// Somebody waits no more.
    fn leave(&mut self, key: &K, answer: &Arc<Mutex<Option<Answer<T>>>>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| Arc::ptr_eq(&task.answer, answer))
        else {
            return;
        };
        task.waiters -= 1;
        if task.waiters > 0 || task.is_prefetch {
            return;
        }
        task.cancel.cancel();
        if let Some(place) = task.place {
            self.order.remove(&place);
            self.tasks.remove(key);
        }
    }

    /// What is to run next, if something may.
    fn next(&mut self, at_once: NonZeroUsize) -> Option<K> {
        let (place, _) = self.order.first_key_value()?;
        let (place, free) = (*place, at_once.get().saturating_sub(1).max(1));
        if place.0 == Rank::Ahead && self.ahead >= free {
            return None;
        }
        self.order.remove(&place)
    }
}

impl<K, T> Queue<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + 'static,
{
    fn start_threads(self: &Arc<Self>, state: &mut State<K, T>) {
        let idle = self.options.at_once.get().saturating_sub(state.threads);
        for _ in 0..state.order.len().saturating_sub(state.resting).min(idle) {
            let queue = self.clone();
            let thread = thread::Builder::new().name("finalmile-prefetch".to_owned());
            if thread.spawn(move || queue.work()).is_err() {
                // Those that run do it all, one after the other.
                break;
            }
            state.threads += 1;
        }
        self.changed.notify_all();
    }

    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if state.is_closed {
                break;
            }
            let Some(key) = state.next(self.options.at_once) else {
                state.resting += 1;
                let (woken, timeout) =
                    self.changed.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.resting -= 1;
                if timeout.timed_out() && state.order.is_empty() {
                    break;
                }
                continue;
            };
            let Some(task) = state.tasks.get_mut(&key) else { continue };
            let is_ahead = task.place.take().is_some_and(|place| place.0 == Rank::Ahead);
            let (cancel, answer) = (task.cancel.clone(), task.answer.clone());
            state.ahead += usize::from(is_ahead);
            drop(state);
            // A job that panics must not take the queue along.
            let done = catch_unwind(AssertUnwindSafe(|| (self.job)(&key, &cancel)));
            state = lock(&self.state);
            state.ahead -= usize::from(is_ahead);
            state.tasks.remove(&key);
            *lock(&answer) = Some(done.map_or(Answer::Lost, Answer::Done));
            self.changed.notify_all();
        }
        state.threads -= 1;
    }
}

impl<K, T> Drop for Handle<K, T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.is_closed = true;
        state.tasks.values().for_each(|task| task.cancel.cancel());
        drop(state);
        self.0.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
