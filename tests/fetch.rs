//! Fetching: who is asked, who gets a token, and what an answer may be. Answers are fixed, or come from a
//! server on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Mutex;

use finalmile::{
    fetch::{FetchError, Fetcher, Request, Response, Timeouts, fetch, fetch_small},
    report::{PINATA_PLAN_BYTES, Pinata},
};

/// Answers by address, and remembers what was asked.
#[derive(Default)]
struct Fixed {
    answers: Vec<(&'static str, u16, Option<&'static str>, &'static str)>,
    asked: Mutex<Vec<Request>>,
}

impl Fixed {
    fn new(
        answers: impl IntoIterator<Item = (&'static str, u16, Option<&'static str>, &'static str)>,
    ) -> Self {
        Self { answers: answers.into_iter().collect(), ..Self::default() }
    }

    /// Where it was asked, and whether with a token.
    fn asked(&self) -> Vec<(String, bool)> {
        let has_token =
            |request: &Request| request.headers.iter().any(|header| header.name == "authorization");
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| (request.url.clone(), has_token(request))).collect()
    }
}

impl Fetcher for Fixed {
    fn get(&self, request: &Request) -> Result<Response, FetchError> {
        self.asked.lock().unwrap().push(request.clone());
        let found = self.answers.iter().find(|answer| answer.0 == request.url);
        let (_, status, to, body) =
            found.ok_or_else(|| FetchError::Transport(format!("nobody at {}", request.url)))?;
        let headers = to.iter().map(|to| ("location".to_owned(), (*to).to_owned())).collect();
        Ok(Response::new(*status, headers, body.as_bytes()))
    }
}

const SECRET: &str = "eyJhbGciOi.very.secret";

fn request(url: &str) -> Request {
    Request::new(url).secret("authorization", format!("Bearer {SECRET}")).header("accept", "*/*")
}

#[test]
fn nt2_a_token_does_not_follow_a_redirect_to_another_host() {
    let fixed = Fixed::new([
        ("https://a.example/", 302, Some("/next"), ""),
        ("https://a.example/next", 307, Some("https://b.example/x"), ""),
        ("https://b.example/x", 301, Some("https://a.example/end"), ""),
        ("https://a.example/end", 200, None, "here"),
    ]);
    let body = fetch_small(&fixed, &request("https://a.example/"), 4).unwrap();
    assert_eq!(body, b"here");
    let asked = fixed.asked();
    let tokens: Vec<bool> = asked.iter().map(|(_, token)| *token).collect();
    assert_eq!(tokens, [true, true, false, false], "{asked:?}");
    assert!(!format!("{:?}", request("https://a.example/")).contains("secret."));
}

#[test]
fn nt1_nt3_redirects_end_and_lead_nowhere_else() {
    let fixed = Fixed::new([
        ("https://a.example/loop", 302, Some("/loop"), ""),
        ("https://a.example/down", 302, Some("http://a.example/"), ""),
        ("https://a.example/in", 302, Some("http://127.0.0.1:22/"), ""),
        ("https://a.example/none", 302, None, ""),
        ("https://a.example/large", 200, None, "12345"),
        ("https://a.example/gone", 404, None, "no"),
    ]);
    let error = |path: &str| fetch_small(&fixed, &request(path), 4).unwrap_err();
    assert_eq!(error("https://a.example/loop"), FetchError::Redirects);
    assert_eq!(fixed.asked().len(), 4);
    for path in ["https://a.example/down", "https://a.example/in", "http://a.example/", "x"] {
        assert!(matches!(error(path), FetchError::Address { .. }), "{path}");
    }
    assert_eq!(error("https://a.example/none"), FetchError::Answer("it leads nowhere"));
    assert_eq!(error("https://a.example/large"), FetchError::TooLarge(4));
    assert_eq!(error("https://a.example/gone"), FetchError::Status(404));
    assert!(error("https://nobody.example/").is_retryable());
    assert_eq!(fetch(&fixed, &request("https://a.example/gone")).unwrap().status, 404);
    assert!(!format!("{:?}", error("http://a.example/?token=abc")).contains("abc"));
}

#[test]
fn rt5_pinatas_figure_warns_from_400_of_500_gb_on() {
    let url = "https://api.pinata.cloud/data/usage";
    for (body, used) in [
        (r#"{"bandwidth_used": 399999999999, "other": 1}"#, Some((399_999_999_999, false))),
        (r#"{"bandwidth_used": 400000000000}"#, Some((400_000_000_000, true))),
        (r#"{"bandwidth_used": "400000000000"}"#, None),
        (r#"{"bandwidth_used": -1}"#, None),
        ("{}", None),
        ("<html>", None),
        ("", None),
    ] {
        let fixed = Fixed::new([(url, 200, None, body)]);
        let found = Pinata::new(SECRET).usage(&fixed);
        match used {
            Some((used, is_high)) => {
                let found = found.unwrap();
                assert_eq!((found.used_bytes, found.is_high), (used, is_high));
                assert_eq!(found.plan_bytes, PINATA_PLAN_BYTES);
                assert_eq!(fixed.asked(), [(url.to_owned(), true)]);
            }
            None => assert_eq!(found.unwrap_err().code(), "FETCH_FAILED", "{body}"),
        }
    }
    let refused = Pinata::new(SECRET).usage(&Fixed::new([(url, 401, None, "")])).unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("FETCH_FAILED", 502));
}

#[test]
fn rt6_the_token_is_in_no_debug() {
    assert!(!format!("{:?}", Pinata::new(SECRET)).contains("secret"));
}

#[cfg(feature = "http")]
mod live {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
        time::Duration,
    };

    use finalmile::fetch::HttpFetcher;

    use super::*;

    /// Answers one connection after the other with these words; what it was sent.
    fn serve(answers: Vec<Vec<u8>>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut sent, mut piece) = (Vec::new(), [0; 4_096]);
                while !sent.windows(4).any(|end| end == b"\r\n\r\n") {
                    let read = stream.read(&mut piece).unwrap();
                    sent.extend_from_slice(&piece[..read]);
                }
                asked.push(String::from_utf8(sent).unwrap().to_ascii_lowercase());
                stream.write_all(&answer).unwrap();
            }
            asked
        });
        (url, server)
    }

    fn answer(head: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes()
    }

    #[test]
    fn nt2_nt3_the_client_leaves_redirects_and_statuses_to_the_caller() {
        let (other, other_server) = serve(vec![answer("200 OK", "there")]);
        let to = format!("302 Found\r\nlocation: {other}/there");
        let (url, server) =
            serve(vec![answer("429 Too Many\r\nretry-after: 7", "later"), answer(&to, "")]);
        let client = HttpFetcher::new();
        let limited = fetch(&client, &request(&url)).unwrap();
        assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
        assert_eq!(fetch_small(&client, &request(&url), 100).unwrap(), b"there");
        let (asked, there) = (server.join().unwrap(), other_server.join().unwrap());
        assert!(asked.iter().all(|sent| sent.contains("authorization: bearer ")), "{asked:?}");
        assert!(!there[0].contains("authorization") && there[0].starts_with("get /there "));
        // Nothing is decoded silently.
        assert!(there[0].contains("accept-encoding: identity"), "{there:?}");
    }

    #[test]
    fn what_ends_too_early_or_is_nobody_is_an_error() {
        let mut cut = answer("200 OK", "0123456789");
        cut.truncate(cut.len() - 5);
        let (url, server) = serve(vec![cut]);
        let client = HttpFetcher::new();
        let error = fetch_small(&client, &Request::new(&url), 100).unwrap_err();
        assert!(error.is_retryable(), "{error}");
        server.join().unwrap();
        thread::sleep(Duration::from_millis(10));
        let nobody = fetch_small(&client, &Request::new(&url), 100).unwrap_err();
        assert!(matches!(nobody, FetchError::Transport(_)), "{nobody}");
        let no_tls = fetch_small(&client, &Request::new("https://127.0.0.1:9/"), 1).unwrap_err();
        assert!(matches!(no_tls, FetchError::Transport(_)), "{no_tls}");
    }

    #[test]
    fn a_request_is_given_up_after_the_times_that_it_says() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // Accepts, begins to answer, and says no more.
        let server = thread::spawn(move || {
            let mut held = Vec::new();
            for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun"] {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                held.push(stream);
            }
            thread::sleep(Duration::from_millis(800));
        });
        let mut timeouts = Timeouts::default();
        assert_eq!((timeouts.connect.as_secs(), timeouts.idle.as_secs()), (10, 30));
        timeouts.idle = Duration::from_millis(100);
        let request = Request::new(&url).timeouts(timeouts);
        let client = HttpFetcher::new();
        for _ in 0..2 {
            let error = fetch_small(&client, &request, 100).unwrap_err();
            assert_eq!((error.clone(), error.is_retryable()), (FetchError::Timeout, true));
        }
        server.join().unwrap();
    }

    #[test]
    fn rt5_pinata_is_asked_over_the_network() {
        let (url, server) = serve(vec![answer("200 OK", r#"{"bandwidth_used": 450000000000}"#)]);
        let gateway = Pinata::new(SECRET).at(format!("{url}/data/usage"));
        let found = gateway.usage(&HttpFetcher::new()).unwrap();
        assert_eq!((found.used_percent, found.is_high), (Some(90), true));
        let asked = server.join().unwrap();
        assert!(asked[0].starts_with("get /data/usage http/1.1\r\n"), "{asked:?}");
    }
}
