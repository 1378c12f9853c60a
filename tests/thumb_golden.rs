//! Every way from a file to a small picture, against the definition: the whole picture in floats,
//! filtered with Lanczos3, no shortcut.
//!
//! The distances are those found, less a decibel: a change that loses more has to say why.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::float_arithmetic, reason = "the definition is in fractions")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
#![allow(clippy::needless_range_loop, reason = "one channel after the other")]

#[path = "support/pictures.rs"]
mod pictures;

use std::f64::consts::PI;

use finalmile::thumb::{Encoding, ThumbSpec, render_set};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use pictures::*;

/// Waves of all lengths down to six pixels, in all directions, as a photograph has them.
fn waves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let wave =
            |length: f64, turn: f64| ((x * turn.cos() + y * turn.sin()) * 2.0 * PI / length).sin();
        let light = 128.0
            + 50.0 * wave(900.0, 0.3)
            + 25.0 * wave(130.0, 1.1)
            + 12.0 * wave(37.0, 2.0)
            + 6.0 * wave(17.0, 0.7)
            + 3.0 * wave(9.0, 1.7);
        let (warm, cold) = (20.0 * wave(400.0, 2.5), 15.0 * wave(250.0, 0.1));
        Rgb([light + warm, light - cold, light - warm + cold].map(|n| n.clamp(0.0, 255.0) as u8))
    })
}

/// Lanczos3 by its definition, in one direction: from `line` to `length` samples.
fn lanczos(line: &[f64], length: usize) -> Vec<f64> {
    let scale = line.len() as f64 / length as f64;
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let sample = |n: usize| {
        let center = (n as f64 + 0.5) * scale;
        let (mut sum, mut all) = (0.0, 0.0);
        for (at, sample) in line.iter().enumerate() {
            let x = (at as f64 + 0.5 - center) / scale.max(1.0);
            if x.abs() < 3.0 {
                let weight = sinc(x) * sinc(x / 3.0);
                (sum, all) = (sum + sample * weight, all + weight);
            }
        }
        sum / all
    };
    (0..length).map(sample).collect()
}

fn shrunk(picture: &RgbImage, width: u32, height: u32) -> Vec<[f64; 3]> {
    let (from_width, from_height) = (picture.width() as usize, picture.height() as usize);
    let mut out = vec![[0.0; 3]; width as usize * height as usize];
    for channel in 0..3 {
        let rows: Vec<Vec<f64>> = (0..from_height)
            .map(|y| {
                let row = picture.as_raw()[y * from_width * 3..][..from_width * 3].iter();
                let line: Vec<f64> = row.skip(channel).step_by(3).map(|&n| n.into()).collect();
                lanczos(&line, width as usize)
            })
            .collect();
        for x in 0..width as usize {
            let column: Vec<f64> = rows.iter().map(|row| row[x]).collect();
            for (y, sample) in lanczos(&column, height as usize).into_iter().enumerate() {
                out[y * width as usize + x][channel] = sample;
            }
        }
    }
    out
}

fn psnr(found: &RgbImage, wanted: &[[f64; 3]]) -> f64 {
    assert_eq!(found.pixels().len(), wanted.len());
    let squares = found.pixels().zip(wanted).map(|(found, wanted)| {
        let far = found.0.iter().zip(wanted);
        far.map(|(&found, wanted)| (f64::from(found) - wanted.clamp(0.0, 255.0)).powi(2))
            .sum::<f64>()
    });
    let noise = squares.sum::<f64>() / (wanted.len() * 3) as f64;
    10.0 * (255.0 * 255.0 / noise).log10()
}

#[test]
fn every_way_is_as_close_to_the_definition_as_it_was() {
    let source = waves(1_400, 1_000);
    let wanted = shrunk(&source, 200, 143);
    let dynamic = DynamicImage::from(source.clone());
    let encoded = |factor, progressive| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 97);
        encoder.set_sampling_factor(factor);
        encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
        encoder.set_progressive(progressive);
        encoder.encode(&source, 1_400, 1_000, jpeg_encoder::ColorType::Rgb).unwrap();
        bytes
    };
    use jpeg_encoder::SamplingFactor::{R_4_2_0, R_4_2_2, R_4_4_4};
    let mut spec = ThumbSpec::default();
    (spec.preview_side_px, spec.thumbnail_side_px, spec.encoding) = (200, 100, Encoding::Png);
    let mut short = Vec::new();
    for (name, file, least) in [
        ("JPEG 4:2:0", encoded(R_4_2_0, false), 48.9),
        ("JPEG 4:2:2", encoded(R_4_2_2, false), 49.3),
        ("JPEG 4:4:4", encoded(R_4_4_4, false), 49.9),
        ("progressive JPEG", encoded(R_4_2_0, true), 48.8),
        ("PNG", encode(&dynamic, ImageFormat::Png), 52.5),
        // libwebp makes it smaller while it decodes.
        (
            "WebP",
            encode(&dynamic, ImageFormat::WebP),
            if cfg!(feature = "libwebp") { 53.0 } else { 57.5 },
        ),
    ] {
        let set = render_set(&file, &spec).unwrap();
        let found = psnr(&pixels(&set.preview.unwrap()), &wanted);
        println!("{name}: {found:.1} dB");
        if found < least {
            short.push((name, found));
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

#[test]
fn what_is_encoded_is_what_was_made() {
    // The planes of a JPEG go from decoder to encoder without becoming RGB; shown again, they are the
    // picture that the other way gives, but for the encoder's loss.
    let file = jpeg(&waves(1_400, 1_000), false);
    let mut spec = ThumbSpec::default();
    spec.quality = 95;
    let planes = pixels(&render_set(&file, &spec).unwrap().preview.unwrap());
    spec.encoding = Encoding::Png;
    let whole = pixels(&render_set(&file, &spec).unwrap().preview.unwrap());
    let whole: Vec<[f64; 3]> = whole.pixels().map(|pixel| pixel.0.map(f64::from)).collect();
    let found = psnr(&planes, &whole);
    assert!(found >= 40.0, "{found:.1} dB");
}
