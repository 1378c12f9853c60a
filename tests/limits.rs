//! Limits, freezes and their audit, as a service uses them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use finalmile::{
    AccountId, Actor, EndpointName, Error, FinalMile, Refusal, Simulated, Timestamp,
    engines::Memory,
    limit::{Align, Decision, Endpoint, Home, LimitOptions, LogMode, Policy, Reason, Subject},
};
use world::{World, code, key};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

fn name(text: &str) -> EndpointName {
    text.parse().unwrap()
}

fn endpoint(world: &World, name: &str) -> Endpoint {
    world.fm.limiter().endpoint(name).unwrap()
}

/// With other options of the limiter.
fn with(change: impl FnOnce(&mut LimitOptions)) -> (FinalMile, Arc<Simulated>) {
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1));
    let mut options = LimitOptions::default();
    change(&mut options);
    let fm = FinalMile::builder(Memory::new()).world(clock.clone()).limits(options);
    (fm.open().unwrap(), clock)
}

#[test]
fn a_burst_is_allowed_and_then_the_rate() {
    let world = World::new();
    let search = endpoint(&world, "search");
    let check = || world.fm.limiter().check(search, &world.ada);
    for left in (0..120).rev() {
        assert_eq!(check().remaining(), Some(left));
    }
    let refused = check();
    assert_eq!(refused.reason(), Some(Reason::RateLimited));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(refused.reset_after(), Duration::from_secs(120));
    world.clock.advance(Duration::from_secs(1));
    assert!(check().is_allowed());
    assert!(!check().is_allowed());
}

#[test]
fn a_refusal_says_why_in_http_and_to_the_client() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let many = NonZeroU32::new(20).unwrap();
    let allowed = world.fm.limiter().check_n(auth, &world.ada, many);
    assert_eq!((allowed.public_error(), allowed.http_status()), (None, 200));
    let refused = world.fm.limiter().check(auth, &world.ada);
    let expected = [
        ("ratelimit-policy", r#""user_auth";q=20;w=120"#),
        ("ratelimit", r#""user_auth";r=0;t=120"#),
        ("retry-after", "6"),
    ];
    assert_eq!(refused.headers(), expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(refused.http_status(), 429);
    let public = refused.public_error().unwrap();
    assert_eq!((public.code, public.error), ("RATE_LIMIT_EXCEEDED", "Too many requests"));
    let error = world.fm.limiter().allow(auth, &world.ada).unwrap_err();
    let Error::Refused(Refusal::RateLimited { key, endpoint, retry_after_ms }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((key.as_str(), endpoint.as_str()), ("ada", "user_auth"));
    assert_eq!(retry_after_ms.unwrap().get(), 6_000);
}

#[test]
fn a_cost_above_the_burst_is_never_possible() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let too_many = NonZeroU32::new(21).unwrap();
    let decision = world.fm.limiter().check_n(auth, &world.ada, too_many);
    assert_eq!(decision.reason(), Some(Reason::CostExceedsBurst));
    assert_eq!((decision.retry_after(), decision.http_status()), (None, 429));
    assert_eq!(world.fm.limiter().peek(auth, &world.ada).remaining(), Some(20));
}

#[test]
fn the_documents_limits_are_there_from_the_start() {
    let world = World::new();
    let policies = world.fm.limiter().policies().wait().unwrap().rows;
    let limits: Vec<_> = policies.iter().map(|p| (p.endpoint().as_str(), p.capacity())).collect();
    let expected = [
        ("admin_crud", 200),
        ("api_general", 240),
        ("begin-upload", 50),
        ("content_access", 60),
        ("feed", 100),
        ("finalize-upload", 50),
        ("search", 120),
        ("stripe_webhook", 2_000),
        ("user_auth", 20),
    ];
    assert_eq!(limits, expected);
    assert_eq!(code(world.fm.limiter().endpoint("nowhere")), "ENDPOINT_NOT_FOUND");
    assert_eq!(code(world.fm.limiter().endpoint("")), "INVALID_REQUEST");
    assert_eq!(code(world.fm.limiter().endpoint(&"x".repeat(10_000))), "INVALID_REQUEST");
}

#[test]
fn a_bucket_has_one_home() {
    let world = World::new();
    assert_eq!(code(world.fm.limiter().endpoint("begin-upload")), "INVALID_REQUEST");
    let take = |at: &str| world.fm.limiter().take(&name(at), &world.ada).wait();
    assert_eq!(code(take("search")), "INVALID_REQUEST");
    assert_eq!(code(take("nowhere")), "ENDPOINT_NOT_FOUND");
    assert_eq!(take("begin-upload").unwrap().remaining(), Some(49));
    let stays = Policy::window(name("begin-upload"), 60, HOUR).unwrap();
    world.admin().configure(stays).wait().unwrap();
    assert!(take("begin-upload").unwrap().remaining() > Some(50));
    let moved = Policy::window(name("search"), 50, HOUR).unwrap().home(Home::Store);
    assert_eq!(code(world.admin().configure(moved).wait()), "IDEMPOTENCY_CONFLICT");
}

#[test]
fn a_limit_is_changed_live_and_an_inactive_one_allows_everything() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let check = || world.fm.limiter().check(auth, &world.ada);
    let one = Policy::greedy(name("user_auth"), 1, MINUTE).unwrap();
    world.admin().configure(one.clone()).wait().unwrap();
    assert_eq!(check().remaining(), Some(0));
    assert!(!check().is_allowed());
    world.admin().configure(one.active(false)).wait().unwrap();
    for _ in 0..100 {
        assert_eq!(check().remaining(), None);
        assert!(check().headers().is_empty());
    }
}

#[test]
fn q6_a_change_keeps_the_share_that_was_spent() {
    let world = World::new();
    let search = endpoint(&world, "search");
    let peek = || world.fm.limiter().peek(search, &world.ada);
    let half = NonZeroU32::new(60).unwrap();
    assert!(world.fm.limiter().check_n(search, &world.ada, half).is_allowed());
    let greedy = |tokens, burst| {
        Policy::greedy(name("search"), tokens, MINUTE).unwrap().burst(burst).unwrap()
    };
    let window = Policy::window(name("search"), 10, HOUR).unwrap();
    for (policy, left) in [
        (greedy(7, 30), 15),
        (greedy(1_000_003, 2_000_000), 1_000_000),
        (window.clone(), 5),
        (window.aligned(Align::First).unwrap(), 5),
        (greedy(60, 120), 60),
    ] {
        world.admin().configure(policy).wait().unwrap();
        assert_eq!(peek().remaining(), Some(left));
    }
    // Twenty more changes than there are generations, with checks between them.
    for i in 0..40 {
        world.admin().configure(greedy(60 + i % 2, 120)).wait().unwrap();
        assert!(world.fm.limiter().check(search, &world.ada).is_allowed());
    }
    assert!((19..=20).contains(&peek().remaining().unwrap()));
}

#[test]
fn q6_a_change_in_the_store_keeps_the_share_that_was_spent() {
    let world = World::new();
    let take = || world.fm.limiter().take(&name("begin-upload"), &world.ada).wait();
    (0..25).for_each(|_| assert!(take().unwrap().is_allowed()));
    let wider = Policy::window(name("begin-upload"), 100, HOUR).unwrap();
    world.admin().configure(wider).wait().unwrap();
    assert_eq!(take().unwrap().remaining(), Some(49));
    let bucket = Policy::greedy(name("begin-upload"), 10, HOUR).unwrap();
    world.admin().configure(bucket).wait().unwrap();
    // 51 of 100 is 5.1 of 10.
    assert_eq!(take().unwrap().remaining(), Some(3));
}

#[test]
fn b6_a_frozen_account_is_refused_by_every_check_until_the_freeze_ends() {
    let world = World::new();
    let limiter = world.fm.limiter();
    let (search, feed) = (endpoint(&world, "search"), endpoint(&world, "feed"));
    assert_eq!(limiter.check(search, &world.ada).remaining(), Some(119));
    let until = world.fm.store().now().after(MINUTE);
    world.admin().freeze(&world.ada, "500 uploads in 1 hour", Some(until)).wait().unwrap();
    for endpoint in [search, feed] {
        let refused = limiter.check(endpoint, &world.ada);
        let public = refused.public_error().unwrap();
        assert_eq!((public.code, refused.http_status()), ("ACCOUNT_FROZEN", 403));
        assert_eq!(code(limiter.allow(endpoint, &world.ada)), "ACCOUNT_FROZEN");
        assert_eq!(limiter.peek(endpoint, &world.ada).reason(), Some(Reason::Frozen));
    }
    assert_eq!(code(limiter.take(&name("begin-upload"), &world.ada).wait()), "ACCOUNT_FROZEN");
    assert_eq!(code(world.fm.uploads().begin(&world.ada, 1, &key("a")).wait()), "ACCOUNT_FROZEN");
    let bob = AccountId::new("bob").unwrap();
    assert!(limiter.check(search, &bob).is_allowed());
    world.clock.advance(MINUTE);
    assert_eq!(limiter.check(search, &world.ada).remaining(), Some(119), "refusals spent nothing");
    world.fm.uploads().begin(&world.ada, 1, &key("a")).wait().unwrap();
}

#[test]
fn b6_lifting_a_freeze_is_obeyed_at_once() {
    let world = World::new();
    let search = endpoint(&world, "search");
    world.admin().freeze(&world.ada, "spam", None).wait().unwrap();
    assert!(!world.fm.limiter().check(search, &world.ada).is_allowed());
    world.clock.advance(HOUR * 1_000);
    assert!(!world.fm.limiter().check(search, &world.ada).is_allowed());
    world.admin().unfreeze(&world.ada, "it was not").wait().unwrap();
    assert!(world.fm.limiter().check(search, &world.ada).is_allowed());
}

#[test]
fn a_reservation_that_is_dropped_gives_its_token_back() {
    let world = World::new();
    let limiter = world.fm.limiter();
    for at in ["search", "feed"] {
        let endpoint = endpoint(&world, at);
        let full = limiter.peek(endpoint, &world.ada).remaining().unwrap();
        let left = || limiter.peek(endpoint, &world.ada).remaining().unwrap();
        let held = limiter.reserve(endpoint, &world.ada).unwrap();
        assert_eq!((left(), held.decision().remaining()), (full - 1, Some(full - 1)));
        held.cancel();
        assert_eq!(left(), full);
        assert!(limiter.reserve(endpoint, &world.ada).unwrap().commit().is_allowed());
        assert_eq!(left(), full - 1);
    }
    // What was spent in a window that is over went with it.
    let feed = endpoint(&world, "feed");
    let held = limiter.reserve(feed, &world.ada).unwrap();
    world.clock.advance(HOUR);
    let many = NonZeroU32::new(100).unwrap();
    assert!(limiter.check_n(feed, &world.ada, many).is_allowed());
    held.cancel();
    assert!(!limiter.check(feed, &world.ada).is_allowed());
}

#[test]
fn all_or_nothing_spends_nothing_on_refusal() {
    let world = World::new();
    let limiter = world.fm.limiter();
    let (search, api) = (endpoint(&world, "search"), endpoint(&world, "api_general"));
    let address = Subject::from(IpAddr::from([192, 0, 2, 1]));
    let asked = [(api, Subject::Account(&world.ada)), (api, address), (search, Subject::Shared)];
    for left in (0..120).rev() {
        assert_eq!(limiter.check_all(&asked).remaining(), Some(left), "of the shared search");
    }
    for _ in 0..10 {
        let refused = limiter.check_all(&asked);
        assert_eq!((refused.endpoint(), refused.is_allowed()), ("search", false));
    }
    for (endpoint, subject) in &asked[..2] {
        assert_eq!(limiter.peek(*endpoint, *subject).remaining(), Some(120));
    }
    assert!(limiter.check_all(&[]).is_allowed());
}

#[test]
fn many_checks_at_once_decide_as_one_after_the_other() {
    let [one, other] = [World::new(), World::new()];
    let people: Vec<_> =
        (0..50).map(|i| AccountId::new(format!("user-{}", i % 7)).unwrap()).collect();
    let asked = |world: &World| -> Vec<(Endpoint, Subject<'_>)> {
        let auth = endpoint(world, "user_auth");
        people.iter().cycle().take(200).map(|who| (auth, Subject::Account(who))).collect()
    };
    let at_once = one.fm.limiter().check_many(&asked(&one));
    let in_turn = asked(&other).into_iter().map(|(at, who)| other.fm.limiter().check(at, who));
    let say = |decision: Decision| (decision.reason(), decision.remaining());
    let (at_once, in_turn): (Vec<_>, Vec<_>) =
        (at_once.into_iter().map(say).collect(), in_turn.map(say).collect());
    assert_eq!(at_once, in_turn);
    assert!(at_once.iter().any(|(reason, _)| reason.is_some()));
}

#[test]
fn callers_who_are_not_signed_in_are_told_apart_by_address_or_share() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let left = |subject| world.fm.limiter().check(auth, subject).remaining().unwrap();
    let address = |text: &str| Subject::Address(text.parse().unwrap());
    assert_eq!(left(address("192.0.2.1")), 19);
    assert_eq!(left(address("192.0.2.2")), 19);
    assert_eq!(left(address("2001:db8::1")), 19);
    assert_eq!(left(address("2001:db8::2")), 18, "one subscriber");
    assert_eq!((left(Subject::Shared), left(Subject::Shared)), (19, 18));
    let uuid = AccountId::new("018bcfe5-6800-7000-8000-0123456789ab").unwrap();
    assert_eq!(left(Subject::Account(&uuid)), 19);
    assert_eq!(left(Subject::Uuid(0x018b_cfe5_6800_7000_8000_0123_4567_89ab)), 18);
}

#[test]
fn a_reset_gives_everything_back_and_leaves_an_audit_row() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let many = NonZeroU32::new(20).unwrap();
    assert!(world.fm.limiter().check_n(auth, &world.ada, many).is_allowed());
    let taken = world.fm.limiter().take(&name("begin-upload"), &world.ada).wait().unwrap();
    assert!(taken.is_allowed());
    world.fm.limiter().flush().unwrap();
    let stands = |at: &str| {
        let all = world.fm.limiter().buckets(&world.ada).unwrap();
        all.iter().find(|one| one.endpoint() == at).unwrap().remaining().unwrap()
    };
    assert_eq!((stands("user_auth"), stands("begin-upload"), stands("search")), (0, 49, 120));
    assert_eq!(world.admin().reset_limits(&world.ada, "a false alarm").wait().unwrap(), 2);
    assert_eq!((stands("user_auth"), stands("begin-upload")), (20, 50));
    let audit = world.admin().audit("account:ada").unwrap();
    assert_eq!((&*audit[0].action, &*audit[0].reason), ("reset-limits", "a false alarm"));
    assert_eq!(code(world.admin().reset_limits(&world.ada, "").wait()), "INVALID_REQUEST");
}

#[test]
fn the_dashboard_counts_every_check_and_names_the_busiest() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    let bob = AccountId::new("bob").unwrap();
    for _ in 0..30 {
        let _spent = world.fm.limiter().check(auth, &world.ada);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| (0..10).for_each(|_| drop(world.fm.limiter().allow(auth, &bob))));
    });
    world.fm.uploads().begin(&bob, 1, &key("a")).wait().unwrap_err();
    world.fm.uploads().begin(&world.ada, 1, &key("a")).wait().unwrap();
    world.fm.uploads().begin(&world.ada, 1, &key("a")).wait().unwrap();
    world.fm.limiter().flush().unwrap();
    let figures = world.admin().limit_dashboard().unwrap();
    let of = |at: &str| {
        let one = figures.iter().find(|one| one.endpoint == at).unwrap();
        (one.requests, one.blocked, one.active_buckets, one.block_rate_bp())
    };
    assert_eq!(of("user_auth"), (40, 10, 2, 2_500));
    assert_eq!(of("begin-upload"), (1, 0, 1, 0), "a replay takes no token");
    assert_eq!(of("search"), (0, 0, 0, 0));
    let top = world.admin().top_users().unwrap();
    let top: Vec<_> =
        top.iter().map(|u| (u.account.clone().unwrap(), u.requests, u.blocked)).collect();
    assert_eq!(top, [(world.ada.clone(), 31, 10), (bob, 10, 0)]);
    world.clock.advance(HOUR * 2);
    world.fm.limiter().flush().unwrap();
    let later = world.admin().limit_dashboard().unwrap();
    assert!(later.iter().all(|one| (one.requests, one.active_buckets) == (0, 0)));
    assert_eq!(world.admin().top_users().unwrap(), []);
}

#[test]
fn refusals_are_logged_and_a_user_reads_his_own() {
    let world = World::new();
    let auth = endpoint(&world, "user_auth");
    for _ in 0..22 {
        let _spent = world.fm.limiter().check(auth, &world.ada);
        world.clock.advance(Duration::from_millis(1));
    }
    world.fm.limiter().flush().unwrap();
    let log = |who: &AccountId| world.fm.limiter().log(who, None, 10).wait().unwrap().rows;
    let rows = log(&world.ada);
    let said: Vec<_> =
        rows.iter().map(|row| (row.is_allowed, &*row.reason, row.remaining)).collect();
    assert_eq!(said, [(false, "rate_limited", Some(0)); 2]);
    assert!(rows[0].at > rows[1].at, "newest first");
    assert_eq!(log(&AccountId::new("bob").unwrap()), []);
}

#[test]
fn a_flood_of_refusals_is_bounded_and_what_is_dropped_is_counted() {
    let (fm, _clock) = with(|_| {});
    let auth = fm.limiter().endpoint("user_auth").unwrap();
    for _ in 0..20_020 {
        let _spent = fm.limiter().check(auth, Subject::Shared);
    }
    fm.limiter().flush().unwrap();
    let dropped = fm.limiter().log_dropped();
    // The thread that writes them may have taken some between.
    assert!(dropped <= 10_000, "{dropped}");
    let figures = fm.admin(Actor::new("ops").unwrap()).limit_dashboard().unwrap();
    let auth = figures.iter().find(|one| one.endpoint == "user_auth").unwrap();
    assert_eq!((auth.requests, auth.blocked), (20_020, 20_000), "counters drop nothing");
}

#[test]
fn the_complete_history_drops_nothing_and_a_sample_is_one_in_so_many() {
    for (mode, expected) in [(LogMode::All, 25_000), (LogMode::Sampled(100), 250)] {
        let (fm, clock) = with(|options| options.log = mode);
        let hook = fm.limiter().endpoint("stripe_webhook").unwrap();
        let ada = AccountId::new("ada").unwrap();
        for _ in 0..25 {
            clock.advance(MINUTE);
            for _ in 0..1_000 {
                assert!(fm.limiter().check(hook, &ada).is_allowed());
            }
        }
        fm.limiter().flush().unwrap();
        let (mut rows, mut cursor) = (0, None);
        loop {
            let page = fm.limiter().log(&ada, cursor, 1_000).wait().unwrap();
            rows += page.rows.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((rows, fm.limiter().log_dropped()), (expected, 0), "{mode:?}");
    }
}

#[test]
fn q4_at_capacity_new_keys_are_refused_and_debts_are_kept() {
    let (fm, clock) = with(|options| options.keys_max = 500);
    let auth = fm.limiter().endpoint("user_auth").unwrap();
    let victim = AccountId::new("victim").unwrap();
    let many = NonZeroU32::new(20).unwrap();
    assert!(fm.limiter().check_n(auth, &victim, many).is_allowed());
    let attack = (1..100_000_u128).map(|id| fm.limiter().check(auth, Subject::Uuid(id)).reason());
    let refused = attack.filter(|reason| *reason == Some(Reason::AtCapacity)).count();
    assert_eq!(refused, 99_999 - 499);
    assert_eq!(fm.limiter().check(auth, &victim).reason(), Some(Reason::RateLimited));
    clock.advance(Duration::from_secs(120));
    assert!(fm.limiter().check(auth, Subject::Uuid(1_000_000)).is_allowed());
}

#[test]
fn a1_every_admins_act_leaves_one_entry() {
    let world = World::new();
    let admin = world.admin();
    admin.freeze(&world.ada, "spam", None).wait().unwrap();
    let status = || admin.account_status(&world.ada).wait().unwrap().unwrap();
    assert_eq!(status().frozen_reason.as_deref(), Some("spam"));
    assert_eq!(status().frozen_by.as_deref(), Some("ops"));
    admin.unfreeze(&world.ada, "it was not").wait().unwrap();
    assert_eq!((status().frozen_at, status().frozen_reason), (None, None));
    admin.unfreeze(&world.ada, "again").wait().unwrap();
    let entries = admin.audit("account:ada").unwrap();
    let story: Vec<_> =
        entries.iter().map(|e| (e.seq, e.actor.as_str(), &*e.action, &*e.reason)).collect();
    assert_eq!(story, [(1, "ops", "freeze", "spam"), (2, "ops", "unfreeze", "it was not")]);
}

#[test]
fn reasons_that_say_nothing_or_too_much_are_refused() {
    let world = World::new();
    for reason in ["", "  ", "a\0b", &"x".repeat(1_001)] {
        let bad = world.admin().freeze(&world.ada, reason, None).wait();
        assert_eq!(code(bad), "INVALID_REQUEST");
    }
    assert_eq!(world.admin().audit("account:ada").unwrap(), []);
}

#[test]
fn an_account_may_be_frozen_before_it_buys() {
    let world = World::new();
    let bob = AccountId::new("bob").unwrap();
    world.admin().freeze(&bob, "known", None).wait().unwrap();
    world.fm.ledger().add_credits(world::purchase(&bob, 5, "pi_b")).wait().unwrap();
    let begun = world.fm.uploads().begin(&bob, 1, &key("a")).wait();
    assert_eq!(code(begun), "ACCOUNT_FROZEN");
}

#[test]
fn a_reset_is_done_once_here_and_once_elsewhere() {
    let world = World::new();
    let search = endpoint(&world, "search");
    let all = NonZeroU32::new(120).unwrap();
    assert!(world.fm.limiter().check_n(search, &world.ada, all).is_allowed());
    world.admin().reset_limits(&world.ada, "a false alarm").wait().unwrap();
    assert!(world.fm.limiter().check_n(search, &world.ada, all).is_allowed());
    world.fm.limiter().flush().unwrap();
    assert!(!world.fm.limiter().check(search, &world.ada).is_allowed());
}

#[test]
fn a_reservation_gives_back_what_it_paid_and_not_todays_price() {
    let world = World::new();
    let search = endpoint(&world, "search");
    let left = || world.fm.limiter().peek(search, &world.ada).remaining().unwrap();
    let many = NonZeroU32::new(100).unwrap();
    assert!(world.fm.limiter().check_n(search, &world.ada, many).is_allowed());
    let policy = |cost: u32, burst| {
        let policy = Policy::greedy(name("search"), 60, MINUTE).unwrap();
        policy.burst(burst).unwrap().cost(cost).unwrap()
    };
    let held = world.fm.limiter().reserve(search, &world.ada).unwrap();
    world.admin().configure(policy(50, 120)).wait().unwrap();
    drop(held);
    assert_eq!(left(), 20);
    world.admin().configure(policy(1, 120).active(false)).wait().unwrap();
    let held = world.fm.limiter().reserve(search, &world.ada).unwrap();
    world.admin().configure(policy(10, 240)).wait().unwrap();
    drop(held);
    assert_eq!(left(), 40, "a sixth of the bucket is left, and nothing was paid");
}
