//! The inbox: what is stored, tried again, given to workers, buried, replayed and forgotten.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/stripe.rs"]
mod stripe;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use finalmile::{
    AccountId, Actor, Admin, Budget, Credits, Error, FinalMile, PurchaseId, Refusal, Simulated,
    SystemWorld, Timestamp,
    engines::Memory,
    ledger::{AddCredits, Money, Purchase},
    storage::{Command, KeySet, Rows},
    webhook::{
        Alert, Consumed, Effect, EventFilter, EventId, EventStatus, Failure, Outcome, Progress,
        Received, StoredEvent, Verdict, VerifiedEvent, WebhookOptions, next_status,
    },
};
use serde_json::json;
use stripe::{NOW, change, charge, dispute, event, session};

const COMPLETED: &str = "checkout.session.completed";
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

struct World {
    fm: FinalMile,
    clock: Arc<Simulated>,
}

impl World {
    fn new() -> Self {
        Self::with(WebhookOptions::default())
    }

    fn with(options: WebhookOptions) -> Self {
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(NOW * 1_000), 1));
        let fm = FinalMile::builder(Memory::new()).world(clock.clone()).webhooks(options).open();
        Self { fm: fm.unwrap(), clock }
    }

    fn admin(&self) -> Admin {
        self.fm.admin(Actor::new("ops").unwrap())
    }

    fn consume(&self, event: &VerifiedEvent) -> Consumed {
        self.fm.webhooks().consume(event).wait().unwrap()
    }

    fn maintain(&self) -> finalmile::SweepReport {
        self.fm.maintain(Budget::seconds(30).trust_clock()).wait().unwrap()
    }

    fn balance(&self, name: &str) -> i64 {
        let account = self.fm.ledger().account(&AccountId::new(name).unwrap()).wait().unwrap();
        account.map_or(0, |account| account.balance.get())
    }

    fn event(&self, id: &str) -> Option<StoredEvent> {
        self.admin().event(&name(id)).wait().unwrap().map(|detail| detail.event)
    }

    fn failure(&self, id: &str) -> Option<Failure> {
        self.admin().event(&name(id)).wait().unwrap().and_then(|detail| detail.failure)
    }

    fn status(&self, id: &str) -> Option<EventStatus> {
        self.event(id).map(|event| event.status)
    }
}

fn name(id: &str) -> EventId {
    EventId::stripe(id).unwrap()
}

fn paid(id: &str, payment: &str) -> VerifiedEvent {
    event(id, COMPLETED, 0, &session(payment, "ada", "1000"))
}

/// One whose payment never comes: it fails as often as it is tried.
fn orphan(id: &str) -> VerifiedEvent {
    event(id, "charge.dispute.created", 0, &dispute(id, "pi_nobody", 499))
}

/// One that the host handles, about an object.
fn hosts(id: &str, object: &str, at: i64) -> VerifiedEvent {
    event(id, "customer.updated", at, &json!({ "id": object }))
}

fn handled(handler: impl Fn(&VerifiedEvent) -> Verdict + Send + Sync + 'static) -> World {
    World::with(WebhookOptions::default().on("stripe", "customer.updated", handler))
}

/// Where the host's own workers claim what was paid.
fn claimed() -> World {
    World::with(WebhookOptions::default().claimed("stripe", COMPLETED))
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.unwrap_err().code()
}

#[test]
fn the_transition_table_in_the_docs_is_the_one_that_runs() {
    let head = include_str!("../src/webhook/state.rs");
    let table = head.split("```text\n").nth(1).unwrap().split("//! ```").next().unwrap();
    let written: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.trim_start_matches("//! ").split([' ', '-', '>']))
        .map(|words| words.filter(|word| !word.is_empty()).take(3).collect())
        .collect();
    let mut runs = Vec::new();
    for status in EventStatus::ALL {
        for (progress, word) in [
            (Progress::Claim, "claim"),
            (Progress::Finish, "finish"),
            (Progress::Ignore, "ignore"),
            (Progress::Fail, "fail"),
            (Progress::Bury, "bury"),
            (Progress::Replay, "replay"),
        ] {
            if let Some(next) = next_status(*status, progress) {
                runs.push(vec![status.as_str(), word, next.as_str()]);
            }
        }
    }
    let sorted = |mut all: Vec<Vec<&'static str>>| {
        all.sort();
        all
    };
    assert_eq!(sorted(written), sorted(runs));
}

#[test]
fn h6_an_event_that_is_ok_is_never_worked_on_again() {
    let world = World::new();
    assert_eq!(world.consume(&paid("evt_1", "pi_1")).outcome, Outcome::Ok);
    assert_eq!(world.consume(&paid("evt_1", "pi_1")).outcome, Outcome::Duplicate);
    let again = world.admin().reprocess_event(&name("evt_1"), "why not").wait().unwrap();
    assert_eq!((again.outcome, again.credited), (Outcome::Duplicate, Credits::ZERO));
    assert_eq!((world.balance("ada"), world.maintain().events_processed), (1_000, 0));
    assert!(world.admin().audit("event:stripe:evt_1").unwrap().is_empty());
}

#[test]
fn h7_an_event_is_stored_before_it_is_consumed_and_once() {
    let world = World::new();
    let receive = |event: &VerifiedEvent| world.fm.webhooks().receive(event).wait().unwrap();
    assert_eq!(receive(&paid("evt_1", "pi_1")), Received::Stored);
    assert_eq!(receive(&paid("evt_1", "pi_1")), Received::Duplicate);
    assert_eq!((world.status("evt_1"), world.balance("ada")), (Some(EventStatus::Pending), 0));
    // Whoever brings it again before anybody worked on it gets it done.
    assert_eq!(world.consume(&paid("evt_1", "pi_1")).outcome, Outcome::Ok);
    assert_eq!(world.balance("ada"), 1_000);
}

#[test]
fn h7_another_body_under_the_same_name_is_kept_and_changes_nothing() {
    let alerts = Arc::new(Mutex::new(Vec::new()));
    let told = alerts.clone();
    let (tell, wait) = mpsc::channel();
    let options = WebhookOptions::default().alert(move |alert| {
        told.lock().unwrap().push(alert.clone());
        tell.send(()).unwrap();
    });
    let world = World::with(options);
    world.consume(&paid("evt_1", "pi_1"));
    for n in 0..20 {
        let other = world.consume(&paid("evt_1", &format!("pi_other_{n}")));
        assert_eq!(other.outcome, Outcome::Conflict);
        wait.recv().unwrap();
    }
    assert_eq!(world.consume(&paid("evt_1", "pi_other_0")).outcome, Outcome::Conflict);
    wait.recv().unwrap();
    let detail = world.admin().event(&name("evt_1")).wait().unwrap().unwrap();
    assert_eq!(
        (detail.bodies.len(), detail.event.bodies, detail.event.status),
        (9, 9, EventStatus::Ok)
    );
    let own = detail.bodies.iter().find(|body| body.digest == detail.event.digest).unwrap();
    assert_eq!(own.payload.as_bytes(), paid("evt_1", "pi_1").body());
    assert_eq!(world.balance("ada"), 1_000);
    assert_eq!(alerts.lock().unwrap()[0], Alert::Conflict { event: name("evt_1") });
}

/// Credits, and then refuses or panics: what came before must go too.
struct Half {
    purchase: AddCredits,
    panics: bool,
}

impl Command for Half {
    type Out = Result<(), Refusal>;
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.purchase.keys(seen, keys);
    }
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.purchase.decide(rows, now)?;
        assert!(!self.panics, "as asked for");
        Err(Refusal::Unauthorized)
    }
}

fn half(panics: bool) -> Effect {
    Effect::of(Half { purchase: bonus(), panics })
}

#[test]
fn h8_an_effect_that_refuses_or_panics_leaves_nothing_half_done() {
    for panics in [false, true] {
        let world = handled(move |_| Verdict::Done(half(panics)));
        let done = world.consume(&hosts("evt_1", "cus_1", 0));
        let code = if panics { "HANDLER_FAILED" } else { "UNAUTHORIZED" };
        assert_eq!((done.outcome, done.code), (Outcome::Retry, Some(code)));
        assert_eq!((world.balance("ada"), world.status("evt_1")), (0, Some(EventStatus::Retry)));
    }
}

#[test]
fn h8_a_handlers_effect_commits_with_the_event() {
    let options = WebhookOptions::default().on("stripe", COMPLETED, |event| {
        match event.object()["metadata"]["gift"].as_str() {
            Some("twice") => Verdict::Done(Effect::built_in().and(Nothing)),
            Some(_) => Verdict::Done(Effect::none()),
            None => Verdict::Ignored,
        }
    });
    let world = World::with(options);
    let with = |id: &str, gift: &str| {
        let metadata = json!({"metadata": {"user_id": "ada", "credits": "7", "gift": gift}});
        event(id, COMPLETED, 0, &change(session(id, "ada", "7"), &metadata))
    };
    let done = world.consume(&with("evt_1", "twice"));
    assert_eq!((done.outcome, done.credited), (Outcome::Ok, Credits::new(7)));
    assert_eq!(world.consume(&with("evt_2", "no")).credited, Credits::ZERO);
    assert_eq!(world.consume(&paid("evt_3", "pi_3")).code, Some("HANDLER_IGNORED"));
    assert_eq!(world.balance("ada"), 7);
}

/// Five credits of the host's.
fn bonus() -> AddCredits {
    let purchase = Purchase {
        account: AccountId::new("ada").unwrap(),
        credits: Credits::new(5),
        provider: "host".parse().unwrap(),
        reference: "r".parse().unwrap(),
        paid: Money::minor(0, "usd").unwrap(),
        paid_at: None,
        metadata: Default::default(),
    };
    AddCredits::new(PurchaseId::fresh(&SystemWorld), purchase).unwrap()
}

struct Nothing;

impl Command for Nothing {
    type Out = Result<(), Refusal>;
    fn keys(&self, _seen: &Rows, _keys: &mut KeySet) {}
    fn decide(&self, _rows: &mut Rows, _now: Timestamp) -> Self::Out {
        Ok(())
    }
}

#[test]
fn h12_the_fourth_failure_is_the_last_and_maintenance_drives_the_others() {
    let world = World::new();
    let mut waited = Vec::new();
    let mut done = world.consume(&orphan("evt_1"));
    for attempt in 1..=3 {
        assert_eq!((done.outcome, done.code), (Outcome::Retry, Some("PURCHASE_NOT_FOUND")));
        let failure = world.failure("evt_1").unwrap();
        assert_eq!((failure.failure_count, failure.max_retries), (attempt, 3));
        assert_eq!(failure.next_retry, done.retry_at);
        waited.push(done.retry_at.unwrap().micros_since(world.fm.store().now()));
        // Not a moment too early.
        world.clock.set(done.retry_at.unwrap().before(Duration::from_micros(1)));
        assert_eq!(world.maintain().events_failed, 0);
        assert_eq!(world.consume(&orphan("evt_1")).outcome, Outcome::Duplicate);
        world.clock.advance(Duration::from_micros(1));
        assert_eq!(world.maintain().events_failed, 1);
        let event = world.event("evt_1").unwrap();
        done.retry_at = event.due_at;
        done.outcome = if attempt < 3 { Outcome::Retry } else { Outcome::Dead };
    }
    for (waited, most) in waited.iter().zip([60, 120, 240]) {
        assert!((0..=most * 1_000_000).contains(waited), "{waited} of {most} s");
    }
    assert_eq!(world.status("evt_1"), Some(EventStatus::Dead));
    let failure = world.failure("evt_1").unwrap();
    assert_eq!((failure.failure_count, failure.next_retry), (4, None));
    world.clock.advance(DAY);
    let report = world.maintain();
    assert_eq!((report.events_failed, report.more), (0, false));
}

#[test]
fn h13_a_worker_that_lost_its_lease_changes_nothing() {
    let world = claimed();
    world.fm.webhooks().receive(&paid("evt_1", "pi_1")).wait().unwrap();
    let slow = world.fm.webhooks().claim().wait().unwrap().unwrap();
    assert_eq!((slow.event().id(), slow.attempt()), ("evt_1", 1));
    assert!(world.fm.webhooks().claim().wait().unwrap().is_none());
    world.clock.advance(Duration::from_secs(61));
    let quick = world.fm.webhooks().claim().wait().unwrap().unwrap();
    assert_eq!(quick.attempt(), 2);
    let late = world.fm.webhooks().complete(slow, Verdict::Dead("no".to_owned())).wait();
    assert_eq!(code(late), "LEASE_LOST");
    assert_eq!(world.status("evt_1"), Some(EventStatus::Working));
    let done =
        world.fm.webhooks().complete(quick, Verdict::Done(Effect::built_in())).wait().unwrap();
    assert_eq!((done.outcome, world.balance("ada")), (Outcome::Ok, 1_000));
    let failure = world.failure("evt_1").unwrap();
    assert_eq!(failure.error_message, "its worker never answered");
    assert!(failure.over_at.is_some());
}

#[test]
fn h13_a_lease_that_is_over_but_not_taken_still_counts() {
    let world = claimed();
    world.fm.webhooks().receive(&paid("evt_1", "pi_1")).wait().unwrap();
    let slow = world.fm.webhooks().claim().wait().unwrap().unwrap();
    world.clock.advance(Duration::from_secs(61));
    let done =
        world.fm.webhooks().complete(slow, Verdict::Done(Effect::built_in())).wait().unwrap();
    assert_eq!((done.outcome, world.balance("ada")), (Outcome::Ok, 1_000));
}

#[test]
fn h14_many_workers_share_the_events_and_no_two_have_one() {
    let world = World::with(WebhookOptions::default().claimed("stripe", "customer.updated"));
    for n in 0..60 {
        let event = hosts(&format!("evt_{n}"), &format!("cus_{}", n % 20), n);
        world.fm.webhooks().receive(&event).wait().unwrap();
    }
    let busy = Mutex::new(Vec::<String>::new());
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(claimed) = world.fm.webhooks().claim().wait().unwrap() else {
                        if order.lock().unwrap().len() == 60 {
                            return;
                        }
                        continue;
                    };
                    let object = claimed.event().object_id().unwrap().to_owned();
                    {
                        let mut busy = busy.lock().unwrap();
                        assert!(!busy.contains(&object), "two workers have {object}");
                        busy.push(object.clone());
                        order.lock().unwrap().push(claimed.event().clone());
                    }
                    std::thread::yield_now();
                    busy.lock().unwrap().retain(|one| *one != object);
                    let done = Verdict::Done(Effect::none());
                    world.fm.webhooks().complete(claimed, done).wait().unwrap();
                }
            });
        }
    });
    let order = order.into_inner().unwrap();
    assert_eq!(order.len(), 60);
    for object in 0..20 {
        let name = format!("cus_{object}");
        let times: Vec<_> = order.iter().filter(|one| one.object_id() == Some(&name)).collect();
        assert!(times.is_sorted_by_key(|event| event.created()), "{name}");
    }
}

#[test]
fn h15_an_event_that_kills_its_workers_dies_in_the_end() {
    let world = World::with(WebhookOptions::default().claimed("stripe", "customer.updated"));
    assert_eq!(world.consume(&hosts("evt_1", "cus_1", 0)).outcome, Outcome::Pending);
    for attempt in 1..=4 {
        let claimed = world.fm.webhooks().claim().wait().unwrap().unwrap();
        assert_eq!(claimed.attempt(), attempt);
        drop(claimed);
        world.clock.advance(Duration::from_secs(61));
    }
    assert!(world.fm.webhooks().claim().wait().unwrap().is_none());
    assert_eq!(world.status("evt_1"), Some(EventStatus::Dead));
    assert_eq!(world.failure("evt_1").unwrap().failure_count, 4);
    assert_eq!(world.event("evt_1").unwrap().attempts, 4);
    // Its object is free again.
    world.consume(&hosts("evt_2", "cus_1", 1));
    assert_eq!(world.fm.webhooks().claim().wait().unwrap().unwrap().event().id(), "evt_2");
    // What workers claim, maintenance leaves to them.
    world.consume(&hosts("evt_3", "cus_3", 1));
    assert_eq!(world.maintain().events_processed, 0);
}

#[test]
fn h16_events_about_one_object_keep_their_order_and_others_do_not_wait() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, tries) = (seen.clone(), AtomicUsize::new(2));
    let world = handled(move |event| {
        let is_poison = event.id() == "evt_1";
        if is_poison && tries.load(Ordering::SeqCst) > 0 {
            tries.fetch_sub(1, Ordering::SeqCst);
            return Verdict::Retry("not yet".to_owned());
        }
        log.lock().unwrap().push(event.id().to_owned());
        Verdict::Done(Effect::none())
    });
    assert_eq!(world.consume(&hosts("evt_1", "cus_1", 0)).outcome, Outcome::Retry);
    assert_eq!(world.consume(&hosts("evt_2", "cus_1", 1)).outcome, Outcome::Pending);
    assert_eq!(world.consume(&hosts("evt_3", "cus_2", 2)).outcome, Outcome::Ok);
    assert_eq!(world.consume(&hosts("evt_2", "cus_1", 1)).outcome, Outcome::Duplicate);
    for _ in 0..4 {
        world.clock.advance(HOUR);
        world.maintain();
    }
    assert_eq!(*seen.lock().unwrap(), ["evt_3", "evt_1", "evt_2"]);
}

#[test]
fn h17_a_handler_that_panics_has_failed_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let world = handled(move |event| {
        if event.id() == "evt_bad" {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("as asked for");
        }
        Verdict::Done(Effect::none())
    });
    for n in 0..5 {
        world
            .fm
            .webhooks()
            .receive(&hosts(&format!("evt_{n}"), &format!("c{n}"), 0))
            .wait()
            .unwrap();
    }
    world.fm.webhooks().receive(&hosts("evt_bad", "c_bad", 0)).wait().unwrap();
    let report = world.maintain();
    assert_eq!((report.events_processed, report.events_failed), (5, 1));
    assert_eq!(world.failure("evt_bad").unwrap().error_message, "the handler panicked");
    for _ in 0..4 {
        world.clock.advance(HOUR);
        world.maintain();
    }
    assert_eq!(
        (calls.load(Ordering::SeqCst), world.status("evt_bad")),
        (4, Some(EventStatus::Dead))
    );
}

#[test]
fn a_command_that_cannot_name_its_rows_is_a_failure_too() {
    struct Broken;
    impl Command for Broken {
        type Out = Result<(), Refusal>;
        fn keys(&self, _seen: &Rows, _keys: &mut KeySet) {
            panic!("as asked for");
        }
        fn decide(&self, _rows: &mut Rows, _now: Timestamp) -> Self::Out {
            Ok(())
        }
    }
    let world = handled(|_| Verdict::Done(Effect::of(Broken)));
    let done = world.consume(&hosts("evt_1", "cus_1", 0));
    assert_eq!((done.outcome, done.code), (Outcome::Retry, Some("HANDLER_FAILED")));
}

#[test]
fn h18_what_an_admin_does_to_dead_letters_is_audited() {
    let world = World::new();
    let admin = world.admin();
    let unreadable = change(session("pi_1", "ada", "5"), &json!({"metadata": {}}));
    for n in 0..4 {
        world.consume(&event(&format!("evt_{n}"), COMPLETED, 0, &unreadable));
    }
    world.consume(&paid("evt_ok", "pi_ok"));
    let dead = admin.dead_letters(None).wait().unwrap().rows;
    assert_eq!(
        dead.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["evt_0", "evt_1", "evt_2", "evt_3"]
    );
    assert_eq!(dead[0].error.as_deref(), Some("metadata user_id is missing"));

    assert!(admin.note_event(&name("evt_0"), "asked the customer").wait().unwrap());
    assert_eq!(world.failure("evt_0").unwrap().note.as_deref(), Some("asked the customer"));
    let again = admin.reprocess_event(&name("evt_0"), "mended").wait().unwrap();
    assert_eq!((again.outcome, again.code), (Outcome::Dead, Some("METADATA_INVALID")));
    let failure = world.failure("evt_0").unwrap();
    assert_eq!((failure.failure_count, failure.note.as_deref()), (2, Some("asked the customer")));

    assert_eq!(code(admin.purge_event(&name("evt_ok"), "no").wait()), "EVENT_NOT_DEAD");
    assert_eq!(code(admin.purge_event(&name("evt_9"), "no").wait()), "EVENT_NOT_FOUND");
    assert_eq!(code(admin.purge_event(&name("evt_1"), " ").wait()), "INVALID_REQUEST");
    assert!(admin.purge_event(&name("evt_1"), "a test of theirs").wait().unwrap());
    assert!(world.event("evt_1").is_none() && world.failure("evt_1").is_none());

    let one = EventFilter { kind: Some("plan.created".to_owned()), ..EventFilter::default() };
    assert_eq!(admin.replay_dead(&one, "all of them").unwrap(), 0);
    let all = EventFilter { code: Some("METADATA_INVALID".to_owned()), ..EventFilter::default() };
    assert_eq!(admin.replay_dead(&all, "all of them").unwrap(), 3);
    assert_eq!(world.maintain().events_failed, 3);
    assert_eq!(admin.purge_dead(&EventFilter::default(), "they are tests").unwrap(), 3);
    assert!(admin.dead_letters(None).wait().unwrap().rows.is_empty());

    let acts = |id: &str| -> Vec<String> {
        let audit = admin.audit(&format!("event:stripe:{id}")).unwrap();
        audit.into_iter().map(|one| format!("{}: {}", one.action, one.reason)).collect()
    };
    assert_eq!(
        acts("evt_0"),
        [
            "note-event: asked the customer",
            "replay-event: mended",
            "replay-event: all of them",
            "purge-event: they are tests"
        ]
    );
    assert_eq!(acts("evt_1"), ["purge-event: a test of theirs"]);
}

#[test]
fn an_ignored_event_is_done_when_a_handler_was_added() {
    let engine = Memory::new();
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(NOW * 1_000), 1));
    let open = |options| {
        let builder = FinalMile::builder(engine.clone()).world(clock.clone());
        builder.webhooks(options).open().unwrap()
    };
    let fm = open(WebhookOptions::default());
    let event = hosts("evt_1", "cus_1", 0);
    assert_eq!(fm.webhooks().consume(&event).wait().unwrap().outcome, Outcome::Ignored);
    drop(fm);
    let handler = |_: &VerifiedEvent| Verdict::Done(Effect::none());
    let fm = open(WebhookOptions::default().on("stripe", "customer.updated", handler));
    let admin = fm.admin(Actor::new("ops").unwrap());
    let done = admin.reprocess_event(&name("evt_1"), "there is a handler now").wait().unwrap();
    assert_eq!(done.outcome, Outcome::Ok);
}

#[test]
fn h19_what_has_ended_is_forgotten_and_what_waits_or_is_dead_never() {
    let options = WebhookOptions::default().claimed("stripe", "customer.updated");
    let world = World::with(options);
    world.consume(&paid("evt_ok", "pi_1"));
    world.consume(&event("evt_dead", COMPLETED, 0, &json!({"id": "cs_1"})));
    world.consume(&orphan("evt_late"));
    world.consume(&event("evt_p", COMPLETED, 0, &session("pi_nobody", "bob", "10")));
    world.clock.advance(HOUR);
    assert_eq!(world.maintain().events_processed, 1);
    assert!(world.failure("evt_late").unwrap().over_at.is_some());
    world.fm.webhooks().receive(&hosts("evt_new", "cus_1", 0)).wait().unwrap();
    let claimed = world.fm.webhooks().claim().wait().unwrap();

    world.clock.advance(DAY * 29);
    assert_eq!((world.maintain().failures_removed, world.maintain().events_removed), (0, 0));
    world.clock.advance(DAY);
    assert_eq!(world.maintain().failures_removed, 1);
    assert!(world.failure("evt_late").is_none() && world.failure("evt_dead").is_some());
    world.clock.advance(DAY * 61);
    drop(claimed);
    assert_eq!(
        (world.maintain().events_removed, world.status("evt_new")),
        (3, Some(EventStatus::Working))
    );
    assert!(world.event("evt_ok").is_none());
    let kept = world.admin().event(&name("evt_dead")).wait().unwrap().unwrap();
    assert_eq!((kept.event.status, kept.bodies.len()), (EventStatus::Dead, 1));
    // It comes once more: its payment was credited.
    let again = world.consume(&paid("evt_ok", "pi_1"));
    assert_eq!(
        (again.outcome, again.credited, world.balance("ada")),
        (Outcome::Ok, Credits::ZERO, 1_000)
    );
}

#[test]
fn the_hook_hears_of_dead_events_and_of_those_that_wait_for_long() {
    let (tell, wait) = mpsc::channel();
    let tell = Mutex::new(tell);
    let options = WebhookOptions::default().alert(move |alert| {
        tell.lock().unwrap().send(alert.clone()).unwrap();
        panic!("a hook that panics has been told");
    });
    let world = World::with(options);
    world.consume(&event("evt_1", COMPLETED, 0, &json!({"id": "cs_1", "payment_status": "paid"})));
    let expected = Alert::Dead {
        event: name("evt_1"),
        kind: COMPLETED.to_owned(),
        code: "METADATA_INVALID",
        reason: "metadata user_id is missing".to_owned(),
    };
    assert_eq!(wait.recv().unwrap(), expected);
    let since = world.fm.store().now();
    world.fm.webhooks().receive(&paid("evt_2", "pi_2")).wait().unwrap();
    world.clock.advance(Duration::from_secs(15 * 60));
    world.maintain();
    assert_eq!(wait.recv().unwrap(), Alert::Waiting { event: name("evt_2"), since });
}

#[test]
fn figures_tell_depth_age_attempts_and_lag() {
    let world = World::new();
    let since = world.fm.store().now();
    world.consume(&orphan("evt_retry"));
    world.consume(&event("evt_dead", COMPLETED, 0, &json!({"id": "cs_1"})));
    world.fm.webhooks().receive(&paid("evt_1", "pi_1")).wait().unwrap();
    world.clock.advance(Duration::from_millis(40));
    world.consume(&paid("evt_1", "pi_1"));
    for n in 0..9 {
        world.consume(&paid(&format!("evt_quick_{n}"), &format!("pi_quick_{n}")));
    }
    world.fm.webhooks().receive(&paid("evt_new", "pi_new")).wait().unwrap();
    let figures = world.admin().webhook_figures().unwrap();
    assert_eq!((figures.pending, figures.retry, figures.dead, figures.working), (1, 1, 1, 0));
    assert_eq!(figures.oldest_received_at, Some(since));
    assert_eq!((figures.ended_last_hour, figures.attempts), (10, [10, 0, 0, 0, 0]));
    assert_eq!((figures.lag_p50_ms, figures.lag_p99_ms), (0, 40));
    world.clock.advance(HOUR);
    assert_eq!(world.admin().webhook_figures().unwrap().ended_last_hour, 0);
}

#[test]
fn an_event_that_ended_is_a_duplicate_for_the_admin_too() {
    let world = handled(|_| Verdict::Done(Effect::none()));
    world.consume(&hosts("evt_1", "cus_1", 0));
    let again = world.admin().reprocess_event(&name("evt_1"), "why not").wait().unwrap();
    assert_eq!(again.outcome, Outcome::Duplicate);
    let ended = world.admin().ended_events(None).wait().unwrap().rows;
    assert_eq!(ended.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["evt_1"]);
}

#[test]
fn what_goes_with_a_payment_does_not_go_without_it() {
    let options = WebhookOptions::default()
        .on("stripe", COMPLETED, |_| Verdict::Done(Effect::built_in().and(bonus())));
    let world = World::with(options);
    let unpaid = change(session("pi_1", "ada", "7"), &json!({"payment_status": "unpaid"}));
    let done = world.consume(&event("evt_1", COMPLETED, 0, &unpaid));
    assert_eq!((done.outcome, done.code), (Outcome::Ignored, Some("NOT_PAID_YET")));
    assert_eq!(world.balance("ada"), 0);
    world.consume(&paid("evt_2", "pi_2"));
    assert_eq!(world.balance("ada"), 1_005);
}

#[test]
fn slow_handlers_keep_nothing_else_from_ending() {
    let world = handled(|_| {
        std::thread::sleep(Duration::from_millis(400));
        Verdict::Done(Effect::none())
    });
    for n in 0..5 {
        let event = hosts(&format!("evt_{n}"), &format!("cus_{n}"), 0);
        world.fm.webhooks().receive(&event).wait().unwrap();
    }
    world.consume(&paid("evt_p", "pi_p"));
    world.fm.webhooks().receive(&paid("evt_q", "pi_q")).wait().unwrap();
    let ada = AccountId::new("ada").unwrap();
    let hold = world.fm.ledger().reserve(&ada, Credits::new(7), HOUR, &"r".parse().unwrap());
    hold.wait().unwrap();
    world.clock.advance(HOUR);
    let report = world.fm.maintain(Budget::seconds(1)).wait().unwrap();
    assert_eq!((report.reservations_expired, report.more), (1, true));
    assert_eq!(world.status("evt_q"), Some(EventStatus::Ok));
}

#[test]
fn what_was_passed_over_is_left_and_said() {
    let world = handled(|_| Verdict::Done(Effect::none()));
    for n in (0..1_100).rev() {
        let event = hosts(&format!("evt_{n}"), "cus_1", n);
        world.fm.webhooks().receive(&event).wait().unwrap();
    }
    let mut runs = 0;
    while world.maintain().more {
        runs += 1;
    }
    assert!(runs > 0 && world.admin().waiting_events(None).wait().unwrap().rows.is_empty());
}

#[test]
fn a_clock_that_is_set_back_keeps_no_new_event_waiting() {
    let world = World::new();
    world.clock.advance(HOUR);
    world.fm.webhooks().receive(&paid("evt_1", "pi_1")).wait().unwrap();
    world.clock.set(Timestamp::from_millis(NOW * 1_000));
    assert_eq!((world.maintain().events_processed, world.balance("ada")), (1, 1_000));
}

#[test]
fn a_payment_and_its_refund_in_one_transaction_are_both_done() {
    let world = World::new();
    let webhooks = world.fm.webhooks();
    let both = vec![
        webhooks.prepare(&paid("evt_1", "pi_1")),
        webhooks.prepare(&event("evt_2", "charge.refunded", 1, &charge("pi_1", 499))),
        webhooks.prepare(&event("evt_3", "charge.dispute.created", 1, &dispute("dp", "pi_2", 9))),
        webhooks.prepare(&paid("evt_4", "pi_2")),
        webhooks.prepare(&event("evt_5", "charge.dispute.created", 1, &dispute("dp", "pi_2", 499))),
    ];
    let done = world.fm.store().submit(both).wait().unwrap();
    let outcomes: Vec<_> = done.into_iter().map(|one| one.unwrap().outcome).collect();
    use Outcome::{Ok as Good, Retry};
    assert_eq!(outcomes, [Good, Good, Retry, Good, Retry]);
    // What the refund could not reach within the transaction, it said; the next news settles it.
    world.clock.advance(HOUR);
    world.maintain();
    world.consume(&event("evt_6", "charge.refunded", 2, &charge("pi_1", 499)));
    assert_eq!(world.balance("ada"), 1_000 - 18);
}

#[test]
fn a_backlog_is_consumed_in_chunks_and_a_second_worker_hurts_nobody() {
    let world = World::new();
    let all: Vec<_> = (0..1_200)
        .map(|n| world.fm.webhooks().receive(&paid(&format!("evt_{n}"), &format!("pi_{}", n / 2))))
        .collect();
    all.into_iter().for_each(|one| assert_eq!(one.wait().unwrap(), Received::Stored));
    let work = [(); 2].map(|()| world.fm.webhooks().work(Budget::seconds(60)));
    let ended: u64 = work.into_iter().map(|one| one.wait().unwrap().ended).sum();
    assert_eq!((ended, world.balance("ada")), (1_200, 600_000));
}

#[test]
fn a_handler_may_work_with_the_handle_itself() {
    let fm: Arc<Mutex<Option<FinalMile>>> = Arc::default();
    let inner = fm.clone();
    let world = handled(move |_| {
        let fm = inner.lock().unwrap().clone().unwrap();
        let ada = AccountId::new("ada").unwrap();
        match fm.ledger().account(&ada).wait().unwrap() {
            Some(_) => Verdict::Done(Effect::none()),
            None => Verdict::Retry("no account yet".to_owned()),
        }
    });
    *fm.lock().unwrap() = Some(world.fm.clone());
    assert_eq!(world.consume(&hosts("evt_1", "cus_1", 0)).outcome, Outcome::Retry);
    world.consume(&paid("evt_2", "pi_2"));
    world.clock.advance(HOUR);
    assert_eq!(world.maintain().events_processed, 1);
    *fm.lock().unwrap() = None;
}
