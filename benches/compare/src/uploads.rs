//! Uploads of a thousand accounts, on SQLite.

use std::{path::Path, sync::Arc, time::Duration};

use finalmile::{
    AccountId, Actor, Error, FinalMile, SystemWorld, UploadId, World,
    engines::Sqlite,
    limit::{Home, Policy},
    upload::{ContentId, MediaType, NewShare},
};

use crate::accounts;

/// How many accounts share the uploads.
pub const ACCOUNTS: u64 = 1_000;
/// How many uploads begin or end before anybody waits: as many as share a commit.
pub const CHUNK: u64 = 512;
/// How many are many; fewer for a quick look.
pub const MANY: [u64; 2] = [1_000_000, 50_000];

/// What every upload shares: a picture and its small ones.
const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/// A store whose accounts have begun that many uploads.
#[derive(Clone, Debug)]
pub struct Uploads {
    /// The store.
    pub fm: FinalMile,
    /// Who begins them, in turns.
    pub accounts: Vec<AccountId>,
    /// How many were begun.
    pub begun: u64,
}

/// The place of an account, and an upload that it began.
pub type Begun = (usize, UploadId);

impl Uploads {
    /// A new file. Nobody is limited in it: what is measured is a call that does something.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_in(path, Arc::new(SystemWorld))
    }

    /// The same under another clock.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn open_in(path: &Path, world: Arc<dyn World>) -> Result<Self, Error> {
        let second = Duration::from_secs(1);
        let limit = |name: &str| {
            Ok::<_, Error>(Policy::greedy(name.parse()?, 1_000_000_000, second)?.home(Home::Store))
        };
        let (fm, accounts) =
            opened_in(path, world, [limit("begin-upload")?, limit("finalize-upload")?])?;
        Ok(Self { fm, accounts, begun: 0 })
    }

    /// Begins that many more, so many before anybody waits, each under a fresh key.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn begin(&mut self, count: u64, at_once: u64) -> Result<Vec<Begun>, Error> {
        let end = self.begun + count;
        let mut all = Vec::new();
        while self.begun < end {
            let chunk = at_once.min(end - self.begun);
            let mut pending = Vec::new();
            for n in self.begun..self.begun + chunk {
                let account = usize::try_from(n % ACCOUNTS).unwrap_or_default();
                let key = format!("upload-{n:012}").parse()?;
                let begun = self.fm.uploads().begin(&self.accounts[account], 1, &key);
                pending.push((account, begun));
            }
            for (account, pending) in pending {
                let begun = pending.wait()?;
                assert!(!begun.replayed, "every key is fresh");
                all.push((account, begun.upload_id));
            }
            self.begun += chunk;
        }
        Ok(all)
    }

    /// Finalizes all of them, none waiting for another.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn finalize(&self, all: &[Begun]) -> Result<(), Error> {
        let mut pending = Vec::new();
        for (account, upload) in all {
            let viewer = &self.accounts[*account];
            pending.push(self.fm.uploads().finalize(viewer, *upload, share()?));
        }
        for pending in pending {
            assert!(!pending.wait()?.replayed, "every upload ends once");
        }
        Ok(())
    }
}

fn share() -> Result<NewShare, Error> {
    let cid: ContentId = CID.parse()?;
    let small = Some(cid.clone());
    let share = NewShare::new(MediaType::Image, cid);
    Ok(NewShare { thumbnail_cid: small.clone(), preview_cid: small, ..share })
}

/// A new file whose accounts have credits to spare, under these limits.
///
/// # Errors
///
/// Whatever the store answers.
pub fn opened(
    path: &Path,
    limits: impl IntoIterator<Item = Policy>,
) -> Result<(FinalMile, Vec<AccountId>), Error> {
    opened_in(path, Arc::new(SystemWorld), limits)
}

fn opened_in(
    path: &Path,
    world: Arc<dyn World>,
    limits: impl IntoIterator<Item = Policy>,
) -> Result<(FinalMile, Vec<AccountId>), Error> {
    let fm = FinalMile::builder(Sqlite::file(path)).world(world).open()?;
    for limit in limits {
        drop(fm.admin(Actor::new("bench")?).configure(limit).wait()?);
    }
    let accounts = accounts::open(&fm, ACCOUNTS)?;
    Ok((fm, accounts))
}
