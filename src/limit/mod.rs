//! Limits: may this key act now?
//!
//! Every request asks first. Endpoints are configured in the store and changed live; a frozen
//! account is refused by the same check.
//!
//! | promise | |
//! |---|---|
//! | B1 | a policy cannot overflow: [`Policy`] |
//! | B2 to B5 | a bucket is exact, never over-admits and never starves: [`Decision`] |
//! | B6 | a frozen account is refused: [`Admin::freeze`](crate::Admin::freeze) |

mod bucket;
pub(crate) mod change;
mod configure;
mod core;
mod counts;
mod decision;
mod freeze;
mod here;
mod keyed;
mod lanes;
mod lines;
mod meter;
pub(crate) mod policy;
mod sync;
mod table;
pub(crate) mod take;
mod word;

pub use crate::time::Precision;
use crate::{
    AccountId, EndpointName, Error, FinalMile, Refusal,
    storage::{Page, Pending, Scan},
};
pub(crate) use bucket::Bucket;
pub use bucket::TokenBucket;
pub(crate) use configure::{Configure, Seed};
pub use decision::{Decision, Reason};
pub(crate) use freeze::{Freeze, checked_reason};
pub use keyed::Keyed;
pub use policy::{Align, Home, Policy, Rule};
use take::Take;

/// A configured endpoint, found once and kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    name: EndpointName,
}

/// The limiter of a [`FinalMile`].
#[derive(Clone, Debug)]
pub struct Limiter {
    fm: FinalMile,
}

impl Limiter {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    /// Finds an endpoint.
    ///
    /// # Errors
    ///
    /// [`Refusal::EndpointUnknown`] when none of that name is configured.
    pub fn endpoint(&self, name: &str) -> Result<Endpoint, Error> {
        let name = EndpointName::new(name)?;
        let found: Pending<Option<Policy>> =
            self.fm.store().get_in(&name, FinalMile::fault("endpoint", None));
        match found.wait()? {
            Some(_) => Ok(Endpoint { name }),
            None => {
                let error = Error::from(Refusal::EndpointUnknown { endpoint: name });
                error.log("endpoint", None);
                Err(error)
            }
        }
    }

    /// Spends a token of this account at this endpoint; answers how many are left, `None` if the
    /// endpoint is not limited now. Durable, and exact across instances.
    ///
    /// # Errors
    ///
    /// [`Refusal::RateLimited`] with the time to wait, [`Refusal::AccountFrozen`].
    ///
    /// # Example
    ///
    /// ```
    /// # use finalmile::{AccountId, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let search = fm.limiter().endpoint("search")?;
    /// assert_eq!(fm.limiter().check(&search, &AccountId::new("ada")?).wait()?, Some(119));
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn check(&self, endpoint: &Endpoint, account: &AccountId) -> Pending<Decision> {
        let (endpoint, account) = (endpoint.name.clone(), account.clone());
        self.fm.ask("check-rate-limit", Some(account.clone()), Take { endpoint, account, times: 1 })
    }

    /// The configured endpoints, by name.
    pub fn policies(&self) -> Pending<Page<Policy>> {
        let scan = Scan::of::<Policy>().limit(1_000);
        self.fm.store().scan_in(scan, FinalMile::fault("policies", None))
    }
}
