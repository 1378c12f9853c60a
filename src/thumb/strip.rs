//! A JPEG without its metadata: the source itself, where encoding it anew would only make it larger.
//!
//! What is kept is listed, not what is dropped: tables, frames, scans and their data. Everything else
//! goes, segments unknown today included: EXIF with its place, XMP, comments, maker notes, previews,
//! and all that follows the picture. A JFIF header without them comes first.
//!
//! Source: ITU-T T.81, annex B.

/// The picture in `jpeg` and nothing else; `None` if its structure is not plain.
pub(super) fn strip(jpeg: &[u8]) -> Option<Vec<u8>> {
    let mut kept = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 16];
    kept.extend(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let mut at = 2;
    loop {
        let [0xFF, marker] = *jpeg.get(at..)?.first_chunk()? else { return None };
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0xD9 => {
                kept.extend([0xFF, 0xD9]);
                return Some(kept);
            }
            // Frames (but for arithmetic and lossless ones), tables, restart interval, lines.
            0xC0..=0xC2 | 0xC4 | 0xDA..=0xDD => {}
            0xE0..=0xEF | 0xFE => {
                at += segment(jpeg, at)?.len();
                continue;
            }
            _ => return None,
        }
        let segment = segment(jpeg, at)?;
        if !is_whole(marker, segment.get(4..)?) {
            return None;
        }
        kept.extend(segment);
        at += segment.len();
        if marker == 0xDA {
            let data = entropy_coded(&jpeg[at..])?;
            kept.extend(data);
            at += data.len();
        }
    }
}

/// A marker with its length and body.
fn segment(jpeg: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(*jpeg.get(at + 2..)?.first_chunk()?));
    jpeg.get(at..at + 2 + length).filter(|_| length >= 2)
}

/// Whether tables hold all that they announce: our own decoder makes do with what is there, others refuse
/// the file.
fn is_whole(marker: u8, mut tables: &[u8]) -> bool {
    while let Some((&head, table)) = tables.split_first() {
        let length = match marker {
            0xDB if head >> 4 == 0 => 64,
            0xDB => 128,
            0xC4 => {
                let Some(counts) = table.first_chunk::<16>().filter(|counts| is_code(counts))
                else {
                    return false;
                };
                16 + counts.iter().map(|&count| usize::from(count)).sum::<usize>()
            }
            _ => return true,
        };
        let Some(next) = table.get(length..) else { return false };
        tables = next;
    }
    true
}

/// Whether so many codes of 1 to 16 bits can be told apart, with none of ones alone (T.81, section C.2).
fn is_code(counts: &[u8; 16]) -> bool {
    let mut free = 1_u32;
    counts.iter().all(|&count| {
        free = (free * 2).saturating_sub(count.into());
        free > 0
    })
}

/// Coded data up to the next marker that is no restart.
fn entropy_coded(data: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr(0xFF, data.get(at..)?)?;
        match data.get(at + 1)? {
            0x00 | 0xD0..=0xD7 => at += 2,
            0xFF => at += 1,
            _ => return Some(&data[..at]),
        }
    }
}
