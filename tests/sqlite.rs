//! The embedded database as a host meets it: files, its own transactions, crashes.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use finalmile::{
    AccountId, Actor, CORE, Credits, Error, FinalMile, Refusal, SystemWorld, UploadId,
    engines::{Memory, Sqlite, sqlite::run_in},
    rusqlite::{Connection, OpenFlags, params_from_iter},
    storage::{Kind, Only, Schema, Store, StoreError, conformance::probe},
    upload::BeginUpload,
};
use tempfile::TempDir;
use world::{code, key, purchase, share};

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    (folder, path)
}

fn open(path: &Path) -> Result<FinalMile, Error> {
    FinalMile::builder(Sqlite::file(path)).open()
}

fn ada() -> AccountId {
    AccountId::new("ada").unwrap()
}

fn balance(fm: &FinalMile) -> Option<i64> {
    fm.ledger().account(&ada()).wait().unwrap().map(|account| account.balance.get())
}

#[test]
fn d1_descriptions_and_schema_name_the_same_columns_and_indexes() {
    let (_folder, path) = file();
    let store =
        Store::open(Sqlite::file(&path), Arc::new(SystemWorld), &[CORE, probe::PROBE]).unwrap();
    let db = Connection::open(&path).unwrap();
    for table in CORE.tables.iter().chain(probe::PROBE.tables).map(|table| table()) {
        let mut columns = db.prepare(&format!("PRAGMA table_info({})", table.name)).unwrap();
        let found: Vec<(String, String, bool, i64)> = columns
            .query_map([], |row| Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(5)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let key_len = i64::try_from(table.key_len).unwrap();
        let described: Vec<_> = (0..)
            .zip(table.columns)
            .map(|(i, column)| {
                let kind = match column.kind {
                    Kind::Int => "INTEGER",
                    Kind::Text => "TEXT",
                    Kind::Blob => "BLOB",
                };
                let key = if i < key_len { i + 1 } else { 0 };
                (column.name.to_owned(), kind.to_owned(), !column.nullable, key)
            })
            .collect();
        assert_eq!(found, described, "{}", table.name);
        for index in table.indexes {
            let sql: String = db
                .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [index.name], |r| {
                    r.get(0)
                })
                .unwrap_or_else(|_| panic!("no index {}", index.name));
            let order = table.order(Some(index));
            let order: Vec<_> = order.iter().map(|i| table.columns[*i].name).collect();
            assert!(sql.contains(&format!("({})", order.join(", "))), "{sql}");
            let only = match index.only {
                None => String::new(),
                Some(Only::Equals(column, text)) => format!("{column} = '{text}'"),
                Some(Only::Present(column)) => format!("{column} IS NOT NULL"),
                Some(Only::Absent(column)) => format!("{column} IS NULL"),
            };
            assert!(sql.ends_with(&only) && only.is_empty() != sql.contains("WHERE"), "{sql}");
        }
    }
    drop(store);
}

#[test]
fn no_statement_reads_a_table_from_end_to_end() {
    let (_folder, path) = file();
    drop(open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    let texts = finalmile::engines::sqlite::statements(CORE.tables).unwrap();
    for text in &texts {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let any = vec![0; plan.parameter_count()];
        let steps = plan.query_map(params_from_iter(any), |row| row.get(3));
        let steps: Vec<String> = steps.unwrap().collect::<Result<_, _>>().unwrap();
        let plan = steps.join("; ");
        assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE"), "{text}: {plan}");
    }
    assert!(texts.len() > 150, "{}", texts.len());
}

#[test]
fn s2_a_newer_schema_a_changed_script_and_a_file_that_is_no_database_are_refused() {
    let (folder, path) = file();
    drop(open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE fm_migration SET sha256 = x'00' WHERE version = 1", []).unwrap();
    let changed = open(&path).unwrap_err();
    assert!(matches!(changed, Error::Store(StoreError::Schema(_))), "{changed}");
    db.execute("INSERT INTO fm_migration VALUES ('core', 999, x'00', 0)", []).unwrap();
    let newer = open(&path).unwrap_err();
    assert!(matches!(&newer, Error::Store(StoreError::Schema(text)) if text.contains("999")));
    assert_eq!((newer.code(), newer.http_status()), ("INTERNAL_ERROR", 500));

    let text = folder.path().join("notes.txt");
    let content = "dear diary, this is no database\n".repeat(500);
    std::fs::write(&text, &content).unwrap();
    let foreign = open(&text).unwrap_err();
    assert!(matches!(foreign, Error::Store(StoreError::Corrupt(_))), "{foreign}");
    assert_eq!(std::fs::read_to_string(&text).unwrap(), content);
    let nowhere = open(&folder.path().join("no/such/folder/app.db")).unwrap_err();
    assert!(matches!(nowhere, Error::Store(StoreError::Backend(_))), "{nowhere}");
}

/// The schema as it was before script `count + 1`.
fn older(count: usize) -> Schema {
    Schema { sqlite: &CORE.sqlite[..count], ..CORE }
}

#[test]
fn d1_a_database_of_before_the_chain_keeps_what_it_holds() {
    let (_folder, path) = file();
    drop(Store::open(Sqlite::file(&path), Arc::new(SystemWorld), &[older(2)]).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "INSERT INTO fm_account VALUES ('ada', 0, 0, 4, 5, NULL, 'ops', 'spam', 1);
         INSERT INTO fm_upload VALUES ('ada', x'00112233445566778899aabbccddee01', 'failed', 9, 1, NULL, 'no', 2, 3);
         INSERT INTO fm_reservation VALUES
             ('ada', x'00112233445566778899aabbccddee01', 1, 'released', 0, 9, 2, 3), ('ada', x'00112233445566778899aabbccddee02', 1, 'released', 0, 9, 2, 3);
         INSERT INTO fm_media_share VALUES
             (x'00112233445566778899aabbccddeeff', 'ada', x'00112233445566778899aabbccddeeff', 'image',
              'pending', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', NULL, NULL,
              NULL, 7, NULL);",
    )
    .unwrap();
    let fm = open(&path).unwrap();
    let text = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let origins =
        "SELECT group_concat(origin, ' ') FROM (SELECT origin FROM fm_reservation ORDER BY id)";
    assert_eq!(text(origins), "upload host");
    assert!(fm.ledger().account(&ada()).wait().unwrap().unwrap().frozen_at.is_some());
    assert_eq!(fm.uploads().feed(None).wait().unwrap().rows.len(), 1);
    assert_eq!(fm.uploads().waiting(None).wait().unwrap().rows.len(), 1);
    fm.ledger().add_credits(purchase(&ada(), 5, "pi_1")).wait().unwrap();
    assert!(fm.ledger().verify(None).wait().unwrap().is_sound());
}

#[test]
fn s2_a_database_with_entries_of_before_the_chain_is_refused_and_left_as_it_was() {
    let (_folder, path) = file();
    drop(Store::open(Sqlite::file(&path), Arc::new(SystemWorld), &[older(2)]).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute("INSERT INTO fm_entry VALUES ('ada', 1, x'01', 'purchase', 5, 'storage', 5, 1)", [])
        .unwrap();
    let refused = open(&path).unwrap_err();
    assert_eq!(refused.code(), "INTERNAL_ERROR", "{refused}");
    let kept: i64 = db.query_row("SELECT sum(amount) FROM fm_entry", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 5);
}

#[test]
fn e1_a_full_disk_changes_nothing_and_the_next_call_works() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    // SQLite answers a database at its largest number of pages as it answers a full disk.
    let limit = |pages: u32| {
        fm.transaction(|tx| {
            tx.sql().query_row(&format!("PRAGMA max_page_count={pages}"), [], |_| Ok(()))?;
            Ok(())
        })
        .unwrap();
    };
    limit(1);
    let mut refused = 0;
    for i in 0..200 {
        let before = balance(&fm);
        match fm.ledger().add_credits(purchase(&ada(), 1, &format!("pi_full_{i}"))).wait() {
            Ok(receipt) => assert_eq!(balance(&fm), Some(receipt.balance.get())),
            Err(error) => {
                assert!(matches!(error, Error::Store(StoreError::Full(_))), "{error}");
                assert_eq!(balance(&fm), before);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was never full");
    limit(1_000_000);
    fm.ledger().add_credits(purchase(&ada(), 1, "pi_later")).wait().unwrap();
}

#[test]
fn the_hosts_rows_and_ours_commit_together_or_not_at_all() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    fm.transaction(|tx| Ok(tx.sql().execute_batch("CREATE TABLE posts (upload TEXT)")?)).unwrap();
    let begin = |size, name: &str, id| {
        BeginUpload::new(&ada(), size, &key(name), UploadId::from_bytes([id; 16])).unwrap()
    };
    let begun = fm
        .transaction(|tx| {
            let begun = tx.run(begin(1 << 20, "a", 1))?;
            let id = begun.upload_id.to_string();
            tx.sql().execute("INSERT INTO posts VALUES (?1)", [id])?;
            Ok(begun)
        })
        .unwrap();
    assert_eq!(begun.credits_to_charge, Credits::new(100));
    // The second command is refused, so the first one and the host's row go too.
    let refused = fm.transaction(|tx| {
        tx.run(begin(1 << 20, "b", 2))?;
        tx.sql().execute("INSERT INTO posts VALUES ('lost')", [])?;
        tx.run(begin(1 << 40, "c", 3))
    });
    assert_eq!(code(refused), "STORAGE_LIMIT_REACHED");
    let posts: i64 = fm
        .transaction(|tx| Ok(tx.sql().query_row("SELECT count(*) FROM posts", [], |r| r.get(0))?))
        .unwrap();
    let account = fm.ledger().account(&ada()).wait().unwrap().unwrap();
    assert_eq!((posts, account.available().get()), (1, 900));
}

#[test]
fn a_transaction_sees_its_own_writes_and_nobody_else_does_before_the_commit() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    fm.transaction(|tx| {
        let id = UploadId::from_bytes([1; 16]);
        tx.run(BeginUpload::new(&ada(), 1 << 20, &key("a"), id)?)?;
        let reserved: i64 =
            tx.sql().query_row("SELECT reserved FROM fm_account", [], |row| row.get(0))?;
        assert_eq!(reserved, 100);
        assert_eq!(fm.ledger().account(&ada()).wait()?.unwrap().available().get(), 1_000);
        // Waiting for the queue would wait for this very transaction.
        let inner = fm.uploads().begin(&ada(), 1, &key("b")).wait();
        assert!(matches!(inner, Err(Error::Store(StoreError::Backend(_)))));
        assert!(fm.transaction(|_| Ok(())).is_err());
        Ok(())
    })
    .unwrap();
    // What was submitted inside is done after it, though nobody could wait for it.
    let available = || fm.ledger().account(&ada()).wait().unwrap().unwrap().available().get();
    let done = (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        available() == 899
    });
    assert!(done, "{}", available());
}

#[test]
fn a_host_that_ends_or_abandons_the_transaction_leaves_nothing_half_done() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    let ended = fm.transaction(|tx| Ok(tx.sql().execute_batch("COMMIT")?));
    assert!(matches!(ended, Err(Error::Store(StoreError::Backend(_)))));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        fm.transaction(|tx| -> Result<(), Error> {
            tx.sql().execute_batch("CREATE TABLE lost (x)")?;
            std::panic::resume_unwind(Box::new("the host's own"));
        })
    }));
    assert!(panicked.is_err());
    fm.transaction(|tx| Ok(tx.sql().execute_batch("CREATE TABLE lost (x)")?)).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1, "pi_0")).wait().unwrap();
    let memory = FinalMile::builder(Memory::new()).open().unwrap();
    assert!(memory.transaction(|_| Ok(())).is_err());
}

#[test]
fn commands_run_in_a_write_transaction_of_the_hosts_connection_only() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    let now = fm.store().now();
    let command = BeginUpload::new(&ada(), 1 << 20, &key("a"), UploadId::from_bytes([1; 16]));
    let command = command.unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute_batch("BEGIN").unwrap();
    assert!(matches!(run_in(&host, &command, now), Err(StoreError::Backend(_))), "deferred");
    host.execute_batch("ROLLBACK; PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE").unwrap();
    assert!(matches!(run_in(&host, &command, now), Err(StoreError::Backend(_))), "weak");
    host.execute_batch("ROLLBACK; PRAGMA synchronous=FULL; BEGIN IMMEDIATE").unwrap();
    run_in(&host, &command, now).unwrap().unwrap();
    host.execute_batch("ROLLBACK; BEGIN IMMEDIATE").unwrap();
    let begun = run_in(&host, &command, now).unwrap().unwrap();
    assert!(!begun.replayed, "the first was rolled back");
    host.execute_batch("COMMIT").unwrap();
    let upload = fm.uploads().get(&ada(), begun.upload_id).wait().unwrap();
    assert_eq!(upload.unwrap().credits, Credits::new(100));
}

#[test]
fn a_backup_is_whole_and_never_overwrites() {
    let (folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    let copy = folder.path().join("copy.db");
    fm.store().backup(&copy).wait().unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1, "pi_1")).wait().unwrap();
    assert!(fm.store().backup(&copy).wait().is_err());
    assert_eq!((balance(&open(&copy).unwrap()), balance(&fm)), (Some(1_000), Some(1_001)));
}

#[test]
fn v3_a_suspended_database_holds_no_lock_and_has_no_log() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    assert_eq!(balance(&fm), Some(1_000));
    fm.suspend().unwrap();
    let log = path.with_extension("db-wal");
    assert!(std::fs::metadata(log).map_or(0, |log| log.len()) == 0);
    // Whoever gets an exclusive lock is alone.
    let alone = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    alone.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT").unwrap();
    drop(alone);
    assert_eq!(code(fm.ledger().account(&ada()).wait()), "BUSY");
    fm.resume().unwrap();
    assert_eq!(balance(&fm), Some(1_000));
}

#[test]
fn a2_a_chain_that_was_changed_by_other_hands_does_not_verify() {
    for (change, at) in [
        ("UPDATE fm_audit SET reason = 'nicer' WHERE seq = 2", "2"),
        ("DELETE FROM fm_audit WHERE seq = 2", "2"),
        ("DELETE FROM fm_audit WHERE seq = 3", "end"),
        ("DELETE FROM fm_audit", "end"),
        ("UPDATE fm_audit_head SET hash = zeroblob(32)", "end"),
    ] {
        let (_folder, path) = file();
        let fm = open(&path).unwrap();
        let admin = fm.admin(Actor::new("ops").unwrap());
        for reason in ["one", "two", "three"] {
            admin.freeze(&ada(), reason, None).wait().unwrap();
        }
        assert_eq!(admin.audit("account:ada").unwrap().len(), 3);
        let db = Connection::open(&path).unwrap();
        assert!(db.execute(change, []).is_err() != change.contains("fm_audit_head"), "{change}");
        db.execute_batch("DROP TRIGGER fm_audit_no_update; DROP TRIGGER fm_audit_no_delete")
            .unwrap();
        db.execute(change, []).unwrap();
        let found = admin.audit("account:ada").unwrap_err().to_string();
        assert!(found.contains(at), "{found}");
    }
}

#[test]
fn entries_never_change() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    for change in ["UPDATE fm_entry SET amount = 5", "DELETE FROM fm_entry"] {
        let changed = fm.transaction(|tx| Ok(tx.sql().execute(change, [])?));
        assert!(matches!(changed, Err(Error::Store(StoreError::Backend(_)))), "{change}");
    }
}

#[test]
fn the_documents_questions_about_events_are_answered() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    let dead = stripe::session("pi_1", "ada", "many");
    let event = stripe::event("evt_1", "checkout.session.completed", 0, &dead);
    fm.webhooks().consume(&event).wait().unwrap();
    let asked = fm.transaction(|tx| {
        let status = tx.sql().query_row(
            "SELECT id, type, status, error, received_at, processed_at
             FROM stripe_events
             WHERE id = 'evt_1'
             ORDER BY received_at DESC",
            [],
            |row| Ok((row.get(2)?, row.get(3)?, row.get(5)?)),
        )?;
        let failure = tx.sql().query_row(
            "SELECT * FROM webhook_failures
             WHERE event_id = 'evt_1'
             ORDER BY last_failure DESC",
            [],
            |row| Ok((row.get("failure_count")?, row.get("max_retries")?, row.get("next_retry")?)),
        )?;
        // What was signed stays as it was.
        assert!(tx.sql().execute("UPDATE fm_event_payload SET payload = '{}'", []).is_err());
        Ok((status, failure))
    });
    let (status, failure) = asked.unwrap();
    let why = "metadata credits is no positive whole number".to_owned();
    assert_eq!(status, ("error".to_owned(), why, None::<String>));
    assert_eq!(failure, (1, 3, None::<String>));
}

#[test]
fn the_views_bear_the_documents_names() {
    let (_folder, path) = file();
    let fm = open(&path).unwrap();
    fm.ledger().add_credits(purchase(&ada(), 1_000, "pi_0")).wait().unwrap();
    let begun = fm.uploads().begin(&ada(), 1 << 20, &key("a")).wait().unwrap();
    fm.uploads().finalize(&ada(), begun.upload_id, share('a')).wait().unwrap();
    for view in [
        "storage_account",
        "account_status",
        "purchases",
        "uploads",
        "media_shares",
        "media_shares_feed",
        "rate_limits",
        "rate_limit_buckets",
        "v_rate_limit_dashboard",
    ] {
        let rows = fm.store().view(view, 10).wait().unwrap().rows;
        assert!(!rows.is_empty(), "{view}");
    }
    assert_eq!(fm.store().view("rate_limit_config", 100).wait().unwrap().rows.len(), 9);
    assert!(fm.store().view("fm_account; DROP TABLE fm_account", 1).wait().is_err());
}

/// The child of the next test: it buys as fast as it can and says so after each commit.
#[test]
#[ignore = "a part of s1_p1, which runs it as a process of its own"]
fn child_that_buys_until_it_is_killed() {
    let Ok(path) = std::env::var("FINALMILE_KILL_DB") else { return };
    let fm = open(Path::new(&path)).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let fm = &fm;
            scope.spawn(move || {
                for i in 0.. {
                    let reference = format!("pi_{}_{worker}_{i}", std::process::id());
                    fm.ledger().add_credits(purchase(&ada(), 1, &reference)).wait().unwrap();
                    println!("acked {reference}");
                }
            });
        }
    });
}

#[test]
fn s1_p1_what_was_acknowledged_is_there_after_kill_9() {
    let (_folder, path) = file();
    let mut acked = Vec::new();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "child_that_buys_until_it_is_killed"])
            .env("FINALMILE_KILL_DB", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut killed = false;
        for (i, line) in lines.map_while(Result::ok).enumerate() {
            // The test harness writes its own words in front of the first line.
            acked.extend(line.split("acked ").nth(1).map(str::to_owned));
            if !killed && i > 40 + round * 37 {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself");
    }
    let fm = open(&path).unwrap();
    let known = |reference: &str| {
        let again = fm.ledger().add_credits(purchase(&ada(), 1, reference)).wait().unwrap();
        again.idempotent
    };
    let before = balance(&fm).unwrap();
    assert!(acked.len() > 200 && acked.iter().all(|reference| known(reference)));
    assert_eq!(balance(&fm), Some(before), "asking again credited something");
    let db = Connection::open(&path).unwrap();
    let sums: (i64, i64) = db
        .query_row(
            "SELECT (SELECT sum(amount) FROM fm_entry), (SELECT count(*) FROM fm_purchase)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(sums, (before, before));
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn g2_two_processes_worth_of_handles_share_one_file() {
    let (_folder, path) = file();
    let handles = [open(&path).unwrap(), open(&path).unwrap()];
    handles[0].ledger().add_credits(purchase(&ada(), 100, "pi_0")).wait().unwrap();
    let hour = Duration::from_secs(3_600);
    let run = |i: usize| -> usize {
        let ledger = handles[i % 2].ledger();
        let held = ledger.reserve(&ada(), Credits::new(10), hour, &key(&format!("{i}"))).wait();
        match held {
            Ok(_) => 1,
            Err(Error::Refused(Refusal::InsufficientCredits { .. })) => 0,
            Err(other) => panic!("{other}"),
        }
    };
    let reserved: usize = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..24).map(|i| scope.spawn(move || run(i))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(reserved, 10);
}
