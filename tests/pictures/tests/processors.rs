//! The same files give the same bytes on processors with and without SIMD (**T6**).
//!
//! Libraries ask the processor what it offers and choose their code by the answer. Nothing is told to
//! them here: the whole program runs under `qemu-x86_64` as processors that offer less and less, so
//! that whatever chooses anywhere, chooses as it would there. ARM's is one of them where the program
//! was built for it: `bash tests/all.sh processors` does.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../support/pictures.rs"]
#[allow(unused_imports, reason = "no test needs all of them")]
mod pictures;

use std::env;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba};
use moxcms::{
    ColorProfile, DataColorSpace, LutDataType, LutStore, LutType, LutWarehouse, Matrix3d,
};

use pictures::*;

/// Processors and what they offer. The machine's own may have AVX-512 beyond that.
const PROCESSORS: [(&str, &str); 3] =
    [("qemu64", "offers "), ("Nehalem", "offers sse4.1"), ("Haswell", "offers sse4.1 avx2 fma")];

/// Rows of noise over a scene, as photos have it: every rounding is met.
fn photo(width: u32, height: u32) -> RgbImage {
    let mut random = Xorshift(0x5EED);
    let mut picture = scene(width, height);
    for Rgb(samples) in picture.pixels_mut() {
        for sample in samples {
            let noise = u8::try_from(random.below(48)).unwrap();
            *sample = sample.saturating_add(noise);
        }
    }
    picture
}

/// Files in a folder, and those that lie in the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut put = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        all.push(path);
    };
    let picture = photo(400, 300);
    put("baseline.jpg", jpeg(&picture, false));
    put("progressive.jpg", jpeg(&photo(351, 267), true));
    let mut shape = DynamicImage::from(photo(231, 190)).to_rgba8();
    for (x, y, Rgba([.., alpha])) in shape.enumerate_pixels_mut() {
        *alpha = (x * y / 7).to_le_bytes()[0];
    }
    put("alpha.png", encode(&shape.clone().into(), ImageFormat::Png));
    put("alpha.webp", encode(&shape.into(), ImageFormat::WebP));
    put("still.gif", encode(&photo(203, 151).into(), ImageFormat::Gif));
    put("lossy.webp", unhex(LOSSY_WEBP));

    let inks = photo(180, 160).into_raw();
    let inks: Vec<u8> = inks.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 30]).collect();
    for (name, kind) in [
        ("cmyk.jpg", jpeg_encoder::ColorType::Cmyk),
        ("ycck.jpg", jpeg_encoder::ColorType::CmykAsYcck),
    ] {
        let mut file = Vec::new();
        jpeg_encoder::Encoder::new(&mut file, 90).encode(&inks, 180, 160, kind).unwrap();
        put(name, file);
    }
    for (name, profile) in [
        ("p3", ColorProfile::new_display_p3()),
        ("adobe", ColorProfile::new_adobe_rgb()),
        ("bt2020", ColorProfile::new_bt2020()),
        ("prophoto", ColorProfile::new_pro_photo_rgb()),
    ] {
        let profile = profile.encode().unwrap();
        let picture = photo(190, 171);
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 92);
        encoder.set_icc_profile(profile.clone()).unwrap();
        encoder.write_image(&picture, 190, 171, ExtendedColorType::Rgb8).unwrap();
        put(&format!("{name}.jpg"), file);
        let picture = DynamicImage::from(picture).to_rgba8();
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(Cursor::new(&mut file));
        encoder.set_icc_profile(profile).unwrap();
        encoder.write_image(&picture, 190, 171, ExtendedColorType::Rgba8).unwrap();
        put(&format!("{name}.png"), file);
    }
    let mut table = ColorProfile::new_srgb();
    table.pcs = DataColorSpace::Lab;
    table.color_space = DataColorSpace::Cmyk;
    (table.red_trc, table.green_trc, table.blue_trc) = (None, None, None);
    table.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(inks_table()));
    let profile = table.encode().unwrap();
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.add_icc_profile(&profile).unwrap();
    encoder.encode(&inks, 180, 160, jpeg_encoder::ColorType::Cmyk).unwrap();
    put("press.jpg", file);

    let gray = DynamicImage::from(photo(190, 171)).to_luma8();
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(Cursor::new(&mut file));
    encoder.set_icc_profile(ColorProfile::new_gray_with_gamma(1.8).encode().unwrap()).unwrap();
    encoder.write_image(&gray, 190, 171, ExtendedColorType::L8).unwrap();
    put("gray.png", file);

    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    for kept in ["video/scene.mp4", "video/deep.mp4", "video/interlaced.mp4", "heic/card.heic"] {
        all.push(data.join(kept));
    }
    all
}

/// A press's profile: Lab colours over four inks, in a grid of five points each way.
fn inks_table() -> LutDataType {
    let mut random = Xorshift(11);
    let clut = (0..5_usize.pow(4)).flat_map(|at| {
        let light = 65_000 - at % 5 * 9_000 - at / 5 % 5 * 3_000 - at / 25 % 5 * 2_000;
        [light, 24_000 + random.below(17_000), 24_000 + random.below(17_000)]
    });
    let clut = clut.map(|number| u16::try_from(number).unwrap()).collect();
    let line = |channels: usize| LutStore::Store16([0, 30_000, 65_535].repeat(channels));
    LutDataType {
        num_input_channels: 4,
        num_output_channels: 3,
        num_clut_grid_points: 5,
        matrix: Matrix3d::IDENTITY,
        num_input_table_entries: 3,
        num_output_table_entries: 3,
        input_table: line(4),
        clut_table: LutStore::Store16(clut),
        output_table: line(3),
        lut_type: LutType::Lut16,
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless built with --release")]
fn t6_every_processor_gives_the_same_bytes() {
    if env::var_os("FINALMILE_SKIP_LIVE").is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let program = env!("CARGO_BIN_EXE_finalmile-pictures");
    let lines = |mut command: Command| {
        let output = command.args(&files).output();
        let output = output.expect("qemu-x86_64 is there (Debian: qemu-user)");
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let here = lines(Command::new(program));
    assert_eq!(here.lines().count(), 1 + files.len() * 4);
    let mut others =
        PROCESSORS.map(|(name, offers)| ("qemu-x86_64", name, offers, program.into())).to_vec();
    // Made by `cargo build --target aarch64-unknown-linux-musl`.
    let on_arm = env::var_os("FINALMILE_ON_ARM");
    others.extend(on_arm.map(|path| ("qemu-aarch64", "max", "offers neon rdm", path)));
    let mut found = Vec::new();
    for (simulator, processor, offers, program) in others {
        let mut command = Command::new(simulator);
        command.args(["-cpu", processor]).arg(program);
        let there = lines(command);
        assert_eq!(there.lines().next(), Some(offers), "{processor} is another one");
        assert_eq!(there.lines().count(), here.lines().count(), "on {processor}");
        let pairs = here.lines().zip(there.lines()).skip(1);
        let pairs = pairs.filter(|(here, there)| here != there);
        found.extend(pairs.map(|(here, there)| format!("{here}\n{there} on {processor}\n")));
    }
    assert!(found.is_empty(), "{} of other bytes:\n{}", found.len(), found.join("\n"));
}
