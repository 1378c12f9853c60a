//! Maintenance: what is due ends, in any number of runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    Budget, Credits, FinalMile, SweepOptions,
    engines::Memory,
    limit::Policy,
    upload::{MediaType, NewShare, Processing, UploadStatus},
};
use world::{World, code, key, share};

const HOUR: Duration = Duration::from_secs(3_600);

fn begin(world: &World, count: usize) -> Vec<finalmile::UploadId> {
    let all = Policy::window("begin-upload".parse().unwrap(), 100_000, HOUR).unwrap();
    world.admin().configure(all).wait().unwrap();
    let pending: Vec<_> = (0..count)
        .map(|i| world.fm.uploads().begin(&world.ada, 1, &key(&format!("{i}"))))
        .collect();
    pending.into_iter().map(|one| one.wait().unwrap().upload_id).collect()
}

#[test]
fn uploads_fail_after_two_hours_and_free_their_credits() {
    let world = World::new();
    let ids = begin(&world, 3);
    world.fm.uploads().finalize(&world.ada, ids[0], share('a')).wait().unwrap();
    world.clock.advance(HOUR * 2 - Duration::from_secs(1));
    assert_eq!(world.fm.maintain(Budget::seconds(5)).wait().unwrap().uploads_failed, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.fm.maintain(Budget::seconds(5)).wait().unwrap().uploads_failed, 2);
    let failed = world.fm.uploads().get(&world.ada, ids[1]).wait().unwrap().unwrap();
    assert_eq!(failed.status, UploadStatus::Failed);
    assert_eq!(failed.failure.as_deref(), Some("not finished in time"));
    assert_eq!((world.balance(), world.available()), (999, 999));
    let late = world.fm.uploads().finalize(&world.ada, ids[1], share('b')).wait();
    assert_eq!(code(late), "UPLOAD_NOT_PENDING");
}

#[test]
fn lapsed_reservations_expire() {
    let world = World::new();
    world.fm.ledger().reserve(&world.ada, Credits::new(7), HOUR, &key("r")).wait().unwrap();
    world.clock.advance(HOUR);
    let report = world.fm.maintain(Budget::seconds(5)).wait().unwrap();
    assert_eq!((report.reservations_expired, report.more), (1, false));
    assert_eq!(world.available(), 1_000);
}

#[test]
fn m1_two_sweeps_at_once_end_each_upload_once() {
    let world = World::new();
    begin(&world, 900);
    world.clock.advance(HOUR * 2);
    let sweeps = [world.fm.maintain(Budget::seconds(60)), world.fm.maintain(Budget::seconds(60))];
    let ended: u64 = sweeps.into_iter().map(|one| one.wait().unwrap().uploads_failed).sum();
    assert_eq!((ended, world.available()), (900, 1_000));
}

#[test]
fn m2_a_sweep_without_time_says_that_there_is_more() {
    let world = World::new();
    begin(&world, 2);
    world.clock.advance(HOUR * 2);
    let report = world.fm.maintain(Budget::seconds(0)).wait().unwrap();
    assert_eq!((report.uploads_failed, report.more), (0, true));
    assert_eq!(world.fm.maintain(Budget::seconds(5)).wait().unwrap().uploads_failed, 2);
}

#[test]
fn a_clock_far_ahead_ends_what_is_due_and_one_set_back_ends_nothing() {
    let world = World::new();
    begin(&world, 2);
    let now = world.fm.store().now();
    world.clock.set(now.before(HOUR));
    assert_eq!(world.fm.maintain(Budget::seconds(5)).wait().unwrap().uploads_failed, 0);
    world.clock.set(now.after(HOUR * 24 * 90));
    assert_eq!(world.fm.maintain(Budget::seconds(5)).wait().unwrap().uploads_failed, 2);
}

#[test]
fn m2_no_more_rows_end_than_the_budget_allows() {
    let world = World::new();
    begin(&world, 30);
    world.clock.advance(HOUR * 2);
    let sweep = |rows| world.fm.maintain(Budget::seconds(60).rows(rows)).wait().unwrap();
    let report = sweep(12);
    assert_eq!((report.uploads_failed, report.more), (12, true));
    assert_eq!((sweep(0).uploads_failed, sweep(17).uploads_failed), (0, 17));
    let report = sweep(100);
    assert_eq!((report.uploads_failed, report.more), (1, false));
}

#[test]
fn m3_a_clock_that_jumps_purges_nothing_for_an_hour() {
    let world = World::new();
    let (items, trash) = (world.fm.items(), world.admin().trash());
    let item = "neuron:n1".parse().unwrap();
    items.register(&item, "a thing", None).wait().unwrap();
    trash.delete(&item, "x").wait().unwrap();
    let sweep = || world.fm.maintain(Budget::seconds(60)).wait().unwrap();
    assert!(!sweep().doubts_clock);
    world.clock.advance(HOUR * 24 * 91);
    let report = sweep();
    assert_eq!((report.doubts_clock, report.items_purged, report.more), (true, 0, true));
    // Set right: nothing was lost by it.
    world.clock.set(finalmile::Timestamp::from_millis(1_800_000_000_000).after(HOUR));
    assert_eq!((sweep().doubts_clock, sweep().items_purged), (false, 0));
    world.clock.advance(HOUR * 24 * 91);
    assert!(sweep().doubts_clock);
    world.clock.advance(HOUR);
    assert_eq!(sweep().items_purged, 1);
}

#[test]
fn who_has_most_of_it_set_aside_is_reported() {
    let world = World::new();
    let reserve = |credits| {
        let name = key(&format!("r{credits}"));
        world.fm.ledger().reserve(&world.ada, Credits::new(credits), HOUR * 9, &name)
    };
    reserve(799).wait().unwrap();
    let sweep = || world.fm.maintain(Budget::seconds(60)).wait().unwrap();
    assert_eq!(sweep().reserved_high, []);
    reserve(1).wait().unwrap();
    let high = sweep().reserved_high;
    assert_eq!(high.len(), 1);
    assert_eq!((&high[0].account, high[0].reserved_percent), (&world.ada, 80));
}

#[test]
fn when_small_pictures_have_failed_is_the_hosts_choice() {
    let world = World::new();
    let mut sweeps = SweepOptions::default();
    sweeps.processing_ttl = Duration::from_secs(600);
    let builder = FinalMile::builder(Memory::new()).world(world.clock.clone());
    let fm = builder.sweeps(sweeps).open().unwrap();
    fm.ledger().add_credits(world::purchase(&world.ada, 1_000, "pi_0")).wait().unwrap();
    let begun = fm.uploads().begin(&world.ada, 1 << 20, &key("a")).wait().unwrap();
    let plain = NewShare::new(MediaType::Image, world::cid("full"));
    let bare = NewShare { processing: Processing::Later, ..plain };
    fm.uploads().finalize(&world.ada, begun.upload_id, bare).wait().unwrap();
    let failed = || fm.maintain(Budget::seconds(5)).wait().unwrap().processing_failed;
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(failed(), 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!((failed(), failed()), (1, 0));
}
