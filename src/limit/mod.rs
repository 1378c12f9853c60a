//! Limits: may this key act now, and if not, why and when again?
//!
//! Every request asks first. Endpoints are configured in the store and changed live; a frozen
//! account is refused by the same check. An endpoint's buckets have one home: in memory, where a
//! check takes nanoseconds and what is spent is written behind ([`Limiter::check`]), or in the
//! store, where commands take the token with the rows that it pays for ([`Limiter::take`]).
//!
//! | promise | |
//! |---|---|
//! | B1 | a policy cannot overflow: [`Policy`] |
//! | B2 to B5 | a bucket is exact, never over-admits and never starves: [`Decision`] |
//! | B6 | a frozen account is refused: [`Admin::freeze`](crate::Admin::freeze) |
//! | B7, B8 | a crash gives back at most a second's spending, and instances never undo each other |
//!
//! Without a store, [`Keyed`] is a limiter of many keys and [`TokenBucket`] one of a single key.

mod bucket;
pub(crate) mod change;
mod configure;
mod core;
mod counts;
mod decision;
mod flush;
mod freeze;
mod here;
mod hold;
mod journal;
pub(crate) mod keeper;
mod keyed;
mod lanes;
mod limiter;
mod lines;
pub(crate) mod live;
mod meter;
mod options;
pub(crate) mod policy;
mod read;
mod reset;
pub(crate) mod retention;
pub(crate) mod rows;
mod subject;
mod sync;
mod table;
pub(crate) mod take;
mod top;
#[cfg(feature = "tower")]
mod tower;
mod word;

#[cfg(feature = "tower")]
pub use self::tower::{Caller, LimitLayer, Limited, LimitedFuture};
pub(crate) use self::{
    bucket::Bucket,
    configure::{Configure, Seed},
    freeze::{Freeze, checked_reason},
    reset::Reset,
};
pub use self::{
    bucket::TokenBucket,
    decision::{Decision, Reason},
    hold::Hold,
    keyed::Keyed,
    limiter::{Endpoint, Limiter},
    options::{LimitOptions, LogMode},
    policy::{Align, Home, Policy, Rule},
    read::{EndpointFigures, TopUser},
    rows::LogRow,
    subject::Subject,
    take::Take,
};
pub use crate::time::Precision;
