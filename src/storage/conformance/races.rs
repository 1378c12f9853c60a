//! Races: many threads, many tasks, two stores on one database.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use super::{
    Fixture,
    probe::{Child, Count, Parent, act, child, count, touch},
};
use crate::storage::{Command, Store, StoreError};

/// Asks again while others are in the way, as a caller would.
fn patiently<C: Command>(store: &Store, command: impl Fn() -> C) -> C::Out {
    for _ in 0..200 {
        match store.submit(command()).wait() {
            Ok(out) => return out,
            Err(StoreError::Busy(_) | StoreError::Conflict(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("busy for ever");
}

fn sum(store: &Store, ids: u8) -> i64 {
    (0..ids).filter_map(|id| store.get::<Count>(&vec![id]).wait().unwrap()).map(|c| c.count).sum()
}

/// Nothing is lost and nothing is counted twice.
pub fn counters_sum_exactly_from_many_threads(fixture: &Fixture) {
    let store = fixture.open();
    thread::scope(|scope| {
        for worker in 0..32_u8 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..50_u8 {
                    store.submit(count(&[(worker.wrapping_add(i)) % 5], 1)).wait().unwrap();
                }
            });
        }
    });
    assert_eq!(sum(&store, 5), 32 * 50);
}

/// Two stores: two writers, one truth.
pub fn counters_sum_exactly_from_two_stores(fixture: &Fixture) {
    let stores = two(fixture);
    thread::scope(|scope| {
        for (i, store) in (0..).zip([&stores.0, &stores.1, &stores.0, &stores.1]) {
            scope.spawn(move || {
                for j in 0..40_u8 {
                    patiently(store, || count(&[(i + j) % 3], 1));
                }
            });
        }
    });
    assert_eq!(sum(&stores.0, 3), 4 * 40);
}

/// The memory engine excludes only the writers of one store, so both are then the same.
fn two(fixture: &Fixture) -> (Store, Store) {
    let first = fixture.open();
    let second = if first.capabilities().durable { fixture.open() } else { first.clone() };
    (first, second)
}

/// Two stores that want the same rows in opposite orders: locks are taken in one order anyway.
pub fn w2_opposite_orders_do_not_deadlock(fixture: &Fixture) {
    let stores = two(fixture);
    let both = |ids: [u8; 2]| {
        act(
            move |_, keys| ids.iter().for_each(|id| keys.own::<Count>(&vec![*id])),
            move |rows, _| {
                for id in ids {
                    let count = rows.get::<Count>(&vec![id]).map_or(0, |found| found.count) + 1;
                    rows.put(Count { id: vec![id], count });
                }
            },
        )
    };
    thread::scope(|scope| {
        for (store, ids) in [(&stores.0, [0, 1]), (&stores.1, [1, 0])] {
            scope.spawn(move || (0..60).for_each(|_| patiently(store, || both(ids))));
        }
    });
    assert_eq!(sum(&stores.0, 2), 2 * 2 * 60);
}

/// Both find the row absent; one makes it, the other sees it.
pub fn of_two_stores_only_one_creates_a_row(fixture: &Fixture) {
    let stores = two(fixture);
    for round in 0..20_u8 {
        let start = Barrier::new(2);
        let claim = |who: i64| {
            act(
                move |_, keys| keys.own::<Count>(&vec![round]),
                move |rows, _| {
                    let is_free = rows.get::<Count>(&vec![round]).is_none();
                    if is_free {
                        rows.put(Count { id: vec![round], count: who });
                    }
                    is_free
                },
            )
        };
        let won: usize = thread::scope(|scope| {
            let run = |store, who| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    usize::from(patiently(store, || claim(who)))
                })
            };
            let (a, b) = (run(&stores.0, 1), run(&stores.1, 2));
            a.join().unwrap() + b.join().unwrap()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

/// One store removes a parent that has no children, the other adds a child to a parent that is
/// there. Without the rule that a child's writer owns its parent, both would commit.
pub fn a_parent_guards_its_children_across_stores(fixture: &Fixture) {
    let stores = two(fixture);
    for round in 0..20 {
        let id = format!("p{round}");
        let make = {
            let (named, id) = (id.clone(), id.clone());
            act(move |_, keys| keys.own::<Parent>(&named), move |rows, _| touch(rows, &id))
        };
        stores.0.submit(make).wait().unwrap();
        let remove = |id: String| {
            let named = id.clone();
            act(
                move |_, keys| keys.children::<Child, Parent>(&named, 21),
                move |rows, _| {
                    let is_empty = rows.children::<Child>(&id, 21).0.is_empty();
                    if is_empty {
                        rows.remove::<Parent>(&id);
                    }
                    is_empty
                },
            )
        };
        let add = |id: String| {
            let named = id.clone();
            act(
                move |_, keys| {
                    keys.own::<Parent>(&named);
                    keys.own::<Child>(&(named.clone(), 1));
                },
                move |rows, _| {
                    let is_there = rows.get::<Parent>(&id).is_some();
                    if is_there {
                        touch(rows, &id);
                        rows.put(child(&id, 1, 0));
                    }
                    is_there
                },
            )
        };
        let start = Barrier::new(2);
        let (removed, added) = thread::scope(|scope| {
            let remover = scope.spawn(|| {
                start.wait();
                patiently(&stores.0, || remove(id.clone()))
            });
            start.wait();
            let added = patiently(&stores.1, || add(id.clone()));
            (remover.join().unwrap(), added)
        });
        assert!(removed != added, "round {round}: removed {removed}, added {added}");
    }
}

/// A pointer is followed to the row it names; another store moves the pointer all the time.
pub fn j2_keys_that_move_meanwhile_are_found_again(fixture: &Fixture) {
    let stores = two(fixture);
    stores.0.submit(count(b"pointer", 1)).wait().unwrap();
    let over = AtomicBool::new(false);
    let follow = || {
        act(
            |seen, keys| {
                keys.own::<Count>(&b"pointer".to_vec());
                if let Some(found) = seen.get::<Count>(&b"pointer".to_vec()) {
                    keys.own::<Count>(&vec![u8::try_from(found.count % 4).unwrap()]);
                }
            },
            |rows, _| {
                let at = rows.get::<Count>(&b"pointer".to_vec()).map(|found| found.count).unwrap();
                let id = vec![u8::try_from(at % 4).unwrap()];
                let count = rows.get::<Count>(&id).map_or(0, |found| found.count) + 1;
                rows.put(Count { id, count });
            },
        )
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                patiently(&stores.1, || count(b"pointer", 1));
                thread::yield_now();
            }
        });
        // Ends the other thread also when this one panics.
        let _over = Over(&over);
        for _ in 0..40 {
            patiently(&stores.0, follow);
        }
    });
    assert_eq!(sum(&stores.0, 4), 40);
}

struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task is woken like a thread, and both see one order.
pub fn tasks_await_as_threads_wait(fixture: &Fixture) {
    let store = fixture.open();
    let answers = block_on(async {
        let pending: Vec<_> = (0..200).map(|_| store.submit(count(b"t", 1))).collect();
        let mut answers = Vec::new();
        for one in pending {
            answers.push(one.await.unwrap());
        }
        answers
    });
    assert_eq!(answers, (1..=200).collect::<Vec<i64>>());
}

/// The smallest runtime there is.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}
