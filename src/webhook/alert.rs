//! Alerts: what is worth waking somebody.
//!
//! They are told on a thread of their own, one after the other, so that a slow hook keeps no payment
//! waiting.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crate::{
    Timestamp,
    webhook::{Consumed, EventId, Outcome, WebhookOptions, options::Hook},
};

/// How many wait for the hook at most; more are only logged.
const WAITING_MAX: usize = 1_000;

/// What an operator should hear of.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Alert {
    /// An event cannot be processed: somebody has to look.
    Dead {
        /// Which.
        event: EventId,
        /// What happened.
        kind: String,
        /// The public name of what is wrong with it.
        code: &'static str,
        /// The same, for the operator.
        reason: String,
    },
    /// Another body came under the name of an event that is known.
    Conflict {
        /// Which.
        event: EventId,
    },
    /// Maintenance met an event that waits for longer than
    /// [`WebhookOptions::patience`](super::WebhookOptions::patience).
    Waiting {
        /// The one that waits longest.
        event: EventId,
        /// Since when somebody could have worked on it.
        since: Timestamp,
    },
}

impl Alert {
    /// What an outcome is worth.
    pub(super) fn of(consumed: &Consumed) -> Option<Self> {
        let event = consumed.event.clone();
        match consumed.outcome {
            Outcome::Dead => Some(Self::Dead {
                event,
                kind: consumed.kind.clone(),
                code: consumed.code.unwrap_or("HANDLER_FAILED"),
                reason: consumed.reason.clone().unwrap_or_default(),
            }),
            Outcome::Conflict => Some(Self::Conflict { event }),
            Outcome::Ok
            | Outcome::Ignored
            | Outcome::Pending
            | Outcome::Duplicate
            | Outcome::Retry => None,
        }
    }

    fn log(&self) {
        let service = "webhook";
        match self {
            Self::Dead { event, kind, code, reason } => tracing::error!(
                service, event_id = %event, kind, code, action = "event_dead", "{event}: {reason}"
            ),
            Self::Conflict { event } => tracing::error!(
                service, event_id = %event, action = "event_conflict",
                "{event} came with another body"
            ),
            Self::Waiting { event, since } => tracing::error!(
                service, event_id = %event, since_us = since.micros(), action = "event_waiting",
                "{event} waits for long"
            ),
        }
    }
}

/// What waits for the host's hook.
#[derive(Debug, Default)]
struct Queue {
    alerts: VecDeque<Alert>,
    is_told: bool,
}

/// Tells the host's hook, from whatever thread.
#[derive(Clone)]
pub(super) struct Alarm {
    queue: Arc<Mutex<Queue>>,
    hook: Option<Hook>,
}

impl Alarm {
    pub(super) fn new(options: &WebhookOptions) -> Self {
        Self { queue: Arc::default(), hook: options.alert.clone() }
    }

    /// Logs it, and lets the hook know.
    pub(super) fn raise(&self, alert: Alert) {
        alert.log();
        if self.hook.is_none() {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.alerts.len() < WAITING_MAX {
            queue.alerts.push_back(alert);
        }
        if !queue.is_told {
            let alarm = self.clone();
            let thread = thread::Builder::new().name("finalmile-alert".to_owned());
            // Without a thread they wait for the next.
            queue.is_told = thread.spawn(move || alarm.tell()).is_ok();
        }
    }

    /// Tells all that wait.
    fn tell(&self) {
        loop {
            let alert = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let next = queue.alerts.pop_front();
                queue.is_told = next.is_some();
                next
            };
            let (Some(alert), Some(hook)) = (alert, &self.hook) else { return };
            // A hook that panics has been told.
            drop(catch_unwind(AssertUnwindSafe(|| hook(&alert))));
        }
    }
}
