//! The random log's items: registered, named, used, deleted in any order and too often.

use std::time::Duration;

use super::script::{Answer, Script, submit};
use crate::{
    Actor,
    storage::Store,
    trash::{
        ItemId, ItemKind, Kinds, MEDIA_SHARE, Relation,
        delete::{Delete, Member},
        depend::Depend,
        guard::Judge,
        hold::Hold,
        purge::PurgeItem,
        register::Register,
        restore::Restore,
    },
};

/// Each item's deletions bear one name, so that a restore can meet one.
fn batch(id: &ItemId) -> [u8; 16] {
    let last = id.to_string().bytes().next_back().unwrap();
    [last ^ u8::try_from(id.kind().len()).unwrap(); 16]
}

impl Script {
    fn thing(&self) -> ItemId {
        ItemId::new(["neuron", "bundle"][usize::from(self.dice(2) == 0)], &self.dice(9).to_string())
            .unwrap()
    }

    pub(super) fn item(&mut self, store: &Store) -> Answer {
        let (id, on) = (self.thing(), self.thing());
        let (actor, reason) = (Actor::new("ops").unwrap(), "it is old".to_owned());
        let short = ItemKind::new("neuron").purge_after(Duration::from_secs(60));
        let kinds = Kinds::new(vec![MEDIA_SHARE, short]);
        match self.dice(12) {
            0..3 => {
                let name = format!("name {}", self.dice(12));
                let claim = (self.dice(2) == 0).then_some(("shop", name.as_str()));
                submit(store, Register::new(&id, "a thing", claim).unwrap())
            }
            3..6 => {
                let relation = match self.dice(4) {
                    0 => None,
                    1 => Some(Relation::PartOf),
                    _ => Some(Relation::Uses),
                };
                submit(store, Depend::new(&id, &on, relation, &kinds))
            }
            6 => submit(store, Judge { id, kinds }),
            7..9 => {
                let version = (self.dice(3) == 0).then(|| self.number(30));
                let batch = batch(&id);
                let mut members = vec![Member { id, version }];
                if self.dice(3) == 0 {
                    members.push(Member { id: on, version: None });
                }
                submit(store, Delete { members, batch, actor, reason, kinds })
            }
            9 => {
                let batch = batch(&id);
                let mut members = vec![id];
                if self.dice(4) == 0 {
                    members.push(on);
                }
                submit(store, Restore { members, batch, actor, reason, kinds })
            }
            10 => submit(store, Hold { id, actor, reason, holds: self.dice(2) == 0, kinds }),
            _ => submit(store, PurgeItem { id, actor, reason, kinds }),
        }
    }
}
