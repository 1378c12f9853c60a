//! Content ids from strangers: read in the one right way or not at all.
//!
//! The bytes are taken for an id's binary form, and for its text. Both are compared with the `cid`
//! crate in both directions: what we read it reads to the same id, and what it reads, prints back to
//! the very same input, and is of a kind that we support, we read too (**C1**, **C2**).

use cid::{CidGeneric, multibase::Base};
use finalmile::{
    ipfs::{Cid, Multihash},
    upload::ContentId,
};

/// With room for the longest identity hash that we take.
type Theirs = CidGeneric<128>;

const SUPPORTED_CODECS: [u64; 2] = [0x55, 0x70];
const IDENTITY: u64 = 0x00;
const SHA2_256: u64 = 0x12;

/// Reads the bytes as an id in both forms.
///
/// # Panics
///
/// When a promise is broken, or the two readers disagree.
pub fn run(data: &[u8]) {
    read_bytes(data);
    read_text(&String::from_utf8_lossy(data));
}

fn read_bytes(bytes: &[u8]) {
    let theirs = Theirs::try_from(bytes).ok();
    // Theirs does not look at what follows the digest.
    let exact = theirs.as_ref().filter(|id| id.to_bytes() == bytes);
    match Cid::from_bytes(bytes) {
        Ok(ours) => {
            is_sound(&ours);
            is_the_same(&ours, exact);
        }
        Err(error) => assert!(!exact.is_some_and(is_supported), "{bytes:02x?}: {error}"),
    }
}

fn read_text(text: &str) {
    let theirs = Theirs::try_from(text).ok();
    let spelling = match text.chars().next() {
        Some('b') => Some(Base::Base32Lower),
        Some('B') => Some(Base::Base32Upper),
        Some('k') => Some(Base::Base36Lower),
        Some('K') => Some(Base::Base36Upper),
        Some('z' | 'Q') => Some(Base::Base58Btc),
        _ => None,
    };
    // Theirs takes paths and whole addresses as well, which print back as something else.
    let exact = theirs.as_ref().filter(|id| {
        spelling.and_then(|base| id.to_string_of_base(base).ok()).is_some_and(|one| one == text)
    });
    let kept = ContentId::new(text);
    match text.parse::<Cid>() {
        Ok(ours) => {
            is_sound(&ours);
            is_the_same(&ours, exact);
            let kept = kept.expect("an upload takes every id");
            assert_eq!(kept.as_str(), text, "an upload keeps the client's spelling");
            let canonical = ContentId::new(ours.to_string());
            assert_eq!(canonical.ok(), Some(kept), "another spelling is another upload");
        }
        Err(error) => {
            assert!(kept.is_err(), "{text}: an upload takes what nobody can check");
            assert!(!exact.is_some_and(is_supported), "{text}: {error}");
        }
    }
}

/// Every form that an id can be printed in leads back to it.
fn is_sound(id: &Cid) {
    let text = id.to_string();
    assert_eq!(text.parse().ok().as_ref(), Some(id), "{text}");
    assert_eq!(text.to_ascii_uppercase().parse().ok().as_ref(), Some(id), "{text} in upper case");
    assert_eq!(Cid::from_bytes(id.as_bytes()).ok().as_ref(), Some(id), "{text} as bytes");
    if let Some(old) = id.to_v0() {
        assert_eq!(old.parse().ok().as_ref(), Some(id), "{old}");
    }
    // It is a file's name in the cache.
    assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{text}");
    assert!(text.len() <= 214, "a name of {} bytes", text.len());
    if let Multihash::Identity(content) = id.hash() {
        assert!(id.names_block(content), "{text} does not name what it holds");
    }
}

fn is_the_same(ours: &Cid, theirs: Option<&Theirs>) {
    let theirs = theirs.and_then(|id| id.into_v1().ok());
    let theirs = theirs.unwrap_or_else(|| panic!("{ours} is no id, or is spelled in another way"));
    assert_eq!(ours.as_bytes(), theirs.to_bytes());
}

/// Whether it is of a kind that the documentation of [`Cid`] names.
fn is_supported(id: &Theirs) -> bool {
    let hash = match id.hash().code() {
        IDENTITY => true,
        SHA2_256 => id.hash().size() == 32,
        _ => false,
    };
    hash && SUPPORTED_CODECS.contains(&id.codec())
}
