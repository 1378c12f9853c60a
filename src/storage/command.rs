//! Commands: the rules of the domain, as pure functions over rows.
//!
//! A command says which rows it needs and then decides. It reads no clock, draws no random number
//! and does no I/O, so it may be decided again after a conflict, on any engine, in any batch, and
//! a test can run it on a map.
//!
//! # Invariants
//!
//! - **K1** The same rows and the same time give the same decision.
//! - **K2** A refusal is an ordinary answer and what it wrote commits; only faults roll back.

use crate::{
    storage::{KeySet, Rows},
    time::Timestamp,
};

/// A domain operation. Pure: no I/O, no clock, no randomness. It may be decided again after a
/// conflict.
///
/// ```
/// use finalmile::{Timestamp, record, storage::{Command, KeySet, Rows}};
///
/// #[derive(Clone, Debug)]
/// struct Counter { name: String, count: i64 }
/// record! { Counter: "app_counter", key: (name: String), columns: (count), shard: name, indexes: [] }
///
/// struct Count(String);
/// impl Command for Count {
///     type Out = i64;
///     fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
///         keys.own::<Counter>(&self.0);
///     }
///     fn decide(&self, rows: &mut Rows, _now: Timestamp) -> i64 {
///         let count = rows.get::<Counter>(&self.0).map_or(0, |counter| counter.count) + 1;
///         rows.put(Counter { name: self.0.clone(), count });
///         count
///     }
/// }
/// ```
pub trait Command: Send + 'static {
    /// The answer, usually `Result<Receipt, Refusal>`: both commit.
    type Out: Send + 'static;

    /// Names the rows that `decide` will read or write. It is asked again with what was found,
    /// until it asks for nothing new, at most 4 rounds; a command whose keys do not depend on
    /// `seen` is asked once.
    fn keys(&self, seen: &Rows, keys: &mut KeySet);

    /// Decides. A panic fails this command alone and leaves no trace.
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out;

    /// About how many bytes it holds, for the limits of the queue and of a batch.
    fn size_bytes(&self) -> usize {
        256
    }

    /// Whether it belongs to background work, of which a batch takes at most one.
    fn is_background(&self) -> bool {
        false
    }
}

/// Several commands of one kind, decided in order in one transaction.
impl<C: Command> Command for Vec<C> {
    type Out = Vec<C::Out>;
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.iter().for_each(|command| command.keys(seen, keys));
    }
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.iter().map(|command| command.decide(rows, now)).collect()
    }
    fn size_bytes(&self) -> usize {
        self.iter().map(Command::size_bytes).fold(0, usize::saturating_add)
    }
}

/// Two commands, decided in order in one transaction; nest for more.
impl<A: Command, B: Command> Command for (A, B) {
    type Out = (A::Out, B::Out);
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.keys(seen, keys);
        self.1.keys(seen, keys);
    }
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        (self.0.decide(rows, now), self.1.decide(rows, now))
    }
    fn size_bytes(&self) -> usize {
        self.0.size_bytes().saturating_add(self.1.size_bytes())
    }
}
