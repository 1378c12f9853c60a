//! Two instances on one database: what they may and may not do to each other.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::*;

#[test]
fn a_thousand_threads_worth_of_counting_sums_exactly_over_two_instances() {
    let schema = live!();
    let stores = [open(schema.url()), open(schema.url())];
    thread::scope(|scope| {
        for worker in 0..64_i64 {
            let store = &stores[usize::from(worker % 2 == 0)];
            scope.spawn(move || {
                for i in 0..20 {
                    store.submit(Count((worker + i) % 4)).wait().unwrap();
                }
            });
        }
    });
    let counts = (0..4).map(|id| stores[0].get::<Counter>(&id).wait().unwrap().unwrap().count);
    assert_eq!(counts.sum::<i64>(), 64 * 20);
}

#[test]
fn of_two_instances_that_add_the_same_row_one_wins_and_the_other_sees_it() {
    let schema = live!();
    let stores = [open(schema.url()), open(schema.url())];
    for round in 0..20_u8 {
        let barrier = Barrier::new(2);
        let claim = |who: usize| {
            let key = move || ("race".to_owned(), vec![round]);
            barrier.wait();
            run(
                &stores[who],
                move |_, keys| keys.own::<Once>(&key()),
                move |rows, _| {
                    if let Some(taken) = rows.get::<Once>(&key()) {
                        return (false, taken.outcome.clone());
                    }
                    let (scope, key) = key();
                    rows.put(Once { scope, key, outcome: who.to_string() });
                    (true, who.to_string())
                },
            )
            .unwrap()
        };
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| claim(0));
            (claim(1), first.join().unwrap())
        });
        assert!(first.0 != second.0, "exactly one wins");
        assert_eq!(first.1, second.1, "and both know who");
    }
}

#[test]
fn pg1_batches_that_name_the_same_rows_in_opposite_order_do_not_stop_each_other() {
    let schema = live!();
    let stores = [open(schema.url()), open(schema.url())];
    thread::scope(|scope| {
        for (store, down) in stores.iter().zip([false, true]) {
            scope.spawn(move || {
                for _ in 0..100 {
                    let order = move |i: i64| if down { 9 - i } else { i };
                    run(
                        store,
                        move |_, keys| (0..10).for_each(|i| keys.own::<Counter>(&order(i))),
                        move |rows, _| {
                            for id in (0..10).map(order) {
                                let count = rows.get::<Counter>(&id).map_or(0, |c| c.count) + 1;
                                rows.put(Counter { id, count });
                            }
                        },
                    )
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(stores[0].get::<Counter>(&9).wait().unwrap().unwrap().count, 200);
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks: i64 = schema.connect().query_one(sql, &[]).unwrap().get(0);
    assert_eq!(deadlocks, 0);
}

#[test]
fn a_child_is_never_added_under_a_parent_that_another_instance_deletes() {
    let schema = live!();
    let stores = [open(schema.url()), open(schema.url())];
    for round in 0..20 {
        let folder = move || format!("folder {round}");
        let own = move |_: &Rows, keys: &mut KeySet| keys.children::<Leaf, Folder>(&folder(), 2);
        run(&stores[0], own, move |rows, _| rows.put(Folder { id: folder(), version: 0 })).unwrap();
        let barrier = Barrier::new(2);
        let (added, deleted) = thread::scope(|scope| {
            let added = scope.spawn(|| {
                barrier.wait();
                run(&stores[0], own, move |rows, _| {
                    let Some(found) = rows.get::<Folder>(&folder()).cloned() else { return false };
                    rows.put(Folder { version: found.version + 1, ..found });
                    rows.add(Leaf { folder: folder(), seq: 1, body: String::new() });
                    true
                })
                .unwrap()
            });
            barrier.wait();
            let deleted = run(&stores[1], own, move |rows, _| {
                let empty = rows.children::<Leaf>(&folder(), 2).0.is_empty();
                if empty {
                    rows.remove::<Folder>(&folder());
                }
                empty
            });
            (added.join().unwrap(), deleted.unwrap())
        });
        assert!(added != deleted, "added {added}, deleted {deleted}");
    }
}

#[test]
fn keys_that_change_before_they_are_locked_are_found_again() {
    let schema = live!();
    let store = open(schema.url());
    for id in ["old", "new"] {
        run(
            &store,
            move |_, keys| keys.own::<Account>(&id.to_owned()),
            move |rows, _| rows.put(account(id, 0)),
        )
        .unwrap();
    }
    schema.batch("INSERT INTO t_account VALUES ('pointer', 0, 'old')");
    let moved = AtomicBool::new(false);
    let foreign = schema;
    let target = |rows: &Rows| {
        let pointer = rows.get::<Account>(&"pointer".to_owned());
        pointer.and_then(|pointer| pointer.note.clone())
    };
    let paid = run(
        &store,
        move |seen, keys| {
            keys.own::<Account>(&"pointer".to_owned());
            if let Some(target) = target(seen) {
                keys.own::<Account>(&target);
                // Between the discovery and the locks, somebody else moves the pointer.
                if !moved.swap(true, Ordering::SeqCst) {
                    foreign.batch("UPDATE t_account SET note = 'new' WHERE id = 'pointer'");
                }
            }
        },
        move |rows, _| {
            let target = target(rows).unwrap();
            let found = rows.get::<Account>(&target).cloned().unwrap();
            rows.put(Account { credits: found.credits + 5, ..found });
            target
        },
    );
    assert_eq!(paid, Ok("new".to_owned()));
    let credits = |id: &str| store.get::<Account>(&id.to_owned()).wait().unwrap().unwrap().credits;
    assert_eq!((credits("old"), credits("new")), (0, 5));
}

#[test]
fn a_row_that_somebody_holds_for_too_long_is_busy_and_nothing_changes() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    let mut client = schema.connect();
    let mut holder = client.transaction().unwrap();
    holder.execute("SELECT 1 FROM t_counter WHERE id = 1 FOR UPDATE", &[]).unwrap();
    let (held, free) = (store.submit(Count(1)), store.submit(Count(2)));
    assert_eq!(free.wait(), Ok(1), "a neighbour in the batch is not held up for ever");
    let held = held.wait();
    assert!(matches!(held, Err(StoreError::Busy(_))), "{held:?}");
    holder.rollback().unwrap();
    assert_eq!(store.submit(Count(1)).wait(), Ok(2));
}

#[test]
fn peeking_waits_for_nobody() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    let mut client = schema.connect();
    let mut holder = client.transaction().unwrap();
    holder.execute("UPDATE t_counter SET count = 50 WHERE id = 1", &[]).unwrap();
    let seen = run(
        &store,
        |_, keys| keys.peek::<Counter>(&1),
        |rows, _| rows.get::<Counter>(&1).map(|counter| counter.count),
    );
    assert_eq!(seen, Ok(Some(1)));
    holder.commit().unwrap();
}

#[test]
fn a_batch_that_wrote_nothing_leaves_its_rows_to_others_at_once() {
    let schema = live!();
    let stores = [open(schema.url()), open(schema.url())];
    stores[0].submit(Count(1)).wait().unwrap();
    for _ in 0..20 {
        run(&stores[0], |_, keys| keys.own::<Counter>(&1), |_, _| ()).unwrap();
        let mut client = schema.connect();
        let mut tx = client.transaction().unwrap();
        tx.batch_execute("SET LOCAL lock_timeout = '5s'").unwrap();
        tx.execute("SELECT 1 FROM t_counter WHERE id = 1 FOR UPDATE", &[]).unwrap();
    }
}
