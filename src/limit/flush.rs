//! Between memory and the store: what was spent is written behind, what changed is read.
//!
//! # Invariants
//!
//! - **B7** A crash gives back at most what was spent in the last second: buckets are flushed every
//!   half second, and what could not be written is written with the next flush.
//! - **B8** Instances never undo each other: of two, the emptier bucket is kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
};

use crate::{
    AccountId, EndpointName, Refusal,
    expiry::CHUNK,
    ledger::Account,
    limit::{
        Home, Policy, Subject,
        bucket::Bucket,
        change::{ChangeHead, ChangeRow},
        counts::{MINUTE_US, SLOT_US},
        lines::{Content, LineKey, SLOTS},
        live::{Figures, Live},
        meter::Meter,
        rows::{FlushBuckets, FlushFigures, Minute, TopKey},
        subject::uuid_text,
        sync::lock,
        table::SHARDS,
    },
    storage::{Cursor, Page, Scan, Store, StoreError},
    time::Timestamp,
};

/// How many of the busiest keys are written.
const TOP_WRITTEN: usize = 100;

impl Live {
    /// Takes in policies, freezes and buckets as they are stored.
    pub(super) fn open(&self, store: &Store) -> Result<(), StoreError> {
        // The number first: what changes after it is read again.
        let head = store.get::<ChangeHead>(&0).wait()?;
        self.followed.store(head.map_or(0, |head| head.last), Ordering::Relaxed);
        let (mut policies, mut longest_us, mut is_carried) = (HashMap::new(), 0, false);
        let now = self.world.now();
        store.for_each(&Scan::of::<Policy>(), |policy: Policy| {
            if policy.home == Home::Local
                && let Some(meter) = Meter::of(&policy)
            {
                self.take_in(&policy);
                longest_us = longest_us.max(meter.fill_us());
                let fill = std::time::Duration::from_micros(meter.fill_us());
                is_carried |= policy.version > 1 && policy.updated_at.after(fill) > now;
                policies.insert(policy.endpoint.to_string(), policy);
            }
            true
        })?;
        let frozen = Scan::of::<Account>().by("fm_account_frozen");
        store.for_each(&frozen, |account: Account| {
            self.obey(&account);
            true
        })?;
        // What was touched before that is full again; unless it was written under a slower policy.
        let longest = std::time::Duration::from_micros(longest_us);
        let since = if is_carried { Timestamp::from_micros(i64::MIN) } else { now.before(longest) };
        for index in ["fm_bucket_idle", "fm_window_idle"] {
            let (mut buckets, mut ahead) = (Vec::new(), Vec::new());
            store.for_each(&Scan::of::<Bucket>().by(index).descending(), |bucket: Bucket| {
                let is_recent = bucket.touched_at >= since;
                let known = policies.get(bucket.endpoint.as_str());
                let meter = known.and_then(|policy| Some((policy, Meter::of(policy)?)));
                if let (true, Some((policy, meter))) = (is_recent, meter) {
                    let state = bucket.state(policy, &meter);
                    let level = meter.level(state, now.micros());
                    if level.used > 0 && meter.state(level, now.micros()) != state {
                        ahead.push(bucket.clone());
                    }
                    buckets.extend((level.used > 0).then_some((bucket, state)));
                }
                is_recent && buckets.len() < self.options.keys_max
            })?;
            // What a clock that ran ahead had written is put right, or it would be met again.
            for rows in ahead.chunks(CHUNK) {
                settled(store.submit(FlushBuckets(rows.to_vec())).wait())?;
            }
            if buckets.iter().any(|(bucket, state)| !self.load(bucket, *state)) {
                break;
            }
        }
        self.opened();
        Ok(())
    }

    /// Follows what other instances changed (**B6**).
    pub(super) fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let _one_at_a_time = lock(&self.following);
        self.core.clock.follow();
        let Some(head) = store.get::<ChangeHead>(&0).wait()? else { return Ok(()) };
        let mut followed = self.followed.load(Ordering::Relaxed);
        while followed < head.last {
            let after = Some(Cursor::at(&(0_i64, followed)));
            let scan = Scan::of::<ChangeRow>().under(&0_i64).after(after).limit(CHUNK);
            let Page { rows, .. } = store.scan::<ChangeRow>(scan).wait()?;
            let Some(last) = rows.last().map(|row| row.seq) else { break };
            for row in &rows {
                self.follow_one(store, row)?;
            }
            followed = last;
            self.followed.fetch_max(followed, Ordering::Relaxed);
        }
        Ok(())
    }

    fn follow_one(&self, store: &Store, row: &ChangeRow) -> Result<(), StoreError> {
        let Ok(account) = AccountId::new(&row.name) else { return Ok(()) };
        match row.kind.as_str() {
            "account" => {
                if let Some(account) = store.get::<Account>(&account).wait()? {
                    self.obey(&account);
                }
            }
            "reset" if row.instance == Some(self.instance) => {}
            "reset" => self.reset(Subject::Account(&account)),
            _ => {
                let Ok(endpoint) = EndpointName::new(&row.name) else { return Ok(()) };
                if let Some(policy) = store.get::<Policy>(&endpoint).wait()? {
                    self.follow_policy(&policy);
                }
            }
        }
        Ok(())
    }

    /// Obeys a policy whose buckets are in memory.
    pub(crate) fn follow_policy(&self, policy: &Policy) {
        if policy.home == Home::Local {
            self.take_in(policy);
        }
    }

    /// Writes the buckets that were spent on since the last flush (**B7**).
    pub(super) fn flush_buckets(&self, store: &Store) -> Result<(), StoreError> {
        let _one_at_a_time = lock(&self.flushing);
        let (mut rows, mut keys) = (Vec::new(), Vec::new());
        for shard in 0..SHARDS {
            let harvest = self.core.table.shard(shard).harvest();
            for (line, name) in harvest {
                let name = name.map_or_else(|| uuid_text(line.key.id), String::from);
                self.note_seen(&name, line.seen);
                let before = rows.len();
                self.rows_of(&line, &name, &mut rows);
                keys.resize(keys.len() + rows.len() - before, line.key);
            }
        }
        let chunks = rows.chunks(CHUNK).zip(keys.chunks(CHUNK));
        // All of them first, so that none waits for another.
        let flush =
            |(rows, keys): (&[Bucket], _)| (store.submit(FlushBuckets(rows.to_vec())), keys);
        let sent: Vec<(_, &[LineKey])> = chunks.map(flush).collect();
        let mut done = Ok(());
        for (pending, keys) in sent {
            if let Err(fault) = settled(pending.wait()) {
                keys.iter().for_each(|key| self.core.mark(*key));
                done = Err(fault);
            }
        }
        done
    }

    /// A line's buckets that are not full.
    fn rows_of(&self, line: &Content, name: &str, rows: &mut Vec<Bucket>) {
        let lanes = self.core.lanes();
        let (now_us, ahead_us) = (self.core.clock.now_us(), self.core.clock.ahead_us());
        for (slot, word) in line.words.iter().enumerate() {
            let at = usize::from(line.key.page) * SLOTS + slot;
            let Some(lane) = lanes.list.get(at) else { continue };
            let Some(level) = lanes.level(at, *word, now_us) else { continue };
            let meter = &lane.rate.meter;
            let Some(state) = meter.state_behind(level, now_us, ahead_us) else { continue };
            // Not by asking for the lanes again, which are held here.
            let Ok(endpoint) = EndpointName::new(lane.quota.name) else { continue };
            let now = Timestamp::from_micros(now_us - ahead_us);
            rows.push(Bucket::new((name.to_owned(), endpoint), meter, state, now));
        }
    }

    fn note_seen(&self, name: &str, seen: u32) {
        let (requests, refused) = (u64::from(seen & 0xFFFF), u64::from(seen >> 16));
        if requests > 0 {
            lock(&self.figures).top.add(name, requests, refused);
        }
    }

    /// Writes counters, busiest keys and log rows.
    pub(super) fn flush_figures(&self, store: &Store) -> Result<(), StoreError> {
        let _one_at_a_time = lock(&self.flushing);
        let now_us = self.world.now().micros();
        let (minutes, top) = self.figures(now_us);
        let log = self.journal.take();
        let mut sent =
            vec![store.submit(FlushFigures { minutes: minutes.clone(), top, log: vec![] })];
        for rows in log.chunks(CHUNK) {
            sent.push(store.submit(FlushFigures { log: rows.to_vec(), ..FlushFigures::default() }));
        }
        let mut done = Ok(());
        for pending in sent {
            done = done.and(settled(pending.wait()));
        }
        let mut figures = lock(&self.figures);
        if done.is_err() {
            // Writing a row again changes nothing.
            self.journal.put_back(log);
            figures.changed.extend(minutes.into_iter().map(|row| (row.endpoint, row.minute)));
        } else {
            figures.ended.clear();
            // Late counts find their minute for a while.
            let oldest = now_us.div_euclid(MINUTE_US) - 10;
            let Figures { minutes, changed, .. } = &mut *figures;
            minutes.retain(|key, _| key.1 >= oldest || changed.contains(key));
        }
        done
    }

    /// What to write of the counters, each row whole.
    fn figures(&self, now_us: i64) -> (Vec<Minute>, Vec<TopKey>) {
        let mut counted = BTreeMap::new();
        // By the table's clock, which may be ahead of the world's.
        let ahead_us = self.core.clock.ahead_us();
        if let Some(counting) = &self.core.counting {
            counting.collect(now_us.saturating_add(ahead_us), &mut counted);
        }
        let names: Vec<_> = self.core.lanes().list.iter().map(|lane| lane.quota.name).collect();
        let mut figures = lock(&self.figures);
        for ((lane, minute), count) in counted {
            let Some(Ok(endpoint)) = names.get(lane).map(EndpointName::new) else { continue };
            figures.add(&endpoint, minute - ahead_us.div_euclid(MINUTE_US), count);
        }
        let instance = self.instance;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let changed = std::mem::take(&mut figures.changed);
        let minutes = changed.into_iter().filter_map(|key| {
            let [allowed, refused] = figures.minutes.get(&key)?.map(whole);
            let (endpoint, minute) = key;
            Some(Minute { minute, endpoint, instance, allowed, refused })
        });
        let minutes = minutes.collect();
        let slot = now_us.div_euclid(SLOT_US);
        if figures.slot != slot {
            // What was counted before the first look belongs to the slot that it is looked at in.
            let (before, top) = (figures.slot, std::mem::take(&mut figures.top));
            figures.ended.push((if before == 0 { slot } else { before }, top));
            figures.slot = slot;
        }
        let now = (slot, &figures.top);
        let ended = figures.ended.iter().map(|(slot, top)| (*slot, top));
        let mut rows: BTreeMap<(i64, String), TopKey> = BTreeMap::new();
        for (slot, top) in ended.chain([now]) {
            for (key, count) in top.busiest(TOP_WRITTEN) {
                let (key, requests) = (key.to_owned(), whole(count.requests));
                let refused = whole(count.refused);
                let row = TopKey { slot, key: key.clone(), instance, requests, refused };
                rows.insert((slot, key), row);
            }
        }
        (minutes, rows.into_values().collect())
    }

    /// Gives the memory of idle keys back, a few shards at a time.
    pub(super) fn tidy(&self, turn: usize) {
        for lane in 0..self.lanes() {
            self.core.rebase_in_time(lane);
        }
        for shard in [turn * 2 % SHARDS, (turn * 2 + 1) % SHARDS] {
            self.core.with_judge(|_, _, is_full| self.core.table.tidy(shard, is_full));
        }
    }
}

/// A flush refuses nothing.
fn settled(answer: Result<Result<(), Refusal>, StoreError>) -> Result<(), StoreError> {
    answer?.map_err(|refusal| StoreError::Backend(refusal.to_string()))
}
