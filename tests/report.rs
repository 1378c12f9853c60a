//! The dashboards' figures: counted refusals, and read models that are what the views show.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(all(feature = "postgres", feature = "sqlite"))]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/world.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use finalmile::{
    AccountId, Actor, Budget, Credits, Day, FinalMile, Simulated, SystemWorld, Timestamp,
    World as _,
    engines::Memory,
    limit::{Home, Policy},
    report::{Report, SUSPICIOUS_UPLOADS},
    storage::{Backend, Scan},
    upload::{NewShare, REFUSALS_KEPT_DAYS, RefusalDay},
};
use world::{World, code, key, purchase, share};

const MIB: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);

fn refusals(fm: &FinalMile) -> Vec<RefusalDay> {
    fm.store().scan(Scan::of::<RefusalDay>()).wait().unwrap().rows
}

#[test]
fn rt2_a_refusal_for_want_of_credits_is_counted_once_and_nothing_else_is() {
    let world = World::new();
    let (uploads, bob) = (world.fm.uploads(), AccountId::new("bob").unwrap());
    let begin = |account: &AccountId, mib, name: &str| {
        uploads.begin(account, mib * MIB, &key(name)).wait().map(|begun| begun.replayed)
    };
    assert!(!begin(&world.ada, 1, "a").unwrap() && begin(&world.ada, 1, "a").unwrap());
    assert_eq!(code(begin(&world.ada, 2, "a")), "IDEMPOTENCY_CONFLICT");
    assert_eq!(code(begin(&bob, 1, "a")), "ACCOUNT_NOT_FOUND");
    assert_eq!(refusals(&world.fm), []);

    for name in ["b", "b", "c"] {
        assert_eq!(code(begin(&world.ada, 100, name)), "STORAGE_LIMIT_REACHED");
    }
    world.admin().freeze(&world.ada, "spam", None).wait().unwrap();
    assert_eq!(code(begin(&world.ada, 100, "d")), "ACCOUNT_FROZEN");
    let counted = refusals(&world.fm);
    assert_eq!((counted.len(), counted[0].count), (1, 3));
    assert_eq!((counted[0].day, &counted[0].account), (Day(20_833), &world.ada));
    assert_eq!(world.available(), 900);

    world.admin().unfreeze(&world.ada, "no spam").wait().unwrap();
    world.clock.advance(DAY);
    assert_eq!(code(begin(&world.ada, 100, "e")), "STORAGE_LIMIT_REACHED");
    let report = world.admin().report().wait().unwrap();
    let blocked: Vec<_> = report.blocked.iter().map(|d| (d.day.0, d.users, d.refusals)).collect();
    assert_eq!(blocked, [(20_834, 1, 1), (20_833, 1, 3)]);
    world.clock.advance(6 * DAY);
    assert_eq!(world.admin().report().wait().unwrap().blocked.len(), 1);
}

#[test]
fn rt2_a_command_with_an_id_of_no_time_is_refused_and_not_counted() {
    let world = World::new();
    let id = finalmile::UploadId::from_bytes([0xFF; 16]);
    let command =
        finalmile::upload::BeginUpload::new(&world.ada, 100 * MIB, &key("a"), id).unwrap();
    let refusal = world.fm.store().submit(command).wait().unwrap().unwrap_err();
    assert_eq!(refusal.code(), "STORAGE_LIMIT_REACHED");
    assert_eq!(refusals(&world.fm), []);
}

#[test]
fn rt3_refusals_are_kept_for_90_days() {
    let world = World::new();
    for name in ["a", "b"] {
        let refused = world.fm.uploads().begin(&world.ada, 100 * MIB, &key(name)).wait();
        assert_eq!(code(refused), "STORAGE_LIMIT_REACHED");
    }
    let maintain = || world.fm.maintain(Budget::seconds(60)).wait().unwrap().refusals_removed;
    let days = u32::try_from(REFUSALS_KEPT_DAYS).unwrap();
    world.clock.advance(DAY * (days - 1));
    assert_eq!((maintain(), refusals(&world.fm).len()), (0, 1));
    world.clock.advance(DAY);
    assert_eq!((maintain(), refusals(&world.fm).len()), (1, 0));
    assert_eq!(maintain(), 0);
}

/// Forty days that end now: uploads of every fate, refusals, somebody who overdoes it.
fn live(backend: impl Backend, now: Timestamp) -> FinalMile {
    let clock = Arc::new(Simulated::new(now.before(40 * DAY), 5));
    let fm = FinalMile::builder(backend).world(clock.clone()).open().unwrap();
    let admin = fm.admin(Actor::new("ops").unwrap());
    for endpoint in ["begin-upload", "finalize-upload"] {
        let many = Policy::greedy(endpoint.parse().unwrap(), 100_000, HOUR).unwrap();
        admin.configure(many.home(Home::Store)).wait().unwrap();
    }
    let names = ["ada", "bob", "żółć", "<b>eve</b> & \"co\""];
    let accounts = names.map(|name| AccountId::new(name).unwrap());
    for (i, account) in (0..).zip(&accounts) {
        let paid = purchase(account, 400 + 2_000 * i, &format!("pi_{i}"));
        fm.ledger().add_credits(paid).wait().unwrap();
    }
    let uploads = fm.uploads();
    // Not at midnight, and not where a window begins.
    for (n, back) in (0..).zip([39, 30, 29, 8, 6, 5, 5, 2, 1, 0]) {
        clock.set(now.before(back * DAY).before(HOUR * 2 / 3));
        for account in &accounts {
            let begin = |mib: u64, name: &str| {
                uploads.begin(account, mib * MIB, &key(&format!("{name}-{n}"))).wait()
            };
            let begun = begin(1, "some").map(|begun| begun.upload_id);
            match (begun, n % 4) {
                (Ok(upload), 0) => drop(uploads.fail(account, upload, "gave up").wait().unwrap()),
                // The last ones are pending still.
                (Ok(_), 1) if back == 0 => {}
                (Ok(upload), 3) => {
                    let bare = NewShare { thumbnail_cid: None, ..share('x') };
                    uploads.finalize(account, upload, bare).wait().unwrap();
                }
                (Ok(upload), _) => {
                    drop(uploads.finalize(account, upload, share('y')).wait().unwrap());
                }
                (Err(error), _) => assert_eq!(error.code(), "STORAGE_LIMIT_REACHED"),
            }
            if n % 2 == 1 {
                assert_eq!(code(begin(1_000, "much")), "STORAGE_LIMIT_REACHED");
            }
        }
    }
    let rich = AccountId::new("a rich one").unwrap();
    fm.ledger().add_credits(purchase(&rich, 5_000_000, "pi_rich")).wait().unwrap();
    let large = uploads.begin(&rich, 11 << 30, &key("large")).wait().unwrap();
    uploads.finalize(&rich, large.upload_id, share('z')).wait().unwrap();
    for n in 0..=SUSPICIOUS_UPLOADS {
        uploads.begin(&accounts[3], 1, &key(&format!("flood-{n}"))).wait().unwrap();
    }
    uploads.draft(&rich, large.upload_id, share('z')).wait().unwrap_err();
    fm.ledger().reserve(&rich, Credits::new(777), HOUR * 10, &key("r")).wait().unwrap();
    clock.set(now);
    fm
}

fn report(fm: &FinalMile, now: Timestamp) -> Report {
    fm.admin(Actor::new("ops").unwrap()).report_at(now).wait().unwrap()
}

/// What the life above comes to, counted by hand.
fn is_as_lived(report: &Report) {
    let uploads = report.uploads;
    // The large one; the flood and three of the last day, of whom one had no credits left.
    assert_eq!((uploads.completed, uploads.failed), (1, 0));
    assert_eq!(uploads.pending, SUSPICIOUS_UPLOADS + 1 + 3);
    assert_eq!(report.uploads.success_rate_bp(), Some(10_000));
    assert!(report.bytes.last_7_days < report.bytes.all_time);
    assert_eq!(report.bytes.last_7_days % MIB, 0);
    assert_eq!(report.reserved.accounts, 4);
    assert_eq!(report.blocked.len(), 4, "{:?}", report.blocked);
    assert_eq!(report.blocked[0].refusals, 5, "all four, and ada for the small one too");
    assert!(report.thumbnails.shares_with_thumbnail < report.thumbnails.total_shares);
    assert_eq!(report.bandwidth.len(), 5, "{:?}", report.bandwidth);
    let names = report.suspicious.iter().map(|user| user.account.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["<b>eve</b> & \"co\"", "a rich one"]);
    assert_eq!(report.suspicious[0].uploads, SUSPICIOUS_UPLOADS + 2);
}

#[test]
fn an_empty_store_has_figures_too() {
    let fm = FinalMile::builder(Memory::new()).open().unwrap();
    let now = fm.store().now();
    let report = report(&fm, now);
    let mut empty = Report::default();
    empty.now = now;
    assert_eq!(report, empty);
    assert_eq!((report.uploads.success_rate_bp(), report.thumbnails.coverage_bp()), (None, None));
}

#[test]
fn an_hour_that_holds_midnight_is_of_two_days_and_a_later_clock_of_a_third() {
    let world = World::new();
    let midnight = Timestamp::from_micros(20_834 * 86_400_000_000);
    let minute = Duration::from_secs(60);
    let times =
        [midnight.before(10 * minute), midnight, midnight.after(20 * minute), midnight.after(DAY)];
    for (n, (at, mib)) in (0..).zip(times.into_iter().zip([1, 2, 3, 4])) {
        world.clock.set(at);
        let key = key(&format!("{n}"));
        let begun = world.fm.uploads().begin(&world.ada, mib << 19, &key).wait().unwrap();
        world.fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    }
    let report = report(&world.fm, midnight.after(30 * minute));
    let days: Vec<_> = report.bandwidth.iter().map(|one| (one.day.0, one.bytes >> 19)).collect();
    assert_eq!(days, [(20_835, 4), (20_834, 5), (20_833, 1)]);
    assert_eq!((report.uploads.completed, report.bytes.all_time >> 19), (4, 10));
    assert_eq!(report.bytes.last_7_days, report.bytes.all_time);
}

#[test]
fn figures_are_what_happened() {
    let now = SystemWorld.now();
    is_as_lived(&report(&live(Memory::new(), now), now));
}

#[cfg(feature = "sqlite")]
mod views {
    #![allow(clippy::float_arithmetic, reason = "views show fractions")]

    use super::*;
    use finalmile::{
        engines::Sqlite,
        storage::{Cell, Value, ViewRows},
    };

    fn int(n: u64) -> Cell {
        Cell::Value(Value::Int(i64::try_from(n).unwrap()))
    }

    fn gb(bytes: u64) -> Cell {
        Cell::Real(bytes as f64 / 1_073_741_824.0)
    }

    fn percent(bp: Option<u64>) -> Cell {
        bp.map_or(Cell::Value(Value::Null), |bp| Cell::Real(bp as f64 / 100.0))
    }

    fn text(text: &impl ToString) -> Cell {
        Cell::Value(Value::Text(text.to_string()))
    }

    fn day(day: Day) -> [Cell; 2] {
        [text(&day), int(u64::try_from(day.0 * 86_400_000_000).unwrap())]
    }

    /// What each view must show.
    fn expected(report: &Report) -> Vec<(&'static str, &'static str, Vec<Vec<Cell>>)> {
        let Report { uploads, bytes, reserved, thumbnails, .. } = report;
        let counts = [uploads.completed, uploads.failed, uploads.pending].map(int);
        let a = [&counts[..], &[percent(uploads.success_rate_bp())]].concat();
        let b = vec![gb(bytes.all_time), gb(bytes.last_7_days)];
        let total = Cell::Real(reserved.total.get() as f64 / 102_400.0);
        let c = vec![int(reserved.accounts), total, percent(reserved.average_bp)];
        let d = report
            .blocked
            .iter()
            .map(|one| [&day(one.day)[..], &[int(one.users), int(one.refusals)]].concat());
        let shares = [thumbnails.total_shares, thumbnails.shares_with_thumbnail].map(int);
        let e = [&shares[..], &[percent(thumbnails.coverage_bp())]].concat();
        let f = report.bandwidth.iter().map(|one| [&day(one.day)[..], &[gb(one.bytes)]].concat());
        let g = report.suspicious.iter();
        let g = g.map(|user| vec![text(&user.account), int(user.uploads), gb(user.bytes)]);
        vec![
            ("v_upload_success", "completed failed pending success_rate_percentage", vec![a]),
            ("v_bytes_uploaded", "total_gb_all_time total_gb_last_7_days", vec![b]),
            (
                "v_credits_reserved",
                "accounts_with_reservations total_reserved_gb avg_reserved_percentage",
                vec![c],
            ),
            ("v_storage_limit_reached", "day day_us unique_users_blocked refusals", d.collect()),
            (
                "v_thumbnail_coverage",
                "total_shares shares_with_thumbnail thumbnail_coverage_percentage",
                vec![e],
            ),
            ("v_bandwidth_daily", "day day_us estimated_gb_uploaded", f.collect()),
            ("v_suspicious_uploads", "user_id uploads_last_hour total_gb_last_hour", g.collect()),
        ]
    }

    /// Reads both, and compares them row for row, in order.
    fn agree(fm: &FinalMile) -> Vec<ViewRows> {
        let report = report(fm, SystemWorld.now());
        let mut all = Vec::new();
        for (view, columns, rows) in expected(&report) {
            let seen = fm.store().view(view, 1_000).wait().unwrap();
            assert_eq!(seen.columns.join(" "), columns, "{view}");
            assert_eq!(seen.rows, rows, "{view}");
            all.push(seen);
        }
        all
    }

    #[test]
    fn rt4_views_of_sqlite_show_what_the_read_models_say() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemWorld.now();
        let empty = FinalMile::builder(Sqlite::file(folder.path().join("empty.db"))).open();
        assert_eq!(agree(&empty.unwrap()).len(), 7);
        let fm = live(Sqlite::file(folder.path().join("app.db")), now);
        is_as_lived(&report(&fm, now));
        assert_eq!(report(&fm, now), report(&live(Memory::new(), now), now));
        agree(&fm);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn rt4_views_of_postgresql_show_what_the_read_models_say() {
        let Some(cluster) = postgres_support::live_or_skip() else { return };
        let (schema, now) = (cluster.schema(), SystemWorld.now());
        let fm = live(finalmile::engines::Postgres::url(schema.url()).own_clock(), now);
        is_as_lived(&report(&fm, now));
        let folder = tempfile::tempdir().unwrap();
        let here = live(Sqlite::file(folder.path().join("app.db")), now);
        assert_eq!(report(&fm, now), report(&here, now));
        assert_eq!(agree(&fm), agree(&here));
    }
}
