//! Registering: an item gets a label and a name, or other ones.

use crate::{
    Refusal, Timestamp,
    id::checked,
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemId,
        depend::{need_keys, relabel},
        item::{Name, existing},
    },
};

/// Makes an item known, or gives it another label and name: the command behind
/// [`Items::register`](crate::trash::Items::register), for a transaction of the host's own.
#[derive(Clone, Debug)]
pub struct Register {
    id: ItemId,
    label: String,
    claim: Option<(String, String)>,
}

impl Register {
    /// Checks the texts.
    pub(crate) fn new(
        id: &ItemId,
        label: &str,
        claim: Option<(&str, &str)>,
    ) -> Result<Self, Refusal> {
        visible("label", label)?;
        if let Some((scope, name)) = claim {
            visible("scope", scope)?;
            visible("name", name)?;
            // Two spellings of one name would be two names.
            if !unicode_normalization::is_nfc(name) {
                return Err(Refusal::Invalid { field: "name", why: "it is not in the form NFC" });
            }
        }
        let claim = claim.map(|(scope, name)| (scope.to_owned(), name.to_owned()));
        Ok(Self { id: id.clone(), label: label.to_owned(), claim })
    }
}

/// Refuses a text that is no name, or that nobody could see.
fn visible(field: &'static str, text: &str) -> Result<(), Refusal> {
    if checked(field, text)?.trim().is_empty() {
        return Err(Refusal::Invalid { field, why: "it is empty" });
    }
    Ok(())
}

impl Command for Register {
    type Out = Result<Item, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        need_keys(&self.id, seen, keys);
        let old = seen.get::<Item>(&self.id).and_then(Item::claim);
        for claim in old.iter().chain(&self.claim) {
            keys.own::<Name>(claim);
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let found = rows.get::<Item>(&self.id).cloned();
        let item = found.clone().unwrap_or_else(|| Item::new(&self.id, &self.label, now));
        item.refuse_gone()?;
        let old = item.claim();
        if found.is_some() && item.label == self.label && old == self.claim {
            return Ok(item);
        }
        if old != self.claim {
            if let Some(claim) = &self.claim {
                take_name(rows, claim, &self.id)?;
            }
            old.iter().for_each(|claim| rows.remove::<Name>(claim));
        }
        let (scope, name) = self.claim.clone().unzip();
        if item.label != self.label {
            relabel(rows, &self.id, &self.label);
        }
        Item { label: self.label.clone(), scope, name, ..item }.put(rows);
        existing(rows, &self.id)
    }
}

/// Claims a name for a live item (**I2**).
pub(super) fn take_name(
    rows: &mut Rows,
    claim: &(String, String),
    item: &ItemId,
) -> Result<(), Refusal> {
    let bearer = rows.get::<Name>(claim).map(|name| name.item.clone());
    if bearer.as_ref().is_some_and(|bearer| bearer != item) {
        let (scope, name) = claim.clone();
        return Err(Refusal::NameTaken { scope, name });
    }
    let (scope, name) = claim.clone();
    rows.put(Name { scope, name, item: item.clone() });
    Ok(())
}
