//! The schema on PostgreSQL: the same columns as described, and the same views as on SQLite.

#![cfg(all(feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use finalmile::{
    AccountId, Actor, CORE, Credits, FinalMile, Simulated, SystemWorld, Timestamp,
    engines::{Postgres, Sqlite},
    limit::{Policy, Subject},
    storage::{Backend, Cell, Kind, Only, Store, Value, conformance::probe},
};
use world::{key, purchase, share};

#[test]
fn d1_descriptions_and_schema_name_the_same_columns_and_indexes() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let store =
        Store::open(Postgres::url(schema.url()), Arc::new(SystemWorld), &[CORE, probe::PROBE]);
    drop(store.unwrap());
    let mut db = schema.connect();
    for table in CORE.tables.iter().chain(probe::PROBE.tables).map(|table| table()) {
        let rows = db
            .query(
                "SELECT column_name::text, data_type::text, is_nullable = 'NO',
                        coalesce(collation_name::text, '')
                 FROM information_schema.columns
                 WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
                &[&schema.name(), &table.name],
            )
            .unwrap();
        let found: Vec<(String, String, bool, String)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
        let described: Vec<_> = table
            .columns
            .iter()
            .map(|column| {
                let (kind, collation) = match column.kind {
                    Kind::Int => ("bigint", ""),
                    Kind::Text => ("text", "C"),
                    Kind::Blob => ("bytea", ""),
                };
                let (name, kind) = (column.name.to_owned(), kind.to_owned());
                (name, kind, !column.nullable, collation.to_owned())
            })
            .collect();
        assert_eq!(found, described, "{}", table.name);

        let text = "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND indexname = $2";
        let definition = |db: &mut postgres::Client, name: &str| -> String {
            db.query_one(text, &[&schema.name(), &name]).unwrap().get(0)
        };
        let columns = |order: &[usize]| {
            order.iter().map(|i| table.columns[*i].name).collect::<Vec<_>>().join(", ")
        };
        let primary = definition(&mut db, &format!("{}_pkey", table.name));
        let key: Vec<usize> = (0..table.key_len).collect();
        assert!(primary.contains(&format!("({})", columns(&key))), "{primary}");
        for index in table.indexes {
            let found = definition(&mut db, index.name);
            assert!(
                found.contains(&format!("({})", columns(&table.order(Some(index))))),
                "{found}"
            );
            match index.only {
                None => assert!(!found.contains("WHERE"), "{found}"),
                Some(Only::Equals(column, text)) => {
                    assert!(
                        found.ends_with(&format!("WHERE ({column} = '{text}'::text)")),
                        "{found}"
                    );
                }
                Some(Only::Present(column)) => {
                    assert!(found.ends_with(&format!("WHERE ({column} IS NOT NULL)")), "{found}");
                }
                Some(Only::Absent(column)) => {
                    assert!(found.ends_with(&format!("WHERE ({column} IS NULL)")), "{found}");
                }
            }
        }
    }
}

#[test]
fn no_statement_reads_a_table_from_end_to_end() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let postgres = Postgres::url(schema.url());
    drop(Store::open(postgres, Arc::new(SystemWorld), &[CORE]).unwrap());
    let mut db = schema.connect();
    // Empty tables are read as a whole for good reason: what counts is whether they must be.
    db.batch_execute(
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
         SET plan_cache_mode = force_generic_plan",
    )
    .unwrap();
    let texts = finalmile::engines::postgres::statements(CORE.tables).unwrap();
    // A page behind the only row that it could show needs no table at all.
    for text in texts.iter().filter(|text| !text.contains("1 = 0")) {
        let count = (1..).take_while(|n| text.contains(&format!("${n}"))).count();
        let nulls = vec!["NULL"; count].join(", ");
        db.batch_execute(&format!("PREPARE p AS {text}")).unwrap();
        let plan = db.query(&format!("EXPLAIN EXECUTE p({nulls})"), &[]).unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Scan") || plan.contains("Index Only Scan"), "{text}\n{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{text}\n{plan}");
        db.batch_execute("DEALLOCATE p").unwrap();
    }
}

/// A little life: purchases, uploads in every state, a freeze, a changed limit.
fn live(backend: impl Backend) -> FinalMile {
    let start = Timestamp::from_micros(1_800_000_000_123_456);
    let clock = Arc::new(Simulated::new(start, 3));
    let fm = FinalMile::builder(backend).world(clock.clone()).open().unwrap();
    let admin = fm.admin(Actor::new("ops").unwrap());
    let limit = Policy::greedy("search".parse().unwrap(), 7, Duration::from_secs(60)).unwrap();
    admin.configure(limit).wait().unwrap();
    for (i, name) in (1..).zip(["ada", "bob", "żółć"]) {
        let account = AccountId::new(name).unwrap();
        fm.ledger().add_credits(purchase(&account, i * 500, &format!("pi_{i}"))).wait().unwrap();
        clock.advance(Duration::from_micros(777_001));
        for n in 0..4 {
            let begun =
                fm.uploads().begin(&account, 1 << 19, &key(&format!("{n}"))).wait().unwrap();
            clock.advance(Duration::from_secs(1));
            match n {
                0 => drop(fm.uploads().fail(&account, begun.upload_id, "gave up").wait().unwrap()),
                1 => {}
                _ => {
                    let share = share(char::from(b'a' + n));
                    fm.uploads().finalize(&account, begun.upload_id, share).wait().unwrap();
                }
            }
        }
    }
    let bob = AccountId::new("bob").unwrap();
    let hour = Duration::from_secs(3_600);
    let payment = ("stripe".parse().unwrap(), "pi_2".parse().unwrap());
    let (all, gift) = (key("dp"), key("gift"));
    fm.ledger()
        .transfer(&AccountId::new("ada").unwrap(), &bob, Credits::new(7), &gift)
        .wait()
        .unwrap();
    fm.ledger().chargeback(&bob, payment, None, &all).wait().unwrap();
    fm.ledger().add_credits(purchase(&bob, 600, "pi_again")).wait().unwrap();
    fm.ledger().reserve(&bob, Credits::new(3), hour, &key("held")).wait().unwrap();
    admin.freeze(&bob, "too 'clever' by half", None).wait().unwrap();
    let limiter = fm.limiter();
    let (search, feed) = (limiter.endpoint("search").unwrap(), limiter.endpoint("feed").unwrap());
    for (i, name) in (1..).zip(["ada", "eve", "żółć"]) {
        let account = AccountId::new(name).unwrap();
        let spent = (0..8 + i).filter(|_| limiter.check(search, &account).is_allowed()).count();
        assert_eq!(spent, 7);
        assert!(limiter.check(feed, Subject::Address([192, 0, 2, i].into())).is_allowed());
    }
    limiter.flush().unwrap();
    events(&fm);
    let trash = admin.trash();
    for kind in ["neuron", "bundle"] {
        for n in 0..5 {
            let id = finalmile::trash::ItemId::new(kind, &format!("n:{n} 'ü'")).unwrap();
            fm.items().register(&id, "żółć", Some((kind, &n.to_string()))).wait().unwrap();
            if n > 2 {
                continue;
            }
            trash.delete(&id, "outdated").wait().unwrap();
            if n == 1 {
                trash.hold(&id, "a lawsuit").wait().unwrap();
            }
        }
    }
    for share in fm.uploads().feed(None).wait().unwrap().rows.into_iter().take(3) {
        let id = finalmile::trash::ItemId::new("media_share", &share.id.to_string()).unwrap();
        trash.delete(&id, "a complaint").wait().unwrap();
    }
    fm
}

/// Events of every fate.
fn events(fm: &FinalMile) {
    let consume = |id: &str, kind: &str, object: &serde_json::Value| {
        fm.webhooks().consume(&stripe::event(id, kind, 0, object)).wait().unwrap()
    };
    let paid = "checkout.session.completed";
    consume("evt_ok", paid, &stripe::session("pi_stripe", "żółć", "10"));
    consume("evt_ignored", "plan.created", &serde_json::json!({"id": "a \"b\" \u{0}"}));
    for n in 0..3 {
        let id = format!("evt_retry_{n}");
        consume(&id, "charge.dispute.created", &stripe::dispute("dp_1", "pi_nobody", 1));
        consume(&format!("evt_dead_{n}"), paid, &stripe::session("pi_dead", "żółć", "many"));
        let subscription = stripe::subscription(&format!("sub_{n}"), "ada", "active");
        consume(&format!("evt_sub_{n}"), "customer.subscription.updated", &subscription);
    }
    let pending = stripe::event("evt_pending", paid, 0, &stripe::session("pi_p", "ada", "10"));
    fm.webhooks().receive(&pending).wait().unwrap();
}

/// Each transfer's sides (**L8**), as an auditor sums them.
fn sums_to_zero(entries: &finalmile::storage::ViewRows) {
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    for row in &entries.rows {
        let Cell::Value(Value::Int(credits)) = &row[3] else { panic!("{row:?}") };
        *sums.entry(format!("{:?}", row[0])).or_default() += credits;
    }
    assert!(sums.len() > 10 && sums.values().all(|sum| *sum == 0), "{sums:?}");
}

#[test]
fn the_views_show_the_same_columns_and_rows_on_both_databases() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let folder = tempfile::tempdir().unwrap();
    let schema = cluster.schema();
    let here = live(Sqlite::file(folder.path().join("app.db")));
    let there = live(Postgres::url(schema.url()).own_clock());
    for view in [
        "storage_account",
        "account_status",
        "purchases",
        "uploads",
        "media_shares",
        "media_shares_feed",
        "ledger_entries",
        "rate_limit_config",
        "rate_limits",
        "rate_limit_buckets",
        "rate_limit_log",
        "v_rate_limit_dashboard",
        "v_rate_limit_top_users",
        "stripe_events",
        "webhook_failures",
        "v_webhook_dashboard",
        "subscriptions",
        "v_items_deleted",
        "v_neurons_deleted",
        "v_bundles_deleted",
        "v_media_shares_deleted",
        "v_items_live",
        "audit_trail",
    ] {
        let read = |fm: &FinalMile| {
            let mut seen = fm.store().view(view, 1_000).wait().unwrap();
            // A view has no order of its own.
            seen.rows.sort_by_key(|row| format!("{row:?}"));
            seen
        };
        let (here, there) = (read(&here), read(&there));
        if view == "ledger_entries" {
            sums_to_zero(&here);
        }
        assert!(here.rows.len() > 2, "{view}");
        assert_eq!(here, there, "{view}");
    }
}
