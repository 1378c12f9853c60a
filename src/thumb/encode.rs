//! Encoding: a raster becomes a JPEG file.
//!
//! Baseline, 4:2:0, all planes in one scan, with the Huffman tables of the standard's annex K.
//! Tables made for the picture would save 4 to 7 % (55.4 against 57.8 KB and 29.9 against 31.9 KB
//! for two previews), but the encoder then writes one scan a plane, which zune-jpeg 0.5.15, and so
//! every program on `image` 0.25.10, silently decodes to wrong colours (zune-image issue 422). A
//! thumbnail has to be read everywhere.
//!
//! The encoder computes with integers only and without processor-specific code, so its bytes are
//! the same everywhere (**T6**), and it is given nothing but pixels, so it can write nothing else
//! (**T5**).

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::Picture;
use super::error::ThumbError;
use super::resize::{Raster, Samples};

pub(super) fn jpeg(raster: &Raster, quality: u8) -> Result<Picture, ThumbError> {
    let side = |length: u32| u16::try_from(length).map_err(ThumbError::internal);
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality.clamp(1, 100));
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    // The default keeps one chroma sample of four, which frays coloured edges.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    let kind = match raster.samples {
        Samples::Gray => ColorType::Luma,
        Samples::Rgb => ColorType::Rgb,
    };
    encoder
        .encode(&raster.pixels, side(raster.width)?, side(raster.height)?, kind)
        .map_err(ThumbError::internal)?;
    Ok(Picture { jpeg, width_px: raster.width, height_px: raster.height })
}
