//! JPEG files from strangers: planes as the header says or a typed refusal, whatever the way.
//!
//! The decoder is not public; `finalmile::thumb::probe_jpeg` says what must hold.

/// Decodes the bytes.
///
/// # Panics
///
/// When a promise of the decoder is broken (**JD1**, **JD2**).
pub fn run(data: &[u8]) {
    finalmile::thumb::probe_jpeg(data);
}
