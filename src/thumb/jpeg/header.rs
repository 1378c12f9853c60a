//! What a file says about its picture before the first scan: size, planes, colours.
//!
//! The colours are told as libjpeg tells them, from the Adobe and JFIF segments and the planes'
//! names, because every encoder was tried against it.
//!
//! Source: ITU-T T.81, sections B.2.2 (frame) and B.2.5 (DNL); ITU-T T.872, section 6.5.3 (Adobe).

use super::error::{Feature, JpegError};
use super::markers::{self, APP0, APP14, DHT, DNL, EOI, SOF0, SOS, Segment, be16};
use super::window::find_marker;

/// What a file says about its picture.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::thumb) struct Header {
    /// Columns at full size, at least 1.
    pub(in crate::thumb) width: u32,
    /// Rows at full size, at least 1.
    pub(in crate::thumb) height: u32,
    /// 1, 3 or 4 planes.
    pub(in crate::thumb) components: Vec<Component>,
    /// Whether the scans refine each other.
    pub(in crate::thumb) progressive: bool,
    /// What the planes mean.
    pub(in crate::thumb) colour: Colour,
    /// The transform that an Adobe segment names. With one, four planes are stored inverted.
    pub(in crate::thumb) adobe_transform: Option<u8>,
}

/// A plane of the picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::thumb) struct Component {
    /// Its name in the scans' headers.
    pub(in crate::thumb) id: u8,
    /// Its share of columns: 1 to 4, in proportion to the others'.
    pub(in crate::thumb) horizontal: u8,
    /// Its share of rows.
    pub(in crate::thumb) vertical: u8,
    /// The number of its quantiser.
    pub(in crate::thumb) quantiser: u8,
}

/// What the planes mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::thumb) enum Colour {
    /// Brightness.
    Grey,
    /// Brightness and two differences of colour.
    YCbCr,
    /// Red, green, blue.
    Rgb,
    /// Inks.
    Cmyk,
    /// Inks, the first three transformed as if red, green and blue.
    Ycck,
}

/// Reads up to the first scan, and on to where the height is told if it is told behind that.
pub(in crate::thumb) fn read_header(bytes: &[u8]) -> Result<Header, JpegError> {
    let mut at = markers::start(bytes).ok_or(JpegError::NotJpeg)?;
    let (mut header, mut adobe, mut jfif) = (None, None, false);
    while let Some(segment) = markers::next(bytes, at) {
        at = segment.next;
        match segment.code {
            APP0 => jfif |= segment.body.starts_with(b"JFIF\0"),
            APP14 if segment.body.starts_with(b"Adobe") => {
                adobe = segment.body.get(11).copied().or(adobe);
            }
            // Code tables, and a code that is reserved for extensions.
            DHT | 0xC8 | 0xCC => {}
            // JPEG-LS: what comes behind is not made of these segments.
            0xF7 => return Err(JpegError::Unsupported(Feature::Lossless)),
            SOF0..=0xCF if header.is_none() => header = Some(read_frame(&segment)?),
            SOS => {
                let mut header: Header = header.ok_or(JpegError::Damaged("frame header"))?;
                header.adobe_transform = adobe;
                header.colour = colour(&header, jfif);
                if header.height == 0 {
                    header.height = height_behind(bytes, at)?;
                }
                return Ok(header);
            }
            EOI => break,
            _ => {}
        }
    }
    Err(JpegError::Truncated)
}

fn read_frame(segment: &Segment<'_>) -> Result<Header, JpegError> {
    let (code, body) = (segment.code, segment.body);
    let damaged = JpegError::Damaged("frame header");
    let feature = match code {
        0xC0..=0xC2 => None,
        0xC3 => Some(Feature::Lossless),
        0xC5..=0xC7 => Some(Feature::Hierarchical),
        _ => Some(Feature::Arithmetic),
    };
    if let Some(feature) = feature {
        return Err(JpegError::Unsupported(feature));
    }
    let &[precision, _, _, _, _, count, ref planes @ ..] = body else { return Err(damaged) };
    if precision != 8 {
        return Err(JpegError::Unsupported(Feature::Precision(precision)));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(JpegError::Unsupported(Feature::Components(count)));
    }
    let planes = planes.get(..usize::from(count) * 3).ok_or(damaged)?;
    let component = |plane: &[u8; 3]| Component {
        id: plane[0],
        horizontal: plane[1] >> 4,
        vertical: plane[1] & 15,
        quantiser: plane[2],
    };
    let components: Vec<_> = planes.as_chunks().0.iter().map(component).collect();
    let sound = |c: &Component| {
        (1..=4).contains(&c.horizontal) && (1..=4).contains(&c.vertical) && c.quantiser < 4
    };
    let (height, width) = (be16(body, 1).unwrap_or(0), be16(body, 3).unwrap_or(0));
    if width == 0 || !components.iter().all(sound) {
        return Err(damaged);
    }
    Ok(Header {
        width: u32::from(width),
        height: u32::from(height),
        components,
        progressive: code == 0xC2,
        colour: Colour::Grey,
        adobe_transform: None,
    })
}

/// Source: libjpeg's `default_decompress_parms`.
fn colour(header: &Header, jfif: bool) -> Colour {
    let ids: Vec<u8> = header.components.iter().map(|component| component.id).collect();
    match (ids.as_slice(), header.adobe_transform) {
        ([_], _) => Colour::Grey,
        ([_, _, _, _], None | Some(0)) => Colour::Cmyk,
        ([_, _, _, _], Some(_)) => Colour::Ycck,
        (_, _) if jfif => Colour::YCbCr,
        (_, Some(0)) | (b"RGB", None) => Colour::Rgb,
        (_, _) => Colour::YCbCr,
    }
}

/// The height in the segment behind the first scan, where those write it who begin without knowing.
fn height_behind(bytes: &[u8], scan: usize) -> Result<u32, JpegError> {
    let mut at = scan;
    while let Some((found, code)) = find_marker(bytes, at) {
        at = found + 2;
        if (0xD0..=0xD7).contains(&code) {
            continue;
        }
        let height = if code == DNL { be16(bytes, at + 2) } else { None };
        return match height {
            Some(height @ 1..) => Ok(u32::from(height)),
            _ => Err(JpegError::Damaged("frame header: no height")),
        };
    }
    Err(JpegError::Truncated)
}
