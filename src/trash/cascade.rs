//! Cascades: what would go with an item, before it goes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    Refusal,
    storage::{Reader, Record as _, RowId, Scan, Store, StoreError, decoded},
    trash::{
        Blocker, Item, ItemId, ItemState,
        delete::{BLOCKERS_MAX, CASCADE_MAX, Member},
        item::Link,
    },
};

/// How many parts are counted of a cascade that is too large.
const COUNT_MAX: usize = 100_000;
/// How many rows of one item's users or parts are read at a time.
const PAGE: usize = 1_000;
/// How long looking at it may take.
const LOOK: Duration = Duration::from_secs(30);

/// What would go with an item.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CascadePlan {
    /// What was asked about.
    pub item: ItemId,
    /// All that would go, the item first.
    pub items: Vec<ItemId>,
    /// How many of each kind.
    pub counts: BTreeMap<String, u64>,
    /// What keeps any of them from going: the first [`BLOCKERS_MAX`].
    pub blockers: Vec<Blocker>,
    pub(super) members: Vec<Member>,
}

/// Looks at an item, its parts, their parts and so on, all at one moment.
pub(super) fn plan(store: &Store, id: &ItemId) -> Result<Result<CascadePlan, Refusal>, StoreError> {
    let id = id.clone();
    store.snapshot(LOOK, move |reader| look(reader, &id)).wait()
}

fn look(reader: &mut dyn Reader, id: &ItemId) -> Result<Result<CascadePlan, Refusal>, StoreError> {
    let (mut seen, mut queue) = (BTreeSet::from([id.clone()]), VecDeque::from([id.clone()]));
    let mut members = Vec::new();
    while let Some(next) = queue.pop_front() {
        let item = get(reader, &next)?;
        // One that need not be registered has no version, and no parts.
        let version = item.as_ref().map(|item| item.version);
        members.push(Member { id: next.clone(), version });
        let Some(item) = item.filter(|item| item.state == ItemState::Live) else { continue };
        if item.parts == 0 {
            continue;
        }
        each(reader, &next, true, |part| {
            if seen.len() < COUNT_MAX && seen.insert(part.by.clone()) {
                queue.push_back(part.by);
            }
            seen.len() < COUNT_MAX
        })?;
    }
    if seen.len() > CASCADE_MAX {
        return Ok(Err(Refusal::CascadeTooLarge { item: id.clone(), items: seen.len() as u64 }));
    }
    let mut blockers = Vec::new();
    for member in &members {
        each(reader, &member.id, false, |user| {
            if !seen.contains(&user.by) {
                let (kind, id) = (user.by.kind().to_owned(), user.by.id().to_owned());
                blockers.push(Blocker { kind, id, label: user.label });
            }
            blockers.len() < BLOCKERS_MAX
        })?;
    }
    let items: Vec<ItemId> = members.iter().map(|member| member.id.clone()).collect();
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.kind().to_owned()).or_default() += 1;
    }
    Ok(Ok(CascadePlan { item: id.clone(), items, counts, blockers, members }))
}

fn get(reader: &mut dyn Reader, id: &ItemId) -> Result<Option<Item>, StoreError> {
    let row = RowId::of::<Item>(id);
    reader.get(row.table, &row.key)?.map(decoded).transpose()
}

/// Reads an item's users, or its parts, until `work` has had enough.
fn each(
    reader: &mut dyn Reader,
    id: &ItemId,
    parts: bool,
    mut work: impl FnMut(Link) -> bool,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let scan = Scan {
            after: after.take(),
            ..Scan::of::<Link>().under(&(id.clone(), parts)).limit(PAGE)
        };
        let rows = reader.scan(&scan)?;
        let is_last = rows.len() < PAGE;
        for row in rows {
            let row: Link = decoded(row)?;
            after = Some(row.key_parts());
            if !work(row) {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}
