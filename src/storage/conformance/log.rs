//! A long random log of every command there is: the same answers and the same rows as memory.

use std::time::Duration;

use super::{
    Fixture, probe,
    script::{Answer, Script, submit},
};
use crate::{
    CORE,
    engines::Memory,
    ledger::{EntryKind, verify::verify},
    limit::{Seed, policy},
    storage::{Key, Scan, Store, StoreError, Value},
};

/// How many commands the log has, unless `FINALMILE_LOG` says otherwise.
pub const COMMANDS: usize = 100_000;

/// Replays the log of `seed` and gives its answers.
fn replay(store: &Store, script: &mut Script, commands: usize) -> Vec<String> {
    let mut answers = vec![submit(store, Seed(policy::defaults()))()];
    let mut left = commands;
    while left > 0 {
        // The clock moves only while nothing is on its way, so every engine decides at one time.
        let burst = usize::try_from(script.dice(600) + 1).unwrap().min(left);
        let pending: Vec<Answer> = (0..burst).map(|_| script.next(store)).collect();
        answers.extend(pending.into_iter().map(|answer| answer()));
        script.world.advance(Duration::from_millis(script.dice(90_000)));
        left -= burst;
    }
    answers
}

/// Every row of every table.
fn rows(store: &Store) -> Vec<(&'static str, Vec<Value>)> {
    let tables: Vec<_> =
        CORE.tables.iter().chain(probe::PROBE.tables).map(|table| table()).collect();
    let read = store.snapshot(Duration::from_secs(600), move |reader| {
        let mut rows = Vec::new();
        for table in &tables {
            let mut after: Option<Key> = None;
            loop {
                let (index, prefix, limit, descending) = (None, vec![], 1_000, false);
                let scan = Scan { table, index, prefix, after, limit, descending };
                let page = reader.scan(&scan)?;
                after = page.last().map(|row| row[..table.key_len].to_vec());
                let is_last = page.len() < limit;
                rows.extend(page.into_iter().map(|row| (table.name, row)));
                if is_last {
                    break;
                }
            }
        }
        Ok::<_, StoreError>(rows)
    });
    read.wait().unwrap()
}

/// The same log on this engine and on memory: the same answers, and the same rows at the end.
pub fn a_long_random_log_leaves_the_rows_of_memory(fixture: &Fixture) {
    let commands = std::env::var("FINALMILE_LOG").ok().and_then(|n| n.parse().ok());
    let commands = commands.unwrap_or(COMMANDS);
    let mut here = Script::new(7);
    let mut oracle = Script::new(7);
    let store = fixture.open_in(here.world.clone());
    let memory = Store::open(Memory::new(), oracle.world.clone(), &[CORE, probe::PROBE]).unwrap();
    let (answers, expected) =
        (replay(&store, &mut here, commands), replay(&memory, &mut oracle, commands));
    for (i, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        assert_eq!(answer, expected, "command {i}");
    }
    let (found, expected) = (rows(&store), rows(&memory));
    assert_eq!(found.len(), expected.len());
    for (row, expected) in found.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
    books_balance(&found);
    let hour = Duration::from_secs(3_600);
    let proof = store.snapshot(hour, |reader| verify(reader, None, [7; 16])).wait().unwrap();
    assert!(proof.is_sound(), "{:?}", proof.breaks);
    assert!(proof.accounts > 5, "the log bought nothing");
    for kind in EntryKind::ALL {
        let kind = Value::Text(kind.to_string());
        let found = found.iter().any(|(table, row)| *table == "fm_entry" && row[4] == kind);
        assert!(found, "the log has no {kind:?}");
    }
}

/// The books after the log: balances are sums, what is reserved is pending, nothing is negative.
fn books_balance(rows: &[(&'static str, Vec<Value>)]) {
    let int = |value: &Value| match value {
        Value::Int(n) => *n,
        _ => panic!("no integer"),
    };
    let sum = |table: &str, account: &Value, pick: &dyn Fn(&[Value]) -> i64| -> i64 {
        let of = rows.iter().filter(|(name, row)| *name == table && row[0] == *account);
        of.map(|(_, row)| pick(row)).sum()
    };
    let mut accounts = 0;
    for (_, row) in rows.iter().filter(|(name, _)| *name == "fm_account") {
        let (balance, reserved) = (int(&row[1]), int(&row[2]));
        assert_eq!(balance, sum("fm_entry", &row[0], &|entry| int(&entry[5])));
        let pending = Value::Text("pending".to_owned());
        let held = |held: &[Value]| if held[3] == pending { int(&held[2]) } else { 0 };
        assert_eq!(reserved, sum("fm_reservation", &row[0], &held));
        assert!(0 <= reserved && reserved <= balance);
        accounts += 1;
    }
    assert!(accounts > 5, "the log bought nothing");
}
