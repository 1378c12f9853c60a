//! Taking tokens inside a command: exact across instances, with no sync of its own.

use std::num::NonZeroU32;

use crate::{
    AccountId, EndpointName, Refusal, Timestamp,
    ledger::Account,
    limit::{
        bucket::{Bucket, step},
        decision::Decision,
        meter::State,
        policy::{Home, Policy},
    },
    storage::{Command, KeySet, Rows},
};

/// Asks for what [`take`] reads and writes.
pub(crate) fn keys(keys: &mut KeySet, endpoint: &EndpointName, key: &str) {
    keys.peek::<Policy>(endpoint);
    keys.own::<Bucket>(&(key.to_owned(), endpoint.clone()));
}

/// Spends what the endpoint costs, `times` over.
///
/// # Errors
///
/// [`Refusal::RateLimited`], [`Refusal::EndpointUnknown`].
pub(crate) fn take(
    rows: &mut Rows,
    endpoint: &EndpointName,
    key: &str,
    times: u32,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let Some(policy) = rows.get::<Policy>(endpoint).cloned() else {
        return Err(Refusal::EndpointUnknown { endpoint: endpoint.clone() });
    };
    let quota = policy.quota();
    if policy.is_active && quota.meter.is_none() {
        // A row that somebody wrote by hand: what cannot be counted is not allowed.
        let why = "its policy is finer than can be counted exactly";
        return Err(Refusal::Invalid { field: "endpoint", why });
    }
    let Some(meter) = &quota.meter else { return Ok(Decision::untouched(quota, now.micros())) };
    let id = (key.to_owned(), endpoint.clone());
    let known = rows.get::<Bucket>(&id);
    let before = known.map_or(State::FULL, |bucket| bucket.state(&policy, meter));
    let tokens = policy.cost.unsigned_abs() * u64::from(times);
    let (state, decision) = step(quota, before, now, tokens);
    let touched_at = known.map_or(now, |known| known.touched_at);
    let bucket = Bucket::new(id, meter, state, touched_at);
    if known != Some(&bucket) {
        rows.put(Bucket { touched_at: now, ..bucket });
    }
    match decision.refusal(key) {
        Some(refusal) => Err(refusal),
        None => Ok(decision),
    }
}

/// A token of an endpoint whose buckets live in the store, as a command: on its own, or called by a
/// command of the host's, so that the token commits with the rows that it pays for and costs no
/// sync of its own.
///
/// ```
/// # use finalmile::{AccountId, EndpointName, Refusal, Timestamp, limit::Take};
/// # use finalmile::storage::{Command, KeySet, Rows};
/// struct Post {
///     token: Take,
///     // … and the rows of the post
/// }
///
/// impl Command for Post {
///     type Out = Result<(), Refusal>;
///     fn keys(&self, seen: &Rows, keys: &mut KeySet) {
///         self.token.keys(seen, keys);
///         // … and those of the post
///     }
///     fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
///         let _decision = self.token.decide(rows, now)?;
///         // … and the post
///         Ok(())
///     }
/// }
/// # let fm = finalmile::FinalMile::builder(finalmile::engines::Memory::new()).open()?;
/// let token = Take::new("begin-upload".parse()?, AccountId::new("ada")?);
/// assert_eq!(fm.store().submit(Post { token }).wait()?, Ok(()));
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Take {
    pub(crate) endpoint: EndpointName,
    pub(crate) account: AccountId,
    pub(crate) times: u32,
}

impl Take {
    /// What one check costs, of this account's bucket.
    #[must_use]
    pub fn new(endpoint: EndpointName, account: AccountId) -> Self {
        Self { endpoint, account, times: 1 }
    }

    /// What so many checks cost, all or nothing.
    #[must_use]
    pub fn times(self, times: NonZeroU32) -> Self {
        Self { times: times.get(), ..self }
    }
}

impl Command for Take {
    /// A refusal commits and spends nothing: [`Refusal::RateLimited`], [`Refusal::AccountFrozen`],
    /// [`Refusal::EndpointUnknown`], or [`Refusal::Invalid`] for an endpoint in memory.
    type Out = Result<Decision, Refusal>;

    fn keys(&self, _seen: &Rows, set: &mut KeySet) {
        // Read without a lock: a freeze is obeyed by the next check, and checks do not queue behind
        // the account's money.
        set.peek::<Account>(&self.account);
        keys(set, &self.endpoint, self.account.as_str());
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        if let Some(account) = rows.get::<Account>(&self.account) {
            account.refuse_frozen(now)?;
        }
        let home = rows.get::<Policy>(&self.endpoint).map(|policy| policy.home);
        if home == Some(Home::Local) {
            let why = "its buckets are in memory: check there";
            return Err(Refusal::Invalid { field: "endpoint", why });
        }
        take(rows, &self.endpoint, self.account.as_str(), self.times, now)
    }
}
