//! Verdicts: what a host's handler thinks of an event.

use std::fmt;

use crate::{
    Credits, Refusal, Timestamp, World,
    storage::{Command, KeySet, Rows},
    webhook::{
        VerifiedEvent, WebhookOptions,
        plan::{Act, Done, Failed, Plan},
    },
};

/// What a handler answers.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a handler answers one of these four")]
pub enum Verdict {
    /// It is done, and this is to commit with it.
    Done(Effect),
    /// It is none of the host's.
    Ignored,
    /// It did not work this time. The reason is for the operator.
    Retry(String),
    /// It will never work.
    Dead(String),
}

/// Changes of rows that commit with the event's status, or not at all.
///
/// ```
/// # use finalmile::{AccountId, Credits, PurchaseId, SystemWorld, ledger::{AddCredits, Money, Purchase}};
/// # use finalmile::webhook::{Effect, VerifiedEvent, Verdict};
/// fn welcome(event: &VerifiedEvent) -> Verdict {
///     let Some(id) = event.object_id() else { return Verdict::Ignored };
///     let gift = || {
///         let purchase = Purchase {
///             account: AccountId::new(id)?,
///             credits: Credits::new(100),
///             provider: "welcome".parse()?,
///             reference: id.parse()?,
///             paid: Money::minor(0, "usd")?,
///             paid_at: Some(event.created()),
///             metadata: Default::default(),
///         };
///         AddCredits::new(PurchaseId::fresh(&SystemWorld), purchase)
///     };
///     gift().map_or_else(|why| Verdict::Dead(why.to_string()), |gift| Verdict::Done(Effect::of(gift)))
/// }
/// ```
#[derive(Default)]
pub struct Effect {
    is_built_in: bool,
    commands: Vec<Box<dyn Change>>,
}

impl Effect {
    /// Nothing but the event's status.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// What would happen without the handler. If that finds nothing to do (a checkout that is not paid
    /// yet), what was added does not happen either.
    #[must_use]
    pub fn built_in() -> Self {
        Self { is_built_in: true, commands: Vec::new() }
    }

    /// What a command changes: one of this crate's, or of the host's own on its own tables. If it
    /// refuses, the event has failed: for good where the refusal is `Invalid`, `Conflict` or
    /// `ExceedsOriginal`, otherwise to be tried again.
    #[must_use]
    pub fn of<C: Command<Out = Result<T, Refusal>>, T: 'static>(command: C) -> Self {
        Self::none().and(command)
    }

    /// The same, and what another command changes after it.
    #[must_use]
    pub fn and<C: Command<Out = Result<T, Refusal>>, T: 'static>(mut self, command: C) -> Self {
        self.commands.push(Box::new(command));
        self
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_built_in, commands } = self;
        write!(f, "Effect(built in: {is_built_in}, {} commands)", commands.len())
    }
}

/// A command whose answer does not matter, unless it is a refusal.
trait Change: Send {
    fn keys(&self, seen: &Rows, keys: &mut KeySet);
    fn change(&self, rows: &mut Rows, now: Timestamp) -> Result<(), Refusal>;
}

impl<C: Command<Out = Result<T, Refusal>>, T: 'static> Change for C {
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        Command::keys(self, seen, keys);
    }

    fn change(&self, rows: &mut Rows, now: Timestamp) -> Result<(), Refusal> {
        self.decide(rows, now).map(drop)
    }
}

/// What a handler wants to happen.
struct Wanted {
    built_in: Option<Plan>,
    commands: Vec<Box<dyn Change>>,
}

impl Act for Wanted {
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.built_in.iter().for_each(|plan| plan.keys(seen, keys));
        self.commands.iter().for_each(|command| command.keys(seen, keys));
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        let done = self.built_in.as_ref().map(|plan| plan.carry_out(rows, now)).transpose()?;
        let done = done.unwrap_or(Done::Applied(Credits::ZERO));
        // What goes with a payment does not go with one that is not there.
        if let Done::Applied(_) = done {
            self.commands.iter().try_for_each(|command| command.change(rows, now))?;
        }
        Ok(done)
    }
}

impl Verdict {
    /// The plan that follows from it.
    pub(super) fn plan(
        self,
        event: &VerifiedEvent,
        options: &WebhookOptions,
        world: &dyn World,
    ) -> Plan {
        match self {
            Self::Done(Effect { is_built_in, commands }) => {
                let built_in = is_built_in.then(|| Plan::built_in(event, options, world));
                Plan::act(Wanted { built_in, commands })
            }
            Self::Ignored => Plan::Ignore("HANDLER_IGNORED"),
            Self::Retry(why) => Plan::Fail(Failed::later("HANDLER_FAILED", why)),
            Self::Dead(why) => Plan::Fail(Failed::hopeless("HANDLER_REFUSED", why)),
        }
    }
}
