//! Pixels: what lies between a decoder and an encoder.
//!
//! A [`Raster`] is one or several planes of 8-bit samples. A JPEG stays in the planes it was coded
//! in, each with its own size; everything else has one plane whose samples are interleaved. Every
//! plane says where it lies in the full picture, so a region of that picture is found in any of them.

use super::signal::Signal;

/// A picture in memory, in the rotation in which it is stored.
#[derive(Clone)]
pub(super) struct Raster {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) model: Model,
    pub(super) planes: Vec<Plane>,
}

/// Rows from top to bottom, `stride` bytes apart.
#[derive(Clone)]
pub(super) struct Plane {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stride: u32,
    pub(super) data: Vec<u8>,
    /// How many pixels of the full picture lie on one of this plane: across and down.
    pub(super) pitch: (f64, f64),
    /// Where in the full picture the first pixel of this plane begins.
    pub(super) origin: (f64, f64),
}

/// What samples mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Model {
    /// One plane: brightness.
    Gray,
    /// One plane, three samples a pixel: red, green, blue.
    Rgb,
    /// One plane, four samples a pixel; the colours are multiplied by alpha.
    Rgba,
    /// Three planes as in JFIF; those of colour may be smaller.
    YCbCr,
    /// Three planes in another way of writing the same; those of colour may be smaller.
    Video(Signal),
    /// Three planes: red, green, blue.
    RgbPlanes,
    /// Four planes, 255 is no ink.
    Cmyk,
    /// Four planes: the three inks as brightness and colour, then black; 255 is no ink.
    Ycck,
}

impl Model {
    /// Samples a pixel in each plane.
    pub(super) const fn samples(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgba => 4,
            _ => 1,
        }
    }

    /// Whether its colours lie in planes of their own.
    pub(super) const fn is_apart(self) -> bool {
        !matches!(self, Self::Gray | Self::Rgb | Self::Rgba)
    }
}

impl Raster {
    /// One plane without gaps between its rows.
    pub(super) fn packed(width: u32, height: u32, model: Model, data: Vec<u8>) -> Self {
        Self { width, height, model, planes: vec![Plane::packed(width, height, data)] }
    }

    /// The samples of a raster of one plane, row by row without gaps.
    pub(super) fn samples(&self) -> &[u8] {
        self.planes.first().map_or(&[], |plane| &plane.data)
    }

    /// Whether every pixel of an [`Model::Rgba`] raster is opaque.
    pub(super) fn is_opaque(&self) -> bool {
        self.samples().as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255)
    }
}

impl Plane {
    /// Whether both show the same place in the same way.
    pub(super) fn lies_as(&self, other: &Self) -> bool {
        let shape = |plane: &Self| (plane.width, plane.height, plane.stride, plane.data.len());
        let place = |plane: &Self| (plane.pitch, plane.origin);
        shape(self) == shape(other) && place(self) == place(other)
    }

    /// Rows without gaps, one sample group for each pixel of the picture.
    pub(super) fn packed(width: u32, height: u32, data: Vec<u8>) -> Self {
        Self { width, height, stride: width, data, pitch: (1.0, 1.0), origin: (0.0, 0.0) }
    }

    /// The same, each pixel standing for a block of the full picture.
    pub(super) fn reduced_by(mut self, across: f64, down: f64) -> Self {
        self.pitch = (across, down);
        self
    }

    /// The samples of a row of a plane with one sample a pixel.
    pub(super) fn row(&self, y: u32) -> &[u8] {
        let at = y as usize * self.stride as usize;
        &self.data[at..at + self.width as usize]
    }
}
