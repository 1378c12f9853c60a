//! Blocks from strangers: read in the one canonical form or not at all.
//!
//! What is accepted is taken apart again by a slow reader that knows protobuf alone, and looked at
//! from there: the order of fields, that none comes twice, that sizes add up (**C9**).

use finalmile::ipfs::Node;

/// Reads the bytes as a block.
///
/// # Panics
///
/// When a block is accepted that should not be.
pub fn run(data: &[u8]) {
    let Ok(node) = Node::decode(data) else { return };
    let outer = fields(data);
    let links = outer.iter().filter(|(field, _)| *field == 2).count();
    assert_eq!(outer.len(), links + 1, "links, and data once");
    assert!(matches!(outer.last(), Some((1, _))), "data come last");
    for (_, link) in &outer[..links] {
        ascend(&fields(link), 0);
    }
    let inner = fields(&outer[links].1);
    ascend(&inner, 4);
    match node {
        Node::File(file) => {
            let below: u128 = file.children.iter().map(|(_, size)| u128::from(*size)).sum();
            assert_eq!(below + file.data.len() as u128, u128::from(file.size_bytes));
            assert!(file.children.iter().all(|(_, size)| *size > 0), "a child is empty");
            assert_eq!(file.children.len(), links);
        }
        Node::Directory(found) => assert_eq!(found.len(), links),
        Node::Shard(shard) => {
            assert_eq!(shard.links.len(), links);
            assert!((3..=10).contains(&shard.fanout_bits));
        }
        _ => assert_eq!(links, 0),
    }
}

/// The fields of a message and what they carry, numbers as eight bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message);
        let value = match tag & 7 {
            0 => number(&mut message).to_le_bytes().to_vec(),
            2 => {
                let length = usize::try_from(number(&mut message)).expect("it was accepted");
                take(&mut message, length)
            }
            5 => take(&mut message, 4),
            kind => panic!("a field of kind {kind} was accepted"),
        };
        found.push((tag >> 3, value));
    }
    found
}

fn take(message: &mut &[u8], length: usize) -> Vec<u8> {
    let (value, rest) = message.split_at(length);
    *message = rest;
    value.to_vec()
}

/// A number in its shortest form.
fn number(message: &mut &[u8]) -> u64 {
    let end = message.iter().position(|byte| *byte < 0x80).expect("it was accepted") + 1;
    let bytes = take(message, end);
    assert!(end == 1 || bytes[end - 1] != 0, "a padded number was accepted");
    bytes.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7F))
}

fn ascend(fields: &[(u64, Vec<u8>)], repeated: u64) {
    for pair in fields.windows(2) {
        let (one, other) = (pair[0].0, pair[1].0);
        assert!(one < other || (one == other && one == repeated), "{one} before {other}");
    }
}
