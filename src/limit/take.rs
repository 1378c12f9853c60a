//! Taking tokens inside a command: exact across instances, with no sync of its own.

use crate::{
    AccountId, EndpointName, Refusal, Timestamp,
    ledger::Account,
    limit::{
        bucket::{Bucket, step},
        decision::Decision,
        meter::{Meter, State},
        policy::{Home, PastPolicy, Policy},
    },
    storage::{Command, KeySet, Rows},
};

/// Asks for what [`take`] reads and writes: a bucket that was written under an older policy needs
/// that one too.
pub(crate) fn keys(seen: &Rows, keys: &mut KeySet, endpoint: &EndpointName, key: &str) {
    keys.peek::<Policy>(endpoint);
    let id = (key.to_owned(), endpoint.clone());
    keys.own::<Bucket>(&id);
    let versions = (seen.get::<Policy>(endpoint), seen.get::<Bucket>(&id));
    if let (Some(policy), Some(bucket)) = versions
        && bucket.version != policy.version
    {
        keys.peek::<PastPolicy>(&(endpoint.clone(), bucket.version));
    }
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
    let Some(meter) = &quota.meter else { return Ok(Decision::untouched(quota, now.micros())) };
    let id = (key.to_owned(), endpoint.clone());
    let known = rows.get::<Bucket>(&id).cloned();
    let before =
        known.as_ref().map_or_else(State::default, |bucket| carried(rows, bucket, &policy, meter));
    let tokens = policy.cost.unsigned_abs() * u64::from(times);
    let (state, decision) = step(quota, before, now, tokens);
    if known.is_none_or(|known| (known.mark, known.rest) != (state.mark, state.rest)) {
        let (State { mark, rest }, version) = (state, policy.version);
        let (key, endpoint) = id;
        let rule = policy.rule;
        rows.put(Bucket { key, endpoint, rule, mark, rest, version, touched_at: now });
    }
    match decision.refusal(key) {
        Some(refusal) => Err(refusal),
        None => Ok(decision),
    }
}

/// A bucket's state under the policy in force.
pub(crate) fn carried(rows: &Rows, bucket: &Bucket, policy: &Policy, meter: &Meter) -> State {
    let state = State { mark: bucket.mark, rest: bucket.rest };
    if bucket.version == policy.version {
        return state;
    }
    let past = rows.get::<PastPolicy>(&(policy.endpoint.clone(), bucket.version));
    match past.and_then(Meter::of_past) {
        Some(old) => meter.carry(&old, state, policy.updated_at.micros()),
        // Written under a policy that nobody knows: a bucket is full until it is known to be spent.
        None => State::default(),
    }
}

/// A check on its own.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) endpoint: EndpointName,
    pub(crate) account: AccountId,
    pub(crate) times: u32,
}

impl Command for Take {
    type Out = Result<Decision, Refusal>;

    fn keys(&self, seen: &Rows, set: &mut KeySet) {
        // Read without a lock: a freeze is obeyed by the next check, and checks do not queue behind
        // the account's money.
        set.peek::<Account>(&self.account);
        keys(seen, set, &self.endpoint, self.account.as_str());
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
