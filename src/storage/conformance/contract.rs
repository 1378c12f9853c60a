//! The contract, sentence by sentence.

use std::{sync::Mutex, time::Duration};

use super::{
    Fixture,
    probe::{Child, Count, Parent, act, add_child, child, count, quietly, remove_child},
};
use crate::storage::{BATCH_MAX, Command, Pending, QUEUE_MAX, Scan, Store, StoreError};

pub(super) fn counted(store: &Store, id: &[u8]) -> Option<i64> {
    store.get::<Count>(&id.to_vec()).wait().unwrap().map(|found| found.count)
}

/// A row that was not there reads as `None`; writing it makes it.
pub fn an_absent_row_is_none_and_then_inserted(fixture: &Fixture) {
    let store = fixture.open();
    assert_eq!(counted(&store, b"a"), None);
    assert_eq!(store.submit(count(b"a", 2)).wait(), Ok(2));
    assert_eq!(counted(&store, b"a"), Some(2));
}

/// Integers of both ends, every text without NUL, every byte, nothing at all.
pub fn every_kind_of_value_comes_back(fixture: &Fixture) {
    let store = fixture.open();
    let texts =
        ["", "'; DROP TABLE x; --", "\"a\" \\ % _ ?1 $1", "żółć 漢字 🦀 \u{200f}", "NULL", "{1,2}"];
    let bytes: Vec<u8> = (0..=255).collect();
    let mut written = Vec::new();
    for (id, text) in (0..).zip(texts) {
        let (note, data) = (Some(text.to_owned()), Some(bytes.clone()));
        let weight = if id % 2 == 0 { i64::MAX } else { i64::MIN };
        written.push(Child { parent: text.to_owned(), id, weight, note, data });
        written.push(Child { note: None, data: None, ..child(text, id + 100, 0) });
        written.push(Child { data: Some(vec![]), ..child(text, id - 100, -1) });
    }
    let pending: Vec<_> = written.iter().map(|row| store.submit(add_child(row.clone()))).collect();
    pending.into_iter().for_each(|one| assert_eq!(one.wait(), Ok(true)));
    for row in written {
        let found = store.get::<Child>(&(row.parent.clone(), row.id)).wait().unwrap();
        assert_eq!(found, Some(row));
    }
}

/// A row that is there is replaced whole, and gone when it is removed.
pub fn a_row_is_updated_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let noted = Child { note: Some("red".to_owned()), ..child("p", 1, 1) };
    assert_eq!(store.submit(add_child(noted)).wait(), Ok(true));
    assert_eq!(store.submit(add_child(child("p", 1, 7))).wait(), Ok(false));
    let found = store.get::<Child>(&("p".to_owned(), 1)).wait().unwrap();
    assert_eq!(found, Some(child("p", 1, 7)));
    assert_eq!(store.submit(remove_child("p", 1)).wait(), Ok(true));
    assert_eq!(store.submit(remove_child("p", 1)).wait(), Ok(false));
    assert_eq!(store.get::<Child>(&("p".to_owned(), 1)).wait().unwrap(), None);
}

/// An answer that says no is an answer: what it wrote stays.
pub fn a_refusal_commits_what_it_wrote(fixture: &Fixture) {
    let store = fixture.open();
    let refuse = act(
        |_, keys| keys.own::<Count>(&b"r".to_vec()),
        |rows, _| {
            rows.put(Count { id: b"r".to_vec(), count: 1 });
            Err::<(), _>("no")
        },
    );
    assert_eq!(store.submit(refuse).wait(), Ok(Err("no")));
    assert_eq!(counted(&store, b"r"), Some(1));
}

/// The same command decided again, on the same rows and at the same time, decides the same.
pub fn k1_the_same_rows_and_time_decide_the_same(fixture: &Fixture) {
    let store = fixture.open();
    let read = || {
        act(
            |_, keys| keys.own::<Count>(&b"k".to_vec()),
            |rows, _| rows.get::<Count>(&b"k".to_vec()).cloned(),
        )
    };
    store.submit(count(b"k", 4)).wait().unwrap();
    assert_eq!(store.submit(read()).wait(), store.submit(read()).wait());
}

/// A refusal commits; a fault takes back everything of its command.
pub fn k2_a_refusal_commits_and_a_fault_does_not(fixture: &Fixture) {
    let store = fixture.open();
    let fault = || {
        act(
            |_, keys| keys.own::<Count>(&b"f".to_vec()),
            |rows, _| {
                rows.put(Count { id: b"f".to_vec(), count: 5 });
                panic!("meant: a fault");
            },
        )
    };
    let fault: Result<(), _> = quietly(|| store.submit(fault()).wait());
    assert!(matches!(fault, Err(StoreError::Backend(_))), "{fault:?}");
    assert_eq!(counted(&store, b"f"), None);
}

/// Submits `bad` between two neighbours that must not notice.
pub(super) fn alone<C: Command>(store: &Store, bad: C) -> Result<C::Out, StoreError>
where
    C::Out: std::fmt::Debug,
{
    quietly(|| {
        let before = store.submit(count(b"neighbour", 1));
        let bad = store.submit(bad);
        let after = store.submit(count(b"neighbour", 1));
        let answer = bad.wait();
        assert_eq!((before.wait(), after.wait()), (Ok(1), Ok(2)));
        answer
    })
}

pub(super) fn is_fault<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Backend(_))), "{answer:?}");
}

/// A panic fails its command and nobody else.
pub fn j1_a_panicking_command_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let bad = act(
        |_, keys| keys.own::<Count>(&b"neighbour".to_vec()),
        |rows, _| {
            rows.put(Count { id: b"neighbour".to_vec(), count: 1_000 });
            panic!("meant: j1");
        },
    );
    let answer: Result<(), _> = alone(&store, bad);
    is_fault(&answer);
}

/// A row that was not asked for is never taken for an absent one.
pub fn r1_reading_what_was_not_named_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let bad = act(|_, _| {}, |rows, _| rows.get::<Count>(&b"unnamed".to_vec()).is_some());
    is_fault(&alone(&store, bad));
}

/// Only owned rows change.
pub fn r2_writing_what_was_only_peeked_at_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let bad = act(
        |_, keys| keys.peek::<Count>(&b"peeked".to_vec()),
        |rows, _| rows.put(Count { id: b"peeked".to_vec(), count: 1 }),
    );
    is_fault(&alone(&store, bad));
    assert_eq!(counted(&store, b"peeked"), None);
}

/// A child that comes or goes moves its parent's version in the same command.
pub fn r3_a_child_that_moves_without_its_parent_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let bad = act(
        |_, keys| {
            keys.own::<Parent>(&"p".to_owned());
            keys.own::<Child>(&("p".to_owned(), 1));
        },
        |rows, _| rows.put(child("p", 1, 1)),
    );
    is_fault(&alone(&store, bad));
    assert_eq!(store.get::<Child>(&("p".to_owned(), 1)).wait().unwrap(), None);
}

/// What a failed attempt wrote is taken back, and only that.
pub fn r4_an_attempt_that_fails_leaves_no_trace(fixture: &Fixture) {
    let store = fixture.open();
    let attempt = act(
        |_, keys| {
            keys.own::<Count>(&b"kept".to_vec());
            keys.own::<Count>(&b"lost".to_vec());
        },
        |rows, _| {
            rows.put(Count { id: b"kept".to_vec(), count: 1 });
            rows.attempt(|rows| {
                rows.put(Count { id: b"kept".to_vec(), count: 2 });
                rows.put(Count { id: b"lost".to_vec(), count: 2 });
                Err::<(), _>(())
            })
        },
    );
    assert_eq!(store.submit(attempt).wait(), Ok(Err(())));
    assert_eq!((counted(&store, b"kept"), counted(&store, b"lost")), (Some(1), None));
}

/// Two commands that both find a row absent: the second sees what the first wrote.
pub fn r5_two_commands_cannot_both_create_a_row(fixture: &Fixture) {
    let store = fixture.open();
    let claim = |who: i64| {
        act(
            |_, keys| keys.own::<Count>(&b"claim".to_vec()),
            move |rows, _| {
                let id = b"claim".to_vec();
                let is_free = rows.get::<Count>(&id).is_none();
                if is_free {
                    rows.put(Count { id, count: who });
                }
                is_free
            },
        )
    };
    let (first, second) = (store.submit(claim(1)), store.submit(claim(2)));
    assert_eq!((first.wait(), second.wait()), (Ok(true), Ok(false)));
    assert_eq!(counted(&store, b"claim"), Some(1));
}

/// A row that the database refuses for good fails its own command, whichever batch it was in. On an
/// engine without checks the row is simply written.
pub fn w4_a_poisoned_row_fails_only_its_own_command(fixture: &Fixture) {
    let store = fixture.open();
    let pending: Vec<_> = (0..40_i64)
        .map(|i| store.submit(count(&i.to_be_bytes(), if i == 20 { -1313 } else { 1 })))
        .collect();
    let failed: Vec<_> = pending.into_iter().map(Pending::wait).collect();
    let failed: Vec<usize> =
        (0..).zip(&failed).filter(|(_, r)| r.is_err()).map(|(i, _)| i).collect();
    assert!(failed.is_empty() || failed == [20], "{failed:?}");
    assert_eq!(counted(&store, &19_i64.to_be_bytes()), Some(1));
    assert_eq!(counted(&store, &21_i64.to_be_bytes()), Some(1));
}

/// Commands that change nothing are answered like any other.
pub fn j3_a_batch_that_wrote_nothing_is_fine(fixture: &Fixture) {
    let store = fixture.open();
    let nothing =
        || act(|_, keys| keys.own::<Count>(&vec![1]), |rows, _| rows.remove::<Count>(&vec![1]));
    let pending: Vec<_> = (0..10).map(|_| store.submit(nothing())).collect();
    pending.into_iter().for_each(|one| assert_eq!(one.wait(), Ok(())));
    assert_eq!(counted(&store, &[1]), None);
}

/// In the order in which they were accepted.
pub fn w1_commands_are_decided_in_order(fixture: &Fixture) {
    let store = fixture.open();
    let pending: Vec<_> = (1..=1_000).map(|i| (i, store.submit(count(b"o", 1)))).collect();
    for (i, one) in pending.into_iter().rev() {
        assert_eq!(one.wait(), Ok(i));
    }
}

/// Nobody waits, and it is done all the same, soon.
pub fn p2_a_dropped_answer_is_still_done(fixture: &Fixture) {
    let store = fixture.open();
    drop(store.submit(count(b"d", 1)));
    for _ in 0..1_000 {
        if counted(&store, b"d") == Some(1) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it was never done");
}

/// A command that waits for the store would wait for itself.
pub fn p3_waiting_inside_a_command_fails(fixture: &Fixture) {
    let store = fixture.open();
    let inner = store.clone();
    let wait = act(|_, _| {}, move |_, _| inner.submit(count(b"w", 1)).wait());
    let answer = store.submit(wait).wait().unwrap();
    assert!(matches!(answer, Err(StoreError::Backend(_))), "{answer:?}");
}

/// Everything accepted is decided before the last handle is gone.
pub fn w5_the_last_drop_decides_everything(fixture: &Fixture) {
    let store = fixture.open();
    let pending: Vec<_> = (0..2_000).map(|_| store.submit(count(b"l", 1))).collect();
    drop(store);
    let answers: Vec<_> = pending.into_iter().map(Pending::wait).collect();
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|one| one.is_err()));
    assert_eq!(answers.last(), Some(&Ok(2_000)));
}

/// A long queue is decided in several batches, all of it.
pub fn w3_more_than_a_batch_is_decided_in_batches(fixture: &Fixture) {
    let store = fixture.open();
    let many = i64::try_from(BATCH_MAX * 3 + 7).unwrap();
    let pending: Vec<_> = (0..many).map(|i| store.submit(count(&i.to_be_bytes(), i))).collect();
    for (i, one) in (0..many).zip(pending) {
        assert_eq!(one.wait(), Ok(i));
    }
}

/// A row that was promised to be fresh and is not: a conflict, retried in vain, and no change.
pub fn a_fresh_row_that_exists_is_a_conflict(fixture: &Fixture) {
    let store = fixture.open();
    store.submit(count(b"x", 1)).wait().unwrap();
    let add = act(|_, _| {}, |rows, _| rows.add(Count { id: b"x".to_vec(), count: 2 }));
    let answer = store.submit(add).wait();
    assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
    assert_eq!(counted(&store, b"x"), Some(1));
}

/// What was answered is there after the store was closed and opened again.
pub fn g3_what_was_committed_is_there_after_reopening(fixture: &Fixture) {
    let store = fixture.open();
    store.submit(count(b"g", 3)).wait().unwrap();
    drop(store);
    assert_eq!(counted(&fixture.open(), b"g"), Some(3));
}

/// Suspended, everything is answered with `Closed`; resumed, all is as it was.
pub fn s3_a_suspended_store_is_closed_until_it_resumes(fixture: &Fixture) {
    let store = fixture.open();
    let before = store.submit(count(b"s", 1));
    store.suspend().unwrap();
    assert_eq!(before.wait(), Ok(1));
    assert_eq!(store.submit(count(b"s", 1)).wait(), Err(StoreError::Closed));
    assert_eq!(store.scan::<Count>(Scan::of::<Count>()).wait().unwrap_err(), StoreError::Closed);
    store.resume().unwrap();
    assert_eq!(store.submit(count(b"s", 1)).wait(), Ok(2));
    assert_eq!(counted(&store, b"s"), Some(2));
}

/// A claim that is given up and taken again in one batch: as a unique index, it would conflict for
/// ever; as a row, it is simply replaced.
pub fn a_claim_changes_hands_within_one_batch(fixture: &Fixture) {
    let store = fixture.open();
    let id = || b"name".to_vec();
    let give_up =
        || act(move |_, keys| keys.own::<Count>(&id()), move |rows, _| rows.remove::<Count>(&id()));
    let take = |who: i64| {
        act(
            move |_, keys| keys.own::<Count>(&id()),
            move |rows, _| {
                let is_free = rows.get::<Count>(&id()).is_none();
                if is_free {
                    rows.put(Count { id: id(), count: who });
                }
                is_free
            },
        )
    };
    assert_eq!(store.submit(take(1)).wait(), Ok(true));
    let (refused, given) = (store.submit(take(2)), store.submit(give_up()));
    let (taken, late) = (store.submit(take(3)), store.submit(take(4)));
    assert_eq!((refused.wait(), given.wait()), (Ok(false), Ok(())));
    assert_eq!((taken.wait(), late.wait()), (Ok(true), Ok(false)));
    assert_eq!(counted(&store, b"name"), Some(3));
}

/// A command that goes on until it is told to end, and how to tell it.
fn endless(store: &Store) -> (Pending<bool, StoreError>, std::sync::mpsc::Sender<()>) {
    let (started, has_started) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel();
    let ended = Mutex::new(ended);
    let pending = store.submit(act(
        |_, _| {},
        move |_, _| {
            started.send(()).ok();
            ended.lock().unwrap().recv_timeout(Duration::from_secs(60)).is_ok()
        },
    ));
    has_started.recv_timeout(Duration::from_secs(60)).unwrap();
    (pending, end)
}

/// Patience has an end, and the work goes on without it.
pub fn waiting_with_a_timeout_gives_the_answer_back_or_the_promise(fixture: &Fixture) {
    let store = fixture.open();
    let (slow, end) = endless(&store);
    let slow = slow.wait_timeout(Duration::from_millis(10)).unwrap_err();
    let behind = store.submit(count(b"t", 1));
    let behind = behind.wait_timeout(Duration::from_millis(10)).unwrap_err();
    end.send(()).unwrap();
    assert_eq!(slow.wait_timeout(Duration::from_secs(60)).unwrap(), Ok(true));
    assert_eq!(behind.wait_timeout(Duration::MAX).unwrap(), Ok(1));
}

/// A queue that holds all it may is busy, at once; what it holds is decided.
pub fn w3_a_full_queue_is_busy_and_loses_nothing(fixture: &Fixture) {
    let store = fixture.open();
    let (slow, end) = endless(&store);
    let nothing = || act(|_, _| {}, |_, _| ());
    let held: Vec<_> = (0..QUEUE_MAX).map(|_| store.submit(nothing())).collect();
    let refused = store.submit(nothing()).wait();
    assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");
    end.send(()).unwrap();
    assert_eq!(slow.wait(), Ok(true));
    assert!(held.into_iter().all(|one| one.wait().is_ok()));
    assert_eq!(store.submit(nothing()).wait(), Ok(()));
}
