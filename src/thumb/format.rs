//! Formats by their first bytes: which of the pictures and videos a file says it is.
//!
//! JPEG, PNG, WebP, GIF and the like have a fixed beginning. The ISO family (MP4, QuickTime, HEIC, AVIF)
//! names *brands* in its first box: the major one may be as general as `mif1`, so the compatible ones
//! are asked too. WebM and Matroska begin with an EBML header.
//!
//! Source: ISO/IEC 14496-12, section 4.3 (`ftyp`); ISO/IEC 23008-12, annex B (`mif1`, `heic`);
//! AV1 Image File Format 1.1, section 6; QuickTime File Format, "The File Type Atom"; RFC 8794.

use std::fmt;

/// A picture or video format, told from the first bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// JFIF or EXIF, baseline or progressive.
    Jpeg,
    /// PNG, also the first picture of an animated one.
    Png,
    /// WebP, lossy or lossless, also the first frame of an animated one.
    WebP,
    /// GIF, its first frame.
    Gif,
    /// HEIC and other HEIF pictures coded as HEVC.
    Heic,
    /// AVIF, also the first picture of a sequence.
    Avif,
    /// JPEG XL.
    JpegXl,
    /// TIFF, and camera formats built on it.
    Tiff,
    /// Windows bitmaps.
    Bmp,
    /// MP4 and its relatives (3GP, fragmented MP4).
    Mp4,
    /// QuickTime, as iPhones record it.
    QuickTime,
    /// Matroska and WebM.
    Matroska,
}

impl Format {
    /// The format that the first bytes of a file announce. 64 bytes are enough, more do no harm.
    ///
    /// Nothing but the announcement is read: the file may be cut or damaged behind it. Before that of
    /// a JPEG up to 16 bytes of anything are passed over, such as the line breaks of scripts.
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
        Self::announced(bytes).or_else(|| jpeg_start(bytes).map(|_| Self::Jpeg))
    }

    fn announced(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Self::Png,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Self::Tiff,
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Self::Bmp,
            [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Self::JpegXl,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Self::Matroska,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => return from_brands(bytes),
            // QuickTime before 2001 wrote no `ftyp`.
            [_, _, _, _, kind @ ..] => match kind.first_chunk()? {
                b"moov" | b"mdat" | b"wide" | b"pnot" => Self::QuickTime,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Whether it holds moving pictures, which are read by
    /// [`render_poster_set_file`](super::render_poster_set_file).
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::QuickTime | Self::Matroska)
    }

    /// Its media type, such as `image/jpeg`.
    ///
    /// Source: IANA's registry of media types; for Windows bitmaps RFC 7903.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::JpegXl => "image/jxl",
            Self::Tiff => "image/tiff",
            Self::Bmp => "image/bmp",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::Matroska => "video/matroska",
        }
    }

    /// What its files are called behind the dot, such as `jpg`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::JpegXl => "jxl",
            Self::Tiff => "tif",
            Self::Bmp => "bmp",
            Self::Mp4 => "mp4",
            Self::QuickTime => "mov",
            Self::Matroska => "mkv",
        }
    }

    /// Whether it is decoded here whatever the features, so that a platform may answer with it.
    pub(super) const fn is_common(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::WebP | Self::Gif)
    }

    /// What would decode it where this crate does not, for an error that says so.
    pub(super) const fn handled_by(self) -> &'static str {
        match self {
            Self::Jpeg | Self::Png | Self::WebP | Self::Gif => "this crate",
            Self::Heic if cfg!(feature = "heic") => "a `PlatformDecoder`",
            Self::Heic => "a `PlatformDecoder` or the feature `heic`",
            Self::Avif | Self::JpegXl => "a `PlatformDecoder`",
            Self::Tiff | Self::Bmp => "a `PlatformDecoder` or another program",
            Self::Mp4 | Self::QuickTime | Self::Matroska if cfg!(feature = "ffmpeg") => {
                "a `PlatformDecoder` or the program `ffmpeg`"
            }
            Self::Mp4 | Self::QuickTime | Self::Matroska => {
                "a `PlatformDecoder` or the feature `ffmpeg`"
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::JpegXl => "JPEG XL",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Mp4 => "MP4",
            Self::QuickTime => "QuickTime",
            Self::Matroska => "Matroska",
        })
    }
}

/// Where a JPEG begins, behind what else may stand before it: a marker must follow its own.
pub(super) fn jpeg_start(bytes: &[u8]) -> Option<usize> {
    let first = bytes.get(..bytes.len().min(MOST_JUNK + 4))?;
    let begins = |four: &[u8]| matches!(four, [0xFF, 0xD8, 0xFF, 0xC0..=0xFE]);
    first.windows(4).position(begins)
}

/// Bytes before a JPEG.
const MOST_JUNK: usize = 16;

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
        assert_eq!(of(b"II\x2A\0\x08\0\0\0"), Some(Format::Tiff));
        assert_eq!(of(b"\0\0\0\x0cJXL \r\n\x87\n"), Some(Format::JpegXl));
        assert_eq!(of(b"\0\0\0\x08fr"), None);
        assert_eq!(of(b""), None);
        assert_eq!(of(b"\0\0\0\x18ftyp"), None);
    }
}
