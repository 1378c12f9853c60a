//! The front door: one handle for everything.

use std::{fmt, ops::ControlFlow, sync::Arc};

use crate::{
    AccountId, Actor, Admin, Error, Refusal, SweepOptions, SystemWorld, World,
    ledger::Ledger,
    limit::{LimitOptions, Limiter, Seed, keeper::Keeper, live::Live, policy},
    schema,
    storage::{Backend, Command, Pending, Store, StoreError},
    trash::{ItemKind, Items, Kinds, MEDIA_SHARE},
    upload::Uploads,
    webhook::{Inbox, WebhookOptions, Webhooks},
};

/// The last mile of a media app, on one database. `Clone + Send + Sync`; clones share one writer, and
/// the last one's drop finishes what was accepted.
///
/// ```
/// use finalmile::{AccountId, Credits, FinalMile, engines::Memory, ledger::{Money, Purchase}};
///
/// let fm = FinalMile::builder(Memory::new()).open()?;
/// let ada = AccountId::new("ada")?;
/// fm.ledger().add_credits(Purchase {
///     account: ada.clone(),
///     credits: Credits::new(500),
///     provider: "stripe".parse()?,
///     reference: "pi_1".parse()?,
///     paid: Money::minor(499, "usd")?,
///     paid_at: None,
///     metadata: Default::default(),
/// }).wait()?;
/// let begun = fm.uploads().begin(&ada, 3 << 20, &"photo-1".parse()?).wait()?;
/// assert_eq!(begun.credits_to_charge, Credits::new(300));
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FinalMile {
    // Dropped first: it writes what is only in memory.
    keeper: Arc<Keeper>,
    store: Store,
    inbox: Arc<Inbox>,
    kinds: Kinds,
    sweeps: SweepOptions,
}

/// Prepares a [`FinalMile`].
pub struct Builder {
    backend: Box<dyn Backend>,
    world: Arc<dyn World>,
    limits: LimitOptions,
    webhooks: WebhookOptions,
    kinds: Vec<ItemKind>,
    sweeps: SweepOptions,
}

impl FinalMile {
    /// Begins with the database to use: `Sqlite::file("app.db")`, `Postgres::url(…)`,
    /// `Memory::new()`, or an engine of the host's own.
    #[must_use]
    pub fn builder(backend: impl Backend) -> Builder {
        let (backend, world) = (Box::new(backend), Arc::new(SystemWorld));
        let (limits, webhooks) = (LimitOptions::default(), WebhookOptions::default());
        let (kinds, sweeps) = (vec![MEDIA_SHARE], SweepOptions::default());
        Builder { backend, world, limits, webhooks, kinds, sweeps }
    }

    /// Who owns how many credits.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.clone())
    }

    /// Who may act how often.
    #[must_use]
    pub fn limiter(&self) -> Limiter {
        Limiter::new(self.clone())
    }

    /// Begin, finalize, feed.
    #[must_use]
    pub fn uploads(&self) -> Uploads {
        Uploads::new(self.clone())
    }

    /// Events that others send: payments, subscriptions.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks {
        Webhooks::new(self.clone())
    }

    /// What can be deleted and come back, and who depends on it.
    #[must_use]
    pub fn items(&self) -> Items {
        Items::new(self.clone())
    }

    /// What only staff may do. Call it after the host's own authorisation.
    #[must_use]
    pub fn admin(&self, actor: Actor) -> Admin {
        Admin::new(self.clone(), actor)
    }

    /// The store beneath: for commands of the host's own, scans, snapshots, views and backups.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    pub(crate) fn sweeps(&self) -> &SweepOptions {
        &self.sweeps
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Finishes what was accepted and lets go of every file lock: for an iOS app that is about to be
    /// suspended. Until [`FinalMile::resume`], everything is answered with
    /// [`StoreError::Closed`].
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the handle then stays in use.
    pub fn suspend(&self) -> Result<(), Error> {
        // What cannot be written now stays in memory.
        drop(self.keeper.flush_if_used());
        self.store.suspend().map_err(Self::fault("suspend", None))
    }

    /// Takes up work again.
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the handle then stays suspended.
    pub fn resume(&self) -> Result<(), Error> {
        self.store.resume().map_err(Self::fault("resume", None))
    }

    /// Submits a command whose refusals and faults are errors to the caller, logged once.
    pub(crate) fn ask<C, T>(
        &self,
        service: &'static str,
        user: Option<AccountId>,
        command: C,
    ) -> Pending<T>
    where
        C: Command<Out = Result<T, Refusal>>,
        T: Send + 'static,
    {
        self.ask_then(service, user, command, |_, _| {})
    }

    /// The same; `then` lets the limits in memory see the answer before the caller does.
    pub(crate) fn ask_then<C, T>(
        &self,
        service: &'static str,
        user: Option<AccountId>,
        command: C,
        then: impl FnOnce(&Live, Result<&T, &Refusal>) + Send + 'static,
    ) -> Pending<T>
    where
        C: Command<Out = Result<T, Refusal>>,
        T: Send + 'static,
    {
        // Whoever leads the batch converts the answer, and stands in a span of his own.
        let span = tracing::Span::current();
        // An answer must not keep the store open that it comes from.
        let live = self.keeper.weak();
        self.store.submit_with(command, move |answer| {
            if let (Ok(answer), Some(live)) = (&answer, live.upgrade()) {
                then(&live, answer.as_ref());
            }
            let answer = match answer {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(refusal)) => Error::from(refusal),
                Err(fault) => fault.into(),
            };
            span.in_scope(|| answer.log(service, user.as_ref()));
            Err(answer)
        })
    }

    /// The same, for a command that takes a token of an endpoint in the store: it is counted and
    /// logged, unless its answer is a replay.
    pub(crate) fn ask_taking<C, T>(
        &self,
        service: &'static str,
        endpoint: String,
        account: &AccountId,
        command: C,
        is_replay: impl Fn(&T) -> bool + Send + 'static,
    ) -> Pending<T>
    where
        C: Command<Out = Result<T, Refusal>>,
        T: Send + 'static,
    {
        let who = account.clone();
        self.keeper.start_for_figures();
        self.ask_then(service, Some(account.clone()), command, move |live, answer| {
            if !answer.is_ok_and(is_replay) {
                live.note_taken(&who, &endpoint, answer.err());
            }
        })
    }

    /// Submits a command, and what its answer asks for instead, until `step` has the caller's answer.
    pub(crate) fn ask_until<C, A, T>(
        &self,
        service: &'static str,
        command: C,
        mut step: impl FnMut(A) -> ControlFlow<T, C> + Send + 'static,
    ) -> Pending<T>
    where
        C: Command<Out = Result<A, Refusal>>,
        T: Send + 'static,
    {
        let span = tracing::Span::current();
        self.store.submit_until(command, move |answer| {
            let error = match answer {
                Ok(Ok(done)) => match step(done) {
                    ControlFlow::Break(done) => return ControlFlow::Break(Ok(done)),
                    ControlFlow::Continue(next) => return ControlFlow::Continue(next),
                },
                Ok(Err(refusal)) => Error::from(refusal),
                Err(fault) => fault.into(),
            };
            span.in_scope(|| error.log(service, None));
            ControlFlow::Break(Err(error))
        })
    }

    /// What turns a read's fault into the caller's error, logged once.
    pub(crate) fn fault(
        service: &'static str,
        user: Option<AccountId>,
    ) -> impl FnOnce(StoreError) -> Error + Send + 'static {
        let span = tracing::Span::current();
        move |fault| {
            let error = Error::from(fault);
            span.in_scope(|| error.log(service, user.as_ref()));
            error
        }
    }

    /// Submits a command that was made of a checked request, or answers what the check said.
    pub(crate) fn ask_checked<C, T>(
        &self,
        service: &'static str,
        user: Option<&AccountId>,
        command: Result<C, Refusal>,
    ) -> Pending<T>
    where
        C: Command<Out = Result<T, Refusal>>,
        T: Send + 'static,
    {
        match command {
            Ok(command) => self.ask(service, user.cloned(), command),
            Err(refusal) => self.refuse(service, user, refusal),
        }
    }

    /// Answers a request that no command needs to decide.
    pub(crate) fn refuse<T>(
        &self,
        service: &'static str,
        user: Option<&AccountId>,
        refusal: Refusal,
    ) -> Pending<T> {
        let error = Error::from(refusal);
        error.log(service, user);
        Pending::ready(Err(error))
    }
}

impl Builder {
    /// With another clock and other chance: for tests and simulations.
    #[must_use]
    pub fn world(self, world: Arc<dyn World>) -> Self {
        Self { world, ..self }
    }

    /// With other options of the limiter.
    #[must_use]
    pub fn limits(self, limits: LimitOptions) -> Self {
        Self { limits, ..self }
    }

    /// With other options of the inbox: prices, handlers, alerts.
    #[must_use]
    pub fn webhooks(self, webhooks: WebhookOptions) -> Self {
        Self { webhooks, ..self }
    }

    /// With other options of maintenance.
    #[must_use]
    pub fn sweeps(self, sweeps: SweepOptions) -> Self {
        Self { sweeps, ..self }
    }

    /// With a kind of items that has guards of its own, a table that follows, or another date for its
    /// purges. Kinds without any of these need not be named.
    #[must_use]
    pub fn item(mut self, kind: ItemKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Opens the database and brings its schema up to date. A new one starts with the documents'
    /// limits.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for a file that is no database, [`StoreError::Schema`] for one of a
    /// newer version, and whatever hinders the connection.
    pub fn open(self) -> Result<FinalMile, Error> {
        let world = self.world.clone();
        let opened = Store::open(self.backend, self.world, &[schema::CORE]).and_then(|store| {
            store.submit(Seed(policy::defaults())).wait()?;
            let keeper = Keeper::new(store.clone(), world, self.limits);
            let inbox = Arc::new(Inbox::new(self.webhooks));
            let kinds = Kinds::new(self.kinds);
            Ok(FinalMile { keeper: Arc::new(keeper), store, inbox, kinds, sweeps: self.sweeps })
        });
        opened.map_err(FinalMile::fault("open", None))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("world", &self.world).finish_non_exhaustive()
    }
}
