//! Colours: profiles become sRGB, inks become light, and neither costs a picture.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::float_arithmetic, reason = "colours are fractions")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]

#[path = "support/pictures.rs"]
mod pictures;

use std::io::Cursor;

use finalmile::thumb::{Encoding, ThumbSpec, render_set};
use image::{
    ExtendedColorType, GrayImage, ImageEncoder, Luma, Rgb, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
};
use moxcms::ColorProfile;

use pictures::*;

/// A picture of one colour in each format that carries a profile.
fn tagged(colour: [u8; 3], profile: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let picture = RgbImage::from_pixel(700, 640, Rgb(colour));
    fn written<E: ImageEncoder>(mut encoder: E, picture: &RgbImage, profile: &[u8]) {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        encoder.write_image(picture, 700, 640, ExtendedColorType::Rgb8).unwrap();
    }
    let (mut jpeg, mut png, mut webp) = (Vec::new(), Vec::new(), Vec::new());
    written(JpegEncoder::new_with_quality(&mut jpeg, 100), &picture, profile);
    written(PngEncoder::new(Cursor::new(&mut png)), &picture, profile);
    written(WebPEncoder::new_lossless(&mut webp), &picture, profile);
    vec![("JPEG", jpeg), ("PNG", png), ("WebP", webp)]
}

/// Display P3 to sRGB by the definition.
///
/// Source: SMPTE EG 432-1 and IEC 61966-2-1, both with the white of D65.
fn from_p3(colour: [u8; 3]) -> [u8; 3] {
    let linear = colour.map(|sample| {
        let x = f64::from(sample) / 255.0;
        if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
    });
    let rows = [
        [1.224_940, -0.224_940, 0.0],
        [-0.042_057, 1.042_057, 0.0],
        [-0.019_638, -0.078_636, 1.098_274],
    ];
    rows.map(|row| {
        let x: f64 = row.iter().zip(linear).map(|(factor, x)| factor * x).sum();
        let x = x.clamp(0.0, 1.0);
        let seen = if x <= 0.003_130_8 { x * 12.92 } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
        (seen * 255.0).round() as u8
    })
}

#[test]
fn t9_display_p3_becomes_srgb_in_every_format_and_encoding() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    for colour in [[200, 60, 50], [40, 160, 90], [128, 128, 128]] {
        let wanted = from_p3(colour);
        for (name, file) in tagged(colour, &profile) {
            for encoding in [Encoding::Jpeg, Encoding::Png] {
                let mut spec = ThumbSpec::default();
                spec.encoding = encoding;
                let set = render_set(&file, &spec).unwrap();
                for picture in [set.thumbnail, set.preview.unwrap()] {
                    let found = pixels(&picture).get_pixel(150, 150).0;
                    let far = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                    assert!(far <= 4, "{name} {encoding:?}: {found:?}, not {wanted:?}");
                    assert!(!picture.bytes.windows(4).any(|w| w == b"acsp"), "the profile is left");
                }
            }
        }
    }
}

#[test]
fn t9_srgb_is_left_as_it_is_and_broken_profiles_count_as_none() {
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    let mut cut = srgb.clone();
    cut.truncate(200);
    for profile in [srgb, cut, b"no profile".to_vec(), vec![0xFF; 3_000]] {
        for (name, file) in tagged([200, 60, 50], &profile) {
            let found = *pixels(&render(&file).unwrap().thumbnail).get_pixel(150, 150);
            assert!(close(&found, [200, 60, 50]), "{name}: {found:?}");
        }
    }
}

#[test]
fn a_profile_for_other_samples_counts_as_none() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(Cursor::new(&mut file));
    encoder.set_icc_profile(profile).unwrap();
    let gray = GrayImage::from_pixel(400, 400, Luma([77]));
    encoder.write_image(&gray, 400, 400, ExtendedColorType::L8).unwrap();
    let found = *pixels(&render(&file).unwrap().thumbnail).get_pixel(150, 150);
    assert!(close(&found, [77; 3]), "{found:?}");
}

#[test]
fn inks_become_light_both_ways_they_are_stored() {
    // Adobe's way, as the encoder writes it: 255 is no ink.
    for (inks, wanted) in [
        ([255, 255, 255, 255], [255, 255, 255]),
        ([255, 0, 0, 255], [255, 0, 0]),
        ([0, 255, 255, 128], [0, 128, 128]),
        ([200, 100, 50, 0], [0, 0, 0]),
    ] {
        // The encoder takes amounts of ink.
        let amounts = inks.map(|ink: u8| 255 - ink);
        for kind in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
            let mut file = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut file, 95);
            encoder.encode(&amounts.repeat(640 * 640), 640, 640, kind).unwrap();
            let set = render(&file).unwrap();
            for picture in [set.thumbnail, set.preview.unwrap()] {
                let found = *pixels(&picture).get_pixel(100, 100);
                assert!(close(&found, wanted), "{kind:?} {inks:?}: {found:?}, not {wanted:?}");
            }
        }
    }
}

#[test]
fn red_green_and_blue_planes_are_read_as_such() {
    // Without a transform, as Adobe's segment says it: the names of the planes are rewritten.
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 95);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    let samples = [200_u8, 60, 50].repeat(640 * 640);
    encoder.encode(&samples, 640, 640, jpeg_encoder::ColorType::Ycbcr).unwrap();
    let adobe = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
    let jfif = 4 + usize::from(u16::from_be_bytes([file[4], file[5]]));
    let file = [&file[..2], &adobe[..], &file[jfif..]].concat();
    let found = *pixels(&render(&file).unwrap().thumbnail).get_pixel(100, 100);
    assert!(close(&found, [200, 60, 50]), "{found:?}");
}
