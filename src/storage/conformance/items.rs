//! The random log's items: registered, named, used, deleted in any order and too often.

use std::time::Duration;

use super::script::{Answer, Script, submit};
use crate::{
    Actor,
    storage::Store,
    trash::{
        ItemId, ItemKind, Kinds, MEDIA_SHARE, Relation,
        delete::{Delete, Judge, Member},
        depend::Depend,
        hold::Hold,
        purge::PurgeItem,
        register::Register,
        restore::Restore,
    },
};

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
                submit(store, Depend { by: id, on, relation })
            }
            6 => submit(store, Judge { id, kinds }),
            7..9 => {
                let version = (self.dice(3) == 0).then(|| self.number(30));
                let mut members = vec![Member { id, version }];
                if self.dice(3) == 0 {
                    members.push(Member { id: on, version: None });
                }
                let batch = [u8::try_from(self.dice(3)).unwrap(); 16];
                submit(store, Delete { members, batch, actor, reason, kinds })
            }
            9 => {
                let batch = [u8::try_from(self.dice(3)).unwrap(); 16];
                submit(store, Restore { members: vec![id], batch, actor, reason, kinds })
            }
            10 => submit(store, Hold { id, actor, reason, holds: self.dice(2) == 0 }),
            _ => submit(store, PurgeItem { id, actor, reason, kinds }),
        }
    }
}
