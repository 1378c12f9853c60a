//! The planes of a picture at a scale, and how blocks and MCUs lie in them.
//!
//! Nothing is upsampled and nothing turned into RGB: each plane is n/8 of its own size. In memory a
//! plane is as wide and high as its MCUs, of which the picture is a part.
//!
//! Source: ITU-T T.81, section A.1.1 and A.2.

use super::error::JpegError;
use super::header::{Colour, Header};

/// A decoded picture, plane by plane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::thumb) struct Planes {
    /// What the planes mean.
    pub(in crate::thumb) colour: Colour,
    /// Columns of the picture at this scale.
    pub(in crate::thumb) width: u32,
    /// Rows of the picture at this scale.
    pub(in crate::thumb) height: u32,
    /// As many as the header's components, in its order.
    pub(in crate::thumb) planes: Vec<Plane>,
    /// What was decoded if that is not all. What is missing is grey.
    pub(in crate::thumb) partial: Option<Partial>,
}

/// One plane, 8 bits a sample.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::thumb) struct Plane {
    /// Rows from top to bottom, `stride` bytes each; more rows than `height`.
    pub(in crate::thumb) data: Vec<u8>,
    /// Columns that belong to the picture.
    pub(in crate::thumb) width: usize,
    /// Rows that belong to the picture.
    pub(in crate::thumb) height: usize,
    /// Bytes from one row to the next.
    pub(in crate::thumb) stride: usize,
}

/// How much of a damaged or cut picture was decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::thumb) struct Partial {
    /// Rows of MCUs that are whole: in progressive files, as far as their constant coefficients go,
    /// while detail may be missing anywhere.
    pub(in crate::thumb) rows: u32,
    /// All rows of MCUs.
    pub(in crate::thumb) of: u32,
}

/// How MCUs cover the picture.
pub(super) struct Frame {
    /// MCUs in a row, in scans of more than one plane.
    pub(super) columns: usize,
    /// Rows of MCUs.
    pub(super) rows: usize,
    pub(super) extents: Vec<Extent>,
}

/// How blocks cover a plane.
pub(super) struct Extent {
    /// Samples in a row at full size.
    width: usize,
    /// Rows of samples at full size.
    height: usize,
    /// Blocks of an MCU in a row.
    pub(super) horizontal: usize,
    /// Rows of blocks in an MCU.
    pub(super) vertical: usize,
    /// Blocks in a row that belong to the picture: the MCUs of a scan of this plane alone.
    pub(super) columns: usize,
    /// Rows of blocks that belong to the picture.
    pub(super) rows: usize,
}

impl Frame {
    pub(super) fn new(header: &Header) -> Self {
        let all = &header.components;
        let most = |share: fn(&(u8, u8)) -> u8| {
            let shares = all.iter().map(|c| (c.horizontal, c.vertical));
            usize::from(shares.map(|pair| share(&pair)).max().unwrap_or(1))
        };
        let (across, down) = (most(|pair| pair.0), most(|pair| pair.1));
        let (width, height) = (header.width as usize, header.height as usize);
        let extent = |component: &super::header::Component| {
            let horizontal = usize::from(component.horizontal);
            let vertical = usize::from(component.vertical);
            let width = (width * horizontal).div_ceil(across);
            let height = (height * vertical).div_ceil(down);
            let (columns, rows) = (width.div_ceil(8), height.div_ceil(8));
            Extent { width, height, horizontal, vertical, columns, rows }
        };
        Self {
            columns: width.div_ceil(8 * across),
            rows: height.div_ceil(8 * down),
            extents: all.iter().map(extent).collect(),
        }
    }

    /// Blocks in a row of `extent`, those that fill up MCUs counted.
    pub(super) const fn stride(&self, extent: &Extent) -> usize {
        self.columns * extent.horizontal
    }

    /// Blocks of `extent`, those that fill up MCUs counted.
    pub(super) const fn blocks(&self, extent: &Extent) -> usize {
        self.stride(extent) * self.rows * extent.vertical
    }

    /// Blocks of all planes.
    pub(super) fn all_blocks(&self) -> usize {
        self.extents.iter().map(|extent| self.blocks(extent)).sum()
    }

    /// Grey planes for `side` x `side` samples a block.
    pub(super) fn planes(&self, side: usize) -> Result<Vec<Plane>, JpegError> {
        let plane = |extent: &Extent| {
            let stride = self.stride(extent) * side;
            Ok(Plane {
                data: filled(128, self.blocks(extent) * side * side)?,
                width: (extent.width * side).div_ceil(8),
                height: (extent.height * side).div_ceil(8),
                stride,
            })
        };
        self.extents.iter().map(plane).collect()
    }
}

/// `count` times `value`, or the error that there is no memory.
pub(super) fn filled<T: Clone>(value: T, count: usize) -> Result<Vec<T>, JpegError> {
    let mut all = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>()) as u64;
    all.try_reserve_exact(count).map_err(|_| JpegError::OutOfMemory { bytes })?;
    all.resize(count, value);
    Ok(all)
}
