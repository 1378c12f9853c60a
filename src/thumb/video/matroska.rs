//! Matroska and WebM: which codec and how long, for a message or for the program that decodes it.
//!
//! Only the two elements before the media are read. An element is an id, a length and that many
//! bytes; lengths and ids tell their own width by their leading zeros.
//!
//! Source: RFC 8794 (EBML), sections 4 to 6; RFC 9559 (Matroska), sections 5.1.2 and 5.1.4.

use std::time::Duration;

use super::super::error::ThumbError;
use super::source::Source;

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;

/// What the file says about its video.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Such as `V_VP9`; empty when there is no video.
    pub(super) codec: String,
    pub(super) duration_ms: Option<u64>,
}

pub(super) fn read(source: &mut Source<'_>) -> Result<Summary, ThumbError> {
    let mut summary = Summary::default();
    let truncated = ThumbError::Truncated { format: source.format() };
    let (mut at, length) = (0, source.length());
    while at < length {
        source.step()?;
        let head = source.read_at(at, (length - at).min(12))?;
        let Some(element) = Element::read(&head) else {
            if head.len() < 12 {
                return Err(truncated);
            }
            return Err(source.damaged("an element makes no sense"));
        };
        let start = at + element.header;
        match element.id {
            // The rest of the file; its children come next.
            SEGMENT => {
                at = start;
                continue;
            }
            CLUSTER => break,
            INFO | TRACKS if element.size.is_some_and(|size| size > 1 << 20) => break,
            INFO => {
                let body = source.read_at(start, element.size.unwrap_or_default())?;
                summary.duration_ms = duration_ms(&body);
            }
            TRACKS => {
                let body = source.read_at(start, element.size.unwrap_or_default())?;
                summary.codec = video_codec(&body).unwrap_or_default();
            }
            _ => {}
        }
        let Some(end) = element.size.and_then(|size| start.checked_add(size)) else { break };
        at = end;
    }
    // The media come last, so without a codec nor media the file ends too early.
    if at >= length && summary.codec.is_empty() { Err(truncated) } else { Ok(summary) }
}

/// The head of an element.
struct Element {
    id: u32,
    /// Bytes of the head itself.
    header: u64,
    /// `None`: until its parent ends.
    size: Option<u64>,
}

impl Element {
    fn read(bytes: &[u8]) -> Option<Self> {
        let id_bytes = bytes.first()?.leading_zeros() as usize + 1;
        if id_bytes > 4 {
            return None;
        }
        let id = bytes.get(..id_bytes)?.iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let rest = bytes.get(id_bytes..)?;
        let first = *rest.first()?;
        let size_bytes = first.leading_zeros() as usize + 1;
        if size_bytes > 8 {
            return None;
        }
        let head = u64::from(first) & (0xFF_u64 >> size_bytes);
        let tail = rest.get(1..size_bytes)?;
        let size = tail.iter().fold(head, |size, &byte| size << 8 | u64::from(byte));
        let unknown = (1 << (7 * size_bytes)) - 1;
        let header = (id_bytes + size_bytes) as u64;
        Some(Self { id, header, size: (size != unknown).then_some(size) })
    }
}

/// The elements inside of `bytes`, each with its content. Ends early where one makes no sense.
fn elements_in(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let element = Element::read(rest)?;
        let start = usize::try_from(element.header).ok()?;
        let end = start.checked_add(usize::try_from(element.size?).ok()?)?;
        let body = rest.get(start..end)?;
        rest = &rest[end..];
        Some((element.id, body))
    })
}

fn duration_ms(info: &[u8]) -> Option<u64> {
    let find = |wanted| elements_in(info).find(|(id, _)| *id == wanted).map(|(_, body)| body);
    let nanos = find(0x002A_D7B1)
        .map_or(1_000_000, |body| body.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    let ticks = match find(0x4489)? {
        body if body.len() == 4 => f64::from(f32::from_be_bytes(*body.first_chunk()?)),
        body => f64::from_be_bytes(*body.first_chunk()?),
    };
    let tick = Duration::from_nanos(nanos.min(1_000_000_000));
    #[expect(clippy::float_arithmetic, reason = "the file counts in fractions of ticks")]
    let seconds = tick.as_secs_f64() * ticks;
    let whole = Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(whole.as_millis()).ok()
}

fn video_codec(tracks: &[u8]) -> Option<String> {
    elements_in(tracks).filter(|(id, _)| *id == 0xAE).find_map(|(_, track)| {
        let find = |wanted| elements_in(track).find(|(id, _)| *id == wanted).map(|(_, body)| body);
        let codec = find(0x86).filter(|_| find(0x83) == Some(&[1]))?;
        let codec = codec.get(..codec.len().min(32))?;
        Some(String::from_utf8_lossy(codec).trim_end_matches('\0').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_tell_their_own_width() {
        let element = Element::read(&[0x1A, 0x45, 0xDF, 0xA3, 0x40, 0x02]).unwrap();
        assert_eq!((element.id, element.header, element.size), (0x1A45_DFA3, 6, Some(2)));
        let element = Element::read(&[0xAE, 0xFF]).unwrap();
        assert_eq!((element.id, element.header, element.size), (0xAE, 2, None));
        assert!(Element::read(&[0, 0]).is_none());
        assert!(Element::read(&[0xAE]).is_none());
        assert!(Element::read(&[0xAE, 0]).is_none());
    }

    #[test]
    fn the_duration_counts_in_the_files_own_ticks() {
        let info = |ticks: f64, scale: &[u8]| {
            let mut info = vec![0x2A, 0xD7, 0xB1, 0x83];
            info.extend(scale);
            info.extend([0x44, 0x89, 0x88]);
            info.extend(ticks.to_be_bytes());
            duration_ms(&info)
        };
        assert_eq!(info(2_500.0, &[0x0F, 0x42, 0x40]), Some(2_500));
        assert_eq!(info(f64::NAN, &[0x0F, 0x42, 0x40]), None);
        assert_eq!(info(-1.0, &[0x0F, 0x42, 0x40]), None);
        assert_eq!(info(1e300, &[0x0F, 0x42, 0x40]), None);
        assert_eq!(duration_ms(&[]), None);
    }
}
