//! Two clients at once: whoever comes second finds what the first left, on every engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/items.rs"]
mod items;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/stripe.rs"]
mod stripe;

use std::{thread, time::Duration};

use finalmile::{
    Budget, Builder, FinalMile,
    engines::Memory,
    trash::{ItemKind, ItemState, Relation},
};
use items::{add, depend, id, trash};

/// Due at once.
const BRIEF: ItemKind = ItemKind::new("brief").purge_after(Duration::ZERO);

/// What two clients do at the same time, and whether each could.
fn both(
    clients: &[FinalMile; 2],
    left: impl FnOnce(FinalMile) -> bool + Send + 'static,
    right: impl FnOnce(FinalMile) -> bool + Send + 'static,
) -> (bool, bool) {
    let [one, other] = clients.clone();
    let (left, right) = (thread::spawn(|| left(one)), thread::spawn(|| right(other)));
    (left.join().unwrap(), right.join().unwrap())
}

fn all_races(clients: &[FinalMile; 2], rounds: usize) {
    for round in 0..rounds {
        use_against_delete(clients, round);
        subscribe_against_delete(clients, round);
        restore_against_name(clients, round);
        purge_against_restore(clients, round);
        circle(clients, round);
    }
    two_sweeps(clients, rounds);
}

/// **I4**: one begins to use an item, the other deletes it.
fn use_against_delete(clients: &[FinalMile; 2], round: usize) {
    let (item, user) = (format!("neuron:{round}"), format!("bundle:{round}"));
    add(&clients[0], &[&item, &user]);
    let (a, b, c) = (id(&item), id(&user), id(&item));
    let (used, deleted) = both(
        clients,
        move |fm| fm.items().depend(&b, &a, Relation::Uses).wait().is_ok(),
        move |fm| trash(&fm).delete(&c, "x").wait().is_ok(),
    );
    assert!(used != deleted, "round {round}: used {used}, deleted {deleted}");
    let found = trash(&clients[1]).get(&id(&item)).wait().unwrap().unwrap();
    let expected = if used { (ItemState::Live, 1) } else { (ItemState::Deleted, 0) };
    assert_eq!((found.state, found.used_by), expected, "round {round}");
}

/// **I3**: a subscription begins while its item is deleted. It counts, whoever was first.
fn subscribe_against_delete(clients: &[FinalMile; 2], round: usize) {
    let item = format!("course:{round}");
    add(&clients[0], &[&item]);
    let (a, name) = (id(&item), item.clone());
    let (_, deleted) = both(
        clients,
        move |fm| {
            let object = stripe::change(
                stripe::subscription(&format!("sub_{round}"), "ada", "active"),
                &serde_json::json!({"metadata": {"user_id": "ada", "item": name}}),
            );
            let event =
                stripe::event(&format!("evt_{round}"), "customer.subscription.created", 1, &object);
            fm.webhooks().consume(&event).wait().is_ok()
        },
        move |fm| trash(&fm).delete(&a, "x").wait().is_ok(),
    );
    let found = trash(&clients[1]).get(&id(&item)).wait().unwrap().unwrap();
    let expected = if deleted { ItemState::Deleted } else { ItemState::Live };
    assert_eq!((found.state, found.used_by), (expected, 1), "round {round}");
}

/// **I2**: an item comes back while another takes its name.
fn restore_against_name(clients: &[FinalMile; 2], round: usize) {
    let (item, name) = (id(&format!("shop:{round}")), format!("name {round}"));
    let claim = Some(("shop", name.as_str()));
    clients[0].items().register(&item, "first", claim).wait().unwrap();
    trash(&clients[0]).delete(&item, "x").wait().unwrap();
    let (a, other) = (item.clone(), id(&format!("shop:{round}-2")));
    let (name2, other2) = (name.clone(), other.clone());
    let (restored, taken) = both(
        clients,
        move |fm| trash(&fm).restore(&a, "x").wait().is_ok(),
        move |fm| fm.items().register(&other2, "second", Some(("shop", &name2))).wait().is_ok(),
    );
    assert!(restored != taken, "round {round}: restored {restored}, taken {taken}");
    let bears = |id| clients[1].items().get(id).wait().unwrap().is_some();
    assert_eq!((bears(&item), bears(&other)), (restored, taken));
}

/// **I8**: an item is purged while it comes back.
fn purge_against_restore(clients: &[FinalMile; 2], round: usize) {
    let (top, part) = (format!("brief:{round}"), format!("brief:{round}-part"));
    add(&clients[0], &[&top, &part]);
    depend(&clients[0], &part, &top, Relation::PartOf);
    trash(&clients[0]).delete_with_parts(&id(&top), "x").wait().unwrap();
    let (a, b) = (id(&part), id(&top));
    let (purged, restored) = both(
        clients,
        move |fm| trash(&fm).purge(&a, "x").wait().is_ok(),
        move |fm| trash(&fm).restore(&b, "x").wait().is_ok(),
    );
    assert!(purged != restored, "round {round}: purged {purged}, restored {restored}");
    let found = trash(&clients[1]).get(&id(&top)).wait().unwrap().unwrap();
    let expected = if restored { (ItemState::Live, 1) } else { (ItemState::Deleted, 0) };
    assert_eq!((found.state, found.parts), expected, "round {round}");
}

/// Two dependences that would close a circle together.
fn circle(clients: &[FinalMile; 2], round: usize) {
    let names = ["a", "b", "c", "d"].map(|name| format!("ring:{round}-{name}"));
    add(&clients[0], &names.each_ref().map(String::as_str));
    let [a, b, c, d] = names.map(|name| id(&name));
    depend(&clients[0], &b.to_string(), &c.to_string(), Relation::Uses);
    depend(&clients[0], &d.to_string(), &a.to_string(), Relation::Uses);
    let (left, right) = both(
        clients,
        move |fm| fm.items().depend(&a, &b, Relation::Uses).wait().is_ok(),
        move |fm| fm.items().depend(&c, &d, Relation::Uses).wait().is_ok(),
    );
    assert!(left != right, "round {round}: {left} {right}");
}

/// **M1**: two sweeps at once purge each item once.
fn two_sweeps(clients: &[FinalMile; 2], rounds: usize) {
    let names: Vec<_> = (0..rounds * 10).map(|n| format!("brief:sweep-{n}")).collect();
    add(&clients[0], &names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        trash(&clients[0]).delete(&id(name), "x").wait().unwrap();
    }
    let before = due(&clients[0]);
    let sweeps = clients.clone().map(|fm| fm.maintain(Budget::seconds(60).trust_clock()));
    let purged: u64 = sweeps.map(|sweep| sweep.wait().unwrap().items_purged).iter().sum();
    assert_eq!((purged, due(&clients[0])), (before, 0));
    for name in &names {
        let acts = clients[0].admin(finalmile::Actor::new("ops").unwrap());
        assert_eq!(acts.audit(&format!("item:{name}")).unwrap().len(), 2, "{name}");
    }
}

/// How many deleted items are due.
fn due(fm: &FinalMile) -> u64 {
    let (mut count, mut after) = (0, None);
    loop {
        let page = trash(fm).deleted(after).wait().unwrap();
        count += page.rows.iter().filter(|item| item.purge_at == item.deleted_at).count() as u64;
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

fn open(builder: Builder) -> FinalMile {
    builder.item(BRIEF).open().unwrap()
}

#[test]
fn races_in_memory() {
    let fm = open(FinalMile::builder(Memory::new()));
    all_races(&[fm.clone(), fm], 60);
}

#[cfg(feature = "sqlite")]
#[test]
fn races_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let client = || open(FinalMile::builder(finalmile::engines::Sqlite::file(&path)));
    all_races(&[client(), client()], 25);
}

#[cfg(feature = "postgres")]
#[test]
fn races_between_two_clients_of_a_server() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let client = || open(FinalMile::builder(finalmile::engines::Postgres::url(schema.url())));
    all_races(&[client(), client()], 40);
}
