//! A small world for tests: a store in memory, a clock that stands, an account with credits.
//!
//! ```ignore
//! #[path = "support/world.rs"]
//! mod world;
//! ```

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::{collections::BTreeMap, sync::Arc};

use finalmile::{
    AccountId, Actor, Admin, Credits, Error, FinalMile, IdempotencyKey, Simulated, Timestamp,
    engines::Memory,
    ipfs::Cid,
    ledger::{Money, Purchase},
    upload::{ContentId, MediaType, NewShare},
};

pub(crate) struct World {
    pub(crate) fm: FinalMile,
    pub(crate) clock: Arc<Simulated>,
    pub(crate) ada: AccountId,
}

impl World {
    /// Ada owns 1,000 credits; it is some day in 2027.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1));
        let fm = FinalMile::builder(Memory::new()).world(clock.clone()).open().unwrap();
        let ada = AccountId::new("ada").unwrap();
        fm.ledger().add_credits(purchase(&ada, 1_000, "pi_0")).wait().unwrap();
        Self { fm, clock, ada }
    }

    pub(crate) fn admin(&self) -> Admin {
        self.fm.admin(Actor::new("ops").unwrap())
    }

    pub(crate) fn available(&self) -> i64 {
        self.fm.ledger().account(&self.ada).wait().unwrap().unwrap().available().get()
    }

    pub(crate) fn balance(&self) -> i64 {
        self.fm.ledger().account(&self.ada).wait().unwrap().unwrap().balance.get()
    }
}

pub(crate) fn purchase(account: &AccountId, credits: i64, reference: &str) -> Purchase {
    Purchase {
        account: account.clone(),
        credits: Credits::new(credits),
        provider: "stripe".parse().unwrap(),
        reference: reference.parse().unwrap(),
        paid: Money::minor(499, "usd").unwrap(),
        paid_at: None,
        metadata: BTreeMap::new(),
    }
}

pub(crate) fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

/// A share of an image, told apart by a letter.
pub(crate) fn share(letter: char) -> NewShare {
    let thumbnail_cid = Some(cid(&format!("thumb {letter}")));
    NewShare { thumbnail_cid, ..NewShare::new(MediaType::Image, cid(&format!("full {letter}"))) }
}

/// The id of these words as one raw block.
pub(crate) fn cid(words: &str) -> ContentId {
    ContentId::new(Cid::of_raw_block(words.as_bytes()).to_string()).unwrap()
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    answer.unwrap_err().code()
}
