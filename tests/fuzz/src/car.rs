//! Archives from strangers: a file that is what its id names, or nothing.
//!
//! The bytes are taken for an archive, and for a script that makes one: leaves, nodes that tell the
//! truth or lie about sizes, and an order in which they are sent, twice or damaged or not at all. What
//! the verifier makes of the second kind is compared with a reader that has all blocks in a map and
//! goes down from the root (**C10**, **C12**, **C13**).

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use finalmile::ipfs::{Cid, Codec, Limits, verify_car};
use sha2::{Digest, Sha256};

const HEADER: &[u8] = b"\x11\xA2\x65roots\x80\x67version\x01";
/// More than most scripts make, less than a bomb.
const FILE_BYTES: u64 = 1 << 16;
/// No chain of so many nodes is too deep.
const MAX_NODES: usize = 15;

/// Reads the bytes in both ways.
///
/// # Panics
///
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let id = Cid::of_raw_block(b"wanted");
    if let Some(bytes) = verified(data, &id) {
        assert_eq!(bytes, b"wanted", "an archive from nowhere");
    }
    let script = Script::read(data);
    let Some(root) = script.made.last() else { return };
    let expected = if script.is_bad { None } else { script.file(&root.id, None) };
    let found = verified(&script.car, &root.id);
    assert_eq!(found, expected, "{script:?}");
}

/// Whether the bytes are a script of an archive that becomes a file.
#[must_use]
pub fn accepted(data: &[u8]) -> bool {
    let script = Script::read(data);
    script.made.last().is_some_and(|root| verified(&script.car, &root.id).is_some())
}

/// What the verifier makes of an archive; a refused one leaves nothing.
fn verified(car: &[u8], id: &Cid) -> Option<Vec<u8>> {
    let folder = folder();
    let out = folder.join("out");
    let limits = Limits { file_bytes: FILE_BYTES, ..Limits::default() };
    let done = verify_car(car, &id.clone().into(), &out, limits);
    let bytes = done.is_ok().then(|| fs::read(&out).expect("the file is there"));
    if bytes.is_some() {
        fs::remove_file(&out).expect("it can be removed");
    }
    let left = fs::read_dir(folder).expect("it can be listed").count();
    assert_eq!(left, 0, "something was left behind");
    bytes
}

/// A folder of this process's own, in memory where there is such a place.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = base.join(format!("finalmile-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    })
}

/// A block that the script made, and what it truly stands for.
#[derive(Debug)]
struct Made {
    id: Cid,
    block: Vec<u8>,
    size: u64,
    children: Vec<(usize, u64)>,
    data: Vec<u8>,
    says: u64,
}

/// An archive as the bytes ask for it.
#[derive(Debug, Default)]
struct Script {
    made: Vec<Made>,
    sent: HashMap<Cid, usize>,
    car: Vec<u8>,
    is_bad: bool,
}

impl Script {
    fn read(data: &[u8]) -> Self {
        let mut script = Self { car: HEADER.to_vec(), ..Self::default() };
        let mut bytes = data.iter().copied();
        while let Some(op) = bytes.next() {
            let mut next = || bytes.next().unwrap_or_default();
            match op % 8 {
                0 | 1 => {
                    let (length, byte) = (next() % 40, next());
                    let content = (0..length).map(|i| byte.wrapping_add(i / 8)).collect();
                    script.make_leaf(content);
                }
                2 | 3 if !script.made.is_empty() && script.nodes() < MAX_NODES => {
                    let count = next() % 5;
                    let children: Vec<_> = (0..count)
                        .map(|_| {
                            let (which, lie) = (next(), next());
                            let index = usize::from(which) % script.made.len();
                            let lie = if lie < 8 { u64::from(lie) } else { 0 };
                            (index, script.made[index].size.wrapping_add(lie))
                        })
                        .collect();
                    let (own, lie) = (next() % 4, next());
                    script.make_node(&children, vec![own; usize::from(own)], u64::from(lie < 8));
                }
                4..=6 if !script.made.is_empty() => {
                    let index = usize::from(next()) % script.made.len();
                    script.send(index, op == 14);
                }
                7 if op == 7 => {
                    script.car.push(0);
                    script.is_bad = true;
                }
                _ => {}
            }
        }
        script
    }

    fn nodes(&self) -> usize {
        self.made.iter().filter(|made| made.id.codec() == Codec::DagPb).count()
    }

    fn make_leaf(&mut self, block: Vec<u8>) {
        let (id, size) = (Cid::of_raw_block(&block), block.len() as u64);
        let (children, data) = (Vec::new(), block.clone());
        self.made.push(Made { id, block, size, children, data, says: size });
    }

    fn make_node(&mut self, children: &[(usize, u64)], data: Vec<u8>, lie: u64) {
        let sizes = children.iter().map(|(_, size)| *size);
        let size = sizes.fold(data.len() as u64, u64::wrapping_add).wrapping_add(lie);
        let mut unixfs = vec![0x08, 0x02];
        if !data.is_empty() {
            unixfs.extend(field(0x12, &data));
        }
        unixfs.push(0x18);
        unixfs.extend(varint(size));
        let mut block = Vec::new();
        for (child, size) in children {
            let hash = field(0x0A, self.made[*child].id.as_bytes());
            block.extend(field(0x12, &hash));
            unixfs.push(0x20);
            unixfs.extend(varint(*size));
        }
        block.extend(field(0x0A, &unixfs));
        let id = Cid::of_digest(Codec::DagPb, &Sha256::digest(&block).into());
        self.made.push(Made { id, block, size, children: children.to_vec(), data, says: size });
    }

    fn send(&mut self, index: usize, is_damaged: bool) {
        let Made { id, block, .. } = &self.made[index];
        let mut block = block.clone();
        if is_damaged {
            block.push(0);
            self.is_bad = true;
        } else {
            self.sent.insert(id.clone(), index);
        }
        self.car.extend(varint((id.as_bytes().len() + block.len()) as u64));
        self.car.extend_from_slice(id.as_bytes());
        self.car.extend_from_slice(&block);
    }

    /// The file below a block, read from the root; `None` if it makes no sense.
    fn file(&self, id: &Cid, said: Option<u64>) -> Option<Vec<u8>> {
        let made = &self.made[*self.sent.get(id)?];
        let sizes = made.children.iter().map(|(_, size)| *size);
        let sum = sizes.clone().try_fold(made.data.len() as u64, u64::checked_add)?;
        let is_too_large = said.is_none() && made.says > FILE_BYTES;
        let is_a_lie = sum != made.says || said.is_some_and(|said| said != made.says);
        if is_too_large || is_a_lie || sizes.clone().any(|size| size == 0) {
            return None;
        }
        let mut bytes = made.data.clone();
        for (child, size) in &made.children {
            bytes.extend(self.file(&self.made[*child].id, Some(*size))?);
        }
        Some(bytes)
    }
}

fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}
