//! Readers: rows, pages, views and snapshots.

use std::time::Duration;

use finalmile::storage::{Cell, Scan, Value};

use super::*;

#[test]
fn pages_follow_an_index_in_both_directions() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch("INSERT INTO t_account SELECT 'a' || n, n / 2 FROM generate_series(1, 9) n");
    for descending in [false, true] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let scan = Scan::of::<Account>().by("t_account_credits").limit(4).after(after);
            let page = store.scan::<Account>(Scan { descending, ..scan }).wait().unwrap();
            seen.extend(page.rows.into_iter().map(|row| (row.credits, row.id)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut sorted = seen.clone();
        sorted.sort();
        if descending {
            sorted.reverse();
        }
        assert_eq!((seen.len(), &seen), (9, &sorted));
    }
}

#[test]
fn a_view_shows_every_type_of_cell() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch(
        "CREATE VIEW t_kinds AS SELECT 7::bigint AS many, 3::int AS few, 12.25::numeric AS exact,
             0.5::float8 AS part, 'it''s'::text AS words, true AS yes, '\\x00ff'::bytea AS raw,
             NULL::text AS nothing, date '2024-02-29' AS day",
    );
    let rows = store.view("t_kinds", 10).wait().unwrap();
    assert_eq!(
        rows.columns,
        ["many", "few", "exact", "part", "words", "yes", "raw", "nothing", "day"]
    );
    let text = |text: &str| Cell::Value(Value::Text(text.to_owned()));
    let int = |n| Cell::Value(Value::Int(n));
    let cells = vec![
        int(7),
        int(3),
        Cell::Real(12.25),
        Cell::Real(0.5),
        text("it's"),
        int(1),
        Cell::Value(Value::Blob(vec![0, 255])),
        Cell::Value(Value::Null),
        text("2024-02-29"),
    ];
    assert_eq!(rows.rows, [cells]);
    assert!(store.view("no_such_view", 1).wait().is_err());
    assert_eq!(store.view("t_kinds", 0).wait().unwrap().rows.len(), 0);
}

#[test]
fn a_snapshot_sees_one_moment() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    let writer = store.clone();
    let seen = store.snapshot(Duration::from_secs(20), move |reader| {
        let mut counts = Vec::new();
        for _ in 0..3 {
            let row = reader.get(Counter::table(), &vec![Value::Int(1)])?;
            counts.push(row.map(|row| row[1].clone()));
            writer.submit(Count(1)).wait()?;
        }
        Ok(counts)
    });
    assert_eq!(seen.wait(), Ok(vec![Some(Value::Int(1)); 3]));
    assert_eq!(store.get::<Counter>(&1).wait().unwrap().unwrap().count, 4);
}

#[test]
fn a_snapshot_past_its_deadline_is_busy_and_the_reader_goes_on() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch("CREATE VIEW t_slow AS SELECT count(pg_sleep(30)) AS n FROM t_counter");
    store.submit(Count(1)).wait().unwrap();
    let late = store.snapshot(Duration::from_millis(100), |reader| reader.view("t_slow", 1)).wait();
    assert!(matches!(late, Err(StoreError::Busy(_))), "{late:?}");
    assert_eq!(store.get::<Counter>(&1).wait().unwrap().unwrap().count, 1);
}

#[test]
fn a_reader_whose_connection_was_cut_opens_another() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    assert!(store.get::<Counter>(&1).wait().unwrap().is_some());
    assert!(schema.kill_backends() >= 2);
    assert!(store.get::<Counter>(&1).wait().unwrap().is_some());
}
