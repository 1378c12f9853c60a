//! Every order in which threads may run through the concurrent table's memory, tried one by one.
//!
//! `src/limit/lines.rs` is compiled with loom's atomics in place of the standard library's; loom then
//! plays each scenario below in all orders that the language allows, stale reads among them. What the
//! table does around its lines, under the shard's lock, is repeated here in its shortest form: a
//! [`Shard`].
//!
//! Source: Norris and Demsky, "CDSChecker", OOPSLA 2013, as loom 0.7 implements it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../src/limit/lines.rs"]
#[allow(dead_code, reason = "a scenario needs only a part")]
mod lines;

/// What `lines.rs` needs of the machine, played by loom.
mod sync {
    // Loom's own cannot hold a slice, and nothing here depends on who drops the last one.
    pub(crate) use std::sync::Arc;

    use loom::sync::atomic::{self, fence};
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};

    /// Loom takes sequentially consistent accesses for acquiring and releasing ones and knows the
    /// one order of all only of fences. So a load that asks for it gets a fence before it, as
    /// compilers do for processors that have nothing but fences; a weaker load gets none. The fence
    /// orders a little more than the language promises, so what passes here is tested, not proven.
    #[derive(Debug, Default)]
    pub(crate) struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) fn load(&self, order: Ordering) -> u64 {
            if order == Ordering::SeqCst {
                fence(Ordering::SeqCst);
            }
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            self.0.store(value, order);
        }

        pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
            self.0.swap(value, order)
        }

        pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
            self.0.fetch_or(value, order)
        }

        pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
            self.0.fetch_and(value, order)
        }

        pub(crate) fn compare_exchange_weak(
            &self,
            old: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            self.0.compare_exchange_weak(old, new, success, failure)
        }
    }
}

use std::sync::Arc;

use lines::{Array, Content, DIRTY, Found, LineKey, MOVED_WORD, SLOTS};
use loom::{
    sync::{Mutex, MutexGuard},
    thread,
};

/// A key that fills all of a line's fields.
const KEY: LineKey = LineKey { id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677, page: 3 };
/// Where every key belongs: the worst case.
const PLACE: u64 = 0;
/// What one check adds to a word.
const UNIT: u64 = 16;

/// A part of the table, as `table.rs` keeps it, with what its flushes have written.
struct Shard {
    inner: Mutex<Inner>,
}

struct Inner {
    array: Array,
    dirty: Vec<u32>,
    flushed: u64,
}

fn content(flags: u64, word: u64) -> Content {
    let mut words = [0; SLOTS];
    words[0] = word;
    Content { key: KEY, flags, seen: 0, words }
}

impl Shard {
    fn empty() -> Arc<Self> {
        let inner = Inner { array: Array::new(2), dirty: Vec::new(), flushed: 0 };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    /// With a line of [`KEY`], which is clean or was spent on since the last flush.
    fn with_a_line(is_dirty: bool) -> Arc<Self> {
        let shard = Self::empty();
        {
            let mut inner = shard.lock();
            let flags = if is_dirty { DIRTY } else { 0 };
            let (_, at) = inner.array.add(&content(flags, 0), PLACE);
            inner.dirty.extend(is_dirty.then_some(at));
        }
        shard
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn array(&self) -> Array {
        self.lock().array.clone()
    }

    /// The array in force, with a line of [`KEY`] in it.
    fn admit(&self) -> Array {
        let inner = self.lock();
        if let Found::Elsewhere = inner.array.find(KEY, PLACE) {
            inner.array.add(&content(0, 0), PLACE);
        }
        inner.array.clone()
    }

    /// Spends on the line, beginning with an array that was in force once.
    fn spend(&self, mut array: Array) -> Array {
        loop {
            if let Found::Line(line, ..) = array.find(KEY, PLACE) {
                let mut word = line.word(0);
                while word != MOVED_WORD {
                    match line.replace(0, word, word + UNIT) {
                        Ok(()) => return array,
                        Err(now) => word = now,
                    }
                }
            }
            array = self.admit();
        }
    }

    /// The same, and sees to it that the next flush knows.
    fn spend_and_mark(&self, array: Array) {
        let array = self.spend(array);
        let is_marked = match array.find(KEY, PLACE) {
            Found::Line(line, ..) => line.is_marked(),
            Found::Elsewhere => false,
        };
        if !is_marked {
            self.lock().mark();
        }
    }
}

impl Inner {
    /// What was spent, by all of the key's lines.
    fn spent(&self) -> u64 {
        self.array.contents().map(|(_, line)| line.words[0]).sum()
    }

    fn mark(&mut self) {
        if let Found::Line(_, at, _) = self.array.find(KEY, PLACE)
            && self.array.mark(at)
        {
            self.dirty.push(at);
        }
    }

    /// Moves the lines to a new array.
    fn rebuild(&mut self) {
        let array = Array::new(2);
        self.dirty.clear();
        for line in (0..self.array.len()).filter_map(|at| self.array.take(at)) {
            let (_, at) = array.add(&line, PLACE);
            self.dirty.extend((line.flags & DIRTY != 0).then_some(at));
        }
        self.array = array;
    }

    /// Writes what was spent on since the last flush.
    fn flush(&mut self) {
        for at in std::mem::take(&mut self.dirty) {
            self.flushed = self.array.harvest(at).unwrap().words[0];
        }
    }
}

/// Runs `work` in a thread of its own, with the array that is in force when it is started.
fn start(shard: &Arc<Shard>, work: impl Fn(&Shard, Array) + 'static) -> thread::JoinHandle<()> {
    let (shard, array) = (shard.clone(), shard.array());
    thread::spawn(move || work(&shard, array))
}

#[test]
fn q1_two_spend_while_the_line_is_moved_and_both_are_counted_once() {
    // Three threads in all orders take half a minute; what an error needs is a few interruptions.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(4);
    model.check(|| {
        let shard = Shard::with_a_line(false);
        let spenders = [(); 2].map(|()| start(&shard, |shard, array| drop(shard.spend(array))));
        shard.lock().rebuild();
        for spender in spenders {
            spender.join().unwrap();
        }
        assert_eq!(shard.lock().spent(), 2 * UNIT);
    });
}

#[test]
fn q1_a_line_that_moves_twice_takes_along_what_is_spent_meanwhile() {
    loom::model(|| {
        let shard = Shard::with_a_line(false);
        let spender = start(&shard, |shard, array| {
            let array = shard.spend(array);
            shard.spend(array);
        });
        shard.lock().rebuild();
        shard.lock().rebuild();
        spender.join().unwrap();
        assert_eq!(shard.lock().spent(), 2 * UNIT);
    });
}

#[test]
fn q2_whoever_sees_a_line_sees_all_of_it() {
    loom::model(|| {
        let shard = Shard::empty();
        let reader = start(&shard, |_, array| {
            if let Found::Line(line, ..) = array.find(KEY, PLACE) {
                assert_eq!(line.word(0), UNIT, "what was spent is not there yet");
            }
        });
        shard.lock().array.add(&content(0, UNIT), PLACE);
        reader.join().unwrap();
    });
}

#[test]
fn q2_a_line_that_is_being_added_is_never_taken_for_another_keys() {
    // The first quarter of the key is published with the flags; the rest is what an empty line has.
    let twin = LineKey { id: KEY.id >> 96 << 96, page: KEY.page };
    loom::model(move || {
        let shard = Shard::empty();
        let reader = start(&shard, move |_, array| {
            assert!(matches!(array.find(twin, PLACE), Found::Elsewhere), "another key's line");
        });
        shard.lock().array.add(&content(0, 0), PLACE);
        reader.join().unwrap();
    });
}

#[test]
fn q2_two_newcomers_of_one_key_share_a_line() {
    loom::model(|| {
        let shard = Shard::empty();
        let spenders = [(); 2].map(|()| start(&shard, |shard, array| drop(shard.spend(array))));
        for spender in spenders {
            spender.join().unwrap();
        }
        let inner = shard.lock();
        assert_eq!(inner.array.contents().count(), 1);
        assert_eq!(inner.spent(), 2 * UNIT);
    });
}

/// Spends while `others` run, then flushes: everything must have been written.
fn nothing_spent_misses_its_flush(is_dirty: bool, spenders: usize, others: fn(&Shard)) {
    loom::model(move || {
        let shard = Shard::with_a_line(is_dirty);
        let spenders: Vec<_> =
            (0..spenders).map(|_| start(&shard, Shard::spend_and_mark)).collect();
        others(&shard);
        let count = u64::try_from(spenders.len()).unwrap();
        for spender in spenders {
            spender.join().unwrap();
        }
        let mut inner = shard.lock();
        inner.flush();
        assert_eq!((inner.spent(), inner.flushed), (count * UNIT, count * UNIT));
    });
}

#[test]
fn q3_what_is_spent_during_a_flush_is_in_the_next() {
    nothing_spent_misses_its_flush(true, 1, |shard| shard.lock().flush());
}

#[test]
fn q3_the_first_to_spend_on_a_clean_line_marks_it_for_all() {
    nothing_spent_misses_its_flush(false, 2, |shard| shard.lock().flush());
}

#[test]
fn q3_what_is_spent_while_a_dirty_line_moves_is_in_the_next_flush() {
    nothing_spent_misses_its_flush(true, 1, |shard| {
        shard.lock().rebuild();
        shard.lock().flush();
    });
}

#[test]
fn q3_what_is_spent_while_a_clean_line_moves_is_in_the_next_flush() {
    nothing_spent_misses_its_flush(false, 1, |shard| shard.lock().rebuild());
}
