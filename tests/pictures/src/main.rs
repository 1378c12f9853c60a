//! Renders files in several ways and prints a hash of each set: what two machines compare.
//!
//! Usage: `finalmile-pictures FILE...`. The first line tells what the processor offers. Each other one is
//! the file's name, the way, and the hash of the bytes of both pictures and of the placeholders, or the
//! code of the error. Names of files are printed without their folder, so that lines of two runs can be
//! compared as they are.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use finalmile::thumb::{
    Encoding, Fit, Format, Picture, PosterSpec, ThumbError, ThumbSpec, render_poster_set_file,
    render_set,
};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    let files: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    println!("offers {}", offers().join(" "));
    for file in &files {
        let Ok(bytes) = fs::read(file) else {
            println!("{} cannot be read", file.display());
            return ExitCode::FAILURE;
        };
        let name = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        for (way, spec) in ways() {
            let told =
                rendered(file, &bytes, &spec).unwrap_or_else(|error| error.code().to_owned());
            println!("{name} {way} {told}");
        }
    }
    if files.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What libraries find when they ask the processor for SIMD.
fn offers() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let all = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(target_arch = "aarch64")]
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("rdm", std::arch::is_aarch64_feature_detected!("rdm")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let all = [];
    all.into_iter().filter(|(_, offered)| *offered).map(|(name, _)| name).collect()
}

/// What a host may choose that takes another way through the code.
fn ways() -> [(&'static str, ThumbSpec); 4] {
    let mut plain = ThumbSpec::default();
    // Smaller than usual, as a processor that is only simulated takes its time.
    (plain.thumbnail_side_px, plain.preview_side_px) = (75, 150);
    let [mut linear, mut kept, mut webp] = [plain; 3];
    linear.linear_light = true;
    (kept.encoding, kept.keep_alpha, kept.fit) = (Encoding::Png, true, Fit::Contain);
    (webp.encoding, webp.keep_alpha, webp.linear_light) = (Encoding::WebP, true, true);
    [("plain", plain), ("linear", linear), ("png", kept), ("webp", webp)]
}

fn rendered(path: &Path, bytes: &[u8], spec: &ThumbSpec) -> Result<String, ThumbError> {
    let is_video = Format::from_first_bytes(bytes).is_some_and(Format::is_video);
    let (thumbnail, preview, blurhash, thumbhash) = if is_video {
        let set = render_poster_set_file(path, spec, &PosterSpec::default())?;
        (set.thumbnail, set.preview, set.blurhash, set.thumbhash)
    } else {
        let set = render_set(bytes, spec)?;
        (set.thumbnail, set.preview, set.blurhash, set.thumbhash)
    };
    let hash = |bytes: &[u8]| HEXLOWER.encode(&Sha256::digest(bytes)[..8]);
    let of_preview =
        preview.map_or_else(|| "none".to_owned(), |Picture { bytes, .. }| hash(&bytes));
    let (of_thumbnail, of_thumbhash) = (hash(&thumbnail.bytes), hash(&thumbhash));
    Ok(format!("{of_thumbnail} {of_preview} {of_thumbhash} {blurhash}"))
}
