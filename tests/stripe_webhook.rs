//! The webhook's example, run as its user runs it: with files, and over the wire.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/stripe.rs"]
mod stripe;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use finalmile::{
    AccountId, Actor, FinalMile, SystemWorld, World as _,
    engines::Sqlite,
    limit::Policy,
    storage::Scan,
    webhook::{BODY_BYTES_MAX, Secret, StoredEvent, Stripe},
};
use serde_json::{Value, json};
use stripe::{NOW, body, dispute, endpoint, intent, session};

const SECRET: &str = "whsec_5f8d2c0e9b7a4d3c8e1f";
const COMPLETED: &str = "checkout.session.completed";
const RECEIVED: &str = r#"{"received":true}"#;

fn command() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PATH.get_or_init(|| example::find("stripe_webhook", &[])));
    command.env_remove("STRIPE_WEBHOOK_SECRET");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A folder with a database.
struct Desk {
    folder: tempfile::TempDir,
}

/// What a program printed, what it complained about, and its exit code.
#[derive(Debug)]
struct Run {
    lines: Vec<String>,
    complaints: String,
    code: i32,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn db(&self) -> String {
        self.path("pay.db")
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Consumes bodies with their headers, at a time that many seconds after [`NOW`].
    fn consume(&self, after: i64, sent: &[(String, Vec<u8>)]) -> Run {
        let now = (NOW + after).to_string();
        let mut words = vec!["consume".to_owned(), "--db".to_owned(), self.db()];
        words.extend(["--secret", SECRET, "--now", &now].map(str::to_owned));
        for (n, (header, body)) in sent.iter().enumerate() {
            let file = self.file(&format!("{n}.json"), body);
            words.extend(["--header".to_owned(), header.clone(), file]);
        }
        run(command().args(words), b"")
    }

    fn fm(&self) -> FinalMile {
        FinalMile::builder(Sqlite::file(self.db())).open().unwrap()
    }

    fn balance(&self, name: &str) -> i64 {
        let account = self.fm().ledger().account(&AccountId::new(name).unwrap()).wait().unwrap();
        account.map_or(0, |account| account.balance.get())
    }

    /// The names of all events that are stored.
    fn stored(&self) -> Vec<String> {
        let page = self.fm().store().scan::<StoredEvent>(Scan::of::<StoredEvent>()).wait();
        page.unwrap().rows.into_iter().map(|event| event.id).collect()
    }
}

fn run(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that is not read breaks the pipe.
    stdin.write_all(input).ok();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let [said, complaints] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let lines = said.lines().map(str::to_owned).collect();
    Run { lines, complaints, code: output.status.code().unwrap() }
}

/// A body with a header that was made that many seconds after [`NOW`].
fn signed_at(after: i64, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    let body = body.into();
    (endpoint().sign_for_tests(&body, NOW + after), body)
}

fn signed(body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    signed_at(0, body)
}

/// A line of `consume`, of an event of this kind.
fn line(id: &str, kind: &str, outcome: &str, code: Option<&str>, credited: i64) -> String {
    let code = json!(code);
    format!(
        r#"{{"id":"{id}","type":"{kind}","outcome":"{outcome}","code":{code},"credited":{credited}}}"#
    )
}

fn refused(code: &str) -> String {
    format!(r#"{{"id":null,"type":null,"outcome":"refused","code":"{code}","credited":0}}"#)
}

#[test]
fn each_outcome_has_its_line() {
    let desk = Desk::new();
    let (succeeded, disputed) = ("payment_intent.succeeded", "charge.dispute.created");
    let paid = || body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let dispute = || body("evt_5", disputed, 0, &dispute("dp_1", "pi_9", 499));
    let first = desk.consume(
        0,
        &[
            signed(paid()),
            signed(paid()),
            signed(body("evt_2", succeeded, 0, &intent("pi_1", "ada", "1000"))),
            signed(body("evt_3", "plan.created", 0, &json!({ "id": "plan_1" }))),
            signed(body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "9000"))),
            signed(body("evt_4", COMPLETED, 0, &session("pi_4", "ada", "1e3"))),
            signed(dispute()),
        ],
    );
    assert_eq!(
        first.lines,
        [
            line("evt_1", COMPLETED, "ok", None, 1_000),
            line("evt_1", COMPLETED, "duplicate", None, 0),
            line("evt_2", succeeded, "ok", None, 0),
            line("evt_3", "plan.created", "ignored", Some("KIND_UNKNOWN"), 0),
            line("evt_1", COMPLETED, "conflict", Some("EVENT_CONFLICT"), 0),
            line("evt_4", COMPLETED, "dead", Some("METADATA_INVALID"), 0),
            line("evt_5", disputed, "retry", Some("PURCHASE_NOT_FOUND"), 0),
        ]
    );
    assert_eq!((first.code, desk.balance("ada")), (0, 1_000));
    assert!(first.complaints.contains("stripe:evt_4: metadata credits is no positive"));
    // The refund had overtaken its payment, and now it is due.
    let paid = body("evt_6", COMPLETED, 0, &session("pi_9", "bob", "500"));
    let second = desk.consume(61, &[signed(paid), signed_at(61, dispute())]);
    assert_eq!(
        second.lines,
        [line("evt_6", COMPLETED, "ok", None, 500), line("evt_5", disputed, "ok", None, -500),]
    );
    assert_eq!((second.code, desk.balance("bob")), (0, 0));
    assert_eq!(desk.stored(), ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"]);
}

#[test]
fn what_is_refused_is_not_stored_and_stops_nobody() {
    let desk = Desk::new();
    let good = || body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let other = Stripe::new(Secret::text("whsec_somebody_elses_secret").unwrap());
    let deep = format!(r#"{{"id":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let twice = good().replace(r#""credits":"1000""#, r#""credits":"1","credits":"1000""#);
    assert_ne!(twice, good());
    let header = |header: &str| (header.to_owned(), good().into_bytes());
    let (signature, payload) = ("SIGNATURE_INVALID", "PAYLOAD_INVALID");
    let cases = [
        (signature, (signed("{}").0, good().into_bytes())),
        (signature, header(&other.sign_for_tests(good().as_bytes(), NOW))),
        (signature, signed_at(-301, good())),
        (signature, signed_at(301, good())),
        (signature, signed_at(31_536_000, good())),
        (signature, header("")),
        (signature, header("t=1800000000")),
        (signature, header(&signed(good()).0.to_uppercase())),
        (signature, header(&signed(good()).0.replace("v1=", "v0="))),
        (signature, header(&signed(good()).0.replace("t=", "t=+"))),
        (signature, header(&upper_hex(&signed(good()).0))),
        // An argument may not be longer than 128 KiB.
        (signature, header(&format!("{},{}", signed(good()).0, "v1=0,".repeat(20_000)))),
        ("PAYLOAD_TOO_LARGE", signed(vec![b' '; BODY_BYTES_MAX + 1])),
        (payload, signed(deep)),
        (payload, signed(twice)),
        (payload, signed("")),
        (payload, signed("[]")),
        (payload, signed(&b"\xff\xfe"[..])),
    ];
    let mut sent: Vec<_> = cases.iter().map(|(_, sent)| sent.clone()).collect();
    sent.push(signed(good()));
    let answer = desk.consume(0, &sent);
    let mut expected: Vec<_> = cases.iter().map(|(code, _)| refused(code)).collect();
    expected.push(line("evt_1", COMPLETED, "ok", None, 1_000));
    assert_eq!((answer.lines, answer.code), (expected, 1));
    assert_eq!(answer.complaints.lines().count(), cases.len());
    assert!(answer.complaints.contains("2.json: the signature is 301 seconds old"));
    for secret in [SECRET, "someone@example.org"] {
        assert!(!answer.complaints.contains(secret), "{}", answer.complaints);
    }
    assert_eq!(desk.stored(), ["evt_1"]);
}

fn upper_hex(header: &str) -> String {
    let (time, signature) = header.split_once(",v1=").unwrap();
    format!("{time},v1={}", signature.to_uppercase())
}

#[test]
fn a_signed_file_is_consumed_by_whichever_way_it_comes() {
    let desk = Desk::new();
    let body = body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let file = desk.file("paid.json", body.as_bytes());
    let (old, new, none) = (SECRET, "whsec_the_new_one_of_today", "");
    // Signs with the secrets of the environment, by the machine's clock.
    let sign = |secrets: &str| {
        let signed =
            run(command().env("STRIPE_WEBHOOK_SECRET", secrets).args(["sign", &file]), b"");
        assert_eq!((signed.complaints.as_str(), signed.code), ("", 0));
        signed.lines[0].clone()
    };
    let header = sign(old);
    let bare = header.strip_prefix("Stripe-Signature: ").unwrap();
    let named = format!("stripe-signature:{bare}");
    assert_eq!(sign(&format!("{new} {old}")).matches("v1=").count(), 2);
    let db = desk.db();
    let consume = |secrets: &str, words: &[&str]| {
        let mut command = command();
        command.env("STRIPE_WEBHOOK_SECRET", secrets).args(["consume", "--db", &db]).args(words);
        let mut answer = run(&mut command, body.as_bytes());
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.lines.remove(0)
    };
    let again = line("evt_1", COMPLETED, "duplicate", None, 0);
    let first = consume(old, &["--header", &header, "-"]);
    assert_eq!(first, line("evt_1", COMPLETED, "ok", None, 1_000));
    assert_eq!(consume(&format!("{new}\n{old}"), &["--header", bare, &file]), again);
    let words = ["--secret", new, "--secret", old, "--header", &named, &file];
    assert_eq!(consume(none, &words), again);
    // One that was given counts, and not the environment's.
    assert_eq!(consume(new, &["--secret", old, "--header", bare, &file]), again);
}

#[test]
fn files_and_databases_that_cannot_be_used_are_said_line_by_line() {
    let desk = Desk::new();
    let (header, body) = signed(body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000")));
    let good = desk.file("good.json", &body);
    let (missing, folder) = (desk.path("missing.json"), desk.path(""));
    let now = NOW.to_string();
    let consume = |db: &str| {
        let mut words = vec!["consume", "--db", db, "--secret", SECRET, "--now", &now];
        for file in [&missing, &folder, &good] {
            words.extend(["--header", &header, file]);
        }
        run(command().args(words), b"")
    };
    let answer = consume(&desk.db());
    let expected = [
        refused("FILE_UNREADABLE"),
        refused("FILE_UNREADABLE"),
        line("evt_1", COMPLETED, "ok", None, 1_000),
    ];
    assert_eq!((&answer.lines[..], answer.code), (&expected[..], 1));
    let content = "no database, only text. ".repeat(400);
    let broken = desk.file("text.db", content.as_bytes());
    let answer = consume(&broken);
    let expected = [(); 3].map(|()| refused("INTERNAL_ERROR"));
    assert_eq!((&answer.lines[..], answer.code), (&expected[..], 1));
    assert_eq!(fs::read_to_string(broken).unwrap(), content);
}

#[test]
fn wrong_usage_is_said_with_2_and_without_the_secret() {
    let desk = Desk::new();
    let (db, file) = (&*desk.db(), &*desk.file("paid.json", b"{}"));
    let secret = ["--secret", SECRET];
    for words in [
        &[][..],
        &["frobnicate"],
        &["--db", db],
        &["serve", "--db", db],
        &["serve", secret[0], secret[1]],
        &["serve", "--db", db, secret[0], secret[1], "--listen", "nowhere"],
        &["serve", "--db", db, secret[0], secret[1], "--run", "a"],
        &["consume", "--db", db, secret[0], secret[1]],
        &["consume", "--db", db, secret[0], secret[1], file],
        &["consume", "--db", db, secret[0], secret[1], "--header", "t=1"],
        &["consume", "--db", db, secret[0], secret[1], "--now", "noon", "--header", "t=1", file],
        &["consume", "--db", db, "--secret", "whsec_short", "--header", "t=1", file],
        &["consume", "--db", db, "--secret", "whsec_with a blank in it", "--header", "t=1", file],
        &["sign", secret[0], secret[1]],
        &["sign", secret[0], secret[1], file, file],
        &["deliver", "--db", db, secret[0], secret[1]],
        &["check"],
    ] {
        let answer = run(command().args(words), b"");
        assert_eq!((answer.code, answer.lines.len()), (2, 0), "{words:?}");
        let complaints = answer.complaints;
        assert!(complaints.contains("stripe_webhook serve --db FILE"), "{complaints}");
        assert!(!complaints.contains("whsec_5") && !complaints.contains("whsec_short"));
    }
    let help = run(command().arg("--help"), b"");
    assert_eq!((help.code, help.complaints.as_str()), (0, ""));
    assert_eq!(desk.folder.path().read_dir().unwrap().count(), 1, "nothing was made");
}

/// A server that ends with its standard input.
struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    address: String,
}

/// An answer of the server.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn start(desk: &Desk) -> Self {
        let mut child = command()
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .args(["serve", "--db", &desk.db(), "--listen", "127.0.0.1:0", "--until-eof"])
            .stderr(fs::File::create(desk.path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { stdin: child.stdin.take(), child, address }
    }

    /// Sends bytes as they are, and reads the answer to its end.
    fn ask(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut out, request) = (stream.try_clone().unwrap(), request.to_vec());
        // It may answer before it has read everything.
        let writer = thread::spawn(move || drop(out.write_all(&request)));
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        stream.shutdown(Shutdown::Both).ok();
        writer.join().unwrap();
        assert!(!bytes.is_empty(), "no answer: {read:?}");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// Posts a body with these headers.
    fn post(&self, headers: &[&str], body: &[u8]) -> Answer {
        let length = format!("Content-Length: {}", body.len());
        let head = head("POST /webhooks/stripe", &[headers, &[&length]].concat());
        self.ask(&[head.as_bytes(), body].concat())
    }

    /// Posts a body as Stripe does.
    fn event(&self, body: &str) -> Answer {
        self.post(&[&now_signed(body)], body.as_bytes())
    }

    /// Ends it by its input; whether that was a good end.
    fn end(mut self) -> bool {
        drop(self.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn head(what: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

/// The whole header, by the machine's clock.
fn now_signed(body: &str) -> String {
    let now = SystemWorld.now().micros() / 1_000_000;
    format!("Stripe-Signature: {}", endpoint().sign_for_tests(body.as_bytes(), now))
}

#[test]
fn a_server_answers_stripe_and_tells_strangers_nothing() {
    let desk = Desk::new();
    let server = Server::start(&desk);
    let paid = || body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let header = now_signed(&paid());

    // Whatever becomes of it: it is stored, and need not be sent again.
    let mut answers = Vec::new();
    for event in [
        paid(),
        paid(),
        body("evt_2", "plan.created", 0, &json!({ "id": "plan_1" })),
        body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "9000")),
        body("evt_3", COMPLETED, 0, &session("pi_3", "ada", "many")),
        body("evt_4", "charge.dispute.created", 0, &dispute("dp_1", "pi_9", 499)),
    ] {
        let answer = server.event(&event);
        assert_eq!((answer.status, answer.body.as_str()), (200, RECEIVED), "{event}");
        answers.push(answer);
    }
    let chunked = body("evt_5", COMPLETED, 0, &session("pi_5", "ada", "5"));
    let (one, two) = chunked.split_at(50);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let head_of =
        |signed: &str| head("POST /webhooks/stripe", &[signed, "Transfer-Encoding: chunked"]);
    let answer = server.ask(format!("{}{chunks}", head_of(&now_signed(&chunked))).as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, RECEIVED));

    // Refused, without a word about why.
    let no = |code: &str, error: &str| json!({ "error": error, "code": code });
    let invalid = no("SIGNATURE_INVALID", "The signature is not valid");
    let unsigned = body("evt_6", COMPLETED, 0, &session("pi_6", "ada", "1000"));
    let old = endpoint().sign_for_tests(unsigned.as_bytes(), NOW - 100_000_000);
    let right = now_signed(&unsigned);
    for headers in [
        &[][..],
        &["Stripe-Signature:"],
        &["Stripe-Signature: t=1,v1=\u{fc}"],
        &[&header],
        &[&format!("Stripe-Signature: {old}")],
        &[&right, &right],
        &[&right, &header],
        &[&format!("Stripe-Signature: {}", "x".repeat(100_000))],
    ] {
        let answer = server.post(headers, unsigned.as_bytes());
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, told), (400, invalid.clone()), "{headers:.80?}");
        answers.push(answer);
    }
    let deep = format!(r#"{{"id":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let answer = server.event(&deep);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told, no("PAYLOAD_INVALID", "The payload is not valid"));
    answers.push(answer);

    // Too large, whether it says so or not.
    let large = " ".repeat(BODY_BYTES_MAX + 1);
    let chunks = format!("{}{:x}\r\n{large}\r\n0\r\n\r\n", head_of(&header), large.len());
    for answer in [server.event(&large), server.ask(chunks.as_bytes())] {
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 413);
        assert_eq!(told, no("PAYLOAD_TOO_LARGE", "The payload is too large"));
        answers.push(answer);
    }
    let huge = format!("Stripe-Signature: {}", "x".repeat(1 << 20));
    assert_eq!(server.post(&[&huge], b"{}").status, 431);

    let health = server.ask(head("GET /health", &[]).as_bytes());
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(server.ask(head("GET /webhooks/stripe", &[]).as_bytes()).status, 405);
    assert_eq!(server.ask(head("GET /", &[]).as_bytes()).status, 404);
    assert_eq!(server.ask(b"nonsense\r\n\r\n").status, 400);
    for answer in answers {
        assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
        for secret in ["evt_", "pi_", "ada", "whsec", "metadata", "seconds", "bytes", "JSON"] {
            assert!(!answer.body.contains(secret), "{answer:?}");
        }
    }
    // A body that does not come to its end is not stored either.
    let mut half = TcpStream::connect(&server.address).unwrap();
    let length = format!("Content-Length: {}", unsigned.len());
    let words = head("POST /webhooks/stripe", &[&right, &length]);
    half.write_all(format!("{words}{}", &unsigned[..40]).as_bytes()).unwrap();
    half.shutdown(Shutdown::Both).unwrap();

    assert!(server.end());
    assert_eq!(desk.stored(), ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5"]);
    assert_eq!(desk.balance("ada"), 1_005);
    let log = fs::read_to_string(desk.path("log")).unwrap();
    assert!(log.contains("the signature's header: there are two"), "{log}");
    assert_eq!(log.matches("SIGNATURE_INVALID").count(), 8, "each is logged once: {log}");
    for secret in [SECRET, "someone@example.org"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn who_asks_too_often_is_told_before_anything_is_read_or_stored() {
    let desk = Desk::new();
    let rarely = Policy::greedy("stripe_webhook".parse().unwrap(), 1, Duration::from_secs(3_600));
    let admin = desk.fm().admin(Actor::new("ops").unwrap());
    admin.configure(rarely.unwrap().burst(2).unwrap()).wait().unwrap();
    drop(admin);
    let server = Server::start(&desk);
    let paid = |n: i64| {
        body(&format!("evt_{n}"), COMPLETED, 0, &session(&format!("pi_{n}"), "ada", "1000"))
    };
    assert_eq!(server.event(&paid(1)).status, 200);
    // A forgery costs as much.
    assert_eq!(server.post(&["Stripe-Signature: t=1,v1=0"], b"{}").status, 400);
    let announced = head("POST /webhooks/stripe", &["Content-Length: 1000"]);
    for answer in [server.event(&paid(2)), server.ask(announced.as_bytes())] {
        assert_eq!(answer.status, 429);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(told["code"], "RATE_LIMIT_EXCEEDED");
        let wait = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: "));
        assert!((1..=3_600).contains(&wait.unwrap().parse::<u64>().unwrap()), "{answer:?}");
    }
    assert_eq!(server.ask(head("GET /health", &[]).as_bytes()).status, 200);
    assert!(server.end());
    assert_eq!((desk.stored(), desk.balance("ada")), (vec!["evt_1".to_owned()], 1_000));
}

#[cfg(unix)]
#[test]
fn an_interrupt_is_a_good_end() {
    let desk = Desk::new();
    let mut server = Server::start(&desk);
    assert_eq!(server.event(&body("evt_1", "plan.created", 0, &json!({}))).status, 200);
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(server.child.wait().unwrap().success());
    assert_eq!(desk.stored(), ["evt_1"]);
}
