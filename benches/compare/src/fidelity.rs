//! How true small pictures are: what a set shows, against the whole picture shrunk in floats.
//!
//! The reference is decoded at full size and filtered with Lanczos3 in 32-bit floats, with no
//! shortcut. Compared are the pixels before they are encoded, since at quality 80 the encoder's own
//! loss would hide all else.
//!
//! The figure that is held to a bar is the ratio of peak to noise of *brightness* (Y of YCbCr), not of
//! red, green and blue: the photographs are 4:2:0 and so are both sides' JPEG files, which keep one
//! sample of colour where there are four of brightness. What colour loses is lost by that, on both
//! sides, and differs by how the missing samples are guessed, the reference's own way included. The
//! same ratio over red, green and blue stands in a row of its own, beside sharp's.

use std::{f32::consts::PI, path::Path};

use finalmile::thumb::{Encoding, Picture, ThumbSpec, render_set};
use image::{ImageFormat, RgbImage};

use crate::{
    args::Args,
    photos::{self, Kind},
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    sharp::Sharp,
};

/// The rows of quality.
///
/// # Errors
///
/// What is missing, or what a side says.
pub fn rows(
    args: &Args,
    report: &mut Report,
    place: &Path,
    sharp: &mut Sharp,
) -> Result<(), String> {
    let figures = ["preview of 600, PSNR of brightness", "thumbnail of 300, PSNR of brightness"];
    if !figures.iter().any(|figure| args.wants(figure)) {
        return Ok(());
    }
    // Ours and sharp's, of each size.
    let mut found: [[Runs; 2]; 2] = Default::default();
    let mut colours: [[Runs; 2]; 2] = Default::default();
    for photo in photos::of(Kind::phone("jpeg"), place, sharp)? {
        let bytes = photos::read(&photo)?;
        let whole = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg);
        let whole = whole.map_err(|e| e.to_string())?.to_rgb8();
        let (width, height) = whole.dimensions();
        let square = width.min(height);
        let middle = ((width - square) / 2, (height - square) / 2);
        let references = [
            lanczos(&whole, (0, 0), (width, height), (600, 600 * height / width)),
            lanczos(&whole, middle, (square, square), (300, 300)),
        ];
        let mut spec = ThumbSpec::default();
        spec.encoding = Encoding::Png;
        let set = render_set(&bytes, &spec).map_err(|e| e.to_string())?;
        let preview = set.preview.ok_or("no preview")?;
        let ours = [pixels(&preview)?, pixels(&set.thumbnail)?];
        let rivals = sharp.pixels(&photo, place)?;
        for (n, reference) in references.iter().enumerate() {
            for (side, pixels) in [&ours[n], &rivals[n]].into_iter().enumerate() {
                found[n][side].push(psnr(&brightness(pixels), &brightness(reference))?);
                colours[n][side].push(psnr(&floats(pixels), reference)?);
            }
        }
    }
    let wanted = [[48.0, 44.0], [54.0, 52.0]];
    let all = figures.into_iter().zip(found).zip(colours).zip(wanted);
    for (((figure, [ours, rivals]), [our_colours, rival_colours]), [mean, worst]) in all {
        let one = |figure: f64| {
            let mut runs = Runs::default();
            runs.push(figure);
            runs
        };
        let row = |what: &str, rival: &str, runs, bar| Row {
            figure: format!("{figure}{what}"),
            rival: rival.to_owned(),
            unit: Unit::Decibels,
            runs,
            bar,
        };
        let bar = Bar::AtLeast(1.0);
        report.row(&row(", mean", "what is wanted", [one(ours.mean()), one(mean)], bar));
        report.row(&row(", worst", "what is wanted", [one(ours.min()), one(worst)], bar));
        report.row(&row(", mean", "sharp", [one(ours.mean()), one(rivals.mean())], Bar::None));
        report.row(&row(", worst", "sharp", [one(ours.min()), one(rivals.min())], Bar::None));
        let colours = [one(our_colours.mean()), one(rival_colours.mean())];
        let what = " and colour (red, green, blue), mean";
        report.row(&row(what, "sharp", colours, Bar::None));
    }
    Ok(())
}

fn pixels(picture: &Picture) -> Result<Vec<u8>, String> {
    let read = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Png);
    Ok(read.map_err(|e| e.to_string())?.to_rgb8().into_raw())
}

/// The brightness of each pixel.
fn brightness<T: Copy + Into<f32>>(rgb: &[T]) -> Vec<f32> {
    let light = |p: &[T]| 0.299 * p[0].into() + 0.587 * p[1].into() + 0.114 * p[2].into();
    rgb.chunks_exact(3).map(light).collect()
}

fn floats(samples: &[u8]) -> Vec<f32> {
    samples.iter().map(|&sample| sample.into()).collect()
}

/// Peak to noise in decibels.
fn psnr(found: &[f32], wanted: &[f32]) -> Result<f64, String> {
    if found.len() != wanted.len() {
        return Err(format!("{} samples where {} are wanted", found.len(), wanted.len()));
    }
    let squares = found
        .iter()
        .zip(wanted)
        .map(|(found, wanted)| f64::from(found - wanted.clamp(0.0, 255.0)).powi(2));
    let noise = squares.sum::<f64>() / found.len() as f64;
    Ok(10.0 * (255.0 * 255.0 / noise).log10())
}

/// A part of a picture, shrunk: its place, its size, and the size that it becomes.
fn lanczos(whole: &RgbImage, at: (u32, u32), size: (u32, u32), to: (u32, u32)) -> Vec<f32> {
    let across = weights(size.0, to.0);
    let down = weights(size.1, to.1);
    let row_length = to.0 as usize * 3;
    // Rows first: every source row at its final length.
    let mut rows = Vec::with_capacity(row_length * size.1 as usize);
    let source = whole.as_raw();
    for y in at.1..at.1 + size.1 {
        let start = (y as usize * whole.width() as usize + at.0 as usize) * 3;
        let row = &source[start..start + size.0 as usize * 3];
        for (first, weights) in &across {
            let mut sum = [0.0_f32; 3];
            for (pixel, weight) in row[first * 3..].chunks_exact(3).zip(weights) {
                for (sum, &sample) in sum.iter_mut().zip(pixel) {
                    *sum += f32::from(sample) * weight;
                }
            }
            rows.extend(sum);
        }
    }
    let mut out = vec![0.0; row_length * to.1 as usize];
    for (line, (first, weights)) in out.chunks_exact_mut(row_length).zip(&down) {
        for (row, weight) in rows[first * row_length..].chunks_exact(row_length).zip(weights) {
            for (sum, sample) in line.iter_mut().zip(row) {
                *sum += sample * weight;
            }
        }
    }
    out
}

/// For each sample of the result, the first one that it is made from and their weights.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn weights(from: u32, to: u32) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f32 / to as f32;
    let reach = 3.0 * scale.max(1.0);
    let sinc = |x: f32| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let one = |n: u32| {
        let center = (n as f32 + 0.5) * scale;
        let first = (center - reach).floor().max(0.0);
        let last = (center + reach).ceil().min(from as f32);
        let weight = |at: f32| {
            let x = (at + 0.5 - center) / scale.max(1.0);
            if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
        };
        let count = (last - first) as usize;
        let raw: Vec<f32> = (0..count).map(|n| weight(first + n as f32)).collect();
        let sum: f32 = raw.iter().sum();
        (first as usize, raw.into_iter().map(|weight| weight / sum).collect())
    };
    (0..to).map(one).collect()
}
