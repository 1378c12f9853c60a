//! The page of the dashboards in a real browser: it says nothing on the console, and is light or dark as
//! its reader likes.
//!
//! Needs Chromium; `FINALMILE_SKIP_LIVE=1` leaves it out.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/world.rs"]
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use finalmile::{AccountId, FinalMile, Simulated, Timestamp, engines::Sqlite};
use world::{key, purchase, share};

const NOW_S: u64 = 1_800_000_000;

/// What the browser is called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser, or `None` where live tests are left out.
fn browser() -> Option<PathBuf> {
    if std::env::var_os("FINALMILE_SKIP_LIVE").is_some_and(|value| value == "1") {
        return None;
    }
    let folders = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&folders);
    let found = folders
        .find_map(|folder| NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file()));
    assert!(found.is_some(), "no Chromium: install it, or set FINALMILE_SKIP_LIVE=1");
    found
}

/// Opens a page; what the console said, and its picture.
fn open(browser: &Path, page: &Path, scheme: u8) -> (Vec<String>, image::RgbImage) {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    let done = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-quic"])
        .args(["--enable-logging=stderr", "--window-size=1200,1600"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let console = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
    (console.collect(), image::open(&picture).unwrap().to_rgb8())
}

/// How bright a picture is on average, of 255.
fn brightness(picture: &image::RgbImage) -> u64 {
    let sum: u64 = picture.pixels().flat_map(|pixel| pixel.0).map(u64::from).sum();
    sum / (3 * u64::from(picture.width()) * u64::from(picture.height()))
}

/// How many colours a picture shows that are neither grey nor nearly so.
fn coloured(picture: &image::RgbImage) -> usize {
    let is_coloured = |pixel: &&image::Rgb<u8>| {
        let [low, high] = [pixel.0.iter().min(), pixel.0.iter().max()];
        high.unwrap().abs_diff(*low.unwrap()) > 60
    };
    picture.pixels().filter(is_coloured).count()
}

#[test]
fn a_browser_shows_the_page_and_has_nothing_to_complain_of() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [db, out] = ["app.db", "report.html"].map(|name| folder.path().join(name));
    {
        let now = Timestamp::from_millis(NOW_S.cast_signed() * 1_000);
        let clock = Arc::new(Simulated::new(now.before(Duration::from_secs(600)), 9));
        let fm = FinalMile::builder(Sqlite::file(&db)).world(clock).open().unwrap();
        let ada = AccountId::new("ada").unwrap();
        fm.ledger().add_credits(purchase(&ada, 1_000, "pi_0")).wait().unwrap();
        let begun = fm.uploads().begin(&ada, 3 << 20, &key("a")).wait().unwrap();
        fm.uploads().finalize(&ada, begun.upload_id, share('a')).wait().unwrap();
        fm.uploads().begin(&ada, 1 << 40, &key("b")).wait().unwrap_err();
    }
    let made = Command::new(example::find("dashboard", &[]))
        .args(["--db", db.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args(["--now", &NOW_S.to_string(), "--used", "412345678901"])
        .status()
        .unwrap();
    assert!(made.success());

    // It would be heard.
    let loud = folder.path().join("loud.html");
    fs::write(&loud, "<script>console.error('loud'); missing()</script>").unwrap();
    assert_eq!(open(&browser, &loud, 1).0.len(), 2);

    let (said, light) = open(&browser, &out, 1);
    assert_eq!(said, Vec::<String>::new());
    let (said, dark) = open(&browser, &out, 0);
    assert_eq!(said, Vec::<String>::new());
    assert!(brightness(&light) > 200 && brightness(&dark) < 60);
    assert!(coloured(&light) > 5_000 && coloured(&dark) > 5_000, "charts are seen in both");
}
