//! Connections: how a server is reached, and why each setting is what it is.

use std::{future::Future, pin::Pin, task, time::Duration};

use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

use crate::storage::StoreError;

/// How long connecting may take, unless the address says.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How soon a peer that vanished without a word is noticed, unless the address says.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What a session is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// The engine's transactions.
    Write,
    /// Single reads, pages and snapshots.
    Read,
    /// Scripts.
    Migrate,
}

impl Purpose {
    /// The settings of a session, sent once when it opens.
    pub(super) fn settings(self) -> &'static str {
        match self {
            // Every statement of the writer names its rows by key. The planner's other ideas would
            // come from statistics of a time when the table was small, so it is left with one, and
            // plans each text once. A client that stands still must not keep its locks for ever.
            Self::Write => {
                "SET lock_timeout = '250ms'; SET idle_in_transaction_session_timeout = '30s';
                 SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
                 SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
                 SET enable_material = off; SET jit = off;
                 SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') = 'off'"
            }
            Self::Read => "SET default_transaction_read_only = on",
            Self::Migrate => "SET statement_timeout = 0; SET lock_timeout = 0",
        }
    }
}

/// Reads an address.
pub(super) fn config(url: &str) -> Result<Config, StoreError> {
    // The parser's own message may quote a part of the address, and with it of the password.
    let mut config: Config = url.parse().map_err(|_| {
        let text =
            "the PostgreSQL address cannot be read; it is not shown, for its password's sake";
        StoreError::Backend(text.to_owned())
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(SILENCE_MAX);
    }
    if config.get_application_name().is_none() {
        config.application_name("finalmile");
    }
    Ok(config)
}

/// Opens connections of one kind, plain or encrypted.
pub(super) trait Connector: Send + Sync {
    fn connect(&self, config: Config) -> Connecting;
}

pub(super) type Connecting =
    Pin<Box<dyn Future<Output = Result<(Client, Box<dyn Line>), Error>> + Send>>;

/// The half of a connection that reads and writes the socket, whatever encrypts it.
pub(super) trait Line: Send {
    fn poll_message(
        &mut self,
        context: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<AsyncMessage, Error>>>;
}

/// A [`Connector`] from one of the driver's own.
pub(super) struct ByTls<T>(pub(super) T);

impl<T> Connector for ByTls<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: Config) -> Connecting {
        let tls = self.0.clone();
        Box::pin(async move {
            let (client, line) = config.connect(tls).await?;
            let line: Box<dyn Line> = Box::new(line);
            Ok((client, line))
        })
    }
}

impl<T> Line for Connection<Socket, T>
where
    T: tokio_postgres::tls::TlsStream + Unpin + Send,
{
    fn poll_message(
        &mut self,
        context: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<AsyncMessage, Error>>> {
        Self::poll_message(self, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pg4_an_address_that_cannot_be_read_is_not_repeated() {
        for url in ["postgres://ada:hunter2@[broken/app", "hunter2", "postgres://a?hunter2=1"] {
            let fault = config(url).unwrap_err();
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn what_the_address_says_is_kept() {
        let said = config("postgres://h/d?connect_timeout=77&application_name=me").unwrap();
        assert_eq!(said.get_connect_timeout(), Some(&Duration::from_secs(77)));
        assert_eq!(said.get_application_name(), Some("me"));
        assert_eq!(config("postgres://h/d").unwrap().get_connect_timeout(), Some(&CONNECT_MAX));
    }
}
