//! The random log's script: throws every command there is, the same for every engine.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use super::probe::{Child, Parent, act, add_child, child, count, remove_child};
use crate::{
    AccountId, Actor, Credits, Day, EndpointName, IdempotencyKey, PurchaseId, Refusal,
    ReservationId, ShareId, Simulated, Timestamp, TransferId, UploadId, World,
    ipfs::Cid,
    ledger::{
        AddCredits, Checkpoint, End, EndReservation, Linked, Money, Operation, Purchase, Reserve,
        ReturnCredits, Shortfall, TakeBack, Transfer,
        checkpoint::{self, Mark},
    },
    limit::{
        Align, Bucket, Configure, Freeze, Home, Policy, Reset, Rule, Seed, policy,
        rows::{FlushBuckets, FlushFigures, LogRow, Minute, TopKey},
        take::Take,
    },
    storage::{Command, Store},
    upload::{
        AbandonUpload, BeginUpload, ContentId, DraftShare, FailUpload, FinalizeUpload,
        ForgetRefusals, FreeReservation, Lapse, MediaType, NewShare, PROCESSING_TTL, Pictures,
        Process, Processing, ProcessingEvent, UploadEvent,
    },
};

/// The log's own clock and dice: the same for every engine that replays it.
pub(super) struct Script {
    pub(super) world: Arc<Simulated>,
    uploads: Vec<(AccountId, UploadId)>,
    reservations: Vec<(AccountId, ReservationId)>,
    /// The runs of checkpoints: the last may be the current one.
    run: [u8; 16],
    checkpoint: i64,
}

/// Waits for an answer and writes it down.
pub(super) type Answer = Box<dyn FnOnce() -> String>;

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let world = Arc::new(Simulated::new(start, seed));
        Self { world, uploads: vec![], reservations: vec![], run: [0; 16], checkpoint: 1 }
    }

    pub(super) fn dice(&self, sides: u64) -> u64 {
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

    pub(super) fn number(&self, sides: u64) -> i64 {
        i64::try_from(self.dice(sides)).unwrap()
    }

    fn credits(&self, sides: u64) -> Credits {
        Credits::new(self.number(sides))
    }

    /// Throws the next command and submits it.
    pub(super) fn next(&mut self, store: &Store) -> Answer {
        match self.dice(38) {
            0..8 => match self.operation() {
                Ok(one) => submit(store, one),
                Err(refusal) => Box::new(move || format!("{refusal:?}")),
            },
            8 => self.batch(store),
            9..13 => self.begin(store),
            13..16 => self.finalize(store),
            16 => self.abandon(store),
            17 => self.free(store),
            18 => self.draft(store),
            19 => self.process(store),
            20 => self.mark(store),
            21 => self.take(store),
            22..24 => self.admin(store),
            24..26 => self.child(store),
            26 => submit(store, count(&[u8::try_from(self.dice(6)).unwrap()], 16)),
            27..29 => self.flush(store),
            29..33 => self.letter(store),
            33..37 => self.item(store),
            _ => self.pair(store),
        }
    }

    fn operation(&mut self) -> Result<Operation, Refusal> {
        let account = self.account();
        Ok(match self.dice(9) {
            0..3 => Operation::AddCredits(self.purchase()?),
            3 => Operation::Transfer(Transfer {
                id: TransferId::fresh(&*self.world),
                from: account,
                to: self.account(),
                amount: self.credits(300),
                key: self.key(),
            }),
            4 => Operation::TakeBack(self.take_back()),
            5 => {
                let id = ReservationId::fresh(&*self.world);
                self.reservations.push((account.clone(), id));
                let amount = Credits::new(self.number(200) - 5);
                let ttl = Duration::from_secs(self.dice(3_000));
                Operation::Reserve(Reserve { account, id, amount, ttl, key: self.key() })
            }
            6 => {
                let (account, id) = self.reservation();
                let end = match self.dice(4) {
                    0 => End::Release,
                    1 => End::Expire,
                    2 => End::SettleOnly(self.credits(90)),
                    _ => End::Settle,
                };
                Operation::End(EndReservation { account, id, end })
            }
            7 => {
                let (account, reservation) = self.reservation();
                let credits = (self.dice(2) == 0).then(|| self.credits(50));
                let (id, key) = (TransferId::fresh(&*self.world), self.key());
                Operation::Return(ReturnCredits { account, reservation, credits, key, id })
            }
            _ => Operation::Expect { account, version: self.number(400) },
        })
    }

    fn batch(&mut self, store: &Store) -> Answer {
        let batch: Vec<_> = (0..self.dice(6)).filter_map(|_| self.operation().ok()).collect();
        if self.dice(2) == 0 { submit(store, Linked(batch)) } else { submit(store, batch) }
    }

    fn purchase(&mut self) -> Result<AddCredits, Refusal> {
        let purchase = Purchase {
            account: self.account(),
            credits: Credits::new(self.number(5) * 900),
            provider: "stripe".parse()?,
            reference: format!("pi_{}", self.dice(9_000)).parse()?,
            paid: Money::minor(499, if self.dice(40) == 0 { "eur" } else { "usd" })?,
            paid_at: (self.dice(2) == 0).then(|| Timestamp::from_millis(1_700_000_000_000)),
            metadata: BTreeMap::from([("plan".to_owned(), "a \"b\" ü".to_owned())]),
        };
        AddCredits::new(PurchaseId::fresh(&*self.world), purchase)
    }

    fn take_back(&mut self) -> TakeBack {
        let (account, key) = (self.account(), self.key());
        let reference = format!("pi_{}", self.dice(9_000)).parse().unwrap();
        let payment = ("stripe".parse().unwrap(), reference);
        let credits = (self.dice(2) == 0).then(|| self.credits(900));
        let id = TransferId::fresh(&*self.world);
        match self.dice(3) {
            0 => TakeBack::refund(&account, payment, credits, &key, id),
            1 => TakeBack::refund(&account, payment, credits, &key, id).or(Shortfall::Owe),
            _ => TakeBack::chargeback(&account, payment, credits, &key, id),
        }
    }

    fn begin(&mut self, store: &Store) -> Answer {
        let (account, key) = (self.account(), self.key());
        let id = UploadId::fresh(&*self.world);
        self.uploads.push((account.clone(), id));
        let size = (self.dice(4) + 1) << 20;
        submit(store, BeginUpload::new(&account, size, &key, id).unwrap())
    }

    fn cid(n: u64) -> ContentId {
        ContentId::new(Cid::of_raw_block(&n.to_be_bytes()).to_string()).unwrap()
    }

    fn share(&self) -> NewShare {
        let media_type = if self.dice(3) == 0 { MediaType::Video } else { MediaType::Image };
        NewShare {
            thumbnail_cid: (self.dice(3) > 0).then(|| Self::cid(7)),
            video_poster_cid: (self.dice(3) == 0).then(|| Self::cid(8)),
            processing: if self.dice(3) == 0 { Processing::Later } else { Processing::Done },
            ..NewShare::new(media_type, Self::cid(self.dice(3)))
        }
    }

    fn finalize(&mut self, store: &Store) -> Answer {
        let (account, upload) = self.upload();
        let share = self.share();
        let command = match self.dice(4) {
            0 => {
                let draft = ShareId::from_bytes(*upload.as_bytes());
                let share = (self.dice(2) == 0).then_some(share);
                FinalizeUpload::adopt(&account, upload, draft, share)
            }
            _ => FinalizeUpload::new(&account, upload, share),
        };
        submit(store, command.unwrap())
    }

    fn draft(&mut self, store: &Store) -> Answer {
        let (viewer, upload) = self.upload();
        submit(store, DraftShare { viewer, upload, share: self.share() })
    }

    fn process(&mut self, store: &Store) -> Answer {
        let (_, upload) = self.upload();
        let event = match self.dice(5) {
            0 => ProcessingEvent::Start,
            1 => ProcessingEvent::Fail,
            2 => ProcessingEvent::Expire,
            _ => {
                let thumbnail_cid = Some(Self::cid(self.dice(2)));
                ProcessingEvent::Complete(Pictures { thumbnail_cid, ..Pictures::default() })
            }
        };
        let (share, ttl) = (ShareId::from_bytes(*upload.as_bytes()), PROCESSING_TTL);
        submit(store, Process { share, event, ttl })
    }

    fn free(&mut self, store: &Store) -> Answer {
        let (account, id) = match self.dice(2) {
            0 => self.reservation(),
            _ => {
                let (account, upload) = self.upload();
                (account, ReservationId::from_bytes(*upload.as_bytes()))
            }
        };
        let (actor, reason) = (Actor::new("ops").unwrap(), "it is stuck".to_owned());
        if self.dice(3) == 0 {
            return submit(store, Lapse { account, id });
        }
        if self.dice(6) == 0 {
            let (key, kept_days) = ((Day::of(self.world.now()), account), self.number(2));
            return submit(store, ForgetRefusals { key, kept_days });
        }
        if self.dice(2) == 0 {
            let upload = UploadId::from_bytes(*id.as_bytes());
            return submit(store, FailUpload { account, upload, actor, reason });
        }
        submit(store, FreeReservation { account, id, actor, reason })
    }

    /// A step of a checkpoint, in or out of turn.
    fn mark(&mut self, store: &Store) -> Answer {
        let (run, number) = (self.run, self.checkpoint);
        match self.dice(4) {
            0 => {
                self.run = [u8::try_from(self.dice(200)).unwrap(); 16];
                submit(store, checkpoint::Open { run: self.run })
            }
            1 => {
                self.checkpoint += 1;
                let (root, at) = ([7; 32], Timestamp::default());
                let checkpoint = Checkpoint { number, root, accounts: 1, entries: 2, at };
                submit(store, checkpoint::Close { run, checkpoint })
            }
            _ => {
                let mark = Mark { account: self.account(), number, entries: self.number(9) };
                submit(store, checkpoint::Note { run, marks: vec![mark] })
            }
        }
    }

    fn abandon(&mut self, store: &Store) -> Answer {
        let (account, upload) = self.upload();
        let is_expiry = self.dice(2) == 0;
        let event = if is_expiry { UploadEvent::Expire } else { UploadEvent::Fail };
        let reason = "gave up".to_owned();
        submit(store, AbandonUpload { account, upload, reason, event })
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
        let number = |sides| self.number(sides);
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

pub(super) fn submit<C: Command>(store: &Store, command: C) -> Answer
where
    C::Out: Debug,
{
    let pending = store.submit(command);
    Box::new(move || match pending.wait() {
        Ok(out) => format!("{out:?}"),
        Err(fault) => panic!("{fault}"),
    })
}
