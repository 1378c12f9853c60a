//! A long random log of every command there is: the same answers and the same rows as memory.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use super::{
    Fixture,
    probe::{self, Child, Parent, act, add_child, child, count, remove_child},
};
use crate::{
    AccountId, Actor, CORE, Credits, EndpointName, IdempotencyKey, PurchaseId, ReservationId,
    ShareId, Simulated, Timestamp, TransferId, UploadId, World,
    engines::Memory,
    ledger::{
        AddCredits, EntryKind, Money, Purchase, Reserve,
        reservation::{End, EndReservation},
    },
    limit::{
        Align, Bucket, Configure, Freeze, Home, Policy, Reset, Rule, Seed, policy,
        rows::{FlushBuckets, FlushFigures, LogRow, Minute, TopKey},
        take::Take,
    },
    storage::{Command, Key, Scan, Store, StoreError, Value},
    upload::{
        AbandonUpload, BeginUpload, ContentId, FinalizeUpload, MediaType, NewShare, UploadEvent,
    },
};

/// How many commands the log has, unless `FINALMILE_LOG` says otherwise.
pub const COMMANDS: usize = 100_000;

/// The log's own clock and dice: the same for every engine that replays it.
struct Script {
    world: Arc<Simulated>,
    uploads: Vec<(AccountId, UploadId)>,
    reservations: Vec<(AccountId, ReservationId)>,
}

/// Waits for an answer and writes it down.
type Answer = Box<dyn FnOnce() -> String>;

impl Script {
    fn new(seed: u64) -> Self {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let world = Arc::new(Simulated::new(start, seed));
        Self { world, uploads: vec![], reservations: vec![] }
    }

    fn dice(&self, sides: u64) -> u64 {
        self.world.random() % sides
    }

    fn account(&self) -> AccountId {
        AccountId::new(format!("account-{}", self.dice(12))).unwrap()
    }

    fn key(&self) -> IdempotencyKey {
        IdempotencyKey::new(format!("key-{}", self.dice(4_000))).unwrap()
    }

    fn upload(&self) -> (AccountId, UploadId) {
        let recent = self.uploads.len().min(40);
        match self.dice(recent as u64 + 1) {
            0 => (self.account(), UploadId::from_bytes([9; 16])),
            n => self.uploads[self.uploads.len() - usize::try_from(n).unwrap()].clone(),
        }
    }

    fn reservation(&self) -> (AccountId, ReservationId) {
        let recent = self.reservations.len().min(20);
        match self.dice(recent as u64 + 1) {
            0 => (self.account(), ReservationId::from_bytes([9; 16])),
            n => self.reservations[self.reservations.len() - usize::try_from(n).unwrap()].clone(),
        }
    }

    /// Throws the next command and submits it.
    fn next(&mut self, store: &Store) -> Answer {
        match self.dice(21) {
            0..3 => self.purchase(store),
            3..7 => self.begin(store),
            7..10 => self.finalize(store),
            10 => self.abandon(store),
            11 => self.reserve(store),
            12 => self.end(store),
            13 => self.take(store),
            14 => self.admin(store),
            15..18 => self.child(store),
            18 => submit(store, count(&[u8::try_from(self.dice(6)).unwrap()], 16)),
            19 => self.flush(store),
            _ => self.pair(store),
        }
    }

    fn purchase(&mut self, store: &Store) -> Answer {
        let purchase = Purchase {
            account: self.account(),
            credits: Credits::new(i64::try_from(self.dice(5)).unwrap() * 900),
            provider: "stripe".parse().unwrap(),
            reference: format!("pi_{}", self.dice(9_000)).parse().unwrap(),
            paid: Money::minor(499, if self.dice(40) == 0 { "eur" } else { "usd" }).unwrap(),
            metadata: BTreeMap::from([("plan".to_owned(), "a \"b\" ü".to_owned())]),
        };
        let (id, transfer) = (PurchaseId::fresh(&*self.world), TransferId::fresh(&*self.world));
        match AddCredits::new(id, transfer, purchase) {
            Ok(command) => submit(store, command),
            Err(refusal) => Box::new(move || format!("{refusal:?}")),
        }
    }

    fn begin(&mut self, store: &Store) -> Answer {
        let (account, key) = (self.account(), self.key());
        let id = UploadId::fresh(&*self.world);
        self.uploads.push((account.clone(), id));
        let size = (self.dice(4) + 1) << 20;
        submit(store, BeginUpload::new(&account, size, &key, id).unwrap())
    }

    fn finalize(&mut self, store: &Store) -> Answer {
        let (account, upload) = self.upload();
        let cid = |n: u64| ContentId::new(format!("bafkrei{n:040}")).unwrap();
        let share = NewShare {
            media_type: if self.dice(3) == 0 { MediaType::Video } else { MediaType::Image },
            ipfs_cid: cid(self.dice(3)),
            thumbnail_cid: (self.dice(3) > 0).then(|| cid(7)),
            preview_cid: None,
            video_poster_cid: (self.dice(3) == 0).then(|| cid(8)),
        };
        let (id, transfer) = (ShareId::fresh(&*self.world), TransferId::fresh(&*self.world));
        submit(store, FinalizeUpload::new(&account, upload, share, id, transfer).unwrap())
    }

    fn abandon(&mut self, store: &Store) -> Answer {
        let (account, upload) = self.upload();
        let is_expiry = self.dice(2) == 0;
        let event = if is_expiry { UploadEvent::Expire } else { UploadEvent::Fail };
        let reason = "gave up".to_owned();
        submit(store, AbandonUpload { account, upload, reason, event })
    }

    fn reserve(&mut self, store: &Store) -> Answer {
        let (account, key) = (self.account(), self.key());
        let id = ReservationId::fresh(&*self.world);
        self.reservations.push((account.clone(), id));
        let amount = Credits::new(i64::try_from(self.dice(200)).unwrap() - 5);
        let ttl = Duration::from_secs(self.dice(3_000));
        submit(store, Reserve { account, id, amount, ttl, key })
    }

    fn end(&mut self, store: &Store) -> Answer {
        let (account, id) = self.reservation();
        let end = match self.dice(4) {
            0 => End::Release,
            1 => End::Expire,
            n => {
                let amount = (n == 2).then(|| Credits::new(i64::try_from(self.dice(90)).unwrap()));
                let transfer = TransferId::fresh(&*self.world);
                End::Settle { amount, kind: EntryKind::Settle, transfer }
            }
        };
        submit(store, EndReservation { account, id, end })
    }

    fn take(&mut self, store: &Store) -> Answer {
        let names = ["exact", "begin-upload", "exact", "search", "nowhere"];
        let endpoint = names[usize::try_from(self.dice(5)).unwrap()].parse().unwrap();
        let times = u32::try_from(self.dice(3)).unwrap() + 1;
        submit(store, Take { endpoint, account: self.account(), times })
    }

    /// What an instance writes behind.
    fn flush(&mut self, store: &Store) -> Answer {
        let (key, at) = (self.account().to_string(), self.world.now());
        let endpoint: EndpointName =
            ["search", "feed", "exact"][usize::try_from(self.dice(3)).unwrap()].parse().unwrap();
        let number = |sides| i64::try_from(self.dice(sides)).unwrap();
        if self.dice(2) == 0 {
            let (minute, slot) = (number(4), number(3));
            let instance = [u8::try_from(self.dice(2)).unwrap(); 16];
            let minutes = Minute {
                minute,
                endpoint: endpoint.clone(),
                instance,
                allowed: number(9),
                refused: number(9),
            };
            let top = TopKey { slot, key: key.clone(), instance, requests: number(9), refused: 0 };
            let log = LogRow {
                key,
                at,
                id: instance,
                endpoint,
                is_allowed: minute > 1,
                reason: String::new(),
                tokens: 1,
                remaining: (slot > 0).then_some(slot),
            };
            let (minutes, top, log) = (vec![minutes], vec![top], vec![log]);
            return submit(store, FlushFigures { minutes, top, log });
        }
        let bucket = |_| Bucket {
            key: key.clone(),
            endpoint: endpoint.clone(),
            rule: if self.dice(4) == 0 { Rule::Window } else { Rule::Greedy },
            align: Align::Epoch,
            parts: 1,
            unit: 1_000_000,
            full_units: 1_000_000 * (1 + number(3)),
            period_us: 60_000_000,
            mark: at.micros() + number(60_000_000),
            rest: 0,
            touched_at: at,
        };
        submit(store, FlushBuckets((0..1 + number(2)).map(bucket).collect()))
    }

    fn admin(&mut self, store: &Store) -> Answer {
        let actor = Actor::new("ops").unwrap();
        let now = self.world.now();
        match self.dice(6) {
            0 => submit(store, Seed(policy::defaults())),
            1 => {
                let names = ["begin-upload", "finalize-upload", "exact", "search"];
                let name = names[usize::try_from(self.dice(4)).unwrap()];
                let hour = Duration::from_secs(3_600);
                let limit = u32::try_from(self.dice(4_000)).unwrap() + 200;
                let endpoint = || name.parse().unwrap();
                let policy = match self.dice(3) {
                    0 => Policy::greedy(endpoint(), limit, hour).unwrap(),
                    1 => Policy::window(endpoint(), limit, hour).unwrap(),
                    _ => {
                        let window = Policy::window(endpoint(), limit, hour).unwrap();
                        window.aligned(Align::First).unwrap()
                    }
                };
                let home = if self.dice(9) == 0 { Home::Local } else { Home::Store };
                submit(store, Configure { policy: policy.home(home), actor })
            }
            2 if self.dice(3) == 0 => {
                let endpoints = vec!["exact".parse().unwrap(), "search".parse().unwrap()];
                let reason = "a false alarm".to_owned();
                submit(
                    store,
                    Reset { account: self.account(), endpoints, actor, reason, instance: [1; 16] },
                )
            }
            n => {
                let until = match n {
                    2 => Some(Some(now.after(Duration::from_secs(self.dice(300))))),
                    3 if self.dice(8) == 0 => Some(None),
                    _ => None,
                };
                let reason = "because".to_owned();
                submit(store, Freeze { account: self.account(), actor, reason, until })
            }
        }
    }

    fn child(&mut self, store: &Store) -> Answer {
        let parent = ["", "a", "ab", "ü"][usize::try_from(self.dice(4)).unwrap()];
        let id = i64::try_from(self.dice(30)).unwrap();
        match self.dice(4) {
            0 => submit(store, remove_child(parent, id)),
            1 => submit(
                store,
                act(
                    move |_, keys| keys.children::<Child, Parent>(&parent.to_owned(), 40),
                    move |rows, _| {
                        let (found, more) = rows.children::<Child>(&parent.to_owned(), 40);
                        (found.len(), found.first().map(|row| row.weight), more)
                    },
                ),
            ),
            _ => {
                let weight = i64::try_from(self.dice(9)).unwrap();
                let note = (weight % 3 > 0).then(|| "red".to_owned());
                submit(store, add_child(Child { note, ..child(parent, id, weight) }))
            }
        }
    }

    /// Two commands in one, as a host's transaction runs them.
    fn pair(&mut self, store: &Store) -> Answer {
        let (account, upload) = self.upload();
        let reason = "replaced".to_owned();
        let event = UploadEvent::Fail;
        let first = AbandonUpload { account: account.clone(), upload, reason, event };
        let id = UploadId::fresh(&*self.world);
        self.uploads.push((account.clone(), id));
        let second = BeginUpload::new(&account, 1 << 20, &self.key(), id).unwrap();
        submit(store, (first, vec![second]))
    }
}

fn submit<C: Command>(store: &Store, command: C) -> Answer
where
    C::Out: Debug,
{
    let pending = store.submit(command);
    Box::new(move || match pending.wait() {
        Ok(out) => format!("{out:?}"),
        Err(fault) => panic!("{fault}"),
    })
}

/// Replays the log of `seed` and gives its answers.
fn replay(store: &Store, script: &mut Script, commands: usize) -> Vec<String> {
    let mut answers = vec![submit(store, Seed(policy::defaults()))()];
    let mut left = commands;
    while left > 0 {
        // The clock moves only while nothing is on its way, so every engine decides at one time.
        let burst = usize::try_from(script.dice(600) + 1).unwrap().min(left);
        let pending: Vec<Answer> = (0..burst).map(|_| script.next(store)).collect();
        answers.extend(pending.into_iter().map(|answer| answer()));
        script.world.advance(Duration::from_millis(script.dice(90_000)));
        left -= burst;
    }
    answers
}

/// Every row of every table.
fn rows(store: &Store) -> Vec<(&'static str, Vec<Value>)> {
    let tables: Vec<_> =
        CORE.tables.iter().chain(probe::PROBE.tables).map(|table| table()).collect();
    let read = store.snapshot(Duration::from_secs(600), move |reader| {
        let mut rows = Vec::new();
        for table in &tables {
            let mut after: Option<Key> = None;
            loop {
                let (index, prefix, limit, descending) = (None, vec![], 1_000, false);
                let scan = Scan { table, index, prefix, after, limit, descending };
                let page = reader.scan(&scan)?;
                after = page.last().map(|row| row[..table.key_len].to_vec());
                let is_last = page.len() < limit;
                rows.extend(page.into_iter().map(|row| (table.name, row)));
                if is_last {
                    break;
                }
            }
        }
        Ok::<_, StoreError>(rows)
    });
    read.wait().unwrap()
}

/// The same log on this engine and on memory: the same answers, and the same rows at the end.
pub fn a_long_random_log_leaves_the_rows_of_memory(fixture: &Fixture) {
    let commands = std::env::var("FINALMILE_LOG").ok().and_then(|n| n.parse().ok());
    let commands = commands.unwrap_or(COMMANDS);
    let mut here = Script::new(7);
    let mut oracle = Script::new(7);
    let store = fixture.open_in(here.world.clone());
    let memory = Store::open(Memory::new(), oracle.world.clone(), &[CORE, probe::PROBE]).unwrap();
    let (answers, expected) =
        (replay(&store, &mut here, commands), replay(&memory, &mut oracle, commands));
    for (i, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        assert_eq!(answer, expected, "command {i}");
    }
    let (found, expected) = (rows(&store), rows(&memory));
    assert_eq!(found.len(), expected.len());
    for (row, expected) in found.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
    books_balance(&found);
}

/// The books after the log: balances are sums, what is reserved is pending, nothing is negative.
fn books_balance(rows: &[(&'static str, Vec<Value>)]) {
    let int = |value: &Value| match value {
        Value::Int(n) => *n,
        _ => panic!("no integer"),
    };
    let sum = |table: &str, account: &Value, pick: &dyn Fn(&[Value]) -> i64| -> i64 {
        let of = rows.iter().filter(|(name, row)| *name == table && row[0] == *account);
        of.map(|(_, row)| pick(row)).sum()
    };
    let mut accounts = 0;
    for (_, row) in rows.iter().filter(|(name, _)| *name == "fm_account") {
        let (balance, reserved) = (int(&row[1]), int(&row[2]));
        assert_eq!(balance, sum("fm_entry", &row[0], &|entry| int(&entry[4])));
        let pending = Value::Text("pending".to_owned());
        let held = |held: &[Value]| if held[3] == pending { int(&held[2]) } else { 0 };
        assert_eq!(reserved, sum("fm_reservation", &row[0], &held));
        assert!(0 <= reserved && reserved <= balance);
        accounts += 1;
    }
    assert!(accounts > 5, "the log bought nothing");
}
