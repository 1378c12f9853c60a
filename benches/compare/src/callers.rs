//! Callers: many threads or tasks that do a range of operations together.
//!
//! Each takes the next number when it is done with the last, so no caller idles while others work,
//! and an unfair lock costs its owner nothing but fairness.

use std::{
    future::Future,
    ops::Range,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

/// Enough for SQLite below a commit, and little enough for a thousand.
const STACK_BYTES: usize = 256 << 10;

/// Does `ops` on that many threads, which exist before the clock starts.
pub fn threads(callers: usize, ops: Range<u64>, work: impl Fn(u64) + Sync) -> Duration {
    let next = AtomicU64::new(ops.start);
    let ready = Barrier::new(callers + 1);
    thread::scope(|scope| {
        let caller = || {
            ready.wait();
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= ops.end {
                    return;
                }
                work(n);
            }
        };
        let spawn = |_| {
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            builder.spawn_scoped(scope, caller).expect("a thread starts")
        };
        let all: Vec<_> = (0..callers).map(spawn).collect();
        ready.wait();
        let clock = Clock::start();
        all.into_iter().for_each(|thread| thread.join().expect("a caller's work succeeds"));
        clock.elapsed()
    })
}

/// Does `ops` on that many tasks of `runtime`.
pub fn tasks<W, F>(runtime: &Runtime, callers: usize, ops: Range<u64>, work: W) -> Duration
where
    W: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU64::new(ops.start));
    let caller = || {
        let (next, work) = (next.clone(), work.clone());
        async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= ops.end {
                    return;
                }
                work(n).await;
            }
        }
    };
    let clock = Clock::start();
    runtime.block_on(async {
        let all: Vec<_> = (0..callers).map(|_| tokio::spawn(caller())).collect();
        for task in all {
            task.await.expect("a caller's work succeeds");
        }
    });
    clock.elapsed()
}

/// The runtime of both sides' tasks: two workers.
#[must_use]
pub fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime starts")
}

/// Reads the time, which in the library only its own file may do.
struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
