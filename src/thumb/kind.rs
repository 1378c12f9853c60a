//! Formats by their first bytes: which of the pictures and videos a file says it is.
//!
//! JPEG, PNG, WebP and GIF have a fixed beginning. The ISO family (MP4, QuickTime, HEIC, AVIF) names
//! *brands* in its first box: the major one may be as general as `mif1`, so the compatible ones are
//! asked too. WebM and Matroska begin with an EBML header.
//!
//! Source: ISO/IEC 14496-12, section 4.3 (`ftyp`); ISO/IEC 23008-12, annex B (`mif1`, `heic`);
//! AV1 Image File Format 1.1, section 6; QuickTime File Format, "The File Type Atom"; RFC 8794.

use super::container::{Format, Sniffed, sniff};

impl Format {
    /// The format that the first bytes of a file announce. 64 bytes are enough, more do no harm.
    ///
    /// Nothing but the announcement is read: the file may be cut or damaged behind it.
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::thumb::Format;
    ///
    /// let mp4 = Format::from_first_bytes(b"\0\0\0\x14ftypmp42\0\0\0\0isom");
    /// assert_eq!(mp4, Some(Format::Mp4));
    /// assert!(Format::Mp4.is_video());
    /// assert_eq!(Format::from_first_bytes(b"<html>"), None);
    /// ```
    #[must_use]
    pub fn from_first_bytes(bytes: &[u8]) -> Option<Self> {
        if let Sniffed::Known(format) = sniff(bytes) {
            return Some(format);
        }
        match bytes {
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Self::Matroska),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => from_brands(bytes),
            // QuickTime before 2001 wrote no `ftyp`.
            [_, _, _, _, kind @ ..] => match kind.first_chunk()? {
                b"moov" | b"mdat" | b"wide" | b"pnot" => Some(Self::QuickTime),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it holds moving pictures, which are read by
    /// [`render_poster_set_file`](super::render_poster_set_file).
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::QuickTime | Self::Matroska)
    }
}

/// The major brand decides when it is particular, otherwise the compatible ones do.
fn from_brands(bytes: &[u8]) -> Option<Format> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    let major = bytes.get(8..12)?;
    let compatible = bytes.get(16..length.min(bytes.len())).unwrap_or_default();
    let has = |wanted: &[&[u8; 4]]| {
        let mut brands = compatible.as_chunks().0.iter();
        brands.any(|brand: &[u8; 4]| wanted.contains(&brand))
    };
    Some(match major {
        b"avif" | b"avis" => Format::Avif,
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Format::Heic,
        b"mif1" | b"msf1" | b"mif2" | b"miaf" if has(&[b"avif", b"avis"]) => Format::Avif,
        b"mif1" | b"msf1" | b"mif2" | b"miaf" => Format::Heic,
        b"qt  " => Format::QuickTime,
        // Sound only.
        b"M4A " | b"M4B " | b"M4P " => return None,
        // Canon's raw pictures.
        b"crx " => return None,
        _ => Format::Mp4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(major: &str, compatible: &str) -> Vec<u8> {
        let length = u32::try_from(16 + compatible.len()).unwrap().to_be_bytes();
        [&length[..], b"ftyp", major.as_bytes(), &[0; 4], compatible.as_bytes(), b"\0\0\0\x08free"]
            .concat()
    }

    #[test]
    fn brands_tell_pictures_from_videos() {
        let of = |major, compatible| Format::from_first_bytes(&ftyp(major, compatible));
        assert_eq!(of("isom", "isomiso2avc1mp41"), Some(Format::Mp4));
        assert_eq!(of("3gp4", ""), Some(Format::Mp4));
        assert_eq!(of("qt  ", "qt  "), Some(Format::QuickTime));
        assert_eq!(of("heic", "mif1heic"), Some(Format::Heic));
        assert_eq!(of("mif1", "mif1heic"), Some(Format::Heic));
        assert_eq!(of("mif1", "mif1avifmiaf"), Some(Format::Avif));
        assert_eq!(of("avif", "mif1"), Some(Format::Avif));
        assert_eq!(of("M4A ", "M4A mp42"), None);
    }

    #[test]
    fn a_brand_behind_the_first_box_does_not_count() {
        let mut bytes = ftyp("mif1", "heic");
        bytes.extend(b"avif");
        assert_eq!(Format::from_first_bytes(&bytes), Some(Format::Heic));
    }

    #[test]
    fn files_without_brands_are_told_by_what_they_begin_with() {
        let of = Format::from_first_bytes;
        assert_eq!(of(b"\0\0\0\x08wide\0\0\0\0mdat"), Some(Format::QuickTime));
        assert_eq!(of(b"\x1A\x45\xDF\xA3\x9F"), Some(Format::Matroska));
        assert_eq!(of(b"\xFF\xD8\xFF\xE0"), Some(Format::Jpeg));
        assert_eq!(of(b"\0\0\0\x08fr"), None);
        assert_eq!(of(b""), None);
        assert_eq!(of(b"\0\0\0\x18ftyp"), None);
    }
}
