//! Delivery as it happens: events come twice, late and in no order, workers lose their leases, handlers
//! fail, clocks step; and in the end the books are those of the payments there were.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/stripe.rs"]
mod stripe;

use std::{
    collections::{BTreeMap, HashMap},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};

use finalmile::{
    AccountId, Actor, Budget, Credits, FinalMile, PurchaseId, Simulated, SystemWorld, Timestamp,
    World as _,
    engines::Memory,
    ledger::{AddCredits, Money, Purchase},
    storage::{Backend, PAGE_MAX, Scan},
    webhook::{
        Claimed, Effect, EventFilter, EventStatus, StoredEvent, Verdict, VerifiedEvent,
        WebhookOptions,
    },
};
use serde_json::json;
use stripe::{NOW, change, charge, dispute, event, intent, session, subscription};

const GIFT: &str = "customer.created";

/// What the host's own workers claim.
const CLAIMED: [&str; 3] =
    ["payment_intent.succeeded", "customer.subscription.updated", "customer.deleted"];

/// What a host does when a customer comes: ten credits, once.
fn gift(event: &VerifiedEvent) -> Effect {
    let customer = event.object_id().unwrap();
    let purchase = Purchase {
        account: AccountId::new(event.object()["user"].as_str().unwrap()).unwrap(),
        credits: Credits::new(10),
        provider: "host".parse().unwrap(),
        reference: format!("{customer}-{}", event.id()).parse().unwrap(),
        paid: Money::minor(0, "usd").unwrap(),
        paid_at: Some(event.created()),
        metadata: BTreeMap::new(),
    };
    Effect::of(AddCredits::new(PurchaseId::fresh(&SystemWorld), purchase).unwrap())
}

/// A world with dice, its deliveries, and what must come of them.
struct Delivery {
    fm: FinalMile,
    clock: Arc<Simulated>,
    /// Chance of its own, so that what the library draws changes nothing here.
    dice: Simulated,
    events: Vec<VerifiedEvent>,
    expected: HashMap<String, i64>,
    subscriptions: HashMap<String, String>,
    workers: Vec<Claimed>,
}

impl Delivery {
    fn new(backend: impl Backend, seed: u64) -> Self {
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(NOW * 1_000), seed));
        let moods = Simulated::new(Timestamp::default(), seed + 7);
        let options = WebhookOptions::default();
        let options = CLAIMED.iter().fold(options, |all, kind| all.claimed("stripe", kind));
        let options = options.on("stripe", GIFT, move |event| match moods.random() % 10 {
            0 => Verdict::Retry("their server is down".to_owned()),
            1 => resume_unwind(Box::new("as asked for")),
            _ => Verdict::Done(gift(event)),
        });
        let fm = FinalMile::builder(backend).world(clock.clone()).webhooks(options).open().unwrap();
        let dice = Simulated::new(Timestamp::default(), seed + 3);
        let (expected, subscriptions) = (HashMap::new(), HashMap::new());
        Self { fm, clock, dice, events: vec![], expected, subscriptions, workers: vec![] }
    }

    fn dice(&self, sides: u64) -> u64 {
        self.dice.random() % sides
    }

    fn add(&mut self, kind: &str, at: i64, object: &serde_json::Value) {
        let id = format!("evt_{}", self.events.len());
        self.events.push(event(&id, kind, at, object));
    }

    /// What happened at Stripe: payments with all their news.
    fn happen(&mut self, payments: u64) {
        for n in 0..payments {
            let user = format!("user-{}", self.dice(5));
            let (payment, credits) = (format!("pi_{n}"), 100 * (1 + self.dice(9)));
            let text = credits.to_string();
            let mut owned = i64::try_from(credits).unwrap();
            let at = i64::try_from(n).unwrap();
            self.add("checkout.session.completed", at, &session(&payment, &user, &text));
            if self.dice(2) == 0 {
                self.add("payment_intent.succeeded", at, &intent(&payment, &user, &text));
            }
            let mut refunded = 0;
            for part in 0..self.dice(4).saturating_sub(1) {
                refunded += i64::try_from(self.dice(150)).unwrap();
                let at = at + i64::try_from(part).unwrap();
                self.add("charge.refunded", at, &charge(&payment, refunded));
            }
            let mut back = owned * refunded / 499;
            if self.dice(6) == 0 {
                let amount = i64::try_from(self.dice(100)).unwrap();
                let object = dispute(&format!("dp_{n}"), &payment, amount);
                self.add("charge.dispute.created", at, &object);
                back += owned * amount / 499;
            }
            owned -= back;
            if self.dice(4) == 0 {
                let customer = json!({"id": format!("cus_{}", self.dice(6)), "user": user});
                let kind = if self.dice(2) == 0 { GIFT } else { "customer.deleted" };
                self.add(kind, at, &customer);
                owned += 10;
            }
            *self.expected.entry(user.clone()).or_default() += owned;
        }
        for n in 0..payments / 10 {
            let name = format!("sub_{n}");
            let states = ["incomplete", "active", "past_due", "active", "canceled"];
            let until = usize::try_from(self.dice(5)).unwrap();
            for (at, state) in (0..).zip(&states[..=until]) {
                let kind = if *state == "canceled" { "deleted" } else { "updated" };
                let object = change(subscription(&name, "user-0", state), &json!({"seen": at}));
                self.add(&format!("customer.subscription.{kind}"), at, &object);
            }
            self.subscriptions.insert(name, states[until].to_owned());
        }
    }

    /// Stripe delivers: everything at least once, some again, in no order.
    fn deliver(&mut self) {
        let mut queue: Vec<usize> = (0..self.events.len()).collect();
        queue.extend((0..self.events.len() / 2).map(|n| n * 2));
        for at in (1..queue.len()).rev() {
            let other = usize::try_from(self.dice(at as u64 + 1)).unwrap();
            queue.swap(at, other);
        }
        for next in queue {
            let event = self.events[next].clone();
            match self.dice(3) {
                0 => drop(self.fm.webhooks().receive(&event).wait().unwrap()),
                _ => drop(self.fm.webhooks().consume(&event).wait().unwrap()),
            }
            self.meanwhile();
        }
    }

    /// Workers come and go, clocks step, maintenance runs.
    fn meanwhile(&mut self) {
        match self.dice(24) {
            0 => self.clock.advance(Duration::from_secs(self.dice(400))),
            1 => self.clock.set(self.clock.now().before(Duration::from_secs(self.dice(90)))),
            2 => drop(self.fm.maintain(Budget::seconds(20)).wait().unwrap()),
            3..7 => self.workers.extend(self.fm.webhooks().claim().wait().unwrap()),
            // One dies with what it had.
            7 => drop(self.workers.pop()),
            8..14 if !self.workers.is_empty() => {
                let at = usize::try_from(self.dice(self.workers.len() as u64)).unwrap();
                self.complete(at);
            }
            _ => {}
        }
    }

    fn complete(&mut self, at: usize) {
        let claimed = self.workers.swap_remove(at);
        let verdict = match self.dice(6) {
            0 => Verdict::Retry("not today".to_owned()),
            _ if claimed.event().kind() == "customer.deleted" => {
                Verdict::Done(gift(claimed.event()))
            }
            _ => Verdict::Done(Effect::built_in()),
        };
        let done = self.fm.webhooks().complete(claimed, verdict).wait();
        if let Err(error) = done {
            assert_eq!(error.code(), "LEASE_LOST");
        }
    }

    /// An operator sees to what is left.
    fn settle(&mut self) {
        self.workers.clear();
        let admin = self.fm.admin(Actor::new("ops").unwrap());
        for _ in 0..200 {
            self.clock.advance(Duration::from_secs(3_601));
            self.fm.maintain(Budget::seconds(60)).wait().unwrap();
            while let Some(claimed) = self.fm.webhooks().claim().wait().unwrap() {
                self.workers.push(claimed);
                self.complete(0);
            }
            admin.replay_dead(&EventFilter::default(), "the payment came").unwrap();
            if admin.waiting_events(None).wait().unwrap().rows.is_empty() {
                return;
            }
        }
        panic!("it waits for ever: {:?}", admin.waiting_events(None).wait().unwrap().rows);
    }

    /// The books are those of the payments, and every event came to a good end.
    fn check(&self, seed: u64) {
        for (user, expected) in &self.expected {
            let account = self.fm.ledger().account(&AccountId::new(user).unwrap()).wait().unwrap();
            let account = account.unwrap();
            assert_eq!(
                account.balance.get() - account.debt.get(),
                *expected,
                "{user}, seed {seed}"
            );
        }
        for (name, expected) in &self.subscriptions {
            let known = self.fm.webhooks().subscription(name).wait().unwrap().unwrap();
            assert_eq!(known.status.unwrap().as_str(), expected, "{name}, seed {seed}");
        }
        assert!(self.fm.ledger().verify(None).wait().unwrap().is_sound());
        let (mut cursor, mut count) = (None, 0);
        loop {
            let scan = Scan::of::<StoredEvent>().limit(PAGE_MAX).after(cursor);
            let page = self.fm.store().scan::<StoredEvent>(scan).wait().unwrap();
            for event in &page.rows {
                let is_good = matches!(event.status, EventStatus::Ok | EventStatus::Ignored);
                assert!(is_good, "{event:?}, seed {seed}");
            }
            count += page.rows.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(count, self.events.len());
    }
}

fn run(backend: impl Backend, seed: u64, payments: u64) {
    let mut delivery = Delivery::new(backend, seed);
    delivery.happen(payments);
    delivery.deliver();
    delivery.settle();
    delivery.check(seed);
}

#[test]
fn the_books_are_those_of_the_payments_however_their_news_came() {
    for seed in 0..60 {
        run(Memory::new(), seed, 60);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn the_same_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    run(finalmile::engines::Sqlite::file(folder.path().join("a.db")), 1_000, 80);
}

#[cfg(feature = "postgres")]
#[test]
fn the_same_on_a_server() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    run(finalmile::engines::Postgres::url(schema.url()).own_clock(), 2_000, 80);
}
