//! Connections that end at the worst moment.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use super::*;

#[test]
fn a_connection_that_was_cut_is_opened_again() {
    let schema = live!();
    let store = open(schema.url());
    for expected in 1..4 {
        assert_eq!(store.submit(Count(1)).wait(), Ok(expected));
        assert!(schema.kill_backends() >= 1);
    }
}

#[test]
fn callers_are_answered_truly_while_connections_are_cut_under_them() {
    let schema = live!();
    let store = open(schema.url());
    let (sure, doubtful) = thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let answers = (0..40).map(|_| store.submit(Count(1)).wait());
                    answers.fold((0, 0), |(sure, doubtful), answer| match answer {
                        Ok(_) => (sure + 1, doubtful),
                        Err(StoreError::Unknown(_)) => (sure, doubtful + 1),
                        Err(_) => (sure, doubtful),
                    })
                })
            })
            .collect();
        for _ in 0..10 {
            thread::sleep(std::time::Duration::from_millis(20));
            schema.kill_backends();
        }
        let each = callers.into_iter().map(|caller| caller.join().unwrap());
        each.fold((0, 0), |sum: (i64, i64), one: (i64, i64)| (sum.0 + one.0, sum.1 + one.1))
    });
    let count = store.get::<Counter>(&1).wait().unwrap().map_or(0, |counter| counter.count);
    assert!((sure..=sure + doubtful).contains(&count), "{sure} {doubtful} {count}");
    assert!(sure > 0);
}

#[test]
fn pg3_a_commit_whose_answer_was_lost_is_looked_up() {
    let schema = live!();
    let proxy = Proxy::to(schema.url());
    let store = open(&proxy.url);
    assert_eq!(store.submit(Count(1)).wait(), Ok(1));

    proxy.arm(Cut::AfterCommit);
    assert_eq!(store.submit(Count(1)).wait(), Ok(2), "it happened, and once");
    assert_eq!(count_of(schema.url()), 2);

    proxy.arm(Cut::BeforeCommit);
    assert_eq!(store.submit(Count(1)).wait(), Ok(3), "it did not happen, and was done again");
    assert_eq!(count_of(schema.url()), 3);
}

#[test]
fn e2_pg3_a_commit_that_cannot_be_looked_up_is_unknown_and_asking_again_tells() {
    let schema = live!();
    let proxy = Proxy::to(schema.url());
    let store = open(&proxy.url);
    proxy.arm(Cut::AfterCommitForGood);
    let key = || ("pay".to_owned(), vec![1]);
    let pay = |store: &Store| {
        run(
            store,
            move |_, keys| keys.own::<Once>(&key()),
            move |rows, _| {
                let replay = rows.get::<Once>(&key()).is_some();
                let (scope, key) = key();
                rows.put(Once { scope, key, outcome: "paid".to_owned() });
                replay
            },
        )
    };
    let first = pay(&store);
    assert!(matches!(first, Err(StoreError::Unknown(_))), "{first:?}");
    assert_eq!(pay(&open(schema.url())), Ok(true), "it had happened");
}

#[test]
fn a_server_that_cannot_be_reached_is_a_fault_without_the_password() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [
        format!("postgres://ada:hunter2@127.0.0.1:{port}/app"),
        "postgres://ada:hunter2@[broken".to_owned(),
        "hunter2".to_owned(),
    ] {
        assert!(!format!("{:?}", Postgres::url(url.as_str())).contains("hunter2"));
        let fault = try_open(&url).unwrap_err();
        assert!(matches!(fault, StoreError::Backend(_)), "{fault:?}");
        assert!(!format!("{fault:?} {fault}").contains("hunter2"), "{fault:?}");
    }
}

#[test]
fn a_suspended_store_has_no_connection_and_takes_up_work_again() {
    let schema = live!();
    let store = open(schema.url());
    store.submit(Count(1)).wait().unwrap();
    store.get::<Counter>(&1).wait().unwrap();
    store.suspend().unwrap();
    let none = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 \
                AND pid <> pg_backend_pid()";
    let mut client = schema.connect();
    let gone = (0..100).any(|_| {
        thread::sleep(std::time::Duration::from_millis(20));
        client.query_one(none, &[&schema.name()]).unwrap().get::<_, i64>(0) == 0
    });
    assert!(gone, "connections stay open");
    assert_eq!(store.submit(Count(1)).wait(), Err(StoreError::Closed));
    store.resume().unwrap();
    assert_eq!(store.submit(Count(1)).wait(), Ok(2));
}

#[test]
fn a_server_that_was_killed_and_started_again_has_every_answered_change() {
    if support::live_or_skip().is_none() {
        return;
    }
    let mut cluster = support::Cluster::start(support::Options { fsync: true });
    let schema = cluster.schema();
    let store = open(schema.url());
    let before = (1..=20).filter(|_| store.submit(Count(1)).wait().is_ok()).count();
    cluster.stop_hard();
    let down = store.submit(Count(1)).wait();
    assert!(down.is_err(), "{down:?}");
    cluster.restart();
    let after = (0..100).find_map(|_| {
        thread::sleep(std::time::Duration::from_millis(50));
        store.submit(Count(1)).wait().ok()
    });
    assert_eq!(after, Some(i64::try_from(before).unwrap() + 1));
}

#[tokio::test]
async fn a_thousand_tasks_await_and_the_last_drop_is_inside_the_runtime() {
    let schema = live!();
    let store = open(schema.url());
    let tasks: Vec<_> = (0..1_000)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                let count = store.submit(Count(i % 10)).await.unwrap();
                let read = store.get::<Counter>(&(i % 10)).await.unwrap().unwrap().count;
                assert!(read >= count);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut sum = 0;
    for id in 0..10 {
        sum += store.get::<Counter>(&id).await.unwrap().unwrap().count;
    }
    assert_eq!(sum, 1_000);
    // Blocking waits are the host's own business, but they must not panic either.
    assert!(store.submit(Count(1)).wait().is_ok());
    drop(store);
}

fn count_of(url: &str) -> i64 {
    open(url).get::<Counter>(&1).wait().unwrap().unwrap().count
}

/// What the proxy does at the next COMMIT.
#[derive(Clone, Copy)]
enum Cut {
    /// Forwards it and cuts the connection, so that the answer is lost.
    AfterCommit = 1,
    /// Cuts the connection instead of forwarding it.
    BeforeCommit = 2,
    /// As `AfterCommit`, and lets nobody connect any more.
    AfterCommitForGood = 3,
}

const CLOSED: u8 = 9;

/// Forwards connections to the server.
struct Proxy {
    url: String,
    state: Arc<AtomicU8>,
}

impl Proxy {
    fn to(url: &str) -> Self {
        let host = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(0));
        let shared = state.clone();
        let target = host.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&target);
                if shared.load(Ordering::SeqCst) == CLOSED {
                    continue;
                }
                let Ok(server) = server else { continue };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
                let state = shared.clone();
                thread::spawn(move || forward(client, server, &state));
            }
        });
        Self { url: url.replace(&host, &format!("127.0.0.1:{port}")), state }
    }

    fn arm(&self, cut: Cut) {
        self.state.store(cut as u8, Ordering::SeqCst);
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, state: &AtomicU8) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let chunk = &bytes[..count];
        let commits = chunk.windows(7).any(|part| part == b"COMMIT\0");
        let armed = state.load(Ordering::SeqCst);
        if !commits || armed == 0 || armed == CLOSED {
            if server.write_all(chunk).is_err() {
                break;
            }
            continue;
        }
        state.store(
            if armed == Cut::AfterCommitForGood as u8 { CLOSED } else { 0 },
            Ordering::SeqCst,
        );
        // The client hears nothing more, whatever the server says.
        client.shutdown(Shutdown::Both).ok();
        if armed != Cut::BeforeCommit as u8 {
            server.write_all(chunk).ok();
            thread::sleep(std::time::Duration::from_millis(50));
        }
        break;
    }
    server.shutdown(Shutdown::Both).ok();
    client.shutdown(Shutdown::Both).ok();
}
