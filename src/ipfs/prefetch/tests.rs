//! The queue with jobs that begin and end when the test says so.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver};

use super::*;

/// A queue whose jobs say when they begin and end when they are told, or cancelled.
fn gated(at_once: usize) -> (Prefetcher<u32, &'static str>, Receiver<u32>, impl Fn(u32)) {
    let (begun, begins) = mpsc::channel();
    let told = Arc::new(Mutex::new(HashSet::new()));
    let seen = told.clone();
    let at_once = NonZeroUsize::new(at_once).expect("some");
    let options = PrefetchOptions { at_once, ..PrefetchOptions::default() };
    let queue = Prefetcher::new(options, move |key: &u32, cancel: &Cancel| {
        begun.send(*key).expect("the test listens");
        loop {
            if cancel.is_cancelled() {
                return "cancelled";
            }
            if lock(&seen).remove(key) {
                return "done";
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    (queue, begins, move |key| {
        lock(&told).insert(key);
    })
}

fn begun(begins: &Receiver<u32>) -> u32 {
    begins.recv_timeout(Duration::from_secs(20)).expect("it begins")
}

fn nothing_begins(begins: &Receiver<u32>) {
    assert!(begins.recv_timeout(Duration::from_millis(100)).is_err());
}

#[test]
fn c32_what_is_waited_for_goes_first_and_a_prefetch_can_be_raised() {
    let (queue, begins, go) = gated(2);
    (1..=3).for_each(|key| queue.prefetch(&key));
    // One of two places is kept free of prefetches.
    assert_eq!(begun(&begins), 1);
    nothing_begins(&begins);
    thread::scope(|scope| {
        let queue = &queue;
        let first = scope.spawn(|| queue.wait(&10, &Cancel::default()));
        assert_eq!(begun(&begins), 10);
        // Raised before 2, and 11 after it.
        let raised = scope.spawn(|| queue.wait(&3, &Cancel::default()));
        while queue.tasks().0 != 2
            || lock(&queue.0.0.state).order.keys().next().is_none_or(|k| k.0 != Rank::Wanted)
        {
            thread::yield_now();
        }
        let last = scope.spawn(|| queue.wait(&11, &Cancel::default()));
        while queue.tasks().0 != 3 {
            thread::yield_now();
        }
        nothing_begins(&begins);
        // Each end lets one begin: the two that are waited for, and then the prefetch.
        for (ends, begins_next) in [(1, 3), (10, 11), (3, 2)] {
            go(ends);
            assert_eq!(begun(&begins), begins_next);
        }
        go(11);
        for waiter in [first, raised, last] {
            assert_eq!(waiter.join().expect("no panic").ok(), Some("done"));
        }
    });
}

#[test]
fn c30_a_hundred_ask_and_one_job_runs() {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let queue = Prefetcher::new(PrefetchOptions::default(), move |key: &usize, _: &Cancel| {
        thread::sleep(Duration::from_millis(300));
        counted.fetch_add(1, Ordering::SeqCst) + key
    });
    let together = Barrier::new(100);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                together.wait();
                assert_eq!(queue.wait(&7, &Cancel::default()).expect("it lands"), 7);
            });
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    // What is over is forgotten: the next one asks anew.
    assert_eq!(queue.wait(&7, &Cancel::default()).ok(), Some(8));
}

#[test]
fn c32_never_more_than_so_many_run_and_each_key_once_at_a_time() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let inside: Arc<[AtomicUsize; 9]> = Arc::default();
    let seen = inside.clone();
    let options = PrefetchOptions { at_once: NonZeroUsize::MIN.saturating_add(2), ahead: 3 };
    let queue = Prefetcher::new(options, move |key: &usize, _: &Cancel| {
        assert_eq!(seen[*key].fetch_add(1, Ordering::SeqCst), 0, "one a key");
        assert!(seen[8].fetch_add(1, Ordering::SeqCst) < 3, "three at once");
        thread::yield_now();
        seen[8].fetch_sub(1, Ordering::SeqCst);
        seen[*key].fetch_sub(1, Ordering::SeqCst);
    });
    thread::scope(|scope| {
        for thread in 0..6 {
            let queue = &queue;
            scope.spawn(move || {
                for step in 0..300 {
                    queue.prefetch(&((thread + step) % 8));
                    queue.wait(&(step % 8), &Cancel::default()).expect("no job panics");
                }
            });
        }
    });
    while queue.tasks() != (0, 0) {
        thread::yield_now();
    }
    assert!(inside.iter().all(|count| count.load(Ordering::SeqCst) == 0));
}

#[test]
fn a_feed_fetches_the_next_three_and_forgets_what_was_left_behind() {
    let (queue, begins, go) = gated(2);
    let keys: Vec<u32> = (0..100).collect();
    queue.feed(&keys, 0);
    assert_eq!((begun(&begins), queue.tasks()), (1, (2, 1)));
    queue.feed(&keys, 50);
    for (ends, begins_next) in [(1, 51), (51, 52), (52, 53)] {
        go(ends);
        assert_eq!(begun(&begins), begins_next);
    }
    // The end of the feed has nothing after it.
    queue.feed(&keys, 99);
    queue.feed(&keys, usize::MAX);
    nothing_begins(&begins);
}

#[test]
fn c31_cancelling_a_key_ends_its_job_and_a_waiter_who_leaves_ends_it_for_himself_alone() {
    let (queue, begins, go) = gated(2);
    queue.prefetch(&1);
    assert_eq!(begun(&begins), 1);
    queue.prefetch(&2);
    assert!(queue.cancel(&2) && !queue.cancel(&2) && !queue.cancel(&3));
    let leaves = Cancel::default();
    thread::scope(|scope| {
        let queue = &queue;
        let waiter = scope.spawn(|| queue.wait(&1, &Cancel::default()));
        let leaver = scope.spawn(|| queue.wait(&1, &leaves));
        let waiters = || lock(&queue.0.0.state).tasks.get(&1).map_or(0, |task| task.waiters);
        while waiters() != 2 {
            thread::yield_now();
        }
        leaves.cancel();
        assert!(matches!(leaver.join().expect("no panic"), Err(IpfsError::Cancelled)));
        assert!(!waiter.is_finished());
        assert!(queue.cancel(&1));
        assert_eq!(waiter.join().expect("no panic").ok(), Some("cancelled"));
        // Nobody but the waiter wanted this one: it ends with him, and can be asked for again.
        let leaves = Cancel::default();
        let waiter = scope.spawn({
            let leaves = leaves.clone();
            move || queue.wait(&5, &leaves)
        });
        assert_eq!(begun(&begins), 5);
        leaves.cancel();
        assert!(matches!(waiter.join().expect("no panic"), Err(IpfsError::Cancelled)));
        let again = scope.spawn(|| queue.wait(&5, &Cancel::default()));
        assert_eq!(begun(&begins), 5);
        go(5);
        assert_eq!(again.join().expect("no panic").ok(), Some("done"));
    });
}

#[test]
fn a_job_that_panics_is_lost_alone_and_the_last_handle_cancels_what_runs() {
    let options = PrefetchOptions { at_once: NonZeroUsize::MIN, ahead: 3 };
    let (ended, ends) = mpsc::channel();
    let queue = Prefetcher::new(options, move |key: &u32, cancel: &Cancel| {
        assert!(*key != 13, "as a job may");
        while *key == 7 && !cancel.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        ended.send(*key).expect("the test listens");
    });
    assert!(matches!(queue.wait(&13, &Cancel::default()), Err(IpfsError::Closed)));
    assert!(queue.wait(&1, &Cancel::default()).is_ok());
    assert_eq!(begun(&ends), 1);
    queue.prefetch(&7);
    while queue.tasks() != (0, 1) {
        thread::yield_now();
    }
    drop(queue);
    assert_eq!(begun(&ends), 7);
}
