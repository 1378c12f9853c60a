//! Cascades: what would go with an item, before it goes.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    Refusal,
    storage::{BATCH_MAX, Reader, Record, RowId, Scan, Store, StoreError, decoded},
    trash::{
        Blocker, Item, ItemId, ItemState, KindCounts, Relation,
        delete::{CASCADE_MAX, Member},
        guard::{AskGuards, BLOCKERS_MAX},
        item::{Link, Need},
        kind::Kinds,
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
    pub counts: KindCounts,
    /// What keeps any of them from going: the first [`BLOCKERS_MAX`].
    pub blockers: Vec<Blocker>,
    /// How many of each kind keep them, all that are outside.
    pub blocked_by: KindCounts,
    pub(super) members: Vec<Member>,
}

/// Looks at an item, its parts, their parts and so on, all at one moment; then the host's guards are asked
/// about each.
pub(super) fn plan(
    store: &Store,
    kinds: &Kinds,
    id: &ItemId,
) -> Result<Result<CascadePlan, Refusal>, StoreError> {
    let id = id.clone();
    let looked = store.snapshot(LOOK, move |reader| look(reader, &id)).wait()?;
    let Ok(mut plan) = looked else { return Ok(looked) };
    let guarded: Vec<_> =
        plan.items.iter().filter(|item| kinds.is_guarded(item)).cloned().collect();
    let asks = guarded
        .chunks(BATCH_MAX)
        .map(|items| AskGuards { items: items.to_vec(), kinds: kinds.clone() });
    store.submit_all(asks, |blockers| {
        blockers.iter().for_each(|blocker| plan.blocked_by.add(&blocker.kind));
        plan.blockers.extend(blockers);
    })?;
    plan.blockers.truncate(BLOCKERS_MAX);
    Ok(Ok(plan))
}

fn look(reader: &mut dyn Reader, id: &ItemId) -> Result<Result<CascadePlan, Refusal>, StoreError> {
    let (mut seen, mut queue) = (BTreeSet::from([id.clone()]), VecDeque::from([id.clone()]));
    let (mut members, mut live) = (Vec::new(), Vec::new());
    while let Some(next) = queue.pop_front() {
        let item = get(reader, &next)?;
        // One that need not be registered has no version, and no parts.
        let version = item.as_ref().map(|item| item.version);
        members.push(Member { id: next.clone(), version });
        let Some(item) = item.filter(|item| item.state == ItemState::Live) else { continue };
        if item.parts > 0 {
            each(reader, Scan::of::<Link>().under(&(next, true)), |part: Link| {
                if seen.len() < COUNT_MAX && seen.insert(part.by.clone()) {
                    queue.push_back(part.by);
                }
                seen.len() < COUNT_MAX
            })?;
        }
        live.push(item);
    }
    if seen.len() > CASCADE_MAX {
        return Ok(Err(Refusal::CascadeTooLarge { item: id.clone(), items: seen.len() as u64 }));
    }
    let (mut blockers, mut blocked_by) = (Vec::new(), KindCounts::default());
    for id in live.iter().map(|item| &item.id) {
        each(reader, Scan::of::<Link>().under(&(id.clone(), false)), |user: Link| {
            if !seen.contains(&user.by) {
                blockers.push(Blocker::from(&user));
            }
            blockers.len() < BLOCKERS_MAX
        })?;
    }
    // Each item counts its users; those that go with it are not in the way.
    live.iter().for_each(|item| blocked_by.join(&item.users));
    for id in live.iter().map(|item| &item.id) {
        each(reader, Scan::of::<Need>().under(id), |need: Need| {
            if need.relation == Relation::Uses && seen.contains(&need.item) {
                blocked_by.take(id.kind());
            }
            true
        })?;
    }
    let items: Vec<ItemId> = members.iter().map(|member| member.id.clone()).collect();
    let counts = items.iter().collect();
    Ok(Ok(CascadePlan { item: id.clone(), items, counts, blockers, blocked_by, members }))
}

fn get(reader: &mut dyn Reader, id: &ItemId) -> Result<Option<Item>, StoreError> {
    let row = RowId::of::<Item>(id);
    reader.get(row.table, &row.key)?.map(decoded).transpose()
}

/// Reads what a scan names until `work` has had enough.
fn each<R: Record>(
    reader: &mut dyn Reader,
    scan: Scan,
    mut work: impl FnMut(R) -> bool,
) -> Result<(), StoreError> {
    let mut scan = scan.limit(PAGE);
    loop {
        let rows = reader.scan(&scan)?;
        let is_last = rows.len() < PAGE;
        for row in rows {
            let row: R = decoded(row)?;
            scan.after = Some(row.key_parts());
            if !work(row) {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}
