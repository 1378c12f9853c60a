//! Configuring limits, live.

use crate::{
    Actor, Refusal, Timestamp, audit,
    limit::{
        change::{self, Change},
        policy::{Home, Policy},
    },
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
    type Out = Result<Policy, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Policy>(&self.policy.endpoint);
        change::keys(keys);
        audit::keys(&self.subject(), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let known = rows.get::<Policy>(&self.policy.endpoint).cloned();
        let version = known.as_ref().map_or(1, |known| known.version + 1);
        // A policy that does not say where its buckets live leaves them where they are.
        let home = known.as_ref().map_or(self.policy.home, |known| match self.policy.home {
            Home::Local => known.home,
            Home::Store => Home::Store,
        });
        let policy = Policy { home, version, updated_at: now, ..self.policy.clone() };
        if let Some(known) = known {
            let Policy { version, updated_at, .. } = known;
            if (Policy { version, updated_at, ..policy.clone() }) == known {
                return Ok(known);
            }
            if known.home != policy.home {
                return Err(Refusal::Conflict { what: "endpoint", field: "home" });
            }
        }
        rows.put(policy.clone());
        change::note(rows, Change::Endpoint(&policy.endpoint), now);
        let Policy { rule, align, home, tokens, capacity, period_us, cost, is_active, .. } =
            &policy;
        let text = format!(
            "{rule} {tokens} per {period_us} us, burst {capacity}, align {align}, cost {cost}, home \
             {home}, active {is_active}"
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
