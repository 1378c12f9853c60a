//! Webhooks: events that others send, and that anybody could forge.
//!
//! A body is an event only after its signature was checked: [`Stripe`] and [`StandardWebhooks`] turn
//! raw bytes and headers into a [`VerifiedEvent`], and nothing else can make one.
//!
//! | promise | |
//! |---|---|
//! | H1 to H3 | only what was signed, with our secret, just now: [`Stripe`], [`StandardWebhooks`] |
//! | H4 | hostile bytes are a typed refusal: [`VerifiedEvent`] |
//! | H5 | secrets do not leak: [`Secret`] |

mod error;
mod event;
mod json;
mod secret;
mod signature;
mod standard;
mod stripe;

pub use error::WebhookError;
pub use event::{BODY_BYTES_MAX, Source, VerifiedEvent};
pub use secret::Secret;
pub use signature::{HEADER_BYTES_MAX, TOLERANCE};
pub use standard::{Headers, StandardWebhooks};
pub use stripe::Stripe;
