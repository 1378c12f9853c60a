//! PostgreSQL: the engine for many machines on one database.
//!
//! Every transaction is READ COMMITTED and takes all its row locks before its first write, in one
//! order on every instance, so that two of them meet in the same place and never in a circle. It
//! travels in two flights: `BEGIN`, the locks and the clock; then the writes and `COMMIT`. The
//! statements of a flight are sent together and answered together.
//!
//! A lone command runs plain single-row statements; a batch runs one set-based statement a table
//! and kind, however many rows it has. PostgreSQL 13 is the oldest that is understood. A pooler
//! between this engine and the server must keep sessions apart.
//!
//! A host's own tables may live in the same database: [`run_in`] and [`run_in_async`] decide
//! commands inside a transaction of the host's.
//!
//! # Invariants
//!
//! - **PG1** All locks come before all writes, ordered by table name and key.
//! - **PG2** The time of a decision is the database's clock, read after the locks were held.
//! - **PG3** A commit whose answer was lost is looked up before it is called `Unknown`.
//! - **PG4** No error, log line or debug output holds the address's password.

mod connect;
mod fault;
mod host;
mod migrate;
mod read;
mod session;
mod settle;
mod statements;
mod tx;

use std::{fmt, sync::Arc};

use tokio_postgres::{Config, NoTls, Socket, tls::MakeTlsConnect};

pub use host::{run_in, run_in_async};

use crate::storage::{Backend, Capabilities, Engine, Readers, Schema, StoreError, Verdict, Work};
use connect::{ByTls, Connector, Purpose};
use session::Session;
use tx::{End, PgTx};

/// A database server, to be opened by [`Store::open`](crate::storage::Store::open).
///
/// ```no_run
/// # use std::sync::Arc;
/// # use finalmile::{SystemWorld, engines::Postgres, storage::Store};
/// let backend = Postgres::url("postgres://app:secret@db.internal/app");
/// let store = Store::open(backend, Arc::new(SystemWorld::default()), &[])?;
/// # Ok::<(), finalmile::storage::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Postgres {
    url: String,
    connector: Arc<dyn Connector>,
    own_clock: bool,
}

impl Postgres {
    /// The database that a `postgres://user:password@host:port/database?options` address names, or
    /// one in `key=value` form. A `search_path` in its `options` says where the tables live.
    ///
    /// Without a `connect_timeout`, connecting is given up after 5 seconds.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), connector: Arc::new(ByTls(NoTls)), own_clock: false }
    }

    /// With encrypted connections, through a connector such as `tokio-postgres-rustls` or
    /// `postgres-native-tls` offers. Write `sslmode=require` into the address, or a server without
    /// TLS is spoken to in the clear.
    #[must_use]
    pub fn tls<T>(self, connector: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as tokio_postgres::tls::TlsConnect<Socket>>::Future: Send,
    {
        Self { connector: Arc::new(ByTls(connector)), ..self }
    }

    /// With the time of this process's [`World`](crate::World) instead of the database's, for
    /// simulations and tests. Several instances then agree only as well as their clocks do.
    #[must_use]
    pub fn own_clock(self) -> Self {
        Self { own_clock: true, ..self }
    }

    fn config(&self) -> Result<Config, StoreError> {
        connect::config(&self.url)
    }
}

/// Shows nothing of the address, which may hold a password (**PG4**).
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

impl Backend for Postgres {
    /// `false`: a session is driven by a runtime of its own, which may not be entered from a thread
    /// that is inside another.
    fn is_inline(&self) -> bool {
        false
    }

    fn open(self: Box<Self>) -> Result<Box<dyn Engine>, StoreError> {
        let session = Session::open(&self, Purpose::Write)?;
        let server = session.server();
        Ok(Box::new(PgEngine { options: *self, session: Some(session), server, down: None }))
    }
}

/// The texts of all statements on single rows and pages of these tables, for a test that looks at
/// their plans.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub fn statements(
    tables: &[fn() -> &'static crate::storage::Table],
) -> Result<Vec<String>, StoreError> {
    crate::engines::sql::statements(tables, crate::engines::sql::Dialect::Postgres)
}

/// The writer: one session, reopened when it is lost.
struct PgEngine {
    options: Postgres,
    session: Option<Session>,
    /// When the server of the last session was started.
    server: i64,
    /// Why the server could not be reached, and until when that is believed.
    down: Option<(StoreError, crate::time::Deadline)>,
}

impl Engine for PgEngine {
    fn capabilities(&self) -> Capabilities {
        Capabilities { exclusive: false, inline: false, durable: true }
    }

    fn migrate(&mut self, schema: &Schema) -> Result<(), StoreError> {
        // A session of its own: scripts are for the planner's usual settings.
        migrate::migrate(&mut Session::open(&self.options, Purpose::Migrate)?, schema)
    }

    fn transaction(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        // A connection that died while nobody used it is found out by the first flight.
        let mut kept = self.session.is_some();
        let own_clock = self.options.own_clock;
        loop {
            let mut tx = PgTx::on(self.session()?, own_clock);
            let end = match work(&mut tx) {
                Ok(Verdict::Commit) => tx.commit(),
                Ok(Verdict::Rollback) => {
                    tx.rollback();
                    End::Done(Ok(()))
                }
                Err(fault) => {
                    tx.rollback();
                    End::Done(Err(fault))
                }
            };
            let lost = self.session.as_ref().is_some_and(Session::is_lost);
            if lost {
                tracing::warn!("the connection to PostgreSQL was lost");
                self.session = None;
            }
            match end {
                End::Doubt { xid, cause } => return self.settle(xid.as_deref(), &cause),
                End::Done(Err(_)) if lost && kept => kept = false,
                End::Done(done) => return done,
            }
        }
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(read::PgReaders(self.options.clone()))
    }

    fn suspend(&mut self) -> Result<(), StoreError> {
        self.session = None;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), StoreError> {
        self.session().map(drop)
    }
}
