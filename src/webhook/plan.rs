//! Plans: what an event asks for, read from its payload before anything is locked.
//!
//! A plan knows its rows from the payload alone, wherever it can, so that many events share one batch;
//! only what is taken back has to look up first who bought it.
//!
//! # Invariants
//!
//! - **H8** A plan's changes, the event's status and the ledger's rows commit together or not at all: a
//!   refusal, or a panic of a host's own command, leaves the event failed and nothing half done.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::{
    Credits, Refusal, Timestamp, World,
    storage::{DecideAgain, KeySet, Rows},
    webhook::{
        VerifiedEvent, WebhookOptions, charge, checkout, event::STRIPE, invoice, subscription,
    },
};

/// What an event asks for.
pub(crate) enum Plan {
    /// Nothing; the code says why.
    Ignore(&'static str),
    /// It failed before it began.
    Fail(Failed),
    /// Some rows change.
    Act(Box<dyn Act>),
}

/// A change of rows that belongs to an event.
pub(crate) trait Act: Send {
    /// Whether its keys follow from rows that another event may bring. It is then a command of its own:
    /// in one with others, their changes would come after its keys were asked for.
    fn looks_up(&self) -> bool {
        false
    }
    fn keys(&self, seen: &Rows, keys: &mut KeySet);
    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed>;
}

/// What an event came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Done {
    /// Its effect is there: so many credits came, or went.
    Applied(Credits),
    /// There was nothing to do; the code says why.
    Ignored(&'static str),
}

/// Why an event could not be processed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failed {
    /// The public name.
    pub(crate) code: &'static str,
    /// For the operator. Nothing of the payload but names.
    pub(crate) text: String,
    /// Whether no retry can help.
    pub(crate) is_hopeless: bool,
}

impl Failed {
    pub(crate) fn hopeless(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), is_hopeless: true }
    }

    pub(crate) fn later(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), is_hopeless: false }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        // What others do meanwhile may help against the rest: an account is opened, a purchase comes.
        let is_hopeless = matches!(
            refusal,
            Refusal::Invalid { .. } | Refusal::Conflict { .. } | Refusal::ExceedsOriginal { .. }
        );
        Self { code: refusal.code(), text: refusal.to_string(), is_hopeless }
    }
}

impl From<Result<Self, Failed>> for Plan {
    fn from(plan: Result<Self, Failed>) -> Self {
        plan.unwrap_or_else(Self::Fail)
    }
}

impl Plan {
    /// Some rows change.
    pub(super) fn act(act: impl Act + 'static) -> Self {
        Self::Act(Box::new(act))
    }

    /// What is built in for the event's kind. Ids that it may need are drawn from `world`.
    pub(crate) fn built_in(
        event: &VerifiedEvent,
        options: &WebhookOptions,
        world: &dyn World,
    ) -> Self {
        if event.sender().as_str() != STRIPE {
            return Self::Ignore("KIND_UNKNOWN");
        }
        let plan = match event.kind() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                checkout::of_session(event, options, world)
            }
            "payment_intent.succeeded" => checkout::of_intent(event, options, world),
            "customer.subscription.created"
            | "customer.subscription.updated"
            | "customer.subscription.deleted" => subscription::of_event(event, options),
            "invoice.payment_succeeded" => invoice::of_success(event, options, world),
            "invoice_payment.paid" => invoice::of_payment(event, world),
            "invoice.payment_failed" => invoice::of_failure(event),
            "charge.refunded" => charge::of_refund(event, world),
            "charge.dispute.created" | "charge.dispute.funds_withdrawn" => {
                charge::of_dispute(event, world)
            }
            _ => Ok(Self::Ignore("KIND_UNKNOWN")),
        };
        plan.into()
    }

    pub(super) fn looks_up(&self) -> bool {
        matches!(self, Self::Act(act) if act.looks_up())
    }

    pub(super) fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        if let Self::Act(act) = self {
            act.keys(seen, keys);
        }
    }

    /// Changes the rows, all of them or none (**H8**).
    pub(super) fn carry_out(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        match self {
            Self::Ignore(code) => Ok(Done::Ignored(code)),
            Self::Fail(failed) => Err(failed.clone()),
            Self::Act(act) => rows.attempt(|rows| {
                catch_unwind(AssertUnwindSafe(|| act.act(rows, now))).unwrap_or_else(|panic| {
                    if panic.is::<DecideAgain>() {
                        resume_unwind(panic);
                    }
                    Err(Failed::later("HANDLER_FAILED", "its effect panicked"))
                })
            }),
        }
    }
}
