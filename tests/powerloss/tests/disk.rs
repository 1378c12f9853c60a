//! The disk itself: what is synced stays, what is not may go, and a torn write tears at a sector.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use finalmile::rusqlite::Connection;
use finalmile_powerloss::{
    CHANGES, Disk, Fault, Harm, Machine, Operation, Random, SECTOR, Survival, panics,
};

/// A disk with one file of four sectors of `old`, synced, and then four of `new`, which are not.
fn half_written() -> Disk {
    let mut disk = Disk::default();
    disk.create("file");
    let file = disk.find("file").unwrap();
    disk.write(file, 0, &[b'o'; 4 * SECTOR]);
    disk.sync(file);
    disk.write(file, 0, &[b'n'; 4 * SECTOR]);
    disk
}

fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let file = disk.find(name)?;
    let mut bytes = vec![0; disk.len(file)];
    assert_eq!(disk.read(file, 0, &mut bytes), bytes.len());
    Some(bytes)
}

fn survivor(disk: &Disk, survival: Survival, seed: u64) -> Disk {
    disk.after_power_loss(survival, &mut Random::new(seed))
}

#[test]
fn what_is_not_synced_is_read_and_then_lost() {
    let disk = half_written();
    assert_eq!(content(&disk, "file"), Some(vec![b'n'; 4 * SECTOR]));
    let after = survivor(&disk, Survival::Nothing, 1);
    assert_eq!(content(&after, "file"), Some(vec![b'o'; 4 * SECTOR]));
    let after = survivor(&disk, Survival::Everything, 1);
    assert_eq!(content(&after, "file"), Some(vec![b'n'; 4 * SECTOR]));
}

#[test]
fn what_is_synced_is_never_lost() {
    let mut disk = half_written();
    disk.sync(disk.find("file").unwrap());
    for seed in 0..200 {
        let after = survivor(&disk, Survival::Anything, seed);
        assert_eq!(content(&after, "file"), Some(vec![b'n'; 4 * SECTOR]));
    }
}

#[test]
fn a_torn_write_tears_at_a_sector() {
    let mut kinds = [0; 3];
    for seed in 0..200 {
        let bytes = content(&survivor(&half_written(), Survival::Anything, seed), "file").unwrap();
        let new = bytes.iter().filter(|byte| **byte == b'n').count();
        for sector in bytes.chunks(SECTOR) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is half written");
        }
        kinds[usize::from(new > 0) + usize::from(new == bytes.len())] += 1;
    }
    assert!(kinds.iter().all(|count| *count > 20), "lost, torn, kept: {kinds:?}");
}

#[test]
fn a_prefix_never_holds_the_second_write_without_the_first() {
    let mut disk = Disk::default();
    for name in ["first", "second"] {
        disk.create(name);
        disk.sync(disk.find(name).unwrap());
    }
    for name in ["first", "second"] {
        disk.write(disk.find(name).unwrap(), 0, b"x");
    }
    for seed in 0..200 {
        let after = survivor(&disk, Survival::Prefix, seed);
        let [first, second] = ["first", "second"].map(|name| content(&after, name).unwrap().len());
        assert!(first >= second);
    }
}

#[test]
fn a_file_is_made_and_removed_for_certain_only_with_its_directory() {
    let mut disk = half_written();
    disk.remove("file");
    disk.create("new");
    assert_eq!((disk.find("file"), disk.find("new").is_some()), (None, true));
    let after = survivor(&disk, Survival::Nothing, 1);
    assert_eq!((after.find("file").is_some(), after.find("new")), (true, None));
    disk.sync_directory();
    let after = survivor(&disk, Survival::Nothing, 1);
    assert_eq!((after.find("file"), after.find("new").is_some()), (None, true));
}

#[test]
fn a_failed_sync_is_not_made_up_for_by_the_next() {
    let lost = (0..50).filter(|seed| {
        let mut disk = half_written();
        let file = disk.find("file").unwrap();
        disk.fail_sync(file, &mut Random::new(*seed));
        assert_eq!(content(&disk, "file"), Some(vec![b'n'; 4 * SECTOR]), "the cache has it");
        disk.sync(file);
        content(&survivor(&disk, Survival::Everything, 1), "file") == Some(vec![b'o'; 4 * SECTOR])
    });
    assert!((10..40).contains(&lost.count()));
}

/// What SQLite finds after a power cut, of a row that it committed under `synchronous`.
fn rows_after_a_cut(synchronous: &str, journal: &str) -> Option<i64> {
    let machine = Machine::start(Disk::default(), None, 1);
    let db = Connection::open(machine.path()).unwrap();
    let begin = format!("PRAGMA journal_mode={journal}; CREATE TABLE t (x); PRAGMA synchronous=");
    db.execute_batch(&format!("{begin}{synchronous}; INSERT INTO t VALUES (1);")).unwrap();
    let next = Machine::start(machine.stop(Survival::Nothing), None, 1);
    let db = Connection::open(next.path()).unwrap();
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).ok()
}

#[test]
fn sqlite_keeps_what_it_syncs_and_loses_what_it_does_not() {
    for journal in ["WAL", "DELETE"] {
        assert_eq!(rows_after_a_cut("EXTRA", journal), Some(1), "{journal}");
        assert_ne!(rows_after_a_cut("OFF", journal), Some(1), "{journal}");
    }
    assert_eq!(rows_after_a_cut("FULL", "WAL"), Some(1));
    assert_eq!(rows_after_a_cut("NORMAL", "WAL"), Some(0));
    assert_eq!(panics(), 0);
}

#[test]
fn two_connections_share_the_log_and_exclude_each_other() {
    let machine = Machine::start(Disk::default(), None, 1);
    let [one, two] = [(); 2].map(|()| Connection::open(machine.path()).unwrap());
    one.busy_timeout(std::time::Duration::ZERO).unwrap();
    two.busy_timeout(std::time::Duration::ZERO).unwrap();
    one.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (x)").unwrap();
    let count = |db: &Connection| -> i64 {
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    };
    one.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(count(&two), 0, "a reader sees the last commit");
    let busy = two.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert!(busy.to_string().contains("locked"), "{busy}");
    one.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&two), 1);
    two.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(count(&one), 2);
}

#[test]
fn faults_strike_the_operations_that_they_count() {
    for (harm, expected) in [(Harm::Full, "full"), (Harm::Error, "I/O"), (Harm::PowerCut, "I/O")] {
        let fault = Fault { harm, on: &[Operation::Write], after: 0, times: 1 };
        let machine = Machine::start(Disk::default(), Some(fault), 1);
        let db = Connection::open(machine.path()).unwrap();
        let error = db.execute_batch("CREATE TABLE t (x)").unwrap_err().to_string();
        assert!(error.contains(expected), "{harm:?}: {error}");
        assert_eq!(machine.counted().1, 1);
        // Once is over, unless it was the power.
        assert_eq!(db.execute_batch("CREATE TABLE t (x)").is_ok(), harm != Harm::PowerCut);
    }
    assert!(!CHANGES.contains(&Operation::Read));
}
