//! What a host may choose about its events.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use crate::{
    Credits,
    webhook::{Alert, Verdict, VerifiedEvent},
};

/// What a host does with an event: may read, write and call others. It should end within the lease.
type Handler = Arc<dyn Fn(&VerifiedEvent) -> Verdict + Send + Sync>;

/// Who deals with events of a kind, in the place of what is built in.
#[derive(Clone)]
pub(super) enum Route {
    /// A handler, called by whoever consumes, and by maintenance.
    Handler(Handler),
    /// The host's own workers, who claim them.
    Worker,
}

/// Whom the host wants to be woken.
pub(super) type Hook = Arc<dyn Fn(&Alert) + Send + Sync>;

/// Options of the inbox, with defaults for payments.
///
/// ```
/// # use finalmile::{Credits, FinalMile, engines::Memory, webhook::{Effect, Verdict, WebhookOptions}};
/// let options = WebhookOptions::default()
///     .price("price_monthly", Credits::new(10_000))
///     .on("stripe", "customer.created", |event| match event.object_id() {
///         Some(_) => Verdict::Done(Effect::none()),
///         None => Verdict::Dead("it is about nobody".to_owned()),
///     })
///     .alert(|alert| eprintln!("{alert:?}"));
/// let fm = FinalMile::builder(Memory::new()).webhooks(options).open()?;
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct WebhookOptions {
    /// What an invoice's line of a price credits, by Stripe's name for the price. None: nothing.
    pub prices: BTreeMap<String, Credits>,
    /// Whether a payment for an account that is not open yet is dead, instead of opening it. No.
    pub known_accounts_only: bool,
    /// How often a failed event is tried again by itself: 3 times, so that the fourth failure is its
    /// last.
    pub max_retries: u32,
    /// How long it waits at most after its first failure; twice that after the second, and so on. 60
    /// seconds. Each wait is drawn anew between nothing and that (full jitter), so that events that
    /// failed together do not come back together.
    pub backoff: Duration,
    /// How long it waits at most, after however many. 1 hour.
    pub backoff_max: Duration,
    /// How long a worker has for an event before another may take it over. 60 seconds.
    pub lease: Duration,
    /// From which age on an event that waits is worth an alert. 15 minutes.
    pub patience: Duration,
    /// How long an event that has ended is kept, with its payload. 90 days.
    pub events_kept: Duration,
    /// How long it is remembered that an event failed that came to a good end. 30 days.
    pub failures_kept: Duration,
    /// Whether a checkout or a subscription whose metadata names nothing of ours is ignored, instead of
    /// dead: for a Stripe account that sells other things too. No.
    pub ignore_strangers: bool,
    routes: HashMap<(String, String), Route>,
    pub(super) alert: Option<Hook>,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        let day = minute * 60 * 24;
        Self {
            prices: BTreeMap::new(),
            known_accounts_only: false,
            max_retries: 3,
            backoff: minute,
            backoff_max: minute * 60,
            lease: minute,
            patience: minute * 15,
            events_kept: day * 90,
            failures_kept: day * 30,
            ignore_strangers: false,
            routes: HashMap::new(),
            alert: None,
        }
    }
}

impl WebhookOptions {
    /// An invoice's line of this price credits so many credits, times its quantity.
    #[must_use]
    pub fn price(mut self, price: &str, credits: Credits) -> Self {
        self.prices.insert(price.to_owned(), credits);
        self
    }

    /// Events of this kind, of this sender, go to `handler`, in the place of what is built in for
    /// them; it can ask for that with [`Effect::built_in`](super::Effect::built_in). An event that is
    /// sent again after it was forgotten comes to it again. A handler that keeps a
    /// [`FinalMile`](crate::FinalMile) keeps its store open: give it a channel, or a `Weak`.
    #[must_use]
    pub fn on(
        mut self,
        sender: &str,
        kind: &str,
        handler: impl Fn(&VerifiedEvent) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let route = Route::Handler(Arc::new(handler));
        self.routes.insert((sender.to_owned(), kind.to_owned()), route);
        self
    }

    /// Events of this kind, of this sender, are only stored: workers of the host's own
    /// [claim](super::Webhooks::claim) them.
    #[must_use]
    pub fn claimed(mut self, sender: &str, kind: &str) -> Self {
        self.routes.insert((sender.to_owned(), kind.to_owned()), Route::Worker);
        self
    }

    /// What is worth waking somebody is told to `hook`, on a thread of its own.
    #[must_use]
    pub fn alert(mut self, hook: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.alert = Some(Arc::new(hook));
        self
    }

    /// Who deals with such events; `None`: what is built in.
    pub(super) fn route(&self, sender: &str, kind: &str) -> Option<&Route> {
        if self.routes.is_empty() {
            return None;
        }
        self.routes.get(&(sender.to_owned(), kind.to_owned()))
    }
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.routes.keys().collect();
        f.debug_struct("WebhookOptions")
            .field("prices", &self.prices)
            .field("max_retries", &self.max_retries)
            .field("routes", &kinds)
            .finish_non_exhaustive()
    }
}
