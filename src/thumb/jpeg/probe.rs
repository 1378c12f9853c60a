//! What must hold for any bytes, asserted on the decoder: an entry for fuzzing.

use super::{Control, JpegError, Planes, Scale, decode, read_header};

/// Decodes `bytes` at full size and at a scale that their number chooses.
///
/// # Panics
///
/// When planes have other sizes than the header says, or when two ways through the same data do not
/// agree on what of it is whole (**JD1**, **JD2**).
pub fn probe(bytes: &[u8]) {
    let small = Scale::ALL[bytes.len() % 4];
    let pair = (within_limits(bytes, small, true), within_limits(bytes, Scale::Full, true));
    let is_progressive = read_header(bytes).is_ok_and(|header| header.progressive);
    // A sequential file has no bits to leave out.
    let again = if is_progressive { within_limits(bytes, small, false) } else { pair.0.clone() };
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
    }
}

/// Limits under which one input is quick.
fn within_limits(bytes: &[u8], scale: Scale, exact: bool) -> Result<Planes, JpegError> {
    let (max_pixels, max_bytes, max_scans) = (1 << 12, 1 << 20, 12);
    let mut watch = |_, _| true;
    let mut control = Control { max_pixels, max_bytes, max_scans, exact, watch: &mut watch };
    decode(bytes, scale, &mut control)
}
