//! Resetting an account's buckets, after a false alarm.

use crate::{
    AccountId, Actor, EndpointName, Refusal, Timestamp, audit,
    limit::{
        bucket::Bucket,
        change::{self, Change},
    },
    storage::{Command, KeySet, Rows},
};

/// Removes what an account has spent at these endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Reset {
    pub(crate) account: AccountId,
    pub(crate) endpoints: Vec<EndpointName>,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    /// Whose memory is reset with the answer.
    pub(crate) instance: [u8; 16],
}

impl Command for Reset {
    /// How many buckets were in debt.
    type Out = Result<u64, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        for endpoint in &self.endpoints {
            keys.own::<Bucket>(&(self.account.to_string(), endpoint.clone()));
        }
        change::keys(keys);
        audit::keys(&audit::of_account(&self.account), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let mut removed = 0;
        for endpoint in &self.endpoints {
            let id = (self.account.to_string(), endpoint.clone());
            removed += u64::from(rows.get::<Bucket>(&id).is_some());
            rows.remove::<Bucket>(&id);
        }
        // Whatever the rows say: instances may hold more in memory.
        change::note(rows, Change::Reset(&self.account, self.instance), now);
        let subject = audit::of_account(&self.account);
        audit::note(rows, &subject, &self.actor, "reset-limits", &self.reason, now);
        Ok(removed)
    }
}
