//! Entries from outside: what must hold for any bytes, asserted on the decoder, for fuzzing; and the
//! decoder alone, for measuring.

use super::{Control, JpegError, Planes, Scale, decode, read_header};

/// Decodes `bytes` at full size and at a scale that their number chooses.
///
/// # Panics
///
/// When planes have other sizes than the header says, or when two ways through the same data do not
/// agree on it (**JD1**, **JD2**, **JD10**).
pub fn probe(bytes: &[u8]) {
    let small = Scale::ALL[bytes.len() % 4];
    let never = usize::MAX;
    let within_limits = |scale, exact, in_two_from| within_limits(bytes, scale, exact, in_two_from);
    let pair = (within_limits(small, true, never), within_limits(Scale::Full, true, never));
    let is_progressive = read_header(bytes).is_ok_and(|header| header.progressive);
    // A sequential file has no bits to leave out; two threads can decode it.
    let again = within_limits(small, !is_progressive, if is_progressive { never } else { 0 });
    let Ok(header) = read_header(bytes) else {
        assert!(pair.0.is_err() && pair.1.is_err(), "planes without a header");
        return;
    };
    if let Ok(planes) = &again {
        let scaled = |length: u32| (length as usize * small.eighths()).div_ceil(8);
        let size = (scaled(header.width), scaled(header.height));
        assert_eq!((planes.width as usize, planes.height as usize), size, "the picture's size");
        assert_eq!(planes.planes.len(), header.components.len(), "one plane for each component");
        for plane in &planes.planes {
            assert!(plane.width <= plane.stride, "a row is as long as the plane is wide");
            assert!(plane.data.len() >= plane.stride * plane.height, "a plane is as high as said");
        }
    }
    if let ((Ok(one), Ok(other)), false) = (&pair, header.progressive) {
        // At full size every symbol is read alone, below it some are passed over together.
        assert_eq!(one.partial, other.partial, "what is whole at {small:?} and at full size");
        assert!(again.is_ok_and(|again| again == *one), "two threads");
    }
}

/// Decodes a whole picture at a quarter of its size and tells how many bytes its planes have. `None`:
/// it is damaged, or larger than any camera makes.
#[must_use]
pub fn decode_quarter(bytes: &[u8]) -> Option<usize> {
    let mut watch = |_, _| true;
    let (max_pixels, max_bytes, max_scans) = (1 << 30, 1 << 30, 100);
    let mut control = Control {
        max_pixels,
        max_bytes,
        max_scans,
        in_two_from: usize::MAX,
        exact: false,
        watch: &mut watch,
    };
    let planes = decode(bytes, Scale::Quarter, &mut control).ok()?;
    let lengths = planes.planes.iter().map(|plane| plane.data.len());
    planes.partial.is_none().then(|| lengths.sum())
}

/// Limits under which one input is quick.
fn within_limits(
    bytes: &[u8],
    scale: Scale,
    exact: bool,
    in_two_from: usize,
) -> Result<Planes, JpegError> {
    let (max_pixels, max_bytes, max_scans) = (1 << 12, 1 << 20, 12);
    let mut watch = |_, _| true;
    let mut control =
        Control { max_pixels, max_bytes, max_scans, in_two_from, exact, watch: &mut watch };
    decode(bytes, scale, &mut control)
}
