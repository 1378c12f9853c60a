//! What only staff may see of events, and do to them.

use crate::{
    Admin, Error, FinalMile, Refusal,
    limit::checked_reason,
    storage::{Cursor, Page, Pending, Scan, StoreError},
    webhook::{
        Consumed, EventFilter, EventId, Failure, Outcome, StoredBody, StoredEvent, WebhookFigures,
        dead::{Deed, What},
        handle,
    },
};

/// An event with all that is known of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EventDetail {
    /// The event.
    pub event: StoredEvent,
    /// The bodies that came under its name; the one whose digest is the event's is its own.
    pub bodies: Vec<StoredBody>,
    /// Its failures, if it ever failed.
    pub failure: Option<Failure>,
}

impl Admin {
    /// An event, with its bodies and its failures. `None`: none of that name is known (any more).
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn event(&self, event: &EventId) -> Pending<Option<EventDetail>> {
        let (store, key) = (self.fm().store().clone(), event.key());
        let fault = FinalMile::fault("event", None);
        Pending::on_thread("finalmile-admin", move || {
            let read = || {
                let Some(event) = store.get::<StoredEvent>(&key).wait()? else { return Ok(None) };
                let bodies = store.scan(Scan::of::<StoredBody>().under(&key)).wait()?.rows;
                let failure = store.get(&key).wait()?;
                Ok::<_, StoreError>(Some(EventDetail { event, bodies, failure }))
            };
            read().map_err(fault)
        })
    }

    /// The dead events, the longest known first, 100 a page.
    pub fn dead_letters(&self, after: Option<Cursor>) -> Pending<Page<StoredEvent>> {
        let scan = Scan::of::<StoredEvent>().by("fm_event_dead").after(after);
        self.fm().store().scan_in(scan, FinalMile::fault("dead-letters", None))
    }

    /// The events that came to a good end, the last first, 100 a page.
    pub fn ended_events(&self, after: Option<Cursor>) -> Pending<Page<StoredEvent>> {
        let scan = Scan::of::<StoredEvent>().by("fm_event_ended").descending().after(after);
        self.fm().store().scan_in(scan, FinalMile::fault("ended-events", None))
    }

    /// The events that have not ended, those first that are due first, 100 a page.
    pub fn waiting_events(&self, after: Option<Cursor>) -> Pending<Page<StoredEvent>> {
        let scan = Scan::of::<StoredEvent>().by("fm_event_due").after(after);
        self.fm().store().scan_in(scan, FinalMile::fault("waiting-events", None))
    }

    /// Tries an event again at once: one that is dead, was ignored, or waits for its next attempt. One
    /// that is ok, or that somebody has, is left as it is: its answer is `Duplicate`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a reason that is empty, longer than 1,000 bytes
    /// or holds control characters; `EventUnknown`.
    pub fn reprocess_event(&self, event: &EventId, reason: &str) -> Pending<Consumed> {
        let service = "replay-event";
        let command = match self.deed(event, reason, What::Replay) {
            Ok(command) => command,
            Err(refusal) => return self.fm().refuse(service, None, refusal),
        };
        let (fm, event) = (self.fm().clone(), event.clone());
        Pending::on_thread("finalmile-admin", move || {
            fm.ask(service, None, command).wait()?;
            handle::again(&fm, &event, Outcome::Duplicate)
        })
    }

    /// Lets all dead events that the filter admits be tried again, by maintenance; answers how many.
    /// Waits.
    ///
    /// # Errors
    ///
    /// As [`Admin::reprocess_event`], and what the store says.
    pub fn replay_dead(&self, filter: &EventFilter, reason: &str) -> Result<u64, Error> {
        self.act_on_dead("replay-event", filter, reason, What::Replay)
    }

    /// Removes a dead event, its bodies and its failures. The reason stays in the audit.
    ///
    /// # Errors
    ///
    /// As [`Admin::reprocess_event`]; `EventNotDead`.
    pub fn purge_event(&self, event: &EventId, reason: &str) -> Pending<bool> {
        self.act_on("purge-event", event, reason, What::Purge)
    }

    /// The same for all dead events that the filter admits; answers how many. Waits.
    ///
    /// # Errors
    ///
    /// As [`Admin::replay_dead`].
    pub fn purge_dead(&self, filter: &EventFilter, reason: &str) -> Result<u64, Error> {
        self.act_on_dead("purge-event", filter, reason, What::Purge)
    }

    /// Writes down what is to be known about an event that failed, in the place of what stood there.
    /// False: it never failed, so there is nothing to say.
    ///
    /// # Errors
    ///
    /// As [`Admin::reprocess_event`].
    pub fn note_event(&self, event: &EventId, note: &str) -> Pending<bool> {
        self.act_on("note-event", event, note, What::Note)
    }

    /// The inbox in figures: the view `v_webhook_dashboard` shows much of it. Reads the events that
    /// have not ended, the dead ones and those of the last hour.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn webhook_figures(&self) -> Result<WebhookFigures, Error> {
        WebhookFigures::read(self.fm().store()).map_err(FinalMile::fault("webhook-figures", None))
    }

    fn deed(&self, event: &EventId, reason: &str, what: What) -> Result<Deed, Refusal> {
        let (event, actor) = (event.clone(), self.actor().clone());
        Ok(Deed { event, actor, reason: checked_reason(reason)?, what })
    }

    fn act_on(
        &self,
        service: &'static str,
        event: &EventId,
        reason: &str,
        what: What,
    ) -> Pending<bool> {
        self.fm().ask_checked(service, None, self.deed(event, reason, what))
    }

    fn act_on_dead(
        &self,
        service: &'static str,
        filter: &EventFilter,
        reason: &str,
        what: What,
    ) -> Result<u64, Error> {
        let reason = match checked_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return self.fm().refuse(service, None, refusal).wait(),
        };
        let fault = || FinalMile::fault(service, None);
        let store = self.fm().store();
        let mut found = Vec::new();
        let scan = Scan::of::<StoredEvent>().by("fm_event_dead");
        let read = store.for_each(&scan, |event: StoredEvent| {
            found.extend(filter.admits(&event).then(|| event.event_id()));
            true
        });
        read.map_err(fault())?;
        let mut count = 0;
        let deed = |event| {
            let (actor, reason) = (self.actor().clone(), reason.clone());
            Deed { event, actor, reason, what }
        };
        // One that somebody else dealt with meanwhile is not dead any more.
        let done = |done| count += u64::from(done == Ok(true));
        store.submit_all(found.into_iter().map(deed), done).map_err(fault())?;
        Ok(count)
    }
}
