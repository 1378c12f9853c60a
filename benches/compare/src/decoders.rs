//! A JPEG at a quarter of its size against libjpeg-turbo: processor time of the decoders alone.
//!
//! Both sides begin with a file's bytes in memory and end with planes of brightness and colour, each at
//! its own size; neither makes red, green and blue of them. libjpeg-turbo is built here with its
//! vector instructions, for which it needs nasm, and does not build without.

use std::{hint::black_box, path::Path};

use finalmile::thumb::decode_jpeg_quarter;
use rustix::time::ClockId;
use turbojpeg::{Decompressor, ScalingFactor, YuvImage, yuv_pixels_len};

use crate::{
    args::Args,
    checks::reading,
    photos::{self, Kind},
    report::{Bar, Report, Row, Unit},
    sharp::Sharp,
};

/// The row.
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
    let figure = "12 MP baseline JPEG, decoded at 1/4";
    if !args.wants(figure) {
        return Ok(());
    }
    let photos = photos::of(Kind::phone("jpeg"), place, sharp)?;
    let runs = photos::rounds(&photos, args.quick, |_, bytes| {
        let mut millis = [0.0; 2];
        for (side, millis) in [quarter, turbo].into_iter().zip(&mut millis) {
            let before = reading(ClockId::ProcessCPUTime);
            black_box(side(bytes)?);
            *millis = (reading(ClockId::ProcessCPUTime) - before).as_secs_f64() * 1e3;
        }
        Ok(millis)
    })?;
    report.row(&Row {
        figure: figure.to_owned(),
        rival: "libjpeg-turbo, planes".to_owned(),
        unit: Unit::CpuMillis,
        runs,
        bar: Bar::AtMost(0.80),
    });
    Ok(())
}

fn quarter(bytes: &[u8]) -> Result<usize, String> {
    decode_jpeg_quarter(bytes).ok_or("not decoded whole".to_owned())
}

fn turbo(bytes: &[u8]) -> Result<usize, String> {
    turbo_planes(bytes).map_err(|e| e.to_string())
}

fn turbo_planes(bytes: &[u8]) -> turbojpeg::Result<usize> {
    let mut decoder = Decompressor::new()?;
    let header = decoder.read_header(bytes)?;
    let quarter = ScalingFactor::new(1, 4);
    decoder.set_scaling_factor(quarter)?;
    let (width, height) = (quarter.scale(header.width), quarter.scale(header.height));
    let align = 1;
    let length = yuv_pixels_len(width, align, height, header.subsamp)?;
    let subsamp = header.subsamp;
    let mut planes = YuvImage { pixels: vec![0; length], width, align, height, subsamp };
    decoder.decompress_to_yuv(bytes, planes.as_deref_mut())?;
    Ok(planes.pixels.len())
}
