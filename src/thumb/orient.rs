//! Orientation: which way up a camera was held, read from EXIF and applied to pixels.
//!
//! A camera stores pixels as its sensor delivers them and notes in tag 0x0112 how to turn them. The
//! eight codes are the eight symmetries of a rectangle, so each is "swap the axes or not, then
//! mirror each axis or not", and both reading and applying follow from that table.
//!
//! Source: Exif 3.0 (CIPA DC-008), section 4.6.5.1.5; TIFF 6.0, section 2.

use super::geometry::Region;
use super::raster::{Plane, Raster};

/// How stored pixels must be turned to stand upright. The discriminant is the EXIF code.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a rectangle has eight symmetries")]
pub enum Orientation {
    /// They stand upright.
    #[default]
    Upright = 1,
    /// Mirror left and right.
    MirrorHorizontal = 2,
    /// Half a turn.
    Rotate180 = 3,
    /// Mirror top and bottom.
    MirrorVertical = 4,
    /// Mirror at the diagonal from top left to bottom right.
    Transpose = 5,
    /// A quarter turn clockwise.
    Rotate90 = 6,
    /// Mirror at the diagonal from top right to bottom left.
    Transverse = 7,
    /// A quarter turn counter-clockwise.
    Rotate270 = 8,
}

impl Orientation {
    /// The orientation of an EXIF code, 1 to 8.
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::thumb::Orientation;
    ///
    /// assert_eq!(Orientation::from_exif_code(6), Some(Orientation::Rotate90));
    /// assert_eq!(Orientation::from_exif_code(0), None);
    /// ```
    #[must_use]
    pub const fn from_exif_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::Upright,
            2 => Self::MirrorHorizontal,
            3 => Self::Rotate180,
            4 => Self::MirrorVertical,
            5 => Self::Transpose,
            6 => Self::Rotate90,
            7 => Self::Transverse,
            8 => Self::Rotate270,
            _ => return None,
        })
    }

    /// The EXIF code, 1 to 8.
    #[must_use]
    pub const fn exif_code(self) -> u16 {
        self as u16
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        self.exif_code() >= 5
    }

    /// Which stored axes (x, y) run backwards when the picture stands upright.
    pub(super) const fn mirrors(self) -> (bool, bool) {
        match self {
            Self::Upright | Self::Transpose => (false, false),
            Self::MirrorHorizontal | Self::Rotate270 => (true, false),
            Self::Rotate180 | Self::Transverse => (true, true),
            Self::MirrorVertical | Self::Rotate90 => (false, true),
        }
    }

    /// Reads tag 0x0112 from a TIFF structure. Anything odd is [`Orientation::Upright`] (**T3**):
    /// EXIF is written by many hands, and a picture is worth more than its metadata.
    pub(super) fn from_tiff(tiff: &[u8]) -> Self {
        read_tag(tiff).and_then(Self::from_exif_code).unwrap_or_default()
    }

    /// Width and height of a stored picture once it stands upright, and the other way round.
    pub(super) const fn upright_size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// Where a part of the upright picture, whose size is given as well, lies in the stored one.
    pub(super) fn stored_region(self, upright: Region, (width, height): (u32, u32)) -> Region {
        let Region { left, top, width: across, height: down } = upright;
        let (right, bottom) = (width - left - across, height - top - down);
        let (mirror_x, mirror_y) = self.mirrors();
        // The mirrors are those of the stored axes: along the upright ones they change places.
        if self.swaps_sides() {
            Region {
                left: if mirror_x { bottom } else { top },
                top: if mirror_y { right } else { left },
                width: down,
                height: across,
            }
        } else {
            Region {
                left: if mirror_x { right } else { left },
                top: if mirror_y { bottom } else { top },
                width: across,
                height: down,
            }
        }
    }

    /// The picture `stored` stands upright in the result, ready to be encoded: where its planes lay
    /// in the full picture is forgotten.
    pub(super) fn apply(self, stored: Raster) -> Raster {
        if self == Self::Upright {
            return stored;
        }
        let (width, height) = self.upright_size((stored.width, stored.height));
        let samples = stored.model.samples();
        let planes = stored.planes.iter().map(|plane| self.turn(plane, samples)).collect();
        Raster { width, height, model: stored.model, planes }
    }

    fn turn(self, stored: &Plane, samples: usize) -> Plane {
        let (width, height) = self.upright_size((stored.width, stored.height));
        let (mirror_x, mirror_y) = self.mirrors();
        let mut data = Vec::with_capacity(width as usize * height as usize * samples);
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = if self.swaps_sides() { (y, x) } else { (x, y) };
                let from_x = if mirror_x { stored.width - 1 - from_x } else { from_x };
                let from_y = if mirror_y { stored.height - 1 - from_y } else { from_y };
                let at = (from_y as usize * stored.stride as usize + from_x as usize) * samples;
                data.extend_from_slice(&stored.data[at..at + samples]);
            }
        }
        Plane::packed(width, height, data)
    }
}

/// The value of tag 0x0112 in the first directory of `tiff`.
fn read_tag(tiff: &[u8]) -> Option<u16> {
    let big_endian = match tiff.first_chunk()? {
        b"MM\0\x2A" => true,
        b"II\x2A\0" => false,
        _ => return None,
    };
    let number16 = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let number32 = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = usize::try_from(number32(4)?).ok()?;
    for entry in 0..usize::from(number16(directory)?) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if number16(at)? == 0x0112 {
            // Type 3 is a 16-bit number, the only one the standard allows; some write type 4.
            return match number16(at + 2)? {
                3 => number16(at + 8),
                4 => u16::try_from(number32(at + 8)?).ok(),
                _ => None,
            };
        }
    }
    None
}
