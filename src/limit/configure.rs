//! Configuring limits, live.

use crate::{
    Actor, Timestamp, audit,
    limit::policy::Policy,
    storage::{Command, KeySet, Rows},
};

/// Sets the policy of an endpoint, new or known.
#[derive(Clone, Debug)]
pub(crate) struct Configure {
    pub(crate) policy: Policy,
    pub(crate) actor: Actor,
}

impl Configure {
    fn subject(&self) -> String {
        format!("endpoint:{}", self.policy.endpoint)
    }
}

impl Command for Configure {
    type Out = Result<Policy, crate::Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Policy>(&self.policy.endpoint);
        audit::keys(&self.subject(), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let policy = Policy { updated_at: now, ..self.policy.clone() };
        if let Some(known) = rows.get::<Policy>(&policy.endpoint)
            && (Policy { updated_at: now, ..known.clone() }) == policy
        {
            return Ok(known.clone());
        }
        rows.put(policy.clone());
        let Policy { rule, tokens, capacity, period_us, cost, is_active, .. } = &policy;
        let text = format!(
            "{rule} {tokens} per {period_us} us, burst {capacity}, cost {cost}, active {is_active}"
        );
        audit::note(rows, &self.subject(), &self.actor, "configure", &text, now);
        Ok(policy)
    }
}

/// Writes the documents' limits where a new database has none.
#[derive(Clone, Debug)]
pub(crate) struct Seed(pub(crate) Vec<Policy>);

impl Command for Seed {
    type Out = ();

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        self.0.iter().for_each(|policy| keys.own::<Policy>(&policy.endpoint));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) {
        for policy in &self.0 {
            if rows.get::<Policy>(&policy.endpoint).is_none() {
                rows.put(Policy { updated_at: now, ..policy.clone() });
            }
        }
    }
}
