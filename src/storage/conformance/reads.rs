//! Reads: pages, snapshots, and what they see.

use std::time::Duration;

use super::{
    Fixture,
    probe::{Child, Count, act, add_child, child, count},
};
use crate::storage::{By, Cursor, Record, Scan, Store, StoreError, Tally, Value, tally::by_pages};

/// Some children under three parents, with notes here and there; all of them, unordered.
fn filled(store: &Store) -> Vec<Child> {
    let mut rows = Vec::new();
    for parent in ["a", "b", "ab"] {
        for id in 0..17 {
            let note = match (id + i64::try_from(parent.len()).unwrap()) % 3 {
                0 => None,
                1 => Some("red".to_owned()),
                _ => Some("blue".to_owned()),
            };
            rows.push(Child { note, ..child(parent, id, (id * 7) % 5 - 2) });
        }
    }
    let pending: Vec<_> = rows.iter().map(|row| store.submit(add_child(row.clone()))).collect();
    pending.into_iter().for_each(|one| assert_eq!(one.wait(), Ok(true)));
    rows
}

/// All rows of a scan, page by page.
fn all(store: &Store, scan: &Scan, limit: usize) -> Vec<Child> {
    let mut found = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = scan.clone().limit(limit).after(cursor);
        let page = store.scan::<Child>(page).wait().unwrap();
        assert!(page.rows.len() <= limit);
        found.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

/// Every index, every prefix, both ways, in pages of every size: as sorting would have it.
pub fn pages_follow_every_index_both_ways(fixture: &Fixture) {
    let store = fixture.open();
    let rows = filled(&store);
    let indexes = [
        None,
        Some("fm_probe_child_weight"),
        Some("fm_probe_child_noted"),
        Some("fm_probe_child_red"),
    ];
    for index in indexes {
        let declared = index.and_then(|name| Child::table().index(name));
        let order = Child::table().order(declared);
        let mut expected: Vec<_> = rows
            .iter()
            .filter(|row| {
                let only = declared.and_then(|index| index.only);
                only.is_none_or(|only| Child::table().admits(only, &row.encode()))
            })
            .map(|row| {
                let values = row.encode();
                (order.iter().map(|i| values[*i].clone()).collect::<Vec<_>>(), row.clone())
            })
            .collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let prefixes: Vec<_> = expected.iter().map(|(at, _)| vec![at[0].clone()]).collect();
        for prefix in [vec![]].into_iter().chain(prefixes) {
            for (limit, descending) in [(1, false), (7, false), (3, true), (100, true)] {
                let base = Scan::of::<Child>();
                let scan = Scan { index, prefix: prefix.clone(), descending, ..base };
                let mut want: Vec<Child> = expected
                    .iter()
                    .filter(|(at, _)| at.starts_with(&prefix))
                    .map(|(_, row)| row.clone())
                    .collect();
                if descending {
                    want.reverse();
                }
                assert_eq!(all(&store, &scan, limit), want, "{index:?} {prefix:?} {descending}");
            }
        }
    }
}

/// Every index, prefix and bound, with and without groups: as reading the rows would have it.
pub fn rt1_a_tally_is_what_its_rows_come_to(fixture: &Fixture) {
    let store = fixture.open();
    let rows = filled(&store);
    let parts = |tally: Tally| {
        let groups = [None, Some(By::Value("parent")), Some(By::Span("id", 5))];
        let all = groups.into_iter().flat_map(|by| [(by, None), (by, Some("weight"))]);
        all.map(|(by, sum)| Tally { sum, by, ..tally.clone() }).collect::<Vec<_>>()
    };
    let whole = Tally::of::<Child>();
    let weighed = whole.clone().in_index("fm_probe_child_weight");
    let mut asked = Vec::new();
    for tally in [
        whole.clone(),
        whole.clone().under(&"b".to_owned()),
        whole.clone().under(&"b".to_owned()).beyond(Value::Int(4)),
        whole.clone().under(&"b".to_owned()).beyond(Value::Int(4)).until(Value::Int(9)),
        whole.clone().until(Value::Text("ab".to_owned())),
        whole.beyond(Value::Text("a".to_owned())),
        weighed.clone().beyond(Value::Int(-1)),
        weighed.clone().under(&1_i64).beyond(Value::Text("a".to_owned())),
        weighed.beyond(Value::Int(2)),
        Tally::of::<Child>().in_index("fm_probe_child_red").beyond(Value::Int(0)),
        Tally::of::<Child>().in_index("fm_probe_child_noted").under(&"ab".to_owned()),
    ] {
        asked.extend(parts(tally));
    }
    let (count, own) = (asked.len(), asked.clone());
    let answers = store.snapshot(Duration::from_secs(60), move |reader| {
        own.iter().map(|tally| Ok((reader.tally(tally)?, by_pages(reader, tally)?))).collect()
    });
    let answers: Vec<_> = Result::<Vec<_>, _>::unwrap(answers.wait());
    assert_eq!((answers.len(), count), (66, 66));
    for ((mut found, mut pages), tally) in answers.into_iter().zip(asked) {
        found.sort_by(|a, b| a.group.cmp(&b.group));
        pages.sort_by(|a, b| a.group.cmp(&b.group));
        assert_eq!(found, pages, "{tally:?}");
    }
    let under = Tally::of::<Child>().under(&"a".to_owned()).sum("weight");
    let found = store.snapshot(Duration::from_secs(60), move |reader| reader.tally(&under)).wait();
    let weights = rows.iter().filter(|row| row.parent == "a").map(|row| row.weight).sum::<i64>();
    assert!(
        found
            .is_ok_and(|found| found.len() == 1 && (found[0].count, found[0].sum) == (17, weights))
    );
}

/// Sums beyond 63 bits stay at the greatest number; a database's own would be an error.
pub fn rt1_a_tally_does_not_overflow(fixture: &Fixture) {
    let store = fixture.open();
    for id in [b"a", b"b", b"c"] {
        store.submit(count(id, i64::MAX - 1)).wait().unwrap();
    }
    let whole = Tally::of::<Count>().sum("count");
    let found = store.snapshot(Duration::from_secs(60), move |reader| {
        let by = By::Span("count", 2);
        Ok([reader.tally(&whole)?, reader.tally(&whole.clone().by(by))?])
    });
    for found in found.wait().unwrap() {
        assert_eq!((found.len(), found[0].count, found[0].sum), (1, 3, i64::MAX));
    }
}

/// A cursor fits one order only, and an index must be declared.
pub fn a_cursor_of_another_scan_is_refused(fixture: &Fixture) {
    let store = fixture.open();
    let wrong = Scan::of::<Child>().after(Some(Cursor::at(&7_i64)));
    assert!(matches!(store.scan::<Child>(wrong).wait(), Err(StoreError::Backend(_))));
    let undeclared = Scan::of::<Child>().by("fm_probe_child_note");
    assert!(matches!(store.scan::<Child>(undeclared).wait(), Err(StoreError::Backend(_))));
}

/// While a snapshot is read, writers go on and it does not see them.
pub fn g1_a_snapshot_sees_one_moment(fixture: &Fixture) {
    let store = fixture.open();
    store.submit(count(b"a", 1)).wait().unwrap();
    let writer = store.clone();
    let counts = store.snapshot(Duration::from_secs(60), move |reader| {
        let mut counts = Vec::new();
        for _ in 0..3 {
            let page = reader.scan(&Scan::of::<Count>())?;
            counts.push(page.into_iter().map(|row| row[1].clone()).collect::<Vec<_>>());
            writer.submit(count(b"a", 1)).wait()?;
            writer.submit(count(b"b", 1)).wait()?;
        }
        Ok(counts)
    });
    let counts = counts.wait().unwrap();
    assert!(counts.iter().all(|seen| *seen == counts[0] && seen.len() == 1), "{counts:?}");
    assert_eq!(store.get::<Count>(&b"a".to_vec()).wait().unwrap().unwrap().count, 4);
}

/// A snapshot that goes on too long would keep the log from being emptied.
pub fn a_snapshot_ends_with_its_deadline(fixture: &Fixture) {
    let store = fixture.open();
    let late = store.snapshot(Duration::from_millis(1), |reader| {
        std::thread::sleep(Duration::from_millis(20));
        reader.scan(&Scan::of::<Count>())
    });
    assert!(matches!(late.wait(), Err(StoreError::Busy(_))));
    assert_eq!(store.scan::<Count>(Scan::of::<Count>()).wait().unwrap().rows, []);
}

/// Read your own writes.
pub fn v1_a_read_sees_what_was_answered(fixture: &Fixture) {
    let store = fixture.open();
    for _ in 0..100 {
        let now = store.submit(count(b"v", 1)).wait().unwrap();
        assert_eq!(store.get::<Count>(&b"v".to_vec()).wait().unwrap().unwrap().count, now);
    }
}

/// A command that takes long keeps the queue, and no reader.
pub fn v2_a_read_does_not_wait_for_the_queue(fixture: &Fixture) {
    let store = fixture.open();
    store.submit(count(b"v", 1)).wait().unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    let (finish, may_finish) = std::sync::mpsc::channel::<()>();
    let may_finish = std::sync::Mutex::new(may_finish);
    let slow = store.submit(act(
        |_, _| {},
        move |_, _| {
            started.send(()).ok();
            may_finish.lock().unwrap().recv_timeout(Duration::from_secs(30)).is_ok()
        },
    ));
    has_started.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(store.get::<Count>(&b"v".to_vec()).wait().unwrap().is_some());
    finish.send(()).unwrap();
    assert_eq!(slow.wait(), Ok(true));
}
