//! A client: makes the calls of a script, notes what was answered, and asks again.
//!
//! What it believes follows from the store's promises. An answer means that the call was applied; a
//! fault that it was not (E1), except for [`StoreError::Unknown`], after which both are possible
//! (E2).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use finalmile::{
    AccountId, Actor, Budget, Credits, Error, FinalMile, IdempotencyKey, ReservationId, Simulated,
    Timestamp, UploadId, World as _,
    ledger::{Account, Money, Purchase, Receipt, Reservation, TakenBack, Transferred},
    storage::{Pending, StoreError},
    upload::{Begun, ContentId, Finalized, MediaType, NewShare, UPLOAD_TTL, Upload},
};

use crate::{
    script::{ACCOUNTS, Act, Call, Script, Standing, Step, TTL, Thing},
    standings::Standings,
};

/// An upload of number n has n times as many bytes, so that its size names it.
pub(crate) const UNIT_BYTES: u64 = 4_096;
/// A purchase of number n brings n credits more than this: nobody runs short by accident.
pub(crate) const CREDITS: u64 = 100_000;

/// Who makes the calls.
#[derive(Debug)]
pub struct Client<'s> {
    script: &'s Script,
    world: Arc<Simulated>,
    step: usize,
    /// Which calls of the step have no answer yet.
    todo: Option<Vec<usize>>,
    /// How each thing may stand.
    believed: BTreeMap<Thing, BTreeSet<Standing>>,
    /// From when on pending things may end by themselves.
    due: BTreeMap<Thing, Timestamp>,
    acknowledged: Vec<(Call, Answer)>,
    reservations: BTreeMap<u64, ReservationId>,
    uploads: BTreeMap<u64, UploadId>,
    /// How each call was answered in the end: `ok`, or a refusal's code.
    pub codes: BTreeMap<(usize, usize), &'static str>,
    /// Faults that no promise allows.
    pub findings: Vec<String>,
    /// How often each kind of fault was answered.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What was answered.
#[derive(Clone, Debug)]
enum Answer {
    Bought(Receipt),
    Reserved(ReservationId),
    Ended(Reservation),
    Given(Transferred),
    TakenBack(TakenBack),
    Begun(Begun),
    Finalized(Box<Finalized>),
    Failed(Upload),
    Account,
}

/// A call that is on its way.
enum Sent {
    Bought(Pending<Receipt>),
    Reserved(Pending<ReservationId>),
    Ended(Pending<Reservation>),
    Given(Pending<Transferred>),
    TakenBack(Pending<TakenBack>),
    Begun(Pending<Begun>),
    Finalized(Pending<Finalized>),
    Failed(Pending<Upload>),
    Account(Pending<Account>),
}

impl Sent {
    fn wait(self) -> Result<Answer, Error> {
        Ok(match self {
            Self::Bought(pending) => Answer::Bought(pending.wait()?),
            Self::Reserved(pending) => Answer::Reserved(pending.wait()?),
            Self::Ended(pending) => Answer::Ended(pending.wait()?),
            Self::Given(pending) => Answer::Given(pending.wait()?),
            Self::TakenBack(pending) => Answer::TakenBack(pending.wait()?),
            Self::Begun(pending) => Answer::Begun(pending.wait()?),
            Self::Finalized(pending) => Answer::Finalized(Box::new(pending.wait()?)),
            Self::Failed(pending) => Answer::Failed(pending.wait()?),
            Self::Account(pending) => {
                pending.wait()?;
                Answer::Account
            }
        })
    }
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("a short name")
}

fn key(number: u64) -> IdempotencyKey {
    IdempotencyKey::new(format!("key-{number}")).expect("a short key")
}

fn credits(number: u64) -> Credits {
    Credits::new(i64::try_from(number).unwrap_or(i64::MAX))
}

impl<'s> Client<'s> {
    /// At the beginning of a script.
    #[must_use]
    pub fn new(script: &'s Script, world: Arc<Simulated>) -> Self {
        Self {
            script,
            world,
            step: 0,
            todo: None,
            believed: BTreeMap::new(),
            due: BTreeMap::new(),
            acknowledged: Vec::new(),
            reservations: BTreeMap::new(),
            uploads: BTreeMap::new(),
            codes: BTreeMap::new(),
            findings: Vec::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Its clock.
    #[must_use]
    pub fn world(&self) -> Arc<Simulated> {
        self.world.clone()
    }

    /// How many calls were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Goes on to the end, asking again up to `patience` times for what met a fault; false if a step
    /// still does.
    pub fn go_on(&mut self, fm: &FinalMile, patience: u32) -> bool {
        let script = self.script;
        while let Some(step) = script.steps.get(self.step) {
            let mut tries = 0;
            while !self.take(fm, step) {
                if tries == patience {
                    return false;
                }
                tries += 1;
            }
            self.step += 1;
        }
        true
    }

    /// Takes what is left of one step; false if it meets a fault.
    pub fn take_one(&mut self, fm: &FinalMile) -> bool {
        let Some(step) = self.script.steps.get(self.step) else { return true };
        let done = self.take(fm, step);
        self.step += usize::from(done);
        done
    }

    /// Takes a step, or what is left of it; whether it is done.
    fn take(&mut self, fm: &FinalMile, step: &Step) -> bool {
        match step {
            Step::Wait(span) => {
                self.world.advance(*span);
                true
            }
            Step::Look => self.look(fm),
            Step::Maintain => self.maintain(fm),
            Step::Calls(calls) => self.calls(fm, calls),
        }
    }

    fn calls(&mut self, fm: &FinalMile, calls: &[Call]) -> bool {
        let todo = self.todo.take().unwrap_or_else(|| (0..calls.len()).collect());
        let sent: Vec<_> = todo.iter().map(|at| self.send(fm, &calls[*at])).collect();
        let mut left = Vec::new();
        for (at, sent) in todo.into_iter().zip(sent) {
            if !self.note((self.step, at), &calls[at], sent.wait()) {
                left.push(at);
            }
        }
        let done = left.is_empty();
        self.todo = (!done).then_some(left);
        done
    }

    fn send(&self, fm: &FinalMile, call: &Call) -> Sent {
        let (who, number) = (account(call.account), call.number);
        let none = [0; 16];
        let held = || {
            let known = self.reservations.get(&number).copied();
            known.unwrap_or(ReservationId::from_bytes(none))
        };
        let upload = || self.uploads.get(&number).copied().unwrap_or(UploadId::from_bytes(none));
        match call.act {
            Act::Buy => Sent::Bought(fm.ledger().add_credits(Purchase {
                account: who,
                credits: credits(CREDITS + number),
                provider: "stripe".parse().expect("a provider"),
                reference: format!("pi_{number}").parse().expect("a reference"),
                paid: Money::minor(499, "usd").expect("money"),
                paid_at: None,
                metadata: BTreeMap::new(),
            })),
            Act::Reserve => {
                Sent::Reserved(fm.ledger().reserve(&who, credits(number), TTL, &key(number)))
            }
            Act::Settle(spend) => Sent::Ended(fm.ledger().settle(&who, held(), spend.map(credits))),
            Act::Release => Sent::Ended(fm.ledger().release(&who, held())),
            Act::Give => {
                let next = account(ACCOUNTS[(place(call.account) + 1) % ACCOUNTS.len()]);
                Sent::Given(fm.ledger().transfer(&who, &next, credits(number), &key(number)))
            }
            Act::Refund | Act::Chargeback => {
                // Scripts begin with a purchase of each account in turn.
                let reference = format!("pi_{}", place(call.account) + 1);
                let payment = (
                    "stripe".parse().expect("a provider"),
                    reference.parse().expect("a reference"),
                );
                let (some, key, ledger) = (Some(credits(number)), key(number), fm.ledger());
                Sent::TakenBack(match call.act {
                    Act::Refund => ledger.refund(&who, payment, some, &key),
                    _ => ledger.chargeback(&who, payment, some, &key),
                })
            }
            Act::Begin => Sent::Begun(fm.uploads().begin(&who, number * UNIT_BYTES, &key(number))),
            Act::Finalize => Sent::Finalized(fm.uploads().finalize(&who, upload(), share(number))),
            Act::Fail => Sent::Failed(fm.uploads().fail(&who, upload(), "no network")),
            Act::Freeze => Sent::Account(admin(fm).freeze(&who, "spam", None)),
            Act::Unfreeze => Sent::Account(admin(fm).unfreeze(&who, "sorry")),
        }
    }

    /// Notes an answer; whether it is one.
    fn note(&mut self, at: (usize, usize), call: &Call, answer: Result<Answer, Error>) -> bool {
        let thing = call.thing();
        match answer {
            Ok(answer) => {
                self.believed.insert(thing, BTreeSet::from([call.effect()]));
                let ttl = if call.act == Act::Begin { UPLOAD_TTL } else { TTL };
                let due = self.world.now().after(ttl);
                if let Answer::Reserved(id) = &answer {
                    self.reservations.insert(call.number, *id);
                }
                if let Answer::Begun(begun) = &answer {
                    self.uploads.insert(call.number, begun.upload_id);
                }
                self.due.entry(thing).or_insert(due);
                self.acknowledged.push((*call, answer));
                self.codes.insert(at, "ok");
                true
            }
            Err(Error::Refused(refusal)) => {
                self.codes.insert(at, refusal.code());
                true
            }
            Err(error) => {
                if self.fault(&format!("{call:?}"), &error) {
                    self.may_stand(thing).insert(call.effect());
                }
                false
            }
        }
    }

    fn may_stand(&mut self, thing: Thing) -> &mut BTreeSet<Standing> {
        self.believed.entry(thing).or_insert_with(|| BTreeSet::from([None]))
    }

    /// Counts a fault; whether the work may have happened.
    fn fault(&mut self, what: &str, error: &Error) -> bool {
        let kind = match error {
            Error::Store(StoreError::Unknown(_)) => "unknown",
            Error::Store(StoreError::Full(_)) => "full",
            Error::Store(StoreError::Backend(_)) => "backend",
            Error::Store(StoreError::Busy(_)) => "busy",
            _ => "other",
        };
        *self.faults.entry(kind).or_default() += 1;
        // The disk failed: that is neither damage nor a panic, and the store is still open.
        if kind == "other" || error.to_string().contains("panicked") {
            self.findings.push(format!("{what} was answered {error:?}"));
        }
        kind == "unknown"
    }

    fn look(&mut self, fm: &FinalMile) -> bool {
        let mut errors = Vec::new();
        for name in ACCOUNTS {
            errors.extend(fm.ledger().account(&account(name)).wait().err());
            errors.extend(fm.ledger().entries(&account(name), None).wait().err());
        }
        errors.extend(fm.uploads().feed(None).wait().err());
        for error in &errors {
            self.fault("a look", error);
        }
        errors.is_empty()
    }

    fn maintain(&mut self, fm: &FinalMile) -> bool {
        let done = fm.maintain(Budget::seconds(60)).wait();
        let now = self.world.now();
        let (mut expected, mut certain) = (0, true);
        let mut ended = Vec::new();
        for (thing, may) in &self.believed {
            let is_due = self.due.get(thing).is_some_and(|due| *due <= now);
            let pending = Some("pending".to_owned());
            if is_due && may.contains(&pending) {
                ended.push(*thing);
                certain &= may.len() == 1;
                expected += 1;
            }
        }
        // What a fault kept from ending is logged and left to the next run.
        let all = done.as_ref().is_ok_and(|report| {
            certain && report.uploads_failed + report.reservations_expired == expected
        });
        for thing in ended {
            let state = if matches!(thing, Thing::Upload(_)) { "failed" } else { "expired" };
            let may = self.may_stand(thing);
            if all {
                may.clear();
            }
            may.insert(Some(state.to_owned()));
        }
        match done {
            Ok(report) => !report.more,
            Err(error) => {
                self.fault("maintenance", &error);
                false
            }
        }
    }

    /// Asks a handle whose machine is off for everything: nothing may be answered but errors.
    pub fn knock(&mut self, fm: &FinalMile) -> Vec<String> {
        let call = Call { account: ACCOUNTS[0], act: Act::Buy, number: u64::from(u32::MAX) };
        let mut found = Vec::new();
        match self.send(fm, &call).wait() {
            Ok(answer) => found.push(format!("without power: {answer:?}")),
            Err(error) => {
                self.fault("without power", &error);
            }
        }
        if self.look(fm) {
            found.push("a look succeeded without power".to_owned());
        }
        if let Ok(report) = fm.maintain(Budget::seconds(1)).wait() {
            found.push(format!("without power: {report:?}"));
        }
        found
    }

    /// What is not as it was acknowledged.
    #[must_use]
    pub fn losses(&self, found: &Standings) -> Vec<String> {
        let mut losses = Vec::new();
        for (thing, may) in &self.believed {
            let stands = found.things.get(thing).cloned();
            if !may.contains(&stands) {
                losses.push(format!("{thing:?} stands {stands:?}, acknowledged was {may:?}"));
            }
        }
        for (thing, stands) in &found.things {
            if !self.believed.contains_key(thing) {
                losses.push(format!("{thing:?} stands {stands:?}, and nobody asked for it"));
            }
        }
        losses
    }

    /// Asks again for everything that was acknowledged: each must answer as it did, and say so.
    #[must_use]
    pub fn ask_again(&self, fm: &FinalMile) -> Vec<String> {
        let sent: Vec<_> =
            self.acknowledged.iter().map(|(call, _)| self.send_again(fm, call)).collect();
        let mut losses = Vec::new();
        for ((call, first), sent) in self.acknowledged.iter().zip(sent) {
            let Some(sent) = sent else { continue };
            match sent.wait() {
                Ok(second) if is_replay(first, &second) => {}
                second => losses.push(format!("{call:?} answered {first:?}, and then {second:?}")),
            }
        }
        losses
    }

    fn send_again(&self, fm: &FinalMile, call: &Call) -> Option<Sent> {
        let is_freeze = matches!(call.act, Act::Freeze | Act::Unfreeze);
        (!is_freeze).then(|| self.send(fm, call))
    }
}

fn admin(fm: &FinalMile) -> finalmile::Admin {
    fm.admin(Actor::new("ops").expect("a short name"))
}

/// Where the account stands among all.
fn place(name: &str) -> usize {
    ACCOUNTS.iter().position(|known| *known == name).expect("one of them")
}

fn share(number: u64) -> NewShare {
    // Two ids that exist; which ones does not matter here.
    let cid = |text| ContentId::new(text).expect("a content id");
    let thumb = cid("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    let thumbnail_cid = number.is_multiple_of(2).then_some(thumb);
    let full = cid("bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y");
    NewShare { thumbnail_cid, ..NewShare::new(MediaType::Image, full) }
}

/// Whether the second answer is the first, and says that it changed nothing where it can.
fn is_replay(first: &Answer, second: &Answer) -> bool {
    match (first, second) {
        (Answer::Bought(a), Answer::Bought(b)) => {
            b.idempotent && a.purchase == b.purchase && a.credits == b.credits
        }
        (Answer::Reserved(a), Answer::Reserved(b)) => a == b,
        (Answer::Ended(a), Answer::Ended(b)) => a == b,
        (Answer::Given(a), Answer::Given(b)) => b.replayed && a.transfer == b.transfer,
        (Answer::TakenBack(a), Answer::TakenBack(b)) => b.replayed && a.transfer == b.transfer,
        (Answer::Begun(a), Answer::Begun(b)) => b.replayed && a.upload_id == b.upload_id,
        (Answer::Finalized(a), Answer::Finalized(b)) => b.replayed && a.share == b.share,
        (Answer::Failed(a), Answer::Failed(b)) => a == b,
        _ => false,
    }
}
