//! The ledger's own audit: chains, checkpoints, history, export and import; against a file that
//! somebody else has changed.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/world.rs"]
mod world;

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use finalmile::{
    AccountId, Credits, FinalMile, Simulated, Timestamp, World as _,
    engines::{Memory, Sqlite},
    ledger::{Break, Checkpoint, Proof},
    rusqlite::Connection,
    storage::Backend,
};
use world::{code, key, purchase, share};

const HOUR: Duration = Duration::from_secs(3_600);

fn ada() -> AccountId {
    AccountId::new("ada").unwrap()
}

fn bob() -> AccountId {
    AccountId::new("bob").unwrap()
}

/// A ledger with something of everything: 2 accounts, 12 entries or more.
fn fill(fm: &FinalMile, clock: &Simulated) {
    let ledger = fm.ledger();
    for i in 0..5 {
        clock.advance(Duration::from_secs(60));
        ledger.add_credits(purchase(&ada(), 1_000, &format!("pi_a{i}"))).wait().unwrap();
    }
    ledger.add_credits(purchase(&bob(), 100, "pi_b")).wait().unwrap();
    ledger.transfer(&ada(), &bob(), Credits::new(70), &key("t")).wait().unwrap();
    let held = ledger.reserve(&ada(), Credits::new(40), HOUR, &key("r")).wait().unwrap();
    ledger.settle(&ada(), held, Some(Credits::new(30))).wait().unwrap();
    ledger.return_credits(&ada(), held, Some(Credits::new(10)), &key("b")).wait().unwrap();
    ledger.reserve(&ada(), Credits::new(5), HOUR, &key("open")).wait().unwrap();
    let payment = |name: &str| ("stripe".parse().unwrap(), name.parse().unwrap());
    let some = Some(Credits::new(200));
    ledger.refund(&ada(), payment("pi_a1"), some, &key("re")).wait().unwrap();
    ledger.chargeback(&bob(), payment("pi_b"), None, &key("dp")).wait().unwrap();
    let begun = fm.uploads().begin(&ada(), 1 << 20, &key("u")).wait().unwrap();
    fm.uploads().finalize(&ada(), begun.upload_id, share('a')).wait().unwrap();
}

fn clock() -> Arc<Simulated> {
    Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1))
}

fn open(backend: impl Backend) -> (FinalMile, Arc<Simulated>) {
    let clock = clock();
    (FinalMile::builder(backend).world(clock.clone()).open().unwrap(), clock)
}

fn verify(fm: &FinalMile, against: Option<&Checkpoint>) -> Proof {
    fm.ledger().verify(against.cloned()).wait().unwrap()
}

/// Other hands: with the triggers out of the way.
fn tamper(path: &Path, sql: &str) {
    let db = Connection::open(path).unwrap();
    db.execute_batch("DROP TRIGGER fm_entry_no_update; DROP TRIGGER fm_entry_no_delete;").unwrap();
    db.execute_batch(sql).unwrap();
}

/// What verification finds after the file was changed.
fn after(sql: &str) -> Vec<Break> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (fm, clock) = open(Sqlite::file(&path));
    fill(&fm, &clock);
    assert!(verify(&fm, None).is_sound(), "{:?}", verify(&fm, None).breaks);
    tamper(&path, sql);
    verify(&fm, None).breaks
}

#[test]
fn l13_any_entry_that_was_changed_is_named() {
    let changed = |seq| Break::Changed { account: ada(), seq };
    for (column, value) in [
        ("amount", "amount + 1"),
        ("owed", "1"),
        ("contra", "'provider:solana'"),
        ("transfer", "x'00112233445566778899aabbccddeeff'"),
        ("balance", "balance + 1"),
        ("debt", "7"),
        ("event_at", "event_at + 1"),
        ("at", "at - 1"),
        ("detail", "NULL"),
        ("original", "transfer"),
        ("kind", "'refund'"),
        ("link", "zeroblob(32)"),
    ] {
        let sql =
            format!("UPDATE fm_entry SET {column} = {value} WHERE account = 'ada' AND seq = 3");
        let found = after(&sql);
        assert!(found.contains(&changed(3)), "{column}: {found:?}");
    }
}

#[test]
fn l13_a_missing_entry_and_a_reordered_one_are_named() {
    let found = after("DELETE FROM fm_entry WHERE account = 'ada' AND seq = 3");
    assert!(found.contains(&Break::Missing { account: ada(), seq: 3 }), "{found:?}");
    let swap = "UPDATE fm_entry SET seq = 99 WHERE account = 'ada' AND seq = 2;
        UPDATE fm_entry SET seq = 2 WHERE account = 'ada' AND seq = 3;
        UPDATE fm_entry SET seq = 3 WHERE account = 'ada' AND seq = 99;";
    let found = after(swap);
    assert!(found.contains(&Break::Changed { account: ada(), seq: 2 }), "{found:?}");
    let found = after(
        "DELETE FROM fm_entry WHERE account = 'ada' AND seq = (SELECT max(seq) FROM \
                       fm_entry WHERE account = 'ada')",
    );
    assert!(found.contains(&Break::Head { account: ada() }), "{found:?}");
}

#[test]
fn what_lies_beside_the_entries_is_checked_too() {
    for (sql, broken) in [
        ("UPDATE fm_account SET balance = balance + 1", Break::Head { account: ada() }),
        ("UPDATE fm_account SET debt = 1 WHERE id = 'ada'", Break::Head { account: ada() }),
        ("UPDATE fm_account SET head = zeroblob(32)", Break::Head { account: bob() }),
        ("UPDATE fm_account SET reserved = 0", Break::Reserved { account: ada() }),
        ("DELETE FROM fm_account WHERE id = 'bob'", Break::Orphan { account: bob() }),
        ("DELETE FROM fm_account WHERE id = 'bob'", Break::Unbalanced),
        ("UPDATE fm_purchase SET credits = 999", Break::Purchases { account: ada() }),
        ("UPDATE fm_purchase SET reference = 'pi_x' WHERE account = 'bob'", Break::Claims),
        (
            "UPDATE fm_purchase SET amount_minor = 1 WHERE account = 'bob'",
            Break::Purchases { account: bob() },
        ),
        ("UPDATE fm_purchase SET refunded = 0", Break::Purchases { account: ada() }),
        ("DELETE FROM fm_purchase_ref", Break::Claims),
        ("UPDATE fm_reservation SET returned = 0", Break::Settled { account: ada() }),
        (
            "UPDATE fm_reservation SET returned = 0, settled = settled - 1 WHERE settled > 0",
            Break::Settled { account: ada() },
        ),
        ("UPDATE fm_purchase_ref SET amount_minor = 1", Break::Claims),
        ("UPDATE fm_account SET moved_at = moved_at + 1000", Break::Head { account: ada() }),
        (
            "UPDATE fm_reservation SET state = 'released' WHERE state = 'settled'",
            Break::Settled { account: ada() },
        ),
        (
            "UPDATE fm_entry SET contra = 'zzz' WHERE account = 'ada' AND seq = 2",
            Break::Missing { account: ada(), seq: 2 },
        ),
        (
            "UPDATE fm_reservation SET state = 'released' WHERE state = 'pending'",
            Break::Reserved { account: ada() },
        ),
        (
            "UPDATE fm_entry SET amount = -71 WHERE account = 'ada' AND kind = 'transfer'",
            Break::Transfers,
        ),
    ] {
        let found = after(sql);
        assert!(found.contains(&broken), "{sql}: {found:?}");
    }
}

#[test]
fn l13_entries_cannot_be_changed_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (fm, clock) = open(Sqlite::file(&path));
    fill(&fm, &clock);
    let db = Connection::open(&path).unwrap();
    for sql in ["UPDATE fm_entry SET amount = 1", "DELETE FROM fm_entry"] {
        let error = db.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("entries never change"), "{error}");
    }
    // Nor by a host's own statement in a transaction with ours.
    let replaced = fm.transaction(|tx| {
        let sql = "INSERT OR REPLACE INTO fm_entry SELECT * FROM fm_entry WHERE seq = 1";
        Ok(tx.sql().execute_batch(sql).unwrap_err().to_string())
    });
    assert!(replaced.unwrap().contains("entries never change"));
    assert!(verify(&fm, None).is_sound());
}

#[test]
fn l14_against_a_checkpoint_a_cut_or_rewritten_chain_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (fm, clock) = open(Sqlite::file(&path));
    fill(&fm, &clock);
    let first = fm.ledger().checkpoint().wait().unwrap();
    assert_eq!((first.number, first.root), (1, verify(&fm, None).root));
    fm.ledger().add_credits(purchase(&ada(), 9, "pi_late")).wait().unwrap();
    let second = fm.ledger().checkpoint().wait().unwrap();
    fm.ledger().add_credits(purchase(&bob(), 9, "pi_later")).wait().unwrap();
    let third = fm.ledger().checkpoint().wait().unwrap();
    assert_eq!((third.number, third.entries - second.entries, third.accounts), (3, 1, 2));
    // Each still holds, though the chains went on.
    for kept in [&first, &second, &third] {
        assert!(verify(&fm, Some(kept)).is_sound(), "{:?}", verify(&fm, Some(kept)).breaks);
    }
    assert_eq!(
        fm.ledger().checkpoints(None).wait().unwrap().rows,
        [third, second.clone(), first.clone()]
    );
    assert_eq!(second.to_string().parse::<Checkpoint>().unwrap(), second);
    assert!("1 2 3".parse::<Checkpoint>().is_err());

    // Somebody cuts the purchase off and sets the account back, so that everything inside agrees.
    let cut = "DELETE FROM fm_entry WHERE account = 'ada' AND seq = (SELECT entries FROM fm_account
                   WHERE id = 'ada');
        UPDATE fm_account SET (balance, debt, entries, head) = (SELECT balance, debt, seq, link
            FROM fm_entry WHERE account = 'ada' ORDER BY seq DESC LIMIT 1) WHERE id = 'ada';
        DELETE FROM fm_purchase WHERE reference = 'pi_late';
        DELETE FROM fm_purchase_ref WHERE reference = 'pi_late';";
    tamper(&path, cut);
    assert!(verify(&fm, None).is_sound(), "nothing inside shows it");
    assert!(verify(&fm, Some(&first)).is_sound(), "it was cut after this one");
    let found = verify(&fm, Some(&second)).breaks;
    assert!(found.iter().any(|b| matches!(b, Break::Cut { account, .. } if *account == ada())));
    assert!(found.contains(&Break::Root));
    // Also if the mark is set back with it.
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DELETE FROM fm_checkpoint_mark WHERE number = 2").unwrap();
    assert_eq!(verify(&fm, Some(&second)).breaks, [Break::Root]);
}

#[test]
fn l14_two_checkpoints_at_once_give_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (fm, clock) = open(Sqlite::file(folder.path().join("app.db")));
    fill(&fm, &clock);
    let taken: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| fm.ledger().checkpoint().wait())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let kept: Vec<_> = taken.iter().filter_map(|one| one.as_ref().ok()).collect();
    assert!(!kept.is_empty());
    for error in taken.iter().filter_map(|one| one.as_ref().err()) {
        assert_eq!((error.code(), error.is_retryable()), ("BUSY", true));
    }
    for checkpoint in kept {
        assert!(verify(&fm, Some(checkpoint)).is_sound());
    }
}

/// A writer whose bytes somebody else can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn exported(fm: &FinalMile) -> String {
    let shared = Shared::default();
    fm.ledger().export(shared.clone()).wait().unwrap();
    let bytes = shared.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Imports an export into a new database: it says the same again.
fn carried(backend: impl Backend, text: &str, root: [u8; 32]) {
    let (other, _) = open(backend);
    other.ledger().import(text.as_bytes()).unwrap();
    let proof = verify(&other, None);
    assert!(proof.is_sound() && proof.root == root, "{:?}", proof.breaks);
    assert_eq!(exported(&other), text);
}

#[test]
fn l15_what_was_exported_and_imported_has_the_same_root() {
    let folder = tempfile::tempdir().unwrap();
    let (fm, clock) = open(Sqlite::file(folder.path().join("app.db")));
    fill(&fm, &clock);
    // More than one part of an account.
    let many = |i| fm.ledger().add_credits(purchase(&bob(), 1, &format!("pi_many{i}")));
    let all: Vec<_> = (0..1_200).map(many).collect();
    assert!(all.into_iter().all(|one| !one.wait().unwrap().idempotent));
    let root = verify(&fm, None).root;
    let text = exported(&fm);
    let there = tempfile::tempdir().unwrap();
    carried(Sqlite::file(there.path().join("app.db")), &text, root);
    #[cfg(feature = "postgres")]
    if let Some(cluster) = postgres_support::live_or_skip() {
        carried(finalmile::engines::Postgres::url(cluster.schema().url()), &text, root);
    }
    let (other, _) = open(Memory::new());
    other.ledger().import(text.as_bytes()).unwrap();
    let proof = verify(&other, None);
    assert!(proof.is_sound(), "{:?}", proof.breaks);
    assert_eq!(proof.root, root);
    assert_eq!(exported(&other), text);
    let both = |fm: &FinalMile| fm.ledger().account(&ada()).wait().unwrap();
    assert_eq!(both(&other), both(&fm));
    // Replays are replays there too, and nothing is written twice.
    let again = other.ledger().add_credits(purchase(&ada(), 1_000, "pi_a0")).wait().unwrap();
    assert!(again.idempotent);
    let give = other.ledger().transfer(&ada(), &bob(), Credits::new(70), &key("t")).wait().unwrap();
    assert!(give.replayed);
    assert_eq!(code(other.ledger().import(text.as_bytes())), "ACCOUNT_EXISTS");
    assert_eq!(verify(&other, None).root, root);
}

#[test]
fn l15_an_account_that_changes_during_its_import_is_refused() {
    let (fm, clock) = open(Memory::new());
    fill(&fm, &clock);
    let many = |i| fm.ledger().add_credits(purchase(&bob(), 1, &format!("pi_many{i}")));
    let all: Vec<_> = (0..1_200).map(many).collect();
    assert!(all.into_iter().all(|one| !one.wait().unwrap().idempotent));
    let text = exported(&fm);
    let (other, _) = open(Memory::new());
    // Somebody buys for bob between two of his parts.
    let half = Half { text: text.as_bytes(), at: text.len() * 3 / 4, fm: other.clone() };
    let refused = other.ledger().import(std::io::BufReader::with_capacity(512, half));
    assert_eq!(code(refused), "ACCOUNT_EXISTS");
    let bobs = other.ledger().account(&bob()).wait().unwrap().unwrap();
    let entries = other.ledger().entries(&bob(), None).wait().unwrap().rows;
    assert_eq!((entries[0].amount.get(), entries[0].seq), (77, bobs.entries), "it is still there");
}

/// A reader of an export beside whom somebody buys, once.
struct Half<'t> {
    text: &'t [u8],
    at: usize,
    fm: FinalMile,
}

impl std::io::Read for Half<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at > 0 && self.text.len() < self.at {
            self.at = 0;
            self.fm.ledger().add_credits(purchase(&bob(), 77, "pi_live")).wait().unwrap();
        }
        self.text.read(into)
    }
}

#[test]
fn l15_a_broken_export_is_refused_with_its_line() {
    let (fm, clock) = open(Memory::new());
    fill(&fm, &clock);
    let text = exported(&fm);
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("\"seq\":3")).unwrap();
    let (third, number) = (lines[at], format!("line {}", at + 1));
    let refused = |lines: Vec<String>| {
        let (other, _) = open(Memory::new());
        let error = other.ledger().import(lines.join("\n").as_bytes()).unwrap_err();
        assert_eq!(error.code(), "INTERNAL_ERROR");
        error.to_string()
    };
    let with = |at: usize, line: &str| {
        let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        line.clone_into(&mut all[at]);
        refused(all)
    };
    assert!(with(at, &third.replace("\"amount\":1000", "\"amount\":1001")).contains(&number));
    assert!(with(at, "{").contains(&number));
    assert!(with(at, "[]").contains(&number));
    assert!(with(at, "{\"table\":\"fm_other\"}").contains(&number));
    assert!(with(at, &third.replace("\"seq\":3", "\"seq\":\"3\"")).contains(&number));
    let account = lines.iter().position(|line| line.contains("fm_account")).unwrap();
    assert!(with(account, third).contains(&format!("line {}", account + 1)));
    let all = || lines.iter().map(|line| (*line).to_owned());
    assert!(
        refused(all().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| l).collect())
            .contains(&number)
    );
    // A chain whose end is missing.
    let last =
        lines.iter().rposition(|line| line.contains("fm_entry\"") && line.contains("bob")).unwrap();
    let cut = refused(all().enumerate().filter(|(i, _)| *i != last).map(|(_, l)| l).collect());
    assert!(cut.contains("does not end at its head"), "{cut}");
}

#[test]
fn l16_the_balance_as_of_a_time() {
    let (fm, clock) = open(Memory::new());
    let start = clock.now();
    let mut expected = vec![(start, 0)];
    for i in 1..=60 {
        clock.advance(Duration::from_secs(i % 3));
        fm.ledger().add_credits(purchase(&ada(), 1, &format!("pi_{i}"))).wait().unwrap();
        expected.push((clock.now(), i));
    }
    let at = |time| fm.ledger().balance_at(&ada(), time).wait().unwrap().unwrap();
    for (time, _) in &expected {
        let last = expected.iter().rev().find(|(other, _)| other <= time).unwrap().1;
        let found = at(*time);
        // Before the first purchase at the same moment there was nothing.
        let wanted =
            if *time == start { i64::from(expected[1].0 == start) } else { last.cast_signed() };
        assert_eq!((found.balance.get(), found.entries), (wanted, wanted));
    }
    assert_eq!(at(start.before(HOUR)).balance.get(), 0);
    assert_eq!(at(clock.now().after(HOUR)).balance.get(), 60);
    assert_eq!(fm.ledger().balance_at(&bob(), start).wait().unwrap(), None);
}

#[test]
fn l3_entries_keep_their_order_when_the_clock_steps_back() {
    let (fm, clock) = open(Memory::new());
    fm.ledger().add_credits(purchase(&ada(), 1, "pi_1")).wait().unwrap();
    let first = clock.now();
    clock.set(first.before(HOUR));
    fm.ledger().add_credits(purchase(&ada(), 2, "pi_2")).wait().unwrap();
    clock.set(first.after(Duration::from_secs(90 * 86_400)));
    fm.ledger().add_credits(purchase(&ada(), 4, "pi_3")).wait().unwrap();
    let entries = fm.ledger().entries(&ada(), None).wait().unwrap().rows;
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(entries.is_sorted_by(|later, earlier| later.at >= earlier.at));
    assert_eq!(fm.ledger().balance_at(&ada(), first).wait().unwrap().unwrap().balance.get(), 3);
}

#[test]
fn a_payment_says_when_it_happened_and_when_it_was_recorded() {
    let (fm, clock) = open(Memory::new());
    let paid = clock.now().before(HOUR);
    let late = finalmile::ledger::Purchase { paid_at: Some(paid), ..purchase(&ada(), 1, "pi_1") };
    fm.ledger().add_credits(late).wait().unwrap();
    let entry = fm.ledger().entries(&ada(), None).wait().unwrap().rows.swap_remove(0);
    assert_eq!((entry.event_at, entry.at), (paid, clock.now()));
}
