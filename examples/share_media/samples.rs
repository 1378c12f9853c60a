//! Pictures that the example renders itself, so that it always has something to share.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// Renders five pictures into `out/photos`: a landscape, a portrait, a panorama, one with a
/// transparent ground, and one that is too small to need a preview.
pub(crate) fn render(out: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = out.join("photos");
    fs::create_dir_all(&folder)?;
    let mut paths = Vec::new();
    for (name, width, height, hour) in [
        ("sunrise", 1600, 1200, 40),
        ("noon", 900, 1400, 120),
        ("panorama", 2400, 600, 200),
        ("stamp", 240, 180, 90),
    ] {
        let path = folder.join(format!("{name}.jpg"));
        save(&path, |path| hills(width, height, hour).save_with_format(path, ImageFormat::Jpeg))?;
        paths.push(path);
    }
    let path = folder.join("badge.png");
    save(&path, |path| badge(640).save_with_format(path, ImageFormat::Png))?;
    paths.push(path);
    Ok(paths)
}

/// Writes a picture that is not there yet. It is the same one each time, so its content id is too.
fn save(path: &Path, write: impl Fn(&Path) -> image::ImageResult<()>) -> io::Result<()> {
    if path.exists() { Ok(()) } else { write(path).map_err(io::Error::other) }
}

/// Three rows of hills under a sky of that hour.
fn hills(width: u32, height: u32, hour: u32) -> RgbImage {
    let level = |x: u32, row: u32| {
        // Two triangle waves added up look enough like hills, and are the same on every machine.
        let wave = |period: u32, size: u32| {
            let at = (x + row * 371 + hour * 7) % period;
            at.min(period - at) * size / period
        };
        height * (3 + row) / 8
            + wave(width / 2 + 1, height / 3) / 2
            + wave(width / 7 + 1, height / 9)
    };
    RgbImage::from_fn(width, height, |x, y| {
        let row = (0..3).rev().find(|row| y > level(x, *row));
        match row {
            Some(row) => {
                let shade = 50 + (2 - row) * 45 + (x ^ y) % 5;
                Rgb([byte(shade / 2 + hour / 8), byte(shade), byte(shade / 2 + 20)])
            }
            None => {
                let (near, far) = (y * 160 / height, hour);
                Rgb([byte(near + far / 2), byte(90 + near / 2 + far / 4), byte(235 - near / 3)])
            }
        }
    })
}

/// A ring on a transparent ground.
fn badge(side: u32) -> RgbaImage {
    let middle = i64::from(side / 2);
    RgbaImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (i64::from(x) - middle, i64::from(y) - middle);
        let away = dx * dx + dy * dy;
        let inside = |radius: i64| away < radius * radius;
        if inside(middle - 20) && !inside(middle / 2) {
            Rgba([byte(x * 255 / side), 90, byte(y * 255 / side), 255])
        } else {
            Rgba([0, 0, 0, 0])
        }
    })
}

fn byte(value: u32) -> u8 {
    u8::try_from(value.min(255)).unwrap_or(u8::MAX)
}
