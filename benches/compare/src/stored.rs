//! A full inbox: what an event's answer may take when a million came before it.
//!
//! The same file lies in memory, where a sync is free, and on the disk. What came before is written by
//! hand, as the library would have left it: in the order of the events' names, every body signed for
//! and done.

use std::{fs, path::Path};

use finalmile::Error;
use rusqlite::params;
use sha2::{Digest as _, Sha256};

use crate::{
    args::Args,
    budgets::{MEMORY, slowest},
    inbox::Inbox,
    report::{Bar, Report, Row, Unit},
    rivals::by_hand,
    rounds::Runs,
    stripe::{self, CREDITS, NOW, checkout},
    uploads::MANY,
};

/// How many events are written in one transaction.
const CHUNK: usize = 50_000;
/// What a stored body has, in bytes.
const BODY: usize = 1_024;
/// How many milliseconds an event's answer may take.
const BUDGET_MS: u32 = 50;

/// The rows of a full inbox.
///
/// # Errors
///
/// Whatever a store answers.
pub fn million(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = MANY[usize::from(args.quick)];
    let places = [
        (format!("without the sync ({MEMORY})"), Bar::AtMost(0.05)),
        ("durable".to_owned(), Bar::AtMost(1.0)),
    ];
    let figure = |place: &str| format!("consume at {many} events, the slowest of 100, {place}");
    if !places.iter().any(|(place, _)| args.wants(&figure(place))) {
        return Ok(());
    }
    let folder = |parent| tempfile::tempdir_in(parent).expect("a folder can be made");
    let (memory, disk) = (folder(MEMORY), folder(parent));
    let [here, there] = [&memory, &disk].map(|place| place.path().join("events.db"));
    let mut here_side = Inbox::open(&here)?;
    // Nobody else has the file while it is filled.
    here_side.fm.suspend()?;
    fill(&here, many).expect("the rows can be written");
    fs::copy(&here, &there).expect("the disk has room");
    fs::File::open(&there).and_then(|file| file.sync_all()).expect("the disk works");
    here_side = here_side.again(&here)?;
    let there_side = here_side.again(&there)?;
    let endpoint = stripe::endpoint();
    let calls: usize = if args.quick { 200 } else { 1_000 };
    let (mut runs, mut next) = ([Runs::default(), Runs::default()], many);
    for _ in 0..args.pace().rounds {
        let ops = next..next + calls as u64;
        next = ops.end;
        let events: Vec<_> = ops.map(|n| checkout(n).verified(&endpoint)).collect();
        for (side, runs) in [&here_side, &there_side].into_iter().zip(&mut runs) {
            runs.push(slowest(calls, |n| {
                side.credit(&events[n]);
                Ok(())
            })?);
        }
    }
    here_side.check(many..next)?;
    there_side.check(many..next)?;
    for ((place, bar), runs) in places.iter().zip(runs) {
        let mut budget = Runs::default();
        budget.push(f64::from(BUDGET_MS) * 1e6);
        let (figure, rival) = (figure(place), format!("a budget of {BUDGET_MS} ms"));
        report.row(&Row { figure, rival, unit: Unit::Micros, runs: [runs, budget], bar: *bar });
    }
    Ok(())
}

/// Writes that many events into a file of ours, with their bodies.
fn fill(path: &Path, many: u64) -> rusqlite::Result<()> {
    let connection = by_hand::open(path)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let mut all: Vec<_> = (0..many).map(|n| (stripe::event(n), n)).collect();
    all.sort_unstable();
    let mut at = (NOW - 90 * 86_400) * 1_000_000;
    for chunk in all.chunks(CHUNK) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut event = connection.prepare_cached(
            "INSERT INTO fm_event (sender, id, kind, created, object, digest, status, received_at,
                                   processed_at, attempts, token, credited, bodies)
             VALUES ('stripe', ?1, 'checkout.session.completed', ?2, ?3, ?4, 'ok', ?5, ?6, 1, 0, ?7, 1)",
        )?;
        let mut body = connection.prepare_cached(
            "INSERT INTO fm_event_payload (sender, id, digest, payload, at)
             VALUES ('stripe', ?1, ?2, ?3, ?4)",
        )?;
        for (id, n) in chunk {
            let object = format!("cs_live_a1{n:032x}");
            let text = small(id, &object, *n);
            let digest: [u8; 32] = Sha256::digest(&text).into();
            at += 1_000;
            let created = at / 1_000_000 * 1_000_000;
            event.execute(params![id, created, object, digest, at, at + 300, CREDITS])?;
            body.execute(params![id, digest, text, at])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let read = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(read, [], |_| Ok(()))
}

/// A body that holds what is read of it, and is as long as a short one.
fn small(id: &str, object: &str, n: u64) -> String {
    let payment = stripe::payment(n);
    let mut text = format!(
        r#"{{"id":"{id}","object":"event","created":{NOW},"type":"checkout.session.completed","data":{{"object":{{"id":"{object}","mode":"payment","payment_status":"paid","payment_intent":"{payment}","amount_total":499,"currency":"usd","metadata":{{"user_id":"account-{}","credits":"{CREDITS}"}},"note":""#,
        stripe::payer(n),
    );
    let end = r#""}},"livemode":true}"#;
    while text.len() + end.len() < BODY {
        text.push('x');
    }
    text + end
}
