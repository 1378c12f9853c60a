//! The store: commands in, answers out, reads beside.
//!
//! A [`Store`] is a cheap handle; clones share one writer. Dropping the last one decides what was
//! accepted, closes the connections and joins the threads.

use std::{
    fmt,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::{
    storage::{
        BATCH_MAX, Backend, Command, KeySet, Page, Pending, Record, RowId, Rows, Scan, Schema,
        StoreError, ViewRows,
        combine::{Combiner, Turn},
        decide::Job,
        decoded,
        engine::{Capabilities, Reader},
        pending::{Cell, Seat},
        read::{ReadPool, guarded},
        scan::{self, PAGE_MAX},
    },
    time::{Timestamp, World},
};

/// A handle on an open database. `Clone + Send + Sync`.
#[derive(Clone, Debug)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Combiner>,
    reads: Arc<ReadPool>,
}

impl Store {
    /// Opens a backend and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for what is no database, [`StoreError::Schema`] for a newer one, and
    /// whatever hinders the connection.
    pub fn open(
        backend: impl Backend,
        world: Arc<dyn World>,
        schemas: &[Schema],
    ) -> Result<Self, StoreError> {
        let (core, readers) = Combiner::open(Box::new(backend), world)?;
        let reads = ReadPool::new(readers, core.capabilities().inline);
        let store = Self { handle: Arc::new(Handle { core, reads }) };
        schemas.iter().try_for_each(|schema| store.migrate(*schema))?;
        Ok(store)
    }

    /// Brings one more set of tables up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database has a newer one or a script was changed.
    pub fn migrate(&self, schema: Schema) -> Result<(), StoreError> {
        self.handle.core.alone(None, move |engine| engine.migrate(&schema))
    }

    /// Accepts a command: it will be decided and committed, in order with all others, whether or
    /// not anybody waits. Costs a place in the queue; the first who waits may commit for all.
    pub fn submit<C: Command>(&self, command: C) -> Pending<C::Out, StoreError> {
        self.submit_with(command, |out| out)
    }

    /// As [`Store::submit`], with the answer converted by whoever decided.
    pub(crate) fn submit_with<C: Command, T: Send + 'static, E>(
        &self,
        command: C,
        convert: impl FnOnce(Result<C::Out, StoreError>) -> Result<T, E> + Send + 'static,
    ) -> Pending<T, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        let cell = Cell::waiting();
        let answer = cell.clone();
        let settle =
            move |out| answer.answer(converted(|| convert(out)).unwrap_or_else(|fault| Err(fault)));
        accept(&self.handle.core, &cell, command, settle);
        Pending::new(cell, Some(self.handle.core.clone()))
    }

    /// Accepts a command, and whatever `step` makes of its answer, until that is an answer to the caller.
    pub(crate) fn submit_until<C: Command, T: Send + 'static, E>(
        &self,
        command: C,
        step: impl FnMut(Result<C::Out, StoreError>) -> ControlFlow<Result<T, E>, C> + Send + 'static,
    ) -> Pending<T, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        let cell = Cell::waiting();
        pursue(&self.handle.core, cell.clone(), command, step);
        Pending::new(cell, Some(self.handle.core.clone()))
    }

    /// Submits many commands, as many at a time as fit a batch, and hands out their answers in order. Waits.
    pub(crate) fn submit_all<C: Command>(
        &self,
        commands: impl IntoIterator<Item = C>,
        mut answer: impl FnMut(C::Out),
    ) -> Result<(), StoreError> {
        let mut commands = commands.into_iter();
        loop {
            let some = commands.by_ref().take(BATCH_MAX).map(|command| self.submit(command));
            let some: Vec<_> = some.collect();
            if some.is_empty() {
                return Ok(());
            }
            for one in some {
                answer(one.wait()?);
            }
        }
    }

    /// Reads one row, as of now.
    pub fn get<R: Record>(&self, key: &R::Key) -> Pending<Option<R>, StoreError> {
        self.get_in(key, |fault| fault)
    }

    pub(crate) fn get_in<R: Record, E>(
        &self,
        key: &R::Key,
        fault: impl FnOnce(StoreError) -> E + Send + 'static,
    ) -> Pending<Option<R>, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        self.get_map(key, fault, Some)
    }

    /// The row as whoever asks may see it.
    pub(crate) fn get_map<R: Record, E>(
        &self,
        key: &R::Key,
        fault: impl FnOnce(StoreError) -> E + Send + 'static,
        seen: impl FnOnce(R) -> Option<R> + Send + 'static,
    ) -> Pending<Option<R>, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        let id = RowId::of::<R>(key);
        self.read(fault, move |reader| {
            let row = reader.get(id.table, &id.key)?;
            Ok(row.map(decoded).transpose()?.and_then(seen))
        })
    }

    /// Reads one page of an index, as of now.
    pub fn scan<R: Record>(&self, scan: Scan) -> Pending<Page<R>, StoreError> {
        self.scan_in(scan, |fault| fault)
    }

    pub(crate) fn scan_in<R: Record, E>(
        &self,
        scan: Scan,
        fault: impl FnOnce(StoreError) -> E + Send + 'static,
    ) -> Pending<Page<R>, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        self.read(fault, move |reader| {
            let rows = reader.scan(&scan)?;
            scan::page(&scan, rows)
        })
    }

    /// Reads an order to its end, page by page, or until `work` has had enough. Waits.
    pub(crate) fn for_each<R: Record>(
        &self,
        scan: &Scan,
        mut work: impl FnMut(R) -> bool,
    ) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page = self.scan::<R>(scan.clone().limit(PAGE_MAX).after(cursor)).wait()?;
            for row in page.rows {
                if !work(row) {
                    return Ok(());
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads at most `limit` rows of a view, for dashboards. Only SQL engines have views.
    pub fn view(&self, name: &'static str, limit: usize) -> Pending<ViewRows, StoreError> {
        self.read(|fault| fault, move |reader| reader.view(name, limit))
    }

    /// Lets `work` read the database as it is at one moment, for at most `deadline`.
    pub fn snapshot<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnMut(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T, StoreError> {
        self.snapshot_in(deadline, |fault| fault, work)
    }

    pub(crate) fn snapshot_in<T: Send + 'static, E>(
        &self,
        deadline: Duration,
        fault: impl FnOnce(StoreError) -> E + Send + 'static,
        mut work: impl FnMut(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        self.read(fault, move |reader| {
            let mut answer = None;
            reader.snapshot(deadline, &mut |reader| {
                answer = Some(work(reader)?);
                Ok(())
            })?;
            answer.ok_or_else(|| StoreError::Backend("the snapshot did not run".to_owned()))
        })
    }

    /// Copies the database into a new file while writers go on. Only embedded engines do this.
    pub fn backup(&self, to: impl Into<PathBuf>) -> Pending<(), StoreError> {
        let to = to.into();
        self.read(|fault| fault, move |reader| reader.backup(&to))
    }

    fn read<T: Send + 'static, E>(
        &self,
        fault: impl FnOnce(StoreError) -> E + Send + 'static,
        work: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        let cell = Cell::waiting();
        let answer = cell.clone();
        let job = move |reader: Result<&mut dyn Reader, StoreError>| {
            answer.answer(guarded(reader, work).map_err(fault));
        };
        self.handle.reads.read(Box::new(job));
        Pending::new(cell, None)
    }

    /// Finishes what was accepted, then lets go of every file lock and connection; until
    /// [`Store::resume`], all work is answered with [`StoreError::Closed`]. For an iOS app that is
    /// about to be suspended.
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the store then stays in use.
    pub fn suspend(&self) -> Result<(), StoreError> {
        self.handle.core.refuse_inside()?;
        // Suspending twice is no fault.
        if self.handle.core.is_suspended() {
            return Ok(());
        }
        self.handle.reads.suspend();
        let done = self.handle.core.alone(Some(false), |engine| engine.suspend());
        if done.is_err() {
            self.handle.core.set_open(true);
            self.handle.reads.resume();
        }
        done
    }

    /// Takes up work again.
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the store then stays suspended.
    pub fn resume(&self) -> Result<(), StoreError> {
        self.handle.core.alone(Some(true), |engine| engine.resume())?;
        self.handle.core.set_open(true);
        self.handle.reads.resume();
        Ok(())
    }

    /// The time by this store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world().now()
    }

    /// What this store cannot compute: time and chance.
    #[must_use]
    pub fn world(&self) -> &Arc<dyn World> {
        self.handle.core.world()
    }

    /// How its engine wants to be used.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.handle.core.capabilities()
    }

    /// Whether this thread decides or answers commands now, so that it must not wait for one.
    pub(crate) fn is_answering(&self) -> bool {
        self.handle.core.is_answering()
    }

    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only SQLite's host side"))]
    pub(crate) fn turn(&self) -> Result<Turn, StoreError> {
        self.handle.core.turn()
    }
}

/// Puts a command into the queue; `settle` is given what it answers.
fn accept<C: Command>(
    core: &Arc<Combiner>,
    seat: &Arc<impl Seat + Send + Sync + 'static>,
    command: C,
    settle: impl FnOnce(Result<C::Out, StoreError>) + Send + 'static,
) {
    // Asked here, where a panic is the caller's own, and once.
    let (size_bytes, is_background) = (command.size_bytes(), command.is_background());
    let (settle, seat) = (Some(settle), seat.clone());
    core.accept(Box::new(Submitted {
        command,
        size_bytes,
        is_background,
        out: None,
        settle,
        seat,
    }));
}

/// Puts a command into the queue, and then whatever its answer asks for.
fn pursue<C, T, E, F>(core: &Arc<Combiner>, cell: Arc<Cell<Result<T, E>>>, command: C, mut step: F)
where
    C: Command,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnMut(Result<C::Out, StoreError>) -> ControlFlow<Result<T, E>, C> + Send + 'static,
{
    let (queue, seat) = (core.clone(), cell.clone());
    accept(core, &seat, command, move |out| match converted(|| step(out)) {
        Ok(ControlFlow::Break(answer)) => cell.answer(answer),
        Ok(ControlFlow::Continue(next)) => pursue(&queue, cell, next, step),
        Err(fault) => cell.answer(Err(fault)),
    });
}

/// Converting may log, and a subscriber is the host's.
fn converted<T, E: From<StoreError>>(convert: impl FnOnce() -> T) -> Result<T, E> {
    let panicked = "the answer's conversion panicked";
    catch_unwind(AssertUnwindSafe(convert))
        .map_err(|_| StoreError::Backend(panicked.to_owned()).into())
}

/// An accepted command.
struct Submitted<C: Command, F, S> {
    command: C,
    size_bytes: usize,
    is_background: bool,
    out: Option<C::Out>,
    settle: Option<F>,
    /// Where its answer is waited for.
    seat: Arc<S>,
}

impl<C, F, S> Job for Submitted<C, F, S>
where
    C: Command,
    F: FnOnce(Result<C::Out, StoreError>) + Send,
    S: Seat + Send + Sync,
{
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.command.keys(seen, keys);
    }

    fn decide(&mut self, rows: &mut Rows, now: Timestamp) {
        self.out = Some(self.command.decide(rows, now));
    }

    fn answer(mut self: Box<Self>, fault: Option<StoreError>) {
        let out = match (fault, self.out.take()) {
            (Some(fault), _) => Err(fault),
            (None, Some(out)) => Ok(out),
            (None, None) => Err(StoreError::Closed),
        };
        if let Some(settle) = self.settle.take() {
            settle(out);
        }
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn is_background(&self) -> bool {
        self.is_background
    }

    fn offer_lead(&self) -> bool {
        self.seat.offer_lead()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.close();
        self.reads.close();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.core).finish()
    }
}
