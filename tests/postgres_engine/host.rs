//! The host's transactions: its rows and ours commit together.

use finalmile::engines::postgres::{run_in, run_in_async};
use postgres::{Client, IsolationLevel};

use super::*;

fn posts(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM posts", &[]).unwrap().get(0)
}

fn count_of(store: &Store, id: i64) -> Option<i64> {
    store.get::<Counter>(&id).wait().unwrap().map(|counter| counter.count)
}

#[test]
fn the_hosts_rows_and_ours_commit_or_go_together() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch("CREATE TABLE posts (title text)");
    let mut client = schema.connect();

    let mut tx = client.transaction().unwrap();
    tx.execute("INSERT INTO posts VALUES ('hello')", &[]).unwrap();
    let counts = run_in(&mut tx, &(Count(1), vec![Count(1), Count(2)]), None).unwrap();
    assert_eq!(counts, (1, vec![2, 1]));
    tx.commit().unwrap();
    assert_eq!(
        (posts(&mut client), count_of(&store, 1), count_of(&store, 2)),
        (1, Some(2), Some(1))
    );

    let mut tx = client.transaction().unwrap();
    tx.execute("INSERT INTO posts VALUES ('again')", &[]).unwrap();
    assert_eq!(run_in(&mut tx, &vec![Count(1), Count(2), Count(3)], None), Ok(vec![3, 2, 1]));
    tx.rollback().unwrap();
    assert_eq!((posts(&mut client), count_of(&store, 1), count_of(&store, 3)), (1, Some(2), None));
}

#[test]
fn a_fault_takes_back_the_commands_and_leaves_the_hosts_rows() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch("CREATE TABLE posts (title text)");
    let mut client = schema.connect();
    let mut tx = client.transaction().unwrap();
    tx.execute("INSERT INTO posts VALUES ('hello')", &[]).unwrap();
    let broke = Do {
        keys: |_: &Rows, keys: &mut KeySet| {
            keys.own::<Account>(&"a".to_owned());
            keys.own::<Counter>(&1);
        },
        decide: |rows: &mut Rows, _| {
            rows.put(Counter { id: 1, count: 1 });
            rows.put(account("a", -1));
        },
    };
    let fault = run_in(&mut tx, &broke, None).unwrap_err();
    assert!(matches!(fault, StoreError::Backend(_)), "{fault}");
    assert_eq!(run_in(&mut tx, &Count(2), None), Ok(1), "the transaction goes on");
    tx.commit().unwrap();
    assert_eq!((posts(&mut client), count_of(&store, 1), count_of(&store, 2)), (1, None, Some(1)));
}

#[test]
fn the_time_is_the_hosts_or_the_databases() {
    let schema = live!();
    let _store = open(schema.url());
    let mut client = schema.connect();
    let mut tx = client.transaction().unwrap();
    let clock = Do {
        keys: |_: &Rows, keys: &mut KeySet| keys.own::<Counter>(&1),
        decide: |_: &mut Rows, now: Timestamp| now,
    };
    let told = Timestamp::from_millis(5);
    assert_eq!(run_in(&mut tx, &clock, Some(told)), Ok(told));
    assert!(run_in(&mut tx, &clock, None).unwrap() > Timestamp::from_millis(1_600_000_000_000));
}

#[test]
fn other_isolation_levels_are_refused() {
    let schema = live!();
    let _store = open(schema.url());
    let mut client = schema.connect();
    for level in [IsolationLevel::Serializable, IsolationLevel::RepeatableRead] {
        let mut tx = client.build_transaction().isolation_level(level).start().unwrap();
        let refused = run_in(&mut tx, &Count(1), None);
        let named =
            matches!(&refused, Err(StoreError::Backend(text)) if text.contains("READ COMMITTED"));
        assert!(named, "{refused:?}");
    }
}

#[tokio::test]
async fn an_async_host_has_the_same() {
    let schema = live!();
    let store = open(schema.url());
    schema.batch("CREATE TABLE posts (title text)");
    let (mut client, line) =
        tokio_postgres::connect(schema.url(), tokio_postgres::NoTls).await.unwrap();
    let line = tokio::spawn(line);

    let mut tx = client.transaction().await.unwrap();
    tx.execute("INSERT INTO posts VALUES ('hello')", &[]).await.unwrap();
    let counts = run_in_async(&mut tx, &(Count(1), vec![Count(1), Count(2)]), None).await.unwrap();
    assert_eq!(counts, (1, vec![2, 1]));
    tx.commit().await.unwrap();
    let count = store.get::<Counter>(&1).await.unwrap().unwrap().count;
    assert_eq!(count, 2);

    let mut tx = client.transaction().await.unwrap();
    assert_eq!(run_in_async(&mut tx, &Count(1), None).await, Ok(3));
    tx.rollback().await.unwrap();
    assert_eq!(store.get::<Counter>(&1).await.unwrap().unwrap().count, 2);

    let strict = client.build_transaction().isolation_level(IsolationLevel::Serializable);
    let mut tx = strict.start().await.unwrap();
    let refused = run_in_async(&mut tx, &Count(1), None).await;
    assert!(matches!(refused, Err(StoreError::Backend(_))), "{refused:?}");
    tx.rollback().await.unwrap();
    drop(client);
    line.await.unwrap().unwrap();
}
