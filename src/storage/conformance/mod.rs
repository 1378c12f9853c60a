//! The conformance suite: what every engine must do, ours or a third party's.
//!
//! ```
//! use finalmile::{engines::Memory, storage::conformance::Fixture};
//!
//! fn open() -> Fixture {
//!     let database = Memory::new();
//!     Fixture::new((), move || Box::new(database.clone()))
//! }
//! finalmile::conformance_tests!(open);
//! # fn main() {}
//! ```
//!
//! `open` makes an empty database for one case; the fixture opens it as often as the case wants.
//! Every sentence of the contract has a case, and the last one replays a long random log of every
//! command there is against the memory engine: the same answers, and the same rows at the end.

#![expect(clippy::missing_panics_doc, reason = "a case panics when the engine fails it")]
#![expect(clippy::unwrap_used, reason = "a case panics when the engine fails it")]

pub mod contract;
pub mod discovery;
mod items;
mod letters;
pub mod log;
pub mod probe;
pub mod races;
pub mod reads;
mod script;

use std::{any::Any, fmt, sync::Arc};

use crate::{
    CORE, SystemWorld, World,
    storage::{Backend, Store},
};

/// A database for one case: what must live as long as it does, and how to open it.
pub struct Fixture {
    backend: Box<dyn Fn() -> Box<dyn Backend>>,
    // Dropped last: a folder, a schema.
    _guard: Box<dyn Any>,
}

impl Fixture {
    /// A database that lives as long as `guard`. Each call of `backend` opens the same one.
    pub fn new(guard: impl Any, backend: impl Fn() -> Box<dyn Backend> + 'static) -> Self {
        Self { backend: Box::new(backend), _guard: Box::new(guard) }
    }

    /// Opens it with the core's tables and the suite's own.
    #[must_use]
    pub fn open(&self) -> Store {
        self.open_in(Arc::new(SystemWorld))
    }

    /// Opens it with a clock of the case's own.
    #[must_use]
    pub fn open_in(&self, world: Arc<dyn World>) -> Store {
        Store::open((self.backend)(), world, &[CORE, probe::PROBE]).unwrap()
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").finish_non_exhaustive()
    }
}

/// Makes one test of each case of the suite; `open` is called for each.
#[macro_export]
macro_rules! conformance_tests {
    ($open:expr) => {
        $crate::conformance_tests! {
            @each $open;
            contract: an_absent_row_is_none_and_then_inserted,
            contract: every_kind_of_value_comes_back,
            contract: a_row_is_updated_and_removed,
            contract: a_refusal_commits_what_it_wrote,
            contract: k1_the_same_rows_and_time_decide_the_same,
            contract: k2_a_refusal_commits_and_a_fault_does_not,
            contract: j1_a_panicking_command_fails_alone,
            contract: r1_reading_what_was_not_named_fails_alone,
            contract: r2_writing_what_was_only_peeked_at_fails_alone,
            contract: r3_a_child_that_moves_without_its_parent_fails_alone,
            contract: r4_an_attempt_that_fails_leaves_no_trace,
            contract: r5_two_commands_cannot_both_create_a_row,
            contract: w4_a_poisoned_row_fails_only_its_own_command,
            discovery: keys_are_discovered_from_rows,
            discovery: keys_that_never_settle_are_a_fault,
            discovery: children_come_in_order_up_to_the_limit,
            discovery: children_removed_by_a_neighbour_are_read_again,
            discovery: a_command_that_cuts_its_own_range_short_fails,
            discovery: j2_a_neighbour_that_moves_a_pointer_is_followed,
            contract: j3_a_batch_that_wrote_nothing_is_fine,
            contract: w1_commands_are_decided_in_order,
            contract: p2_a_dropped_answer_is_still_done,
            contract: p3_waiting_inside_a_command_fails,
            contract: w5_the_last_drop_decides_everything,
            contract: w3_more_than_a_batch_is_decided_in_batches,
            contract: w3_a_full_queue_is_busy_and_loses_nothing,
            contract: waiting_with_a_timeout_gives_the_answer_back_or_the_promise,
            contract: a_claim_changes_hands_within_one_batch,
            contract: a_fresh_row_that_exists_is_a_conflict,
            contract: g3_what_was_committed_is_there_after_reopening,
            contract: s3_a_suspended_store_is_closed_until_it_resumes,
            races: counters_sum_exactly_from_many_threads,
            races: counters_sum_exactly_from_two_stores,
            races: w2_opposite_orders_do_not_deadlock,
            races: of_two_stores_only_one_creates_a_row,
            races: a_parent_guards_its_children_across_stores,
            races: j2_keys_that_move_meanwhile_are_found_again,
            races: tasks_await_as_threads_wait,
            reads: pages_follow_every_index_both_ways,
            reads: rt1_a_tally_is_what_its_rows_come_to,
            reads: rt1_a_tally_does_not_overflow,
            reads: a_cursor_of_another_scan_is_refused,
            reads: g1_a_snapshot_sees_one_moment,
            reads: a_snapshot_ends_with_its_deadline,
            reads: v1_a_read_sees_what_was_answered,
            reads: v2_a_read_does_not_wait_for_the_queue,
            log: a_long_random_log_leaves_the_rows_of_memory,
        }
    };
    (@each $open:expr; $($part:ident: $case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::storage::conformance::$part::$case(&$open());
            }
        )+
    };
}
