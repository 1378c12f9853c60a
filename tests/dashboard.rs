//! The page of the dashboards, made as its user makes it: the figures are the read models' own.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/world.rs"]
mod world;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use finalmile::{
    AccountId, Actor, Day, FinalMile, Simulated, Timestamp,
    engines::Sqlite,
    limit::{Home, Policy},
    report::Report,
};
use world::{key, purchase, share};

const NOW_S: u64 = 1_800_000_000;
const NAUGHTY: &str = "</table><script>alert('\"&')</script>\u{202E}";

fn example() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example::find("dashboard", &[]))
}

fn run(arguments: &[&str]) -> (i32, String) {
    let done = Command::new(example()).args(arguments).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
}

/// A month of uploads, some refusals, and somebody with a name and a habit.
fn lived(path: &Path) -> Report {
    let now = Timestamp::from_millis(NOW_S.cast_signed() * 1_000);
    let day = Duration::from_secs(24 * 3_600);
    let clock = Arc::new(Simulated::new(now.before(40 * day), 9));
    let fm = FinalMile::builder(Sqlite::file(path)).world(clock.clone()).open().unwrap();
    let admin = fm.admin(Actor::new("ops").unwrap());
    for endpoint in ["begin-upload", "finalize-upload"] {
        let hour = Duration::from_secs(3_600);
        let many = Policy::greedy(endpoint.parse().unwrap(), 100_000, hour).unwrap();
        admin.configure(many.home(Home::Store)).wait().unwrap();
    }
    let accounts = ["ada", "bob", NAUGHTY.trim_end_matches('\u{202E}')];
    let naughty = AccountId::new(NAUGHTY).unwrap();
    let mut accounts: Vec<_> = accounts.map(|name| AccountId::new(name).unwrap()).into();
    accounts.push(naughty.clone());
    for (i, account) in (0..).zip(&accounts) {
        let paid = purchase(account, 3_000_000 + i, &format!("pi_{i}"));
        fm.ledger().add_credits(paid).wait().unwrap();
    }
    let uploads = fm.uploads();
    for back in (0..36_u32).rev() {
        clock.set(now.before(back * day).before(Duration::from_secs(1_200)));
        for (i, account) in (0_u64..).zip(&accounts) {
            let size = (1 + (u64::from(back) * 7 + i * 5) % 11) << 26;
            let begin = |size, name: &str| {
                uploads.begin(account, size, &key(&format!("{name}-{back}"))).wait()
            };
            let upload = begin(size, "a").unwrap().upload_id;
            match (u64::from(back) + i) % 6 {
                0 => drop(uploads.fail(account, upload, "gave up").wait().unwrap()),
                1 if back == 0 => {}
                _ => drop(uploads.finalize(account, upload, share('a')).wait().unwrap()),
            }
            if (u64::from(back) + i).is_multiple_of(3) {
                begin(1 << 40, "too much").unwrap_err();
            }
        }
    }
    for n in 0..130 {
        uploads.begin(&naughty, 9 << 20, &key(&format!("flood-{n}"))).wait().unwrap();
    }
    clock.set(now);
    admin.report().wait().unwrap()
}

/// The values of a section's `<data>` elements, in order.
fn values<'p>(page: &'p str, id: &str) -> Vec<&'p str> {
    let start = page.find(&format!("<section id=\"{id}\"")).unwrap();
    let section = &page[start..start + page[start..].find("</section>").unwrap()];
    section.split("<data value=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

/// The days that head a section's rows.
fn days<'p>(page: &'p str, id: &str) -> Vec<&'p str> {
    let start = page.find(&format!("<section id=\"{id}\"")).unwrap();
    let section = &page[start..start + page[start..].find("</section>").unwrap()];
    let rows = section.split("<th scope=\"row\">").skip(1);
    rows.map(|rest| rest.split_once('<').unwrap().0).collect()
}

fn compare(page: &str, report: &Report) {
    let bp = |bp: Option<u64>| bp.map_or(String::new(), |bp| bp.to_string());
    let all = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
    let Report { uploads, bytes, reserved, thumbnails, .. } = report;
    let mut a = all(&[uploads.completed, uploads.failed, uploads.pending]);
    a.push(bp(uploads.success_rate_bp()));
    assert_eq!(values(page, "uploads"), a);
    assert_eq!(values(page, "bytes"), all(&[bytes.all_time, bytes.last_7_days]));
    let total = reserved.total.get().cast_unsigned();
    let c = [all(&[reserved.accounts, total]), vec![bp(reserved.average_bp)]].concat();
    assert_eq!(values(page, "reserved"), c);
    let d: Vec<_> = report.blocked.iter().flat_map(|day| [day.users, day.refusals]).collect();
    assert_eq!(values(page, "blocked"), all(&d));
    let mut e = all(&[thumbnails.total_shares, thumbnails.shares_with_thumbnail]);
    e.push(bp(thumbnails.coverage_bp()));
    assert_eq!(values(page, "thumbnails"), e);
    let f: Vec<_> = report.bandwidth.iter().map(|day| day.bytes).collect();
    assert_eq!(values(page, "bandwidth"), all(&f));
    let g: Vec<_> = report.suspicious.iter().flat_map(|user| [user.uploads, user.bytes]).collect();
    assert_eq!(values(page, "suspicious"), all(&g));
    let names = |days: Vec<Day>| days.iter().map(Day::to_string).collect::<Vec<_>>();
    assert_eq!(days(page, "blocked"), names(report.blocked.iter().map(|d| d.day).collect()));
    assert_eq!(days(page, "bandwidth"), names(report.bandwidth.iter().map(|d| d.day).collect()));
}

#[test]
fn the_page_shows_the_read_models_figures_and_nobodys_script() {
    let folder = tempfile::tempdir().unwrap();
    // Kept for whoever wants to look at it.
    let folder = std::env::var_os("FINALMILE_KEEP").map_or(folder.path().to_owned(), PathBuf::from);
    let [db, out] = ["app.db", "report.html"].map(|name| folder.join(name).display().to_string());
    let report = lived(Path::new(&db));
    assert!(report.blocked.len() == 7 && report.bandwidth.len() == 30, "{report:?}");
    assert_eq!(report.suspicious.len(), 1);

    let now = NOW_S.to_string();
    let asked = ["--db", &db, "--out", &out, "--now", &now, "--used", "412345678901"];
    assert_eq!(run(&asked), (0, String::new()));
    let page = std::fs::read_to_string(&out).unwrap();
    compare(&page, &report);
    assert_eq!(values(&page, "gateway"), ["412345678901", "500000000000"]);
    assert!(page.contains("80 % of the plan"));

    let shown = "&lt;/table&gt;&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;\
                 <span class=\"mark\">U+202E</span>";
    assert_eq!(page.matches(shown).count(), 1);
    assert!(!page.contains("<script") && !page.contains('\u{202E}'));
    for elsewhere in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    // A picture for who sees it, words and a table for who does not.
    let pictures = page.matches("<svg ").count();
    assert_eq!((pictures, page.matches("role=\"img\" aria-label=\"").count()), (7, 7));
    assert_eq!(page.matches("<table ").count(), 8);
}

#[test]
fn an_empty_database_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let [db, out] =
        ["app.db", "report.html"].map(|name| folder.path().join(name).display().to_string());
    drop(FinalMile::builder(Sqlite::file(&db)).open().unwrap());
    assert_eq!(run(&["--db", &db, "--out", &out]), (0, String::new()));
    let page = std::fs::read_to_string(&out).unwrap();
    compare(&page, &Report::default());
    assert!(page.contains("Nobody.") && !page.contains("NaN"));
    assert!(!page.contains("id=\"gateway\""));
}

#[test]
fn what_cannot_be_read_or_understood_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let [db, out] =
        ["none.db", "report.html"].map(|name| folder.path().join(name).display().to_string());
    let (code, told) = run(&["--db", &db, "--out", &out]);
    assert!(code == 1 && told.contains("no such file"), "{told}");
    assert!(!Path::new(&db).exists() && !Path::new(&out).exists());
    assert_eq!(run(&["--db", &db]).0, 2);
    assert_eq!(run(&["--db", &db, "--out", &out, "--now", "soon"]).0, 2);
    assert_eq!(run(&["--help"]).0, 0);
}
