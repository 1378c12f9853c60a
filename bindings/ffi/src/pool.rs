//! The threads that do the work, and how many of them do what.
//!
//! A phone wants its cores for drawing, and its networks hang. So calls stand in three lines: who looks
//! something up never waits for who computes, and who computes never for who waits for the network or for
//! the host (**B6**). Threads begin when there is work for them and end when there is none.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// What a call mostly does, which says how many of its kind go on at once. Whoever waits for a slow
/// network keeps nobody else waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// It looks something up, or writes something small.
    Look,
    /// It waits for the network.
    Wait,
    /// It computes: as many as there are cores, less the one that draws, and never all of a phone's.
    Compute,
}

const LANES: [Lane; 3] = [Lane::Look, Lane::Wait, Lane::Compute];

impl Lane {
    fn at_once(self) -> usize {
        static CORES: OnceLock<usize> = OnceLock::new();
        match self {
            Self::Look => 4,
            Self::Wait => 48,
            Self::Compute => {
                let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
                CORES.get_or_init(cores).saturating_sub(1).clamp(1, 4)
            }
        }
    }
}

/// All lanes at once, and as many that wait for the host in the middle of their work.
const THREADS: usize = 112;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// How many calls may wait. A thousand at once are a busy app, ten thousand a mistake.
const WAITING_MAX: usize = 10_000;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Calls of one lane, in the order in which they came.
struct Line {
    jobs: VecDeque<Job>,
    under_way: usize,
}

impl Line {
    const fn new() -> Self {
        Self { jobs: VecDeque::new(), under_way: 0 }
    }

    fn may_start(&self, lane: Lane) -> usize {
        self.jobs.len().min(lane.at_once().saturating_sub(self.under_way))
    }
}

/// The lines, and who works on them.
struct Queue {
    look: Line,
    wait: Line,
    compute: Line,
    threads: usize,
    idle: usize,
}

impl Queue {
    const fn new() -> Self {
        Self { look: Line::new(), wait: Line::new(), compute: Line::new(), threads: 0, idle: 0 }
    }

    fn line(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Look => &mut self.look,
            Lane::Wait => &mut self.wait,
            Lane::Compute => &mut self.compute,
        }
    }

    fn waiting(&self) -> usize {
        self.look.jobs.len() + self.wait.jobs.len() + self.compute.jobs.len()
    }

    fn may_start(&mut self) -> usize {
        LANES.into_iter().map(|lane| self.line(lane).may_start(lane)).sum()
    }

    fn next(&mut self) -> Option<(Lane, Job)> {
        let lane = LANES.into_iter().find(|&lane| self.line(lane).may_start(lane) > 0)?;
        let line = self.line(lane);
        let job = line.jobs.pop_front()?;
        line.under_way += 1;
        Some((lane, job))
    }
}

struct Pool {
    queue: Mutex<Queue>,
    more: Condvar,
}

static POOL: Pool = Pool { queue: Mutex::new(Queue::new()), more: Condvar::new() };

/// Takes the job, unless too many wait.
pub(crate) fn push(lane: Lane, job: Job) -> bool {
    POOL.push(lane, job)
}

/// Does what may take the host's own time, or for ever: others compute meanwhile.
pub(crate) fn at_the_hosts<T>(act: impl FnOnce() -> T) -> T {
    struct Away(Lane);

    impl Drop for Away {
        fn drop(&mut self) {
            // At once, even if there is one too many for a moment.
            lock(&POOL.queue).line(self.0).under_way += 1;
        }
    }

    let away = LANE.get().map(|lane| {
        let mut queue = lock(&POOL.queue);
        queue.line(lane).under_way -= 1;
        POOL.staff(&mut queue);
        Away(lane)
    });
    let answer = act();
    drop(away);
    answer
}

thread_local! {
    /// What a thread of the pool does.
    static LANE: Cell<Option<Lane>> = const { Cell::new(None) };
}

impl Pool {
    /// Takes the job, unless too many wait.
    fn push(&'static self, lane: Lane, job: Job) -> bool {
        let mut queue = lock(&self.queue);
        if queue.waiting() >= WAITING_MAX {
            return false;
        }
        queue.line(lane).jobs.push_back(job);
        self.staff(&mut queue);
        if queue.threads == 0 {
            // No thread at all: an answer that never comes would be worse.
            queue.line(lane).jobs.pop_back();
            return false;
        }
        true
    }

    /// Sees to it that whatever may start is started.
    fn staff(&'static self, queue: &mut Queue) {
        let may_start = queue.may_start();
        for _ in 0..may_start.min(queue.idle) {
            self.more.notify_one();
        }
        // Those that are idle may have been called already, and wake up for one job each.
        for _ in queue.idle..may_start {
            if queue.threads == THREADS {
                break;
            }
            let started = thread::Builder::new().name("finalmile".into()).spawn(|| self.work());
            if started.is_err() {
                break;
            }
            queue.threads += 1;
        }
    }

    fn work(&'static self) {
        let mut queue = lock(&self.queue);
        loop {
            if let Some((lane, job)) = queue.next() {
                drop(queue);
                LANE.set(Some(lane));
                job();
                LANE.set(None);
                queue = lock(&self.queue);
                queue.line(lane).under_way -= 1;
            } else {
                queue.idle += 1;
                let waited = self.more.wait_timeout(queue, IDLE);
                let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                queue = woken;
                queue.idle -= 1;
                if timeout.timed_out() && queue.may_start() == 0 {
                    queue.threads -= 1;
                    return;
                }
            }
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
