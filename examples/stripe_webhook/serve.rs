//! The endpoint that Stripe calls.
//!
//! | the answer | when |
//! |---|---|
//! | 200 | the event is stored; what became of it is ours to mend, and Stripe need not send it again |
//! | 400, 413 | it is none of Stripe's, or none that can be read |
//! | 429 | the address asked too often; nothing was read |
//! | 503, 500 | the store could not answer; Stripe sends it again |

use std::{
    error::Error as StdError, future::IntoFuture as _, io, net::SocketAddr, sync::Arc, thread,
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequest as _, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use finalmile::{
    Budget, Error, FinalMile,
    limit::{Decision, Endpoint},
    webhook::{BODY_BYTES_MAX, Stripe, WebhookError},
};
use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{self, Duration},
};

use crate::{cli::say, open, options::Serve};

/// How long a body may take to come.
const READ: Duration = Duration::from_secs(10);
/// How long requests may take that are under way when the end comes.
const GRACE: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// What the handlers need.
#[derive(Clone)]
struct App {
    fm: FinalMile,
    stripe: Stripe,
    endpoint: Endpoint,
}

/// Serves until it is interrupted.
pub(crate) fn serve(task: &Serve) -> Result<(), Box<dyn StdError>> {
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(io::stderr).init();
    // It outlives the runtime: what it writes at the end may wait for the disk.
    let fm = open(&task.db, None)?;
    let endpoint = fm.limiter().endpoint("stripe_webhook")?;
    let app = App { fm, stripe: task.stripe.clone(), endpoint };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(listen(&app, task))?)
}

async fn listen(app: &App, task: &Serve) -> io::Result<()> {
    let listener = TcpListener::bind(task.listen).await?;
    say(&format!("listening on http://{}", listener.local_addr()?));
    tokio::spawn(maintain(app.fm.clone()));
    let router = Router::new()
        .route("/webhooks/stripe", post(webhook))
        .route("/health", get(async || json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (ended, until_eof) = (Arc::new(Notify::new()), task.until_eof);
    let ending = ended.clone();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        the_end(until_eof).await;
        ending.notify_one();
    });
    tokio::select! {
        done = serving.into_future() => done,
        // Stripe sends again what was not answered by then.
        () = async { ended.notified().await; time::sleep(GRACE).await } => Ok(()),
    }
}

/// Ctrl-C, or the end of standard input.
async fn the_end(until_eof: bool) {
    let eof = Arc::new(Notify::new());
    if until_eof {
        let eof = eof.clone();
        thread::spawn(move || {
            io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
            eof.notify_one();
        });
    }
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = eof.notified() => {}
    }
}

/// Tries again what failed, when it is due.
async fn maintain(fm: FinalMile) {
    let mut minutes = time::interval(MINUTE);
    loop {
        minutes.tick().await;
        // What hinders it is in the log, and the next minute may be better.
        drop(fm.maintain(Budget::seconds(30)).await);
    }
}

/// By the peer's address: whoever floods us with forgeries empties a bucket of his own, and Stripe's
/// events still come through. Behind a proxy, the address has to come from the proxy.
async fn webhook(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let decision = app.fm.limiter().check(app.endpoint, peer.ip());
    if !decision.is_allowed() {
        return limited(&decision);
    }
    match app.take(request).await {
        Ok(()) => json(StatusCode::OK, r#"{"received":true}"#.to_owned()),
        Err(error) => refused(&error),
    }
}

impl App {
    /// Stores the event and does what it asks for.
    async fn take(&self, request: Request) -> Result<(), Error> {
        let header = signature(request.headers());
        let (body, header) = (body(request).await.map_err(logged)?, header.map_err(logged)?);
        let event = self.stripe.verify(&body, &header)?;
        // Dead, or to be tried again: it is stored, and the alert is ours.
        self.fm.webhooks().consume(&event).await?;
        Ok(())
    }
}

/// The one signature's header.
fn signature(headers: &HeaderMap) -> Result<String, WebhookError> {
    let mut all = headers.get_all("stripe-signature").iter();
    let why = match (all.next().map(|value| value.to_str()), all.next()) {
        (Some(Ok(header)), None) => return Ok(header.to_owned()),
        (None, _) => "it is missing",
        (_, Some(_)) => "there are two",
        (Some(Err(_)), _) => "it is no text",
    };
    Err(WebhookError::Header { why })
}

/// The raw bytes, as they were signed.
async fn body(request: Request) -> Result<Bytes, WebhookError> {
    match time::timeout(READ, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(over)) if over.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            // Or more: nobody reads on.
            Err(WebhookError::TooLarge { bytes: BODY_BYTES_MAX + 1 })
        }
        _ => Err(WebhookError::Payload { why: "it did not come to its end" }),
    }
}

/// What we found out ourselves; the rest is in the log already.
fn logged(error: WebhookError) -> Error {
    let error = Error::from(error);
    tracing::warn!(service = "serve", code = error.code(), action = "refused", "{error}");
    error
}

fn limited(decision: &Decision) -> Response {
    let body = decision.public_error().map(|error| error.to_json()).unwrap_or_default();
    let mut answer = json(status(decision.http_status()), body);
    for (name, value) in decision.headers() {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Says no more than a stranger may know.
fn refused(error: &Error) -> Response {
    let status = match error {
        Error::Webhook(_) => status(error.http_status()),
        _ if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, error.public().to_json())
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
