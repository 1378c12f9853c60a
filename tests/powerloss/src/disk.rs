//! A disk that forgets what was not synced.
//!
//! A file has the bytes that programs read, the bytes that would survive, and the list of changes
//! between the two. A sync of the file makes the second equal to the first. Names work likewise: that
//! a file was made or removed is certain only after a sync of its directory, which the first sync of
//! a new journal or log includes, as SQLite's own file system for Unix does it; a new database's own
//! first sync makes its name certain too, as journaling file systems do.
//!
//! When the power goes, each change since the last sync may have reached the disk or not, in any
//! order, and the last sectors of one may be missing: [`Survival`] says which.
//!
//! What is not modelled: sectors that are half written, damage to bytes that nobody wrote, and a
//! drive that answers a sync without obeying it.

use std::collections::BTreeMap;

use crate::Random;

/// What a drive writes whole or not at all.
pub const SECTOR: usize = 512;

/// Names a file's content, whatever the file is called.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Inode(u64);

/// What becomes of the changes since the last sync.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each test names the ways that it tries")]
pub enum Survival {
    /// None of them reached the disk.
    Nothing,
    /// All of them did.
    Everything,
    /// The first ones did, to some moment: a drive that keeps the order.
    Prefix,
    /// Each did, or did not, or in part, in an order of its own.
    Anything,
}

/// The order in which changes were made, across files.
type Moment = u64;

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<(Moment, Change)>,
}

/// Which file a name means: on the disk for certain, and since then.
#[derive(Clone, Debug, Default)]
struct Name {
    durable: Option<Inode>,
    pending: Vec<(Moment, Option<Inode>)>,
}

/// Names and contents. Cloning it copies the disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    is_powersafe: bool,
    contents: BTreeMap<Inode, Content>,
    names: BTreeMap<String, Name>,
    moment: Moment,
}

impl Disk {
    /// The same, and it says that a write never harms its neighbours in a sector, as SQLite's own
    /// file systems do. One that does not say so makes SQLite fill the last sector of a commit.
    #[must_use]
    pub fn powersafe(self) -> Self {
        Self { is_powersafe: true, ..self }
    }

    /// Whether it says so.
    #[must_use]
    pub fn is_powersafe(&self) -> bool {
        self.is_powersafe
    }

    /// The file of that name, as programs see it now.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Inode> {
        self.names.get(name).and_then(Name::current)
    }

    /// Makes an empty file of that name.
    pub fn create(&mut self, name: &str) {
        let inode = Inode(self.tick());
        self.contents.insert(inode, Content::default());
        self.rename(name, Some(inode));
    }

    /// Takes the name away. Whoever has the file open keeps it.
    pub fn remove(&mut self, name: &str) {
        self.rename(name, None);
    }

    fn rename(&mut self, name: &str, inode: Option<Inode>) {
        let moment = self.tick();
        self.names.entry(name.to_owned()).or_default().pending.push((moment, inode));
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn len(&self, file: Inode) -> usize {
        self.contents.get(&file).map_or(0, |content| content.current.len())
    }

    /// Reads what is there: how many of the bytes that were asked for.
    pub fn read(&self, file: Inode, at: usize, into: &mut [u8]) -> usize {
        let bytes = self.contents.get(&file).and_then(|content| content.current.get(at..));
        let bytes = bytes.unwrap_or_default();
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        count
    }

    /// Writes, and leaves it to the next sync to make it last.
    pub fn write(&mut self, file: Inode, at: usize, bytes: &[u8]) {
        self.change(file, Change::Write { at, bytes: bytes.to_vec() });
    }

    /// Cuts the file, or fills it up with zeros.
    pub fn resize(&mut self, file: Inode, size: usize) {
        self.change(file, Change::Resize(size));
    }

    fn change(&mut self, file: Inode, change: Change) {
        let moment = self.tick();
        if let Some(content) = self.contents.get_mut(&file) {
            change.apply(&mut content.current);
            content.pending.push((moment, change));
        }
    }

    /// Makes the file's bytes last, and its name.
    pub fn sync(&mut self, file: Inode) {
        if let Some(content) = self.contents.get_mut(&file) {
            for (_, change) in content.pending.drain(..) {
                change.apply(&mut content.durable);
            }
        }
        let own = |name: &&mut Name| name.current() == Some(file);
        self.names.values_mut().filter(own).for_each(Name::sync);
    }

    /// Makes all names last.
    pub fn sync_directory(&mut self) {
        self.names.values_mut().for_each(Name::sync);
    }

    /// A sync that failed: the system forgets that the bytes were still to be written, some of them
    /// were, and a later sync will not make up for the others.
    ///
    /// Source: Rebello and others, "Can Applications Recover from fsync Failures?", ATC 2020.
    pub fn fail_sync(&mut self, file: Inode, random: &mut Random) {
        if let Some(content) = self.contents.get_mut(&file) {
            for (_, change) in content.pending.drain(..) {
                if random.below(2) == 0 {
                    change.apply(&mut content.durable);
                }
            }
        }
    }

    /// What is found when the power is back.
    #[must_use]
    pub fn after_power_loss(&self, survival: Survival, random: &mut Random) -> Self {
        let until = random.below(self.moment + 1);
        let (moment, is_powersafe) = (self.moment, self.is_powersafe);
        let mut survivor = Self { moment, is_powersafe, ..Self::default() };
        for (text, name) in &self.names {
            let kept = match survival {
                Survival::Nothing => 0,
                Survival::Everything => name.pending.len(),
                Survival::Prefix => name.pending.partition_point(|(moment, _)| *moment <= until),
                Survival::Anything => random.index(name.pending.len() + 1),
            };
            let last = name.pending[..kept].last().map_or(name.durable, |(_, inode)| *inode);
            survivor.names.insert(text.clone(), Name { durable: last, pending: Vec::new() });
        }
        for (inode, content) in &self.contents {
            let mut bytes = content.durable.clone();
            let mut pending = content.pending.clone();
            match survival {
                Survival::Nothing => pending.clear(),
                Survival::Everything => {}
                Survival::Prefix => pending.retain(|(moment, _)| *moment <= until),
                Survival::Anything => random.shuffle(&mut pending),
            }
            for (_, change) in pending {
                match survival {
                    Survival::Anything => change.apply_perhaps(&mut bytes, random),
                    _ => change.apply(&mut bytes),
                }
            }
            let content = Content { current: bytes.clone(), durable: bytes, pending: Vec::new() };
            survivor.contents.insert(*inode, content);
        }
        let named: Vec<_> = survivor.names.values().filter_map(|name| name.durable).collect();
        survivor.contents.retain(|inode, _| named.contains(inode));
        survivor
    }

    fn tick(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }
}

impl Name {
    fn current(&self) -> Option<Inode> {
        self.pending.last().map_or(self.durable, |(_, inode)| *inode)
    }

    fn sync(&mut self) {
        self.durable = self.current();
        self.pending.clear();
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write(to, *at, bytes),
            Self::Resize(size) => to.resize(*size, 0),
        }
    }

    /// Applies it, or nothing of it, or the sectors before or after some boundary.
    fn apply_perhaps(&self, to: &mut Vec<u8>, random: &mut Random) {
        match (random.below(4), self) {
            (0, _) => {}
            (1, Self::Write { at, bytes }) => {
                let first = at / SECTOR + 1;
                let boundaries = (at + bytes.len()).div_ceil(SECTOR).saturating_sub(first);
                if boundaries == 0 {
                    return;
                }
                let torn = (first + random.index(boundaries)) * SECTOR;
                let (head, tail) = bytes.split_at(torn - at);
                if random.below(2) == 0 {
                    write(to, *at, head);
                } else {
                    write(to, torn, tail);
                }
            }
            _ => self.apply(to),
        }
    }
}

fn write(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[at..end].copy_from_slice(bytes);
}
