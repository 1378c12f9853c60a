//! finalmile measured beside its rivals, in one interleaved run.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench storage [-- [--quick] [--write] [ROW…]]
//! cargo bench -p finalmile-compare --bench postgres [-- …]
//! cargo bench -p finalmile-compare --bench limiter [-- …]
//! cargo bench -p finalmile-compare --bench ledger [-- …]
//! cargo bench -p finalmile-compare --bench webhooks [-- …]
//! cargo bench -p finalmile-compare --bench trash [-- …]
//! cargo bench -p finalmile-compare --bench thumbs [-- …]
//! cargo bench -p finalmile-compare --bench ipfs [-- …]
//! ```
//!
//! Both sides do the same, in turns (ours, rival, ours, rival): a [`transfer`] on the same tables, or
//! checks of the same keys. Afterwards what they left is compared with a model, every balance or the
//! tokens spent, so a side that did nothing fails. Only ratios
//! of medians count; a run whose rival disagrees with itself by more than 10 % says that it was
//! noisy. Rivals live here so that they are nobody's dependency.

#![allow(clippy::exhaustive_enums, reason = "nobody depends on this crate")]
#![allow(clippy::float_arithmetic, reason = "ratios and medians are fractions")]
#![allow(clippy::missing_panics_doc, reason = "a bench that meets a failure ends there")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a bench prints its figures")]

pub mod accounts;
pub mod args;
pub mod bare;
pub mod budgets;
pub mod cached;
pub mod callers;
pub mod checks;
pub mod consume;
pub mod content;
pub mod decoders;
pub mod fidelity;
pub mod flood;
pub mod full;
pub mod group_commit;
pub mod growth;
pub mod inbox;
pub mod items;
pub mod keys;
pub mod ledger;
pub mod peak;
pub mod photos;
pub mod poster;
pub mod replay;
pub mod report;
pub mod resident;
pub mod rivals;
pub mod rounds;
pub mod sharp;
pub mod stored;
pub mod stripe;
pub mod sweeps;
pub mod thumbs;
pub mod token;
pub mod traces;
pub mod transfer;
pub mod uploads;
pub mod verify;
