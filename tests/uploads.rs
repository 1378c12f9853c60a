//! Uploads, from begin to the feed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    AccountId, Credits, ReservationId, ShareId, TransferId, UploadId,
    limit::Policy,
    upload::{ContentId, FinalizeUpload, MediaType, NewShare, UploadStatus},
};
use world::{World, code, key, purchase, share};

const MIB: u64 = 1 << 20;

#[test]
fn u1_a_feed_shows_the_smallest_picture_there_is_and_never_a_video() {
    let world = World::new();
    let cid = |text: &str| Some(ContentId::new(text).unwrap());
    let full = ContentId::new("fullfullfull").unwrap();
    let (image, video) = (MediaType::Image, MediaType::Video);
    let cases = [
        (image, cid("thumbthumb"), cid("previewpreview"), None, Some("thumbthumb")),
        (image, None, cid("previewpreview"), None, Some("previewpreview")),
        (video, None, None, cid("posterposter"), Some("posterposter")),
        (image, None, None, None, Some("fullfullfull")),
        (video, None, None, None, None),
    ];
    for (i, (media_type, thumbnail_cid, preview_cid, video_poster_cid, shown)) in (0..).zip(cases) {
        let begun =
            world.fm.uploads().begin(&world.ada, MIB, &key(&format!("{i}"))).wait().unwrap();
        let ipfs_cid = full.clone();
        let share = NewShare { media_type, ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid };
        let done = world.fm.uploads().finalize(&world.ada, begun.upload_id, share).wait().unwrap();
        assert_eq!(done.share.display_cid().map(ContentId::as_str), shown);
    }
}

#[test]
fn u2_the_same_key_and_size_give_the_same_upload_and_take_no_token() {
    let world = World::new();
    let two_an_hour =
        Policy::window("begin-upload".parse().unwrap(), 2, Duration::from_secs(3_600));
    world.admin().configure(two_an_hour.unwrap()).wait().unwrap();
    let begin = |size, name| world.fm.uploads().begin(&world.ada, size, &key(name)).wait();
    let first = begin(MIB, "a").unwrap();
    for _ in 0..5 {
        let again = begin(MIB, "a").unwrap();
        assert_eq!((again.upload_id, again.replayed), (first.upload_id, true));
    }
    assert_eq!(world.available(), 900);
    assert_eq!(code(begin(MIB + 1, "a")), "IDEMPOTENCY_CONFLICT");
    begin(MIB, "b").unwrap();
    assert_eq!(code(begin(MIB, "c")), "RATE_LIMIT_EXCEEDED");
    assert_eq!(world.available(), 800);
}

#[test]
fn u3_refusals_come_in_one_order() {
    let world = World::new();
    let one = Policy::window("begin-upload".parse().unwrap(), 1, Duration::from_secs(3_600));
    world.admin().configure(one.unwrap()).wait().unwrap();
    let begin = |size, name| world.fm.uploads().begin(&world.ada, size, &key(name)).wait();
    // Frozen, without tokens and without credits, but the key was used: the conflict comes first.
    begin(MIB, "a").unwrap();
    world.admin().freeze(&world.ada, "too much", None).wait().unwrap();
    assert_eq!(code(begin(1 << 40, "a")), "IDEMPOTENCY_CONFLICT");
    assert_eq!(code(begin(1 << 40, "b")), "ACCOUNT_FROZEN");
    world.admin().unfreeze(&world.ada, "enough").wait().unwrap();
    assert_eq!(code(begin(1 << 40, "b")), "RATE_LIMIT_EXCEEDED");
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(code(begin(1 << 40, "b")), "STORAGE_LIMIT_REACHED");
    // The refusal for credits spent the token: it was asked.
    assert_eq!(code(begin(MIB, "c")), "RATE_LIMIT_EXCEEDED");
    let nobody = AccountId::new("nobody").unwrap();
    assert_eq!(code(world.fm.uploads().begin(&nobody, MIB, &key("n")).wait()), "ACCOUNT_NOT_FOUND");
}

#[test]
fn u4_finalizing_settles_the_credits_and_writes_the_share_together() {
    let world = World::new();
    let begun = world.fm.uploads().begin(&world.ada, MIB, &key("a")).wait().unwrap();
    assert_eq!((world.balance(), world.available()), (1_000, 900));
    let done = world.fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    assert_eq!((done.upload.status, done.replayed), (UploadStatus::Complete, false));
    assert_eq!((world.balance(), world.available()), (900, 900));
    let feed = world.fm.uploads().feed(None).wait().unwrap();
    assert_eq!(feed.rows, [done.share]);
}

#[test]
fn u4_what_cannot_be_settled_shares_nothing() {
    let world = World::new();
    let begun = world.fm.uploads().begin(&world.ada, MIB, &key("a")).wait().unwrap();
    // The operator released the credits by hand.
    let held = ReservationId::from_bytes(*begun.upload_id.as_bytes());
    world.fm.ledger().release(&world.ada, held).wait().unwrap();
    let done = world.fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(done), "UPLOAD_NOT_PENDING");
    assert_eq!(world.fm.uploads().feed(None).wait().unwrap().rows, []);
    let upload = world.fm.uploads().get(&world.ada, begun.upload_id).wait().unwrap().unwrap();
    assert_eq!(upload.status, UploadStatus::Pending);
}

#[test]
fn u5_repeating_an_end_changes_nothing_and_the_first_share_stays() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let first = uploads.finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    let again = uploads.finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    assert_eq!((again.share.id, again.replayed), (first.share.id, true));
    let other = uploads.finalize(&world.ada, begun.upload_id, share('b')).wait();
    assert_eq!(code(other), "IDEMPOTENCY_CONFLICT");
    assert_eq!(code(uploads.fail(&world.ada, begun.upload_id, "no").wait()), "UPLOAD_NOT_PENDING");
    assert_eq!((world.balance(), uploads.feed(None).wait().unwrap().rows.len()), (900, 1));
}

#[test]
fn u5_a_failed_upload_frees_its_credits_once_and_is_never_finalized() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    for _ in 0..2 {
        let failed = uploads.fail(&world.ada, begun.upload_id, "no network").wait().unwrap();
        assert_eq!(failed.status, UploadStatus::Failed);
    }
    assert_eq!((world.balance(), world.available()), (1_000, 1_000));
    let done = uploads.finalize(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(done), "UPLOAD_NOT_PENDING");
}

#[test]
fn u6_a_viewer_does_not_even_learn_of_others_uploads() {
    let world = World::new();
    let bob = AccountId::new("bob").unwrap();
    world.fm.ledger().add_credits(purchase(&bob, 1_000, "pi_bob")).wait().unwrap();
    let uploads = world.fm.uploads();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let his = uploads.finalize(&bob, begun.upload_id, share('a')).wait();
    let none = uploads.finalize(&bob, UploadId::from_bytes([7; 16]), share('a')).wait();
    assert_eq!((code(his), code(none)), ("UPLOAD_NOT_FOUND", "UPLOAD_NOT_FOUND"));
    assert_eq!(code(uploads.fail(&bob, begun.upload_id, "mine").wait()), "UPLOAD_NOT_FOUND");
    assert_eq!(uploads.get(&bob, begun.upload_id).wait().unwrap(), None);
}

#[test]
fn sizes_of_nothing_or_beyond_the_largest_number_are_refused() {
    let world = World::new();
    for size in [0, u64::MAX, 1 << 63] {
        let bad = world.fm.uploads().begin(&world.ada, size, &key("a")).wait();
        assert_eq!(code(bad), "INVALID_REQUEST");
    }
    let most = world.fm.uploads().begin(&world.ada, i64::MAX.cast_unsigned(), &key("a")).wait();
    assert_eq!(code(most), "STORAGE_LIMIT_REACHED");
    assert_eq!(world.available(), 1_000);
}

#[test]
fn a_malformed_content_id_is_refused() {
    for bad in ["", "short", "../../etc/passwd", "bafy bafy", "bafy\0bafy", &"b".repeat(10_000)] {
        assert!(ContentId::new(bad).is_err(), "{bad:.20}");
    }
}

#[test]
fn a_thousand_items_come_in_pages_of_twenty_newest_first() {
    let world = World::new();
    let all = Policy::window("begin-upload".parse().unwrap(), 10_000, Duration::from_secs(3_600));
    world.admin().configure(all.unwrap()).wait().unwrap();
    let all =
        Policy::window("finalize-upload".parse().unwrap(), 10_000, Duration::from_secs(3_600));
    world.admin().configure(all.unwrap()).wait().unwrap();
    for i in 0..105 {
        world.clock.advance(Duration::from_millis(5));
        let begun = world.fm.uploads().begin(&world.ada, 1, &key(&format!("{i}"))).wait().unwrap();
        world.fm.uploads().finalize(&world.ada, begun.upload_id, share('x')).wait().unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.fm.uploads().feed(cursor).wait().unwrap();
        seen.extend(page.rows.iter().map(|share| share.created_at));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        assert_eq!(page.rows.len(), 20);
    }
    assert_eq!(seen.len(), 105);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

#[test]
fn the_commands_run_together_in_one_transaction() {
    let world = World::new();
    let begun = world.fm.uploads().begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let finalize = |upload, share_id: u8| {
        let (id, transfer) =
            (ShareId::from_bytes([share_id; 16]), TransferId::from_bytes([share_id; 16]));
        FinalizeUpload::new(&world.ada, upload, share('a'), id, transfer).unwrap()
    };
    let both = vec![finalize(begun.upload_id, 1), finalize(UploadId::from_bytes([9; 16]), 2)];
    let answers = world.fm.store().submit(both).wait().unwrap();
    assert!(answers[0].is_ok() && answers[1].is_err());
    assert_eq!(world.balance(), 1_000 - Credits::for_bytes(MIB).get());
}
