//! What a picture's container says, read without decoding: EXIF block, profile, completeness.
//!
//! Four formats, four walks over length-prefixed pieces. A walk looks at declared lengths only and
//! never searches for a marker inside a piece: the EXIF block of a JPEG holds a whole JPEG of its
//! own. Each walk stops at the end of the main picture, so what phones append behind it (gain maps,
//! motion photos) is not looked at.

use super::format::Format;

/// What a walk over the container found.
#[derive(Default)]
pub(super) struct Survey<'a> {
    /// The TIFF structure of the first EXIF block.
    pub(super) exif: Option<&'a [u8]>,
    /// The pieces of the colour profile, in their order; PNG packs its own.
    pub(super) icc: Vec<&'a [u8]>,
    /// The container's own end was reached. Of a JPEG see also [`survey`].
    pub(super) complete: bool,
    /// JPEG: how many scans, 0 in other formats.
    pub(super) scans: u32,
    /// JPEG: how many bytes there are up to the end of the main picture.
    pub(super) length: usize,
    /// JPEG: colour planes.
    pub(super) components: u8,
    /// JPEG: decoding keeps every coefficient until the last scan.
    pub(super) buffers_coefficients: bool,
    /// JPEG: planes of different heights lie in scans of their own.
    pub(super) planes_apart: bool,
    /// GIF: the rows of the first frame do not come from top to bottom.
    pub(super) interlaced: bool,
    /// WebP: the largest frame any chunk of it claims, which may contradict the canvas.
    pub(super) largest_frame: (u32, u32),
}

/// Surveys all of a file, but of a JPEG that has all its planes in the first scan only what precedes
/// that: what follows makes a difference to few, who take [`survey_jpeg_to_end`].
pub(super) fn survey(format: Format, bytes: &[u8]) -> Survey<'_> {
    let mut survey = Survey::default();
    match format {
        // A walk ends early, with `None`, where the bytes end or make no sense.
        Format::Jpeg => _ = walk_jpeg(bytes, &mut survey, true),
        Format::Png => _ = walk_png(bytes, &mut survey),
        Format::WebP => {
            survey.complete =
                bytes.get(12..).and_then(|chunks| walk_riff(chunks, bytes, &mut survey)).is_some();
        }
        // The blocks of a GIF carry no orientation.
        Format::Gif => survey.complete = walk_gif(bytes, &mut survey).is_some(),
        // Not decoded here, or by decoders that read for themselves.
        _ => {}
    }
    survey
}

/// Surveys all of a JPEG.
pub(super) fn survey_jpeg_to_end(bytes: &[u8]) -> Survey<'_> {
    let mut survey = Survey::default();
    _ = walk_jpeg(bytes, &mut survey, false);
    survey
}

/// Walks to the end, or only to the data of a first scan that `may_do`.
///
/// Source: ITU-T T.81, annex B.
fn walk_jpeg<'a>(bytes: &'a [u8], survey: &mut Survey<'a>, may_do: bool) -> Option<()> {
    let mut at = 2;
    let (mut progressive, mut uneven) = (false, false);
    loop {
        at += memchr::memchr(0xFF, bytes.get(at..)?)?;
        let marker = *bytes.get(at + 1)?;
        match marker {
            // A fill byte; or, inside a scan, a stuffed zero or a restart marker.
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => {
                survey.complete = true;
                survey.length = at + 2;
                return Some(());
            }
            _ => {
                let length = usize::from(be16(bytes, at + 2)?);
                let body = bytes.get(at + 4..(at + 2 + length).max(at + 4))?;
                match marker {
                    0xDA => {
                        survey.scans += 1;
                        // One scan per plane is also kept whole before it becomes pixels.
                        let partial = *body.first()? < survey.components;
                        survey.buffers_coefficients |= progressive || partial;
                        survey.planes_apart |= partial && uneven && !progressive;
                        if may_do && !survey.buffers_coefficients {
                            return Some(());
                        }
                    }
                    0xC4 | 0xC8 | 0xCC => {}
                    0xC0..=0xCF => {
                        survey.components = *body.get(5)?;
                        progressive = marker & 0b11 == 0b10;
                        // Three bytes a plane; the low half of the second is its share of rows.
                        let rows = |plane: &[u8]| plane.get(1).map(|factors| factors & 0x0F);
                        let mut planes = body.get(6..)?.chunks_exact(3).map(rows);
                        let first = planes.next()?;
                        uneven = planes.any(|rows| rows != first);
                    }
                    0xE1 => {
                        let exif = body.strip_prefix(b"Exif\0\0".as_slice());
                        survey.exif = survey.exif.or(exif);
                    }
                    0xE2 => {
                        // Behind the name: this piece's number from 1, and how many there are.
                        let piece = body.strip_prefix(b"ICC_PROFILE\0".as_slice());
                        if let Some([number, _, profile @ ..]) = piece
                            && usize::from(*number) == survey.icc.len() + 1
                        {
                            survey.icc.push(profile);
                        }
                    }
                    _ => {}
                }
                at += 2 + length;
            }
        }
    }
}

/// Source: PNG, third edition, sections 5.3 (chunks) and 11.3.3.6 (`eXIf`).
fn walk_png<'a>(bytes: &'a [u8], survey: &mut Survey<'a>) -> Option<()> {
    let mut at = 8;
    loop {
        let length = usize::try_from(be32(bytes, at)?).ok()?;
        let end = at.checked_add(8)?.checked_add(length)?;
        let body = bytes.get(at + 8..end)?;
        match bytes.get(at + 4..at + 8)? {
            b"eXIf" => survey.exif = survey.exif.or(Some(strip_exif_header(body))),
            b"IEND" => {
                survey.complete = true;
                return Some(());
            }
            _ => {}
        }
        at = end.checked_add(4)?;
    }
}

/// Walks `chunks`, and those inside an animation frame. `None`: the last one is cut.
///
/// Source: RFC 9649, sections 2.3 to 2.7.
fn walk_riff<'a>(chunks: &'a [u8], file: &[u8], survey: &mut Survey<'a>) -> Option<()> {
    // The RIFF header covers everything but itself; what comes after it is none of ours.
    let claimed = usize::try_from(le32(file, 4)?).ok()?.checked_sub(4)?;
    let mut rest = chunks.get(..claimed)?;
    while !rest.is_empty() {
        rest = walk_chunk(rest, survey)?;
    }
    Some(())
}

fn walk_chunk<'a>(rest: &'a [u8], survey: &mut Survey<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(le32(rest, 4)?).ok()?;
    let body = rest.get(8..8_usize.checked_add(length)?)?;
    match rest.get(..4)? {
        b"ICCP" => survey.icc = vec![body],
        b"EXIF" => survey.exif = survey.exif.or(Some(strip_exif_header(body))),
        b"VP8 " => {
            // Three bytes of frame tag, three of start code, then 14 bits of width and of height.
            let (width, height) = (le16(body, 6)? & 0x3FFF, le16(body, 8)? & 0x3FFF);
            survey.claim(u32::from(width), u32::from(height));
        }
        b"VP8L" => {
            // One signature byte, then 14 bits of width less one and of height less one.
            let bits = le32(body, 1)?;
            survey.claim((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1);
        }
        b"ANMF" => {
            let mut inner = body.get(16..)?;
            while !inner.is_empty() {
                inner = walk_chunk(inner, survey)?;
            }
        }
        _ => {}
    }
    // A chunk of odd length is followed by one byte, which some writers leave out at the end.
    Some(rest.get(8 + length + length % 2..).unwrap_or_default())
}

/// Walks to the end of the first frame. `None`: it is cut.
///
/// Source: GIF89a, sections 17 to 26.
fn walk_gif(bytes: &[u8], survey: &mut Survey<'_>) -> Option<()> {
    // Bit 7 of a flag byte announces a colour table, its low three bits the size.
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        let is_frame = match *bytes.get(at)? {
            0x21 => false,
            0x2C => true,
            _ => return None,
        };
        // An extension has a label before its blocks; a frame its place, table and code size.
        if is_frame {
            let flags = *bytes.get(at + 9)?;
            survey.interlaced = flags & 0x40 != 0;
            at += 11 + table(flags);
        } else {
            at += 2;
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if is_frame {
            return Some(());
        }
    }
}

impl Survey<'_> {
    fn claim(&mut self, width: u32, height: u32) {
        let (largest_width, largest_height) = self.largest_frame;
        self.largest_frame = (largest_width.max(width), largest_height.max(height));
    }
}

/// Some writers put the header of a JPEG's EXIF segment into PNG and WebP as well.
fn strip_exif_header(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"Exif\0\0".as_slice()).unwrap_or(body)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
