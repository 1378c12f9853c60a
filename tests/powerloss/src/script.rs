//! Scripts: what a client asks, in an order that follows from a seed.
//!
//! Each call has a number of its own, which shows in the row that it makes (an amount, a size, a
//! reference): so a row names its call, and a call that was applied twice is seen.
//!
//! Calls of one step are submitted together and share commits. They do not depend on each other, so
//! that asking again for some of them, in another order, comes to the same.

use std::{collections::BTreeMap, time::Duration};

use crate::Random;

/// Who calls.
pub const ACCOUNTS: &[&str] = &["ada", "bob", "eve"];

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the client answers for each of them")]
pub enum Act {
    /// Credits are bought.
    Buy,
    /// Credits are set aside.
    Reserve,
    /// So many of them are spent, or all.
    Settle(Option<u64>),
    /// They are freed.
    Release,
    /// So many credits go to the next account.
    Give,
    /// So many of the account's first purchase are given back.
    Refund,
    /// So many of it are taken back.
    Chargeback,
    /// An upload is begun.
    Begin,
    /// It is finalized.
    Finalize,
    /// It is given up.
    Fail,
    /// The account is frozen.
    Freeze,
    /// The freeze is lifted.
    Unfreeze,
}

/// One call.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the self-tests make their own")]
pub struct Call {
    /// Whose.
    pub account: &'static str,
    /// What.
    pub act: Act,
    /// Which purchase, reservation or upload; a freeze has its account's.
    pub number: u64,
}

/// What a call is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "the checker reads each of them")]
pub enum Thing {
    /// A purchase.
    Purchase(u64),
    /// A reservation of the host's own.
    Reservation(u64),
    /// A transfer to the next account.
    Gift(u64),
    /// A refund or a chargeback.
    TakenBack(u64),
    /// An upload.
    Upload(u64),
    /// An account's freeze.
    Freeze(&'static str),
}

/// How a thing stands; `None`: it does not exist.
pub type Standing = Option<String>;

impl Call {
    /// What it is about.
    #[must_use]
    pub fn thing(&self) -> Thing {
        match self.act {
            Act::Buy => Thing::Purchase(self.number),
            Act::Reserve | Act::Settle(_) | Act::Release => Thing::Reservation(self.number),
            Act::Give => Thing::Gift(self.number),
            Act::Refund | Act::Chargeback => Thing::TakenBack(self.number),
            Act::Begin | Act::Finalize | Act::Fail => Thing::Upload(self.number),
            Act::Freeze | Act::Unfreeze => Thing::Freeze(self.account),
        }
    }

    /// How that stands once the call was applied.
    #[must_use]
    pub fn effect(&self) -> Standing {
        let standing = match self.act {
            Act::Buy => "bought".to_owned(),
            Act::Reserve | Act::Begin => "pending".to_owned(),
            Act::Settle(spend) => format!("settled {}", spend.unwrap_or(self.number)),
            Act::Release => "released".to_owned(),
            Act::Give => "transfer".to_owned(),
            Act::Refund => "refund".to_owned(),
            Act::Chargeback => "chargeback".to_owned(),
            Act::Finalize => "complete".to_owned(),
            Act::Fail => "failed".to_owned(),
            Act::Freeze => "frozen".to_owned(),
            Act::Unfreeze => return None,
        };
        Some(standing)
    }
}

/// One step.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the client takes each of them")]
pub enum Step {
    /// Calls that are submitted together.
    Calls(Vec<Call>),
    /// Time passes.
    Wait(Duration),
    /// Everything that is due ends.
    Maintain,
    /// Accounts and the feed are looked at.
    Look,
}

/// How long reservations of the host's own hold.
pub const TTL: Duration = Duration::from_secs(3_600);

/// Steps in order.
#[derive(Clone, Debug)]
pub struct Script {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What a script's writer knows about the things so far.
struct Writer {
    random: Random,
    steps: Vec<Step>,
    number: u64,
    /// Those that are pending, and whose.
    pending: BTreeMap<Thing, &'static str>,
}

impl Script {
    /// The script of `seed`: purchases for all, then `rounds` steps.
    #[must_use]
    pub fn new(seed: u64, rounds: usize) -> Self {
        let (steps, pending) = (Vec::new(), BTreeMap::new());
        let mut writer = Writer { random: Random::new(seed), steps, number: 0, pending };
        for account in ACCOUNTS {
            let call = writer.fresh(account, Act::Buy);
            writer.steps.push(Step::Calls(vec![call]));
        }
        for _ in 0..rounds {
            writer.step();
        }
        // What a failing disk kept from ending ends now.
        writer.steps.push(Step::Maintain);
        Self { steps: writer.steps }
    }
}

impl Writer {
    fn step(&mut self) {
        match self.random.below(16) {
            0 => self.steps.push(Step::Look),
            1 => self.frozen(),
            2 => self.expired(),
            3 => self.refused(),
            4..=7 => {
                let count = 2 + self.random.index(7);
                let calls = (0..count).map(|_| self.call()).collect();
                self.steps.push(Step::Calls(calls));
            }
            _ => {
                let call = self.call();
                self.steps.push(Step::Calls(vec![call]));
            }
        }
    }

    /// A call that no other call of its step depends on.
    fn call(&mut self) -> Call {
        let account = ACCOUNTS[self.random.index(ACCOUNTS.len())];
        let kind = self.random.below(9);
        // A thing that ends in this step was made in an earlier one.
        let made = self.pending.iter().filter(|(thing, _)| !self.is_of_last_step(**thing));
        let made: Vec<_> = made.map(|(thing, account)| (*thing, *account)).collect();
        let act = match kind {
            0 => Act::Buy,
            1 => Act::Reserve,
            2 => Act::Begin,
            3 => Act::Give,
            4 => Act::Refund,
            5 => Act::Chargeback,
            _ if made.is_empty() => Act::Reserve,
            _ => {
                let (thing, account) = made[self.random.index(made.len())];
                self.pending.remove(&thing);
                return self.end(thing, account);
            }
        };
        self.fresh(account, act)
    }

    /// Whether a thing is so young that its call may still be collected for the same step.
    fn is_of_last_step(&self, thing: Thing) -> bool {
        let number = match thing {
            Thing::Purchase(number)
            | Thing::Reservation(number)
            | Thing::Gift(number)
            | Thing::TakenBack(number)
            | Thing::Upload(number) => number,
            Thing::Freeze(_) => return false,
        };
        number + 10 > self.number
    }

    fn end(&mut self, thing: Thing, account: &'static str) -> Call {
        let (act, number) = match (thing, self.random.below(4)) {
            (Thing::Reservation(number), 0) => (Act::Release, number),
            (Thing::Reservation(number), 1) => (Act::Settle(Some(number / 3)), number),
            (Thing::Reservation(number), _) => (Act::Settle(None), number),
            (Thing::Upload(number), 0) => (Act::Fail, number),
            (Thing::Upload(number), _) => (Act::Finalize, number),
            // These end as they begin, and are never pending.
            (Thing::Purchase(_) | Thing::Gift(_) | Thing::TakenBack(_) | Thing::Freeze(_), _) => {
                (Act::Buy, 0)
            }
        };
        Call { account, act, number }
    }

    fn fresh(&mut self, account: &'static str, act: Act) -> Call {
        self.number += 1;
        let call = Call { account, act, number: self.number };
        if matches!(act, Act::Reserve | Act::Begin) {
            self.pending.insert(call.thing(), account);
        }
        call
    }

    /// A frozen account is refused, and then not.
    fn frozen(&mut self) {
        let account = ACCOUNTS[self.random.index(ACCOUNTS.len())];
        let alone = |writer: &mut Self, act| {
            let call = match act {
                Act::Freeze | Act::Unfreeze => Call { account, act, number: 0 },
                _ => writer.fresh(account, act),
            };
            writer.steps.push(Step::Calls(vec![call]));
        };
        alone(self, Act::Freeze);
        alone(self, Act::Begin);
        self.pending.remove(&Thing::Upload(self.number));
        alone(self, Act::Buy);
        alone(self, Act::Unfreeze);
    }

    /// Two hours pass, and everything that is pending is too old.
    fn expired(&mut self) {
        self.steps.push(Step::Wait(Duration::from_secs(2 * 3_600 + 1)));
        if self.random.below(2) == 0
            && let Some((thing, account)) = self.pending.pop_first()
        {
            // Too late, though nobody has cleaned up yet.
            let call = match thing {
                Thing::Upload(number) => Call { account, act: Act::Finalize, number },
                Thing::Reservation(number) => Call { account, act: Act::Settle(None), number },
                Thing::Purchase(_) | Thing::Gift(_) | Thing::TakenBack(_) | Thing::Freeze(_) => {
                    return;
                }
            };
            self.steps.push(Step::Calls(vec![call]));
        }
        self.pending.clear();
        self.steps.push(Step::Maintain);
    }

    /// More than anybody has.
    fn refused(&mut self) {
        let account = ACCOUNTS[self.random.index(ACCOUNTS.len())];
        self.number += 1;
        let call = Call { account, act: Act::Reserve, number: 1_000_000_000 + self.number };
        self.steps.push(Step::Calls(vec![call]));
    }
}
