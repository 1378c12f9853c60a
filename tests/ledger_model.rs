//! The ledger against an obvious model: the same answers and the same sums after every call, on every
//! engine; and several clients of one database who race for the same accounts and keys.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/books.rs"]
mod books;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/world.rs"]
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use books::Books;
use finalmile::{
    AccountId, Actor, Budget, Credits, Error, FinalMile, ReservationId, Simulated, Timestamp,
    World as _, engines::Memory, storage::Backend,
};
use world::{key, purchase};

const ACCOUNTS: usize = 5;

fn account(n: usize) -> AccountId {
    AccountId::new(format!("account-{n}")).unwrap()
}

fn payment(reference: &str) -> (finalmile::Provider, finalmile::PaymentReference) {
    ("stripe".parse().unwrap(), reference.parse().unwrap())
}

/// The real ledger and the model, who are asked the same.
struct Both {
    fm: FinalMile,
    clock: Arc<Simulated>,
    books: Books,
    held: Vec<(usize, ReservationId)>,
    expired: Vec<usize>,
}

fn said<T>(answer: Result<T, Error>, balance: impl Fn(T) -> i64) -> books::Answer {
    answer.map(balance).map_err(|error| error.code())
}

impl Both {
    fn new(backend: impl Backend) -> Self {
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 11));
        let fm = FinalMile::builder(backend).world(clock.clone()).open().unwrap();
        Self { fm, clock, books: Books::default(), held: vec![], expired: vec![] }
    }

    fn dice(&self, sides: usize) -> usize {
        usize::try_from(self.clock.random() % sides as u64).unwrap()
    }

    fn amount(&self, most: usize) -> i64 {
        i64::try_from(self.dice(most)).unwrap() - 1
    }

    fn balance(&self, n: usize) -> i64 {
        let found = self.fm.ledger().account(&account(n)).wait().unwrap();
        found.map_or(0, |account| account.balance.get())
    }

    /// Asks one random thing; both must answer alike.
    fn step(&mut self) {
        let now = self.clock.now().micros();
        let (ledger, n) = (self.fm.ledger(), self.dice(ACCOUNTS));
        let name = format!("key-{}", self.dice(400));
        let some = |amount: i64| (amount % 3 > 0).then_some(amount);
        let (found, expected) = match self.dice(20) {
            0..3 => {
                let (credits, reference) = (self.amount(800), format!("pi_{}", self.dice(500)));
                let done = ledger.add_credits(purchase(&account(n), credits, &reference)).wait();
                (said(done, |r| r.balance.get()), self.books.buy(n, credits, &reference))
            }
            3..5 => {
                let (credits, reference) =
                    (some(self.amount(300)), format!("pi_{}", self.dice(500)));
                let asked = (account(n), payment(&reference), credits.map(Credits::new));
                let done = ledger.refund(&asked.0, asked.1, asked.2, &key(&name)).wait();
                let model = self.books.take_back("refund", n, &reference, credits, &name);
                (said(done, |r| r.balance.get()), model)
            }
            5 => {
                let (credits, reference) =
                    (some(self.amount(900)), format!("pi_{}", self.dice(500)));
                let asked = (account(n), payment(&reference), credits.map(Credits::new));
                let done = ledger.chargeback(&asked.0, asked.1, asked.2, &key(&name)).wait();
                let model = self.books.take_back("chargeback", n, &reference, credits, &name);
                (said(done, |r| r.balance.get()), model)
            }
            6..9 => {
                let (amount, seconds) = (self.amount(90), self.dice(4) as u64 * 20);
                let ttl = Duration::from_secs(seconds);
                let done =
                    ledger.reserve(&account(n), Credits::new(amount), ttl, &key(&name)).wait();
                let micros = i64::try_from(ttl.as_micros()).unwrap();
                let model = self.books.reserve(n, amount, micros, &name, now);
                if let (Ok(id), Ok(held)) = (&done, &model) {
                    if *held == self.held.len() {
                        self.held.push((n, *id));
                    }
                    assert_eq!(self.held[*held], (n, *id), "which reservation it was");
                }
                (said(done.map(|_| 0), |zero| zero), model.map(|_| 0))
            }
            9..15 if !self.held.is_empty() => {
                let held = self.held.len() - 1 - self.dice(self.held.len().min(30));
                let (n, id) = self.held[held];
                let balance = |_| self.balance(n);
                match self.dice(5) {
                    0..2 => {
                        let amount = some(self.amount(90));
                        let done = ledger.settle(&account(n), id, amount.map(Credits::new)).wait();
                        (said(done, balance), self.books.settle(held, amount, now))
                    }
                    2 if !self.expired.contains(&held) => {
                        let done = ledger.release(&account(n), id).wait();
                        (said(done, balance), self.books.release(held))
                    }
                    _ => {
                        let credits = some(self.amount(60));
                        let asked = credits.map(Credits::new);
                        let done =
                            ledger.return_credits(&account(n), id, asked, &key(&name)).wait();
                        let model = self.books.give_back(held, credits, &name);
                        (said(done, |r| r.balance.get()), model)
                    }
                }
            }
            15..18 => {
                let (to, amount) = (self.dice(ACCOUNTS), self.amount(200));
                let credits = Credits::new(amount);
                let done = ledger.transfer(&account(n), &account(to), credits, &key(&name)).wait();
                (said(done, |t| t.balance.get()), self.books.transfer(n, to, amount, &name))
            }
            18 => {
                let admin = self.fm.admin(Actor::new("ops").unwrap());
                let frozen = self.dice(3) == 0;
                if frozen {
                    admin.freeze(&account(n), "spam", None).wait().unwrap();
                } else if ledger.account(&account(n)).wait().unwrap().is_some() {
                    admin.unfreeze(&account(n), "enough").wait().unwrap();
                }
                self.books.freeze(n, frozen);
                (Ok(0), Ok(0))
            }
            _ => {
                self.clock.advance(Duration::from_secs(self.dice(15) as u64));
                if self.dice(3) == 0 {
                    let done = self.fm.maintain(Budget::seconds(60)).wait().unwrap();
                    let due = self.books.expire(self.clock.now().micros());
                    assert_eq!(done.reservations_expired, due.len() as u64);
                    self.expired.extend(due);
                }
                (Ok(0), Ok(0))
            }
        };
        assert_eq!(found, expected);
    }

    /// The sums of all accounts.
    fn compare(&self) {
        for n in 0..ACCOUNTS {
            let found = self.fm.ledger().account(&account(n)).wait().unwrap();
            let sums = found.map_or((0, 0, 0), |account| {
                (account.balance.get(), account.reserved.get(), account.debt.get())
            });
            let expected = (self.books.balance(n), self.books.reserved(n), self.books.debt(n));
            assert_eq!(sums, expected, "account {n}");
        }
    }

    fn run(mut self, steps: usize) {
        for step in 0..steps {
            self.step();
            if step % 16 == 0 {
                self.compare();
            }
        }
        self.compare();
        let proof = self.fm.ledger().verify(None).wait().unwrap();
        assert!(proof.is_sound(), "{:?}", proof.breaks);
        let most = i64::try_from(steps).unwrap();
        assert!(proof.entries > most / 10, "almost everything was refused");
    }
}

#[test]
fn l1_l2_memory_answers_as_the_model_does() {
    Both::new(Memory::new()).run(20_000);
}

#[cfg(feature = "sqlite")]
#[test]
fn l1_l2_sqlite_answers_as_the_model_does() {
    let folder = tempfile::tempdir().unwrap();
    Both::new(finalmile::engines::Sqlite::file(folder.path().join("app.db"))).run(4_000);
}

#[cfg(feature = "postgres")]
#[test]
fn l1_l2_postgres_answers_as_the_model_does() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let postgres = finalmile::engines::Postgres::url(cluster.schema().url());
    Both::new(postgres.own_clock()).run(4_000);
}

/// Clients with handles of their own race for the same accounts under the same keys. Each key is
/// applied once, everybody else is told so, and the books balance.
fn race(open: impl Fn() -> FinalMile + Sync) {
    const CLIENTS: usize = 3;
    const THREADS: usize = 4;
    const KEYS: usize = 60;
    {
        let fm = open();
        for n in 0..3 {
            fm.ledger()
                .add_credits(purchase(&account(n), 2_000, &format!("pi_{n}")))
                .wait()
                .unwrap();
        }
    }
    let applied = Mutex::new(BTreeMap::<String, usize>::new());
    let note = |what: &str, n: usize, replayed: bool| {
        *applied.lock().unwrap().entry(format!("{what} {n}")).or_default() +=
            usize::from(!replayed);
    };
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let fm = open();
            for thread in 0..THREADS {
                let (fm, note) = (fm.clone(), &note);
                scope.spawn(move || {
                    let ledger = fm.ledger();
                    for i in 0..KEYS {
                        // Each in an order of its own.
                        let n = (i * 7 + thread * 13 + client * 29) % KEYS;
                        let (from, to) = (account(n % 3), account((n + 1) % 3));
                        let name = key(&format!("key-{n}"));
                        let done =
                            ledger.transfer(&from, &to, Credits::new(5), &name).wait().unwrap();
                        note("transfer", n, done.replayed);
                        let bought = purchase(&from, 10, &format!("pi_race_{n}"));
                        let done = ledger.add_credits(bought).wait().unwrap();
                        note("purchase", n, done.idempotent);
                        let reference = payment(&format!("pi_race_{n}"));
                        let done = ledger.refund(&from, reference, None, &name).wait().unwrap();
                        note("refund", n, done.replayed);
                        let hour = Duration::from_secs(3_600);
                        let held =
                            ledger.reserve(&from, Credits::new(3), hour, &name).wait().unwrap();
                        ledger.settle(&from, held, None).wait().unwrap();
                        let done = ledger.return_credits(&from, held, None, &name).wait().unwrap();
                        note("return", n, done.replayed);
                    }
                });
            }
        }
    });
    let applied = applied.into_inner().unwrap();
    assert_eq!(applied.len(), 4 * KEYS);
    assert!(applied.values().all(|count| *count == 1), "{applied:?}");
    let fm = open();
    let total: i64 = (0..3)
        .map(|n| fm.ledger().account(&account(n)).wait().unwrap().unwrap().balance.get())
        .sum();
    assert_eq!(total, 6_000, "all that was bought besides was refunded, all spent came back");
    let proof = fm.ledger().verify(None).wait().unwrap();
    assert!(proof.is_sound(), "{:?}", proof.breaks);
}

#[cfg(feature = "sqlite")]
#[test]
fn o1_clients_of_one_file_who_race_apply_each_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    race(|| FinalMile::builder(finalmile::engines::Sqlite::file(&path)).open().unwrap());
}

#[cfg(feature = "postgres")]
#[test]
fn o1_clients_of_one_server_who_race_apply_each_key_once() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    race(|| FinalMile::builder(finalmile::engines::Postgres::url(schema.url())).open().unwrap());
}
