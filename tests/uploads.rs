//! Uploads, from begin to the feed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    AccountId, Credits, ReservationId, ShareId, UploadId,
    ledger::ReservationState,
    limit::Policy,
    upload::{
        ContentId, FinalizeUpload, MediaType, NewShare, Pictures, Processing, ProcessingEvent,
        ProcessingStatus, ShareState, UploadStatus, next_status,
    },
};
use world::{World, cid, code, key, purchase, share};

const MIB: u64 = 1 << 20;

#[test]
fn u1_a_feed_shows_the_smallest_picture_there_is_and_never_a_video() {
    let world = World::new();
    let some = |words: &str| Some(cid(words));
    let full = cid("full");
    let (image, video) = (MediaType::Image, MediaType::Video);
    let cases = [
        (image, some("thumb"), some("preview"), None, some("thumb")),
        (image, None, some("preview"), None, some("preview")),
        (video, None, None, some("poster"), some("poster")),
        (image, None, None, None, some("full")),
        (video, None, None, None, None),
    ];
    for (i, (media_type, thumbnail_cid, preview_cid, video_poster_cid, shown)) in (0..).zip(cases) {
        let begun =
            world.fm.uploads().begin(&world.ada, MIB, &key(&format!("{i}"))).wait().unwrap();
        let ipfs_cid = full.clone();
        let share = NewShare {
            thumbnail_cid,
            preview_cid,
            video_poster_cid,
            ..NewShare::new(media_type, ipfs_cid)
        };
        let done = world.fm.uploads().finalize(&world.ada, begun.upload_id, share).wait().unwrap();
        assert_eq!(done.share.display_cid(), shown.as_ref());
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
    // The operator frees the credits: the upload fails with them.
    let held = ReservationId::from_bytes(*begun.upload_id.as_bytes());
    world.admin().release_reservation(&world.ada, held, "it is stuck").wait().unwrap();
    let done = world.fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(done), "UPLOAD_NOT_PENDING");
    assert_eq!(world.fm.uploads().feed(None).wait().unwrap().rows, []);
    let upload = world.fm.uploads().get(&world.ada, begun.upload_id).wait().unwrap().unwrap();
    assert_eq!(upload.status, UploadStatus::Failed);
    let audit = world.admin().audit("account:ada").unwrap();
    assert_eq!(audit.last().map(|act| act.action.as_str()), Some("release-reservation"));
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
    let finalize = |upload| FinalizeUpload::new(&world.ada, upload, share('a')).unwrap();
    let both = vec![finalize(begun.upload_id), finalize(UploadId::from_bytes([9; 16]))];
    let answers = world.fm.store().submit(both).wait().unwrap();
    assert!(answers[0].is_ok() && answers[1].is_err());
    assert_eq!(world.balance(), 1_000 - Credits::for_bytes(MIB).get());
}

#[test]
fn u7_a_draft_is_seen_by_its_owner_alone_and_adopted_with_its_upload() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let bob = AccountId::new("bob").unwrap();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let draft = uploads.draft(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    assert_eq!(draft.state, ShareState::Draft);
    assert_eq!(uploads.feed(None).wait().unwrap().rows, []);
    assert_eq!(uploads.share(&world.ada, draft.id).wait().unwrap(), Some(draft.clone()));
    assert_eq!(uploads.share(&bob, draft.id).wait().unwrap(), None);
    assert_eq!(code(uploads.draft(&bob, begun.upload_id, share('b')).wait()), "UPLOAD_NOT_FOUND");

    world.clock.advance(Duration::from_secs(60));
    let foreign = uploads.adopt(&world.ada, begun.upload_id, ShareId::from_bytes([3; 16]), None);
    assert_eq!(code(foreign.wait()), "SHARE_NOT_FOUND");
    assert_eq!(world.balance(), 1_000);
    let done = uploads.adopt(&world.ada, begun.upload_id, draft.id, None).wait().unwrap();
    assert_eq!((done.share.id, done.share.state), (draft.id, ShareState::Live));
    assert_eq!(done.share.ipfs_cid, draft.ipfs_cid);
    assert!(done.share.created_at > draft.created_at, "it is shared now, not when it was drafted");
    let again = uploads.adopt(&world.ada, begun.upload_id, draft.id, None).wait().unwrap();
    assert!(again.replayed);
    assert_eq!(uploads.share(&bob, draft.id).wait().unwrap().as_ref(), Some(&done.share));
    assert_eq!(uploads.feed(None).wait().unwrap().rows, [done.share]);
    let late = uploads.draft(&world.ada, begun.upload_id, share('b')).wait();
    assert_eq!(code(late), "UPLOAD_NOT_PENDING", "a share for an upload that has ended");
}

#[test]
fn u7_a_draft_goes_with_its_upload_and_the_last_one_counts() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let draft = uploads.draft(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    uploads.fail(&world.ada, begun.upload_id, "no network").wait().unwrap();
    assert_eq!(uploads.share(&world.ada, draft.id).wait().unwrap(), None);
    let dead = uploads.draft(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(dead), "UPLOAD_NOT_PENDING", "a share for a failed upload");

    let begun = uploads.begin(&world.ada, MIB, &key("b")).wait().unwrap();
    uploads.draft(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    uploads.draft(&world.ada, begun.upload_id, share('b')).wait().unwrap();
    // Without a word about the draft: what is given here is what is shared, under the same name.
    let done = uploads.finalize(&world.ada, begun.upload_id, share('c')).wait().unwrap();
    assert_eq!(done.share.ipfs_cid, share('c').ipfs_cid);
    assert_eq!(uploads.feed(None).wait().unwrap().rows.len(), 1);
}

#[test]
fn u8_pictures_come_once_and_nobody_waits_for_them_for_ever() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let later = || NewShare {
        processing: Processing::Later,
        ..NewShare::new(MediaType::Video, cid("film"))
    };
    let shared = |name| {
        let begun = uploads.begin(&world.ada, MIB, &key(name)).wait().unwrap();
        uploads.finalize(&world.ada, begun.upload_id, later()).wait().unwrap().share
    };
    let (first, second) = (shared("a"), shared("b"));
    assert_eq!(first.processing_status, ProcessingStatus::Pending);
    assert_eq!(uploads.waiting(None).wait().unwrap().rows.len(), 2);
    assert_eq!(first.display_cid(), None, "a video without pictures");

    uploads.process(first.id, ProcessingEvent::Start).wait().unwrap();
    let poster = Pictures { video_poster_cid: Some(cid("poster")), ..Pictures::default() };
    let made = ProcessingEvent::Complete(poster);
    let done = uploads.process(first.id, made.clone()).wait().unwrap();
    assert_eq!(done.display_cid(), Some(&cid("poster")));
    assert_eq!(uploads.process(first.id, made).wait().unwrap(), done, "an answer that was lost");
    let other = Pictures { video_poster_cid: Some(cid("other")), ..Pictures::default() };
    let other = uploads.process(first.id, ProcessingEvent::Complete(other)).wait();
    assert_eq!(code(other), "SHARE_NOT_PROCESSING");

    let budget = finalmile::Budget::seconds(60);
    world.clock.advance(Duration::from_secs(2 * 3_600 - 1));
    assert_eq!(world.fm.maintain(budget).wait().unwrap().processing_failed, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.fm.maintain(budget).wait().unwrap().processing_failed, 1);
    assert_eq!(world.fm.maintain(budget).wait().unwrap().processing_failed, 0);
    let stuck = uploads.share(&world.ada, second.id).wait().unwrap().unwrap();
    assert_eq!(stuck.processing_status, ProcessingStatus::Failed);
    assert!(uploads.process(second.id, ProcessingEvent::Start).wait().is_ok(), "somebody retries");
}

#[test]
fn u8_the_table_of_the_documentation_is_what_the_function_says() {
    let made = || ProcessingEvent::Complete(Pictures::default());
    let events = [ProcessingEvent::Start, made(), ProcessingEvent::Fail, ProcessingEvent::Expire];
    let names = ["start", "complete", "fail", "expire"];
    let text = include_str!("../src/upload/process.rs");
    let mut count = 0;
    for status in ProcessingStatus::ALL {
        for (event, name) in events.iter().zip(names) {
            let Some(next) = next_status(*status, event) else { continue };
            let row = format!("//! {status:<10} --{name:-<9}> {next}");
            assert!(text.contains(&row), "{row}");
            count += 1;
        }
    }
    assert_eq!(count, 8);
    let told = text.lines().filter(|line| line.contains(" --") && line.contains("-> "));
    assert_eq!(told.count(), 8, "the documentation tells more");
}

#[test]
fn an_operator_fails_what_is_stuck_and_the_books_still_balance() {
    let world = World::new();
    let (uploads, ledger, admin) = (world.fm.uploads(), world.fm.ledger(), world.admin());
    for name in ["a", "b", "c"] {
        uploads.begin(&world.ada, MIB, &key(name)).wait().unwrap();
    }
    let hour = Duration::from_secs(3_600);
    let own = ledger.reserve(&world.ada, Credits::new(500), hour, &key("r")).wait().unwrap();
    let high = admin.high_reserved(80).unwrap();
    assert_eq!((high.len(), high[0].reserved_percent()), (1, 80));
    assert_eq!(admin.high_reserved(81).unwrap(), []);

    assert_eq!(admin.fail_pending_uploads(&world.ada, "a broken client").unwrap(), 3);
    assert_eq!(admin.fail_pending_uploads(&world.ada, "a broken client").unwrap(), 0);
    assert_eq!((world.balance(), world.available()), (1_000, 500));
    let freed = admin.release_reservation(&world.ada, own, "it is stuck").wait().unwrap();
    assert_eq!(freed.state, ReservationState::Released);
    assert_eq!(world.available(), 1_000);
    let again = admin.release_reservation(&world.ada, own, "it is stuck").wait();
    assert_eq!(code(again), "RESERVATION_NOT_PENDING");
    assert_eq!(code(admin.release_reservation(&world.ada, own, " ").wait()), "INVALID_REQUEST");
    assert_eq!(admin.audit("account:ada").unwrap().len(), 4);
    assert!(ledger.verify(None).wait().unwrap().is_sound());
    let failed = uploads.list(&world.ada, None).wait().unwrap().rows;
    assert!(failed.iter().all(|upload| upload.failure.as_deref() == Some("a broken client")));
}

#[test]
fn u5_a_lost_answer_is_repeated_also_after_a_service_made_better_pictures() {
    let world = World::new();
    let uploads = world.fm.uploads();
    let begun = uploads.begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let rough = || NewShare { processing: Processing::Later, ..share('a') };
    let finalize = |share| uploads.finalize(&world.ada, begun.upload_id, share).wait();
    let done = finalize(rough()).unwrap();
    let fine = Pictures { thumbnail_cid: Some(cid("fine")), ..Pictures::default() };
    uploads.process(done.share.id, ProcessingEvent::Complete(fine)).wait().unwrap();
    let again = finalize(rough()).unwrap();
    assert!(again.replayed);
    assert_eq!(again.share.thumbnail_cid, Some(cid("fine")));
    let other = NewShare { thumbnail_cid: Some(cid("fine")), ..share('a') };
    assert_eq!(code(finalize(other)), "IDEMPOTENCY_CONFLICT", "it asked for something else");
}

#[test]
fn two_spellings_of_one_content_id_are_one_share() {
    let world = World::new();
    let begun = world.fm.uploads().begin(&world.ada, MIB, &key("a")).wait().unwrap();
    let spelled = |text: &str| NewShare::new(MediaType::Image, ContentId::new(text).unwrap());
    let old = spelled("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
    let new = spelled("bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y");
    let finalize = |share| world.fm.uploads().finalize(&world.ada, begun.upload_id, share).wait();
    finalize(old).unwrap();
    let again = finalize(new).unwrap();
    assert!(again.replayed);
    assert!(again.share.ipfs_cid.as_str().starts_with("Qm"), "as the client wrote it first");
}
