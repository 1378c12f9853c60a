//! A session: one connection with a runtime of its own, whose statements fly together.
//!
//! The runtime belongs to the thread that uses the session. Nothing moves between two calls; each
//! call drives the connection until it has its answers.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Error, Row, Statement, types::ToSql};

use super::{
    Postgres,
    connect::{Line, Purpose},
    fault::{connect_fault, fault, is_lost},
    statements::Call,
};
use crate::storage::StoreError;

const TAKEN: &str = "the runtime is taken only when the session is dropped";

/// What one statement answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows it read or changed.
    pub(super) count: u64,
}

/// An open connection with the statements it has prepared.
pub(super) struct Session {
    /// Taken when the session is dropped.
    runtime: Option<Runtime>,
    client: Client,
    /// `None` once the connection has ended.
    line: Option<Box<dyn Line>>,
    statements: HashMap<String, Statement>,
    lost: bool,
    server: i64,
}

impl Session {
    /// Connects and says how this session wants to be treated.
    pub(super) fn open(options: &Postgres, purpose: Purpose) -> Result<Self, StoreError> {
        let connecting = options.connector.connect(options.config()?);
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|e| StoreError::Backend(e.to_string()))?;
        let (client, line) = runtime.block_on(connecting).map_err(|e| connect_fault(&e))?;
        let mut session = Self {
            runtime: Some(runtime),
            client,
            line: Some(line),
            statements: HashMap::new(),
            lost: false,
            server: 0,
        };
        session.say(purpose.settings())?;
        let started = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint";
        let answer = session.ask(&Call::plain(started))?;
        session.server = answer.rows.first().map_or(0, |row| row.get(0));
        Ok(session)
    }

    /// Whether the connection has ended or can no longer be used.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// When this session's server was started, in microseconds since 1970.
    pub(super) fn server(&self) -> i64 {
        self.server
    }

    /// Runs a text of one or more statements without parameters.
    pub(super) fn say(&mut self, text: &str) -> Result<(), StoreError> {
        let said = self.wait(async |client| client.batch_execute(text).await);
        self.noted(said).map_err(|e| fault(&e))
    }

    /// Sends a statement whose answer nobody needs, and does not wait for it.
    pub(super) fn dismiss(&mut self, text: &str) {
        let Some(line) = &mut self.line else { return };
        let mut sent = pin!(self.client.batch_execute(text));
        let ended = self.runtime.as_ref().expect(TAKEN).block_on(poll_fn(|context| {
            // The first look at each writes the request into the socket.
            drop(sent.as_mut().poll(context));
            let seen = line.poll_message(context);
            Poll::Ready(matches!(seen, Poll::Ready(Some(Err(_)) | None)))
        }));
        if ended {
            self.line = None;
            self.lost = true;
        }
    }

    /// Asks one statement.
    pub(super) fn ask(&mut self, call: &Call) -> Result<Answer, StoreError> {
        self.prepare([call])?;
        let mut answers = self.fly(None, [call], None);
        answers.pop().unwrap_or_else(|| Ok(Answer::default())).map_err(|e| fault(&e))
    }

    /// The columns that a text answers, with their types. The text is not remembered.
    pub(super) fn describe(&mut self, text: &str) -> Result<Statement, StoreError> {
        let described = self.wait(async |client| client.prepare(text).await);
        self.noted(described).map_err(|e| fault(&e))
    }

    /// Runs one text and hands out the client's own answer.
    pub(super) fn simple(
        &mut self,
        text: &str,
    ) -> Result<Vec<tokio_postgres::SimpleQueryMessage>, StoreError> {
        let answer = self.wait(async |client| client.simple_query(text).await);
        self.noted(answer).map_err(|e| fault(&e))
    }

    /// Prepares the texts that this session does not know yet, all in one flight.
    pub(super) fn prepare<'c>(
        &mut self,
        calls: impl IntoIterator<Item = &'c Call>,
    ) -> Result<(), StoreError> {
        let fresh = calls.into_iter().filter(|call| !self.statements.contains_key(&call.text));
        let fresh: Vec<&Call> = fresh.collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let prepared = self.wait(async |client| {
            let each = fresh.iter().map(|call| client.prepare_typed(&call.text, &call.types));
            together(each.map(|one| -> Flying<'_, _> { Box::pin(one) }).collect()).await
        });
        for (call, statement) in fresh.into_iter().zip(prepared) {
            let statement = self.noted(statement).map_err(|e| fault(&e))?;
            self.statements.insert(call.text.clone(), statement);
        }
        Ok(())
    }

    /// Sends everything at once, in order, and waits for all answers; the calls are prepared.
    /// `first` and `last` are statements without parameters, such as BEGIN and COMMIT.
    pub(super) fn fly<'c>(
        &mut self,
        first: Option<&str>,
        calls: impl IntoIterator<Item = &'c Call>,
        last: Option<&str>,
    ) -> Vec<Result<Answer, Error>> {
        let known = &self.statements;
        let calls: Vec<(&Call, Option<Statement>)> =
            calls.into_iter().map(|call| (call, known.get(&call.text).cloned())).collect();
        let answers = self.wait(async |client| {
            let mut flight: Vec<Flying<'_, Answer>> = Vec::with_capacity(calls.len() + 2);
            flight.extend(first.map(|text| -> Flying<'_, _> { Box::pin(plain(client, text)) }));
            for (call, statement) in &calls {
                flight.push(Box::pin(answer(client, call, statement.as_ref())));
            }
            flight.extend(last.map(|text| -> Flying<'_, _> { Box::pin(plain(client, text)) }));
            together(flight).await
        });
        self.lost |= answers.iter().any(|answer| answer.as_ref().is_err_and(is_lost));
        answers
    }

    /// Notes whether an error ended the session.
    fn noted<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        self.lost |= answer.as_ref().is_err_and(is_lost);
        answer
    }

    /// Drives the connection until `work` is done. After the connection has ended, every answer
    /// that is still owed is an error.
    fn wait<T>(&mut self, work: impl AsyncFnOnce(&Client) -> T) -> T {
        let runtime = self.runtime.as_ref().expect(TAKEN);
        let (line, lost) = (&mut self.line, &mut self.lost);
        let mut work = pin!(work(&self.client));
        runtime.block_on(poll_fn(|context| {
            loop {
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                let Some(open) = line else { return Poll::Pending };
                match open.poll_message(context) {
                    Poll::Pending => return Poll::Pending,
                    // Notices are the server's talk, not an answer.
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => {
                        *line = None;
                        *lost = true;
                    }
                }
            }
        }))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A pool may let go of a reader inside somebody's async task, where a runtime may not wait
        // for its end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) type Flying<'f, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'f>>;

/// Polls all in order, so that their requests are sent in order, until each is done.
///
/// One that fails at the first look was never sent: its parameters could not be encoded. What
/// follows it is then not sent either, least of all a COMMIT, and has no answer.
pub(super) async fn together<T>(mut flight: Vec<Flying<'_, T>>) -> Vec<Result<T, Error>> {
    let mut done: Vec<Option<Result<T, Error>>> = flight.iter().map(|_| None).collect();
    let (mut sent, mut first_look) = (flight.len(), true);
    poll_fn(|context| {
        let mut waiting = false;
        for (i, (one, done)) in flight.iter_mut().zip(&mut done).enumerate().take(sent) {
            if done.is_none() {
                match one.as_mut().poll(context) {
                    Poll::Ready(answer) => {
                        let unsent = first_look && answer.is_err();
                        *done = Some(answer);
                        if unsent {
                            sent = i + 1;
                            break;
                        }
                    }
                    Poll::Pending => waiting = true,
                }
            }
        }
        first_look = false;
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn plain(client: &Client, text: &str) -> Result<Answer, Error> {
    client.batch_execute(text).await.map(|()| Answer::default())
}

async fn answer(
    client: &Client,
    call: &Call,
    statement: Option<&Statement>,
) -> Result<Answer, Error> {
    let params = call.params.iter().map(|param| -> &(dyn ToSql + Sync) { param });
    let found = match statement {
        Some(statement) => client.query_raw(statement, params).await?,
        None => client.query_raw(call.text.as_str(), params).await?,
    };
    let mut found = pin!(found);
    let mut rows = Vec::new();
    while let Some(row) = found.next().await {
        rows.push(row?);
    }
    Ok(Answer { rows, count: found.rows_affected().unwrap_or_default() })
}
