//! The inbox: events come in, are stored once, and are consumed once.

use std::fmt;

use crate::{
    AccountId, Budget, FinalMile, Refusal,
    storage::{Command, Cursor, Page, Pending, Scan},
    webhook::{
        Alert, Consumed, Received, StoredEvent, Subscription, Verdict, VerifiedEvent,
        WebhookOptions,
        alert::Alarm,
        attempt::{Attempt, ConsumeEvent},
        handle::{self, Claimed},
        options::Route,
        plan::Plan,
        record::Receive,
        retry::Retries,
        work::{self, Worked},
    },
};

/// What the inbox knows besides the store.
pub(crate) struct Inbox {
    pub(crate) options: WebhookOptions,
    pub(super) alarm: Alarm,
}

impl Inbox {
    pub(crate) fn new(options: WebhookOptions) -> Self {
        let alarm = Alarm::new(&options);
        Self { options, alarm }
    }

    /// Who deals with a stored event; `None`: what is built in.
    pub(super) fn route(&self, event: &StoredEvent) -> Option<&Route> {
        self.options.route(event.sender.as_str(), &event.kind)
    }

    /// The same of one that was just vouched for.
    pub(super) fn route_of(&self, event: &VerifiedEvent) -> Option<&Route> {
        self.options.route(event.sender().as_str(), event.kind())
    }

    /// Logs and tells what an outcome is worth.
    pub(super) fn watch(&self, consumed: &Consumed) {
        let Consumed { event, kind, code, reason, .. } = consumed;
        if let Some(alert) = Alert::of(consumed) {
            self.alarm.raise(alert);
        } else if let (Some(code), Some(reason)) = (code, reason) {
            tracing::warn!(
                service = "webhook", event_id = %event, kind, code, action = "event_retry",
                "{event}: {reason}"
            );
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// The webhooks of a [`FinalMile`].
///
/// ```
/// # use finalmile::{AccountId, Credits, FinalMile, Timestamp, engines::Memory};
/// # use finalmile::webhook::{Outcome, Secret, Stripe};
/// # let fm = FinalMile::builder(Memory::new()).open()?;
/// # let stripe = Stripe::new(Secret::text("whsec_test_secret_of_ours")?);
/// # let body = br#"{"id":"evt_1","type":"checkout.session.completed","created":1800000000,
/// #     "livemode":false,"data":{"object":{"id":"cs_1","mode":"payment","payment_status":"paid",
/// #     "payment_intent":"pi_1","amount_total":499,"currency":"usd",
/// #     "metadata":{"user_id":"ada","credits":"1000"}}}}"#;
/// # let header = stripe.sign_for_tests(body, 1_800_000_000);
/// # let now = Timestamp::from_millis(1_800_000_010_000);
/// let event = stripe.verify_at(body, &header, now)?;
/// let done = fm.webhooks().consume(&event).wait()?;
/// assert_eq!((done.outcome, done.credited), (Outcome::Ok, Credits::new(1_000)));
/// let again = fm.webhooks().consume(&event).wait()?;
/// assert_eq!((again.outcome, again.credited), (Outcome::Duplicate, Credits::ZERO));
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Webhooks {
    fm: FinalMile,
}

impl Webhooks {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    /// Stores an event, pending, and nothing else: whoever sent it may be told so, and maintenance or
    /// [`Webhooks::work`] consumes it. Costs two writes.
    pub fn receive(&self, event: &VerifiedEvent) -> Pending<Received> {
        let (inbox, id) = (self.fm.inbox().clone(), event.event_id().clone());
        self.fm.ask_then("receive-event", None, Receive::new(event), move |_, received| {
            if received == Ok(&Received::Conflict) {
                inbox.alarm.raise(Alert::Conflict { event: id });
            }
        })
    }

    /// Stores an event and does what it asks for, in one transaction: what it changes, its status and
    /// its body commit together (**H8**). One that came before is done only if it was not yet. Where
    /// the host has a handler, the event is stored, then claimed; the handler runs on a thread of its
    /// own (for a flood of them, [`Webhooks::receive`] and let maintenance call it), and what it wants
    /// commits with the event's status. Where the host has workers, the event is stored for them.
    ///
    /// What fails is an answer: the event is stored, and is tried again or waits for an admin.
    pub fn consume(&self, event: &VerifiedEvent) -> Pending<Consumed> {
        if self.fm.inbox().route_of(event).is_some() {
            // Stored first, so that it is there even if no thread can be had.
            let stored = self.fm.store().submit(Receive::new(event));
            let (fm, id) = (self.fm.clone(), event.event_id().clone());
            return Pending::on_thread("finalmile-webhook", move || {
                handle::received(&fm, &id, stored)
            });
        }
        self.ask("consume-event", self.prepare(event))
    }

    /// Submits what ends an attempt, and tells what it is worth.
    fn ask(
        &self,
        service: &'static str,
        command: impl Command<Out = Result<Consumed, Refusal>>,
    ) -> Pending<Consumed> {
        let inbox = self.fm.inbox().clone();
        self.fm.ask_then(service, None, command, move |_, consumed| {
            consumed.into_iter().for_each(|consumed| inbox.watch(consumed));
        })
    }

    /// The command that stores an event and does what is built in for it: for
    /// `FinalMile::transaction`, or `run_in` of the engines. Alerts are then the host's.
    #[must_use]
    pub fn prepare(&self, event: &VerifiedEvent) -> ConsumeEvent {
        let (options, world) = (&self.fm.inbox().options, &**self.fm.store().world());
        let attempt = Attempt {
            key: event.event_id().key(),
            lane: None,
            lease: None,
            plan: Plan::built_in(event, options, world),
            retries: Retries::new(options, world),
        };
        ConsumeEvent { receive: Receive::new(event), attempt }
    }

    /// Consumes what is due, at most for so long: what maintenance does too.
    pub fn work(&self, budget: Budget) -> Pending<Worked> {
        let (fm, fault) = (self.fm.clone(), FinalMile::fault("webhook-work", None));
        Pending::on_thread("finalmile-webhook", move || {
            let left = budget.begin();
            let work = || Ok(work::built_in(&fm, &left)?.and(work::handled(&fm, &left)?));
            work().map_err(fault)
        })
    }

    /// Takes an event that is due, of a kind that is [`WebhookOptions::claimed`], for
    /// [`WebhookOptions::lease`]. `None`: none is due. Reads past those that have to wait. Events
    /// about one object are given out in the order in which they happened, the next when the one
    /// before has ended.
    pub fn claim(&self) -> Pending<Option<Claimed>> {
        let fm = self.fm.clone();
        let fault = FinalMile::fault("claim-event", None);
        Pending::on_thread("finalmile-webhook", move || handle::claim(&fm).map_err(fault))
    }

    /// Ends an attempt: what the verdict wants commits with the event's status.
    ///
    /// # Errors
    ///
    /// [`Refusal::LeaseLost`] when the lease was over and another worker took the event; nothing
    /// changed.
    pub fn complete(&self, claimed: Claimed, verdict: Verdict) -> Pending<Consumed> {
        self.ask("complete-event", claimed.end(&self.fm, verdict))
    }

    /// What is known of a subscription, by Stripe's name for it.
    pub fn subscription(&self, id: &str) -> Pending<Option<Subscription>> {
        let fault = FinalMile::fault("subscription", None);
        self.fm.store().get_in(&id.to_owned(), fault)
    }

    /// An account's subscriptions, by their names, 100 a page.
    pub fn subscriptions(
        &self,
        account: &AccountId,
        after: Option<Cursor>,
    ) -> Pending<Page<Subscription>> {
        let scan = Scan::of::<Subscription>().by("fm_subscription_account").under(account);
        let fault = FinalMile::fault("subscriptions", Some(account.clone()));
        self.fm.store().scan_in(scan.after(after), fault)
    }

    /// Who subscribes to an item, by the subscriptions' names, 100 a page, ended ones too.
    pub fn subscribers(&self, item: &str, after: Option<Cursor>) -> Pending<Page<Subscription>> {
        let scan = Scan::of::<Subscription>().by("fm_subscription_item").under(&item.to_owned());
        self.fm.store().scan_in(scan.after(after), FinalMile::fault("subscribers", None))
    }
}
