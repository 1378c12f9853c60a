//! Taking tokens inside a command: exact across instances, with no sync of its own.

use crate::{
    AccountId, EndpointName, Refusal, Timestamp,
    ledger::Account,
    limit::{
        bucket::{Bucket, Decision, State, step},
        policy::Policy,
    },
    storage::{Command, KeySet, Rows},
};

/// Asks for what [`take`] reads and writes.
pub(crate) fn keys(keys: &mut KeySet, endpoint: &EndpointName, key: &str) {
    keys.peek::<Policy>(endpoint);
    keys.own::<Bucket>(&(key.to_owned(), endpoint.clone()));
}

/// Spends what the endpoint costs, and says how many tokens are left; `None`: it is not limited now.
pub(crate) fn take(
    rows: &mut Rows,
    endpoint: &EndpointName,
    key: &str,
    now: Timestamp,
) -> Result<Option<u32>, Refusal> {
    let Some(policy) = rows.get::<Policy>(endpoint).cloned() else {
        return Err(Refusal::EndpointUnknown { endpoint: endpoint.clone() });
    };
    if !policy.is_active {
        return Ok(None);
    }
    let id = (key.to_owned(), endpoint.clone());
    let known = rows.get::<Bucket>(&id).map(|found| State { mark: found.mark, rest: found.rest });
    let (state, decision) = step(&policy, known, now, policy.cost);
    let (key, endpoint) = id;
    if known.is_none_or(|known| known != state) {
        let (State { mark, rest }, touched_at) = (state, now);
        rows.put(Bucket { endpoint: endpoint.clone(), key: key.clone(), mark, rest, touched_at });
    }
    match decision {
        Decision::Allow { remaining } => Ok(Some(remaining)),
        Decision::Deny { retry_after_ms } => {
            Err(Refusal::RateLimited { key, endpoint, retry_after_ms })
        }
    }
}

/// A check on its own.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) endpoint: EndpointName,
    pub(crate) account: AccountId,
}

impl Command for Take {
    type Out = Result<Option<u32>, Refusal>;

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
        take(rows, &self.endpoint, self.account.as_str(), now)
    }
}
