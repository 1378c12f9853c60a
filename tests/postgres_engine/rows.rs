//! Every form of statement, and the values that travel in them.

use finalmile::storage::{Scan, StoreError};

use super::*;

/// Text that would end a careless statement.
const ODD: [&str; 6] =
    ["it's", "\"quoted\"", "back\\slash", "Zürich 東京 🦀", "{a,b}", " $1; --\n"];

#[test]
fn one_row_is_inserted_updated_and_deleted() {
    let schema = live!();
    let store = open(schema.url());
    let own = |_: &Rows, keys: &mut KeySet| keys.own::<Account>(&"ada".to_owned());
    let found = |store: &Store| store.get::<Account>(&"ada".to_owned()).wait().unwrap();

    run(&store, own, |rows, _| rows.put(account("ada", 5))).unwrap();
    assert_eq!(found(&store), Some(account("ada", 5)));

    let full = Account {
        note: Some("hello".to_owned()),
        mark: Some(vec![0, 255, b'\\']),
        ..account("ada", 6)
    };
    let put = full.clone();
    run(&store, own, move |rows, _| rows.put(put.clone())).unwrap();
    assert_eq!(found(&store), Some(full));

    run(&store, own, |rows, _| rows.put(account("ada", 7))).unwrap();
    assert_eq!(found(&store), Some(account("ada", 7)), "null again");

    run(&store, own, |rows, _| rows.remove::<Account>(&"ada".to_owned())).unwrap();
    assert_eq!(found(&store), None);
}

#[test]
fn many_rows_are_inserted_updated_and_deleted_whatever_they_hold() {
    let schema = live!();
    let store = open(schema.url());
    let ids = || ODD.iter().map(|id| (*id).to_owned());
    let own = move |_: &Rows, keys: &mut KeySet| ids().for_each(|id| keys.own::<Account>(&id));
    let row = |i: usize, id: String| Account {
        credits: i64::try_from(i).unwrap(),
        note: i.is_multiple_of(2).then(|| format!("{id} 'note'")),
        mark: (!i.is_multiple_of(3)).then(|| vec![0, 39, 92, u8::try_from(i).unwrap()]),
        ..account(&id, 0)
    };
    let all = |store: &Store| {
        let mut rows = store.scan(Scan::of::<Account>()).wait().unwrap().rows;
        rows.sort_by_key(|row: &Account| ODD.iter().position(|id| *id == row.id));
        rows
    };

    run(&store, own, move |rows, _| {
        ids().enumerate().for_each(|(i, id)| rows.put(row(i, id)));
    })
    .unwrap();
    assert_eq!(all(&store), ids().enumerate().map(|(i, id)| row(i, id)).collect::<Vec<_>>());

    // Nulls become values and values nulls.
    run(&store, own, move |rows, _| {
        ids().enumerate().for_each(|(i, id)| {
            assert_eq!(rows.get(&id), Some(&row(i, id.clone())));
            rows.put(row(i + 1, id));
        });
    })
    .unwrap();
    assert_eq!(all(&store), ids().enumerate().map(|(i, id)| row(i + 1, id)).collect::<Vec<_>>());

    run(&store, own, move |rows, _| ids().skip(1).for_each(|id| rows.remove::<Account>(&id)))
        .unwrap();
    assert_eq!(all(&store), [row(1, ODD[0].to_owned())]);
}

#[test]
fn rows_named_by_bytes_are_found_one_by_one_and_together() {
    let schema = live!();
    let store = open(schema.url());
    let key = |i: u8| ("sc'ope".to_owned(), vec![i, 0, 255]);
    let row = move |i: u8, text: &str| {
        let (scope, key) = key(i);
        Once { scope, key, outcome: text.to_owned() }
    };
    for count in [1, 5] {
        let own =
            move |_: &Rows, keys: &mut KeySet| (0..count).for_each(|i| keys.own::<Once>(&key(i)));
        run(&store, own, move |rows, _| (0..count).for_each(|i| rows.put(row(i, "first"))))
            .unwrap();
        let seen = run(&store, own, move |rows, _| {
            (0..count).for_each(|i| assert_eq!(rows.get(&key(i)), Some(&row(i, "first"))));
            (0..count).for_each(|i| rows.put(row(i, "second")));
        });
        seen.unwrap();
        let last = store.get::<Once>(&key(count - 1)).wait().unwrap();
        assert_eq!(last, Some(row(count - 1, "second")));
        run(&store, own, move |rows, _| (0..count).for_each(|i| rows.remove::<Once>(&key(i))))
            .unwrap();
        assert_eq!(store.get::<Once>(&key(0)).wait().unwrap(), None);
    }
}

#[test]
fn a_row_that_is_nothing_but_its_key_is_written_again_without_harm() {
    let schema = live!();
    let store = open(schema.url());
    let tag = |i: usize| Tag { name: "blue".to_owned(), of: format!("item {i}") };
    for count in [1, 3] {
        let own = move |_: &Rows, keys: &mut KeySet| {
            (0..count).for_each(|i| keys.own::<Tag>(&(tag(i).name, tag(i).of)));
        };
        for _ in 0..2 {
            run(&store, own, move |rows, _| (0..count).for_each(|i| rows.put(tag(i)))).unwrap();
        }
        assert_eq!(store.scan::<Tag>(Scan::of::<Tag>()).wait().unwrap().rows.len(), count);
    }
}

#[test]
fn one_batch_inserts_updates_and_deletes_in_one_table() {
    let schema = live!();
    let store = open(schema.url());
    let own = |_: &Rows, keys: &mut KeySet| (0..9).for_each(|id| keys.own::<Counter>(&id));
    run(&store, own, |rows, _| (0..6).for_each(|id| rows.put(Counter { id, count: 0 }))).unwrap();
    run(&store, own, |rows, _| {
        (0..3).for_each(|id| rows.remove::<Counter>(&id));
        (3..9).for_each(|id| rows.put(Counter { id, count: 1 }));
    })
    .unwrap();
    let rows: Vec<Counter> = store.scan(Scan::of::<Counter>()).wait().unwrap().rows;
    assert_eq!(rows, (3..9).map(|id| Counter { id, count: 1 }).collect::<Vec<_>>());
}

#[test]
fn a_fresh_row_that_somebody_has_is_a_conflict() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    let add = run(&store, |_, _| {}, |rows, _| rows.add(Counter { id: 1, count: 9 }));
    assert!(matches!(add, Err(StoreError::Conflict(_))), "{add:?}");
    assert_eq!(store.get::<Counter>(&1).wait().unwrap(), Some(Counter { id: 1, count: 1 }));
    run(&store, |_, _| {}, |rows, _| rows.add(Counter { id: 2, count: 9 })).unwrap();
}

#[test]
fn a_violated_check_is_a_fault_that_quotes_no_row_and_spares_its_neighbours() {
    let schema = live!();
    let store = open(schema.url());
    let put = |id: &'static str, credits| {
        store.submit(Do {
            keys: move |_: &Rows, keys: &mut KeySet| keys.own::<Account>(&id.to_owned()),
            decide: move |rows: &mut Rows, _| rows.put(account(id, credits)),
        })
    };
    let (good, bad, other) = (put("good", 1), put("very-secret-id", -1), put("other", 1));
    assert_eq!((good.wait(), other.wait()), (Ok(()), Ok(())));
    let fault = bad.wait().unwrap_err();
    assert!(matches!(&fault, StoreError::Backend(text) if text.contains("t_account_solvent")));
    assert!(!fault.to_string().contains("very-secret-id"), "{fault}");
}

#[test]
fn a_range_is_read_in_key_order_and_says_whether_there_is_more() {
    let schema = live!();
    let store = open(schema.url());
    let folder = || "f'1".to_owned();
    let own = move |_: &Rows, keys: &mut KeySet| keys.children::<Leaf, Folder>(&folder(), 3);
    run(&store, own, move |rows, _| {
        rows.put(Folder { id: folder(), version: 1 });
        for seq in [4, 1, 3, 2] {
            rows.add(Leaf { folder: folder(), seq, body: format!("leaf {seq}") });
        }
    })
    .unwrap();
    let seen = run(&store, own, move |rows, _| {
        let (leaves, more) = rows.children::<Leaf>(&folder(), 3);
        (leaves.iter().map(|leaf| leaf.seq).collect::<Vec<_>>(), more)
    });
    assert_eq!(seen, Ok((vec![1, 2, 3], true)));
    // What a range shows may be written.
    run(&store, own, move |rows, _| {
        rows.put(Leaf { folder: folder(), seq: 2, body: "changed".to_owned() });
    })
    .unwrap();
    let leaf = store.get::<Leaf>(&(folder(), 2)).wait().unwrap().unwrap();
    assert_eq!(leaf.body, "changed");
}

#[test]
fn pg2_the_time_is_the_databases_and_moves_on() {
    let schema = live!();
    let world = finalmile::Simulated::new(Timestamp::from_micros(1), 7);
    let store = Store::open(Postgres::url(schema.url()), Arc::new(world), &[SCHEMA]).unwrap();
    let clock = || run(&store, |_, keys| keys.own::<Counter>(&1), |_, now| now).unwrap();
    let here: i64 = schema
        .connect()
        .query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[])
        .unwrap()
        .get(0);
    let (first, second) = (clock(), clock());
    assert!(first.micros() > here && second > first, "{here} {first:?} {second:?}");
    assert!(first.micros() - here < 60_000_000);
}

#[test]
fn a_batch_finds_its_rows_by_the_primary_key_in_a_big_table() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch(
        "INSERT INTO t_counter SELECT n, 0 FROM generate_series(1, 50000) n;
         INSERT INTO t_once SELECT 's', int8send(n), 'x' FROM generate_series(1, 50000) n",
    );
    for count in [1_i64, 2, 300] {
        for _ in 0..8 {
            run(
                &store,
                move |_, keys| {
                    (0..count).for_each(|i| keys.own::<Counter>(&(1 + i * 150)));
                    let once = |i: i64| ("s".to_owned(), (1 + i * 150).to_be_bytes().to_vec());
                    (0..count).for_each(|i| keys.peek::<Once>(&once(i)));
                },
                move |rows, _| {
                    for id in (0..count).map(|i| 1 + i * 150) {
                        let count = rows.get::<Counter>(&id).unwrap().count + 1;
                        rows.put(Counter { id, count });
                    }
                },
            )
            .unwrap();
        }
    }
    // The server counts scans with some delay.
    let mut client = schema.connect();
    let sql = "SELECT sum(seq_scan)::bigint, sum(idx_scan)::bigint FROM pg_stat_user_tables
               WHERE schemaname = $1 AND relname IN ('t_counter', 't_once')";
    for _ in 0..200 {
        let row = client.query_one(sql, &[&schema.name()]).unwrap();
        let (whole, by_key): (i64, i64) = (row.get(0), row.get(1));
        if by_key >= 8 * (1 + 2 + 300) {
            // An unused table is read once when a script makes its key.
            assert!(whole <= 2, "{whole} scans of whole tables");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no look-up by key was counted");
}
