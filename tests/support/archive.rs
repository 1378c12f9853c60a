//! Archives of blocks, written and taken apart by hand, so that a test may damage them.
//!
//! ```ignore
//! #[path = "support/archive.rs"]
//! mod archive;
//! ```

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use finalmile::ipfs::{Cid, Codec};
use sha2::{Digest, Sha256};

/// Bytes without a period that a chunk could hide: every block of a file differs.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255).to_le_bytes()[0]).collect()
}

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// A field of a protobuf message: its tag, its length, its bytes.
pub(crate) fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag][..], &varint(bytes.len() as u64), bytes].concat()
}

/// A block and the id that is written before it, which need not fit.
pub(crate) type Block = (Vec<u8>, Vec<u8>);

pub(crate) const HEADER: &[u8] = b"\x11\xA2\x65roots\x80\x67version\x01";

pub(crate) fn car(blocks: &[Block]) -> Vec<u8> {
    let mut car = HEADER.to_vec();
    for (id, block) in blocks {
        car.extend(varint((id.len() + block.len()) as u64));
        car.extend_from_slice(id);
        car.extend_from_slice(block);
    }
    car
}

/// The blocks of an archive.
pub(crate) fn blocks(car: &[u8]) -> Vec<Block> {
    let number = |rest: &mut &[u8]| {
        let end = rest.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let number =
            rest[..end].iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7F));
        *rest = &rest[end..];
        number
    };
    let mut rest = car;
    let header = number(&mut rest);
    rest = &rest[header..];
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let length = number(&mut rest);
        let (section, after) = rest.split_at(length);
        let id = if section.starts_with(b"\x12\x20") { 34 } else { 36 };
        blocks.push((section[..id].to_vec(), section[id..].to_vec()));
        rest = after;
    }
    blocks
}

pub(crate) fn named(codec: Codec, block: Vec<u8>) -> (Cid, Block) {
    let cid = Cid::of_digest(codec, &Sha256::digest(&block).into());
    (cid.clone(), (cid.as_bytes().to_vec(), block))
}

/// A file's node that says of its children, and of itself, what it is told to.
pub(crate) fn file_node(children: &[(&Cid, u64)], data: &[u8], size: u64) -> (Cid, Block) {
    let mut block = Vec::new();
    let mut unixfs = vec![0x08, 0x02];
    if !data.is_empty() {
        unixfs.extend(field(0x12, data));
    }
    unixfs.push(0x18);
    unixfs.extend(varint(size));
    for (cid, size) in children {
        let link = [field(0x0A, cid.as_bytes()), vec![0x12, 0x00, 0x18, 0x00]].concat();
        block.extend(field(0x12, &link));
        unixfs.push(0x20);
        unixfs.extend(varint(*size));
    }
    block.extend(field(0x0A, &unixfs));
    named(Codec::DagPb, block)
}
