//! Webhooks: events that others send, late, twice, out of order, broken or forged.
//!
//! A body is an event only after its signature was checked: [`Stripe`] and [`StandardWebhooks`] turn
//! raw bytes and headers into a [`VerifiedEvent`], and nothing else can make one. [`Webhooks::consume`]
//! stores it and does what it asks for in one transaction; [`Webhooks::receive`] only stores it, and
//! maintenance consumes it.
//!
//! | event of Stripe's | what is built in |
//! |---|---|
//! | `checkout.session.completed`, `….async_payment_succeeded` | if it is paid, metadata `user_id` receives metadata `credits` |
//! | `payment_intent.succeeded` | the same payment, told once more, or by itself |
//! | `invoice.payment_succeeded` | what [`WebhookOptions::price`] says for its lines, under the invoice's name |
//! | `invoice_payment.paid` | it is known which payment paid an invoice, for its refunds; send it too |
//! | `invoice.payment_failed` | the subscription remembers when |
//! | `customer.subscription.created`, `.updated`, `.deleted` | the [`Subscription`] follows |
//! | `charge.refunded`, `charge.dispute.created`, `….funds_withdrawn` | the same part of the credits goes back, or is owed |
//! | any other | it is kept, and marked as ignored |
//!
//! | promise | |
//! |---|---|
//! | H1 to H3 | only what was signed, with our secret, just now: [`Stripe`], [`StandardWebhooks`] |
//! | H4, H9 | hostile bytes are a typed refusal, or a dead letter: [`VerifiedEvent`] |
//! | H5 | secrets do not leak: [`Secret`] |
//! | H6 to H8 | an event is stored once and done once, as a whole: [`Webhooks::consume`] |
//! | H10, H11 | order does not matter: [`Subscription`], refunds |
//! | H12 | retries: [`WebhookOptions::max_retries`] |
//! | H13 to H17 | handlers and workers: [`WebhookOptions::on`], [`Webhooks::claim`] |
//! | H18, H19 | dead letters and retention: [`EventFilter`] |

mod admin;
mod alert;
pub(crate) mod attempt;
mod charge;
mod checkout;
pub(crate) mod claim;
pub(crate) mod dead;
mod error;
mod event;
mod figures;
mod handle;
mod inbox;
mod invoice;
mod json;
mod object;
mod options;
mod payment;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod retention;
pub(crate) mod retry;
mod secret;
mod signature;
mod standard;
mod state;
mod stripe;
mod subscription;
mod verdict;
pub(crate) mod work;

pub use admin::EventDetail;
pub use alert::Alert;
pub use attempt::{ConsumeEvent, Consumed, Outcome};
pub(crate) use claim::Lane;
pub use dead::EventFilter;
pub use error::WebhookError;
pub use event::{BODY_BYTES_MAX, EventId, VerifiedEvent};
pub use figures::WebhookFigures;
pub use handle::Claimed;
pub(crate) use inbox::Inbox;
pub use inbox::Webhooks;
pub use options::WebhookOptions;
pub(crate) use payment::Payment;
pub use record::{Failure, Received, StoredBody, StoredEvent};
pub use secret::Secret;
pub use signature::{HEADER_BYTES_MAX, TOLERANCE};
pub use standard::{Headers, StandardWebhooks};
pub use state::{EventStatus, Progress, next_status};
pub use stripe::Stripe;
pub use subscription::{Subscription, SubscriptionStatus};
pub use verdict::{Effect, Verdict};
pub use work::Worked;
