//! The photographs: five of Debian's wallpapers, rendered as a phone would have taken them.
//!
//! Sizes of a phone's sensor, grain, quality 92, 4:2:0, plain Huffman tables. They are made once, into
//! the folder of the build, and are the same wherever they are made with the same sharp.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{rounds::Runs, sharp::Sharp};

const FOLDER: &str = "/usr/share/backgrounds";

/// Trees, an insect, a building, a field, an evening sky.
const WALLPAPERS: [&str; 5] = [
    "Bridge_by_Sander_Klootwijk.jpg",
    "Dragonfly_by_Bolly.jpg",
    "Kleiber_by_Lukas_Baubkus.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "sunset_by_Aitzol_Berasategi.jpg",
];

/// A file's bytes.
///
/// # Errors
///
/// Which file, and what the system says.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// What a row is measured on.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How the files are encoded: `jpeg`, `progressive`, `png` or `webp`.
    pub kind: &'static str,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Kind {
    /// Of 12 megapixels.
    #[must_use]
    pub const fn phone(kind: &'static str) -> Self {
        Self { kind, width: 4_032, height: 3_024 }
    }
}

/// Rounds of two sides over the photographs: what `both` says of each, a photograph's share a round.
///
/// The first round warms both sides up and does not count.
///
/// # Errors
///
/// What a side says, or which file cannot be read.
pub fn rounds(
    photos: &[PathBuf],
    is_quick: bool,
    mut both: impl FnMut(&Path, &[u8]) -> Result<[f64; 2], String>,
) -> Result<[Runs; 2], String> {
    let mut all = [Runs::default(), Runs::default()];
    for round in 0..=if is_quick { 3 } else { 9 } {
        let mut sums = [0.0; 2];
        for photo in photos {
            let found = both(photo, &read(photo)?)?;
            sums = [sums[0] + found[0], sums[1] + found[1]];
        }
        if round > 0 {
            for (runs, sum) in all.iter_mut().zip(sums) {
                runs.push(sum / photos.len() as f64);
            }
        }
    }
    Ok(all)
}

/// The five photographs of a kind, made if they are not there.
///
/// # Errors
///
/// Which package is missing, or what sharp says.
pub fn of(kind: Kind, place: &Path, sharp: &mut Sharp) -> Result<Vec<PathBuf>, String> {
    let folder = place.join("photos");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let Kind { kind, width, height } = kind;
    let photo = |name: &&str| {
        let from = Path::new(FOLDER).join(name);
        if !from.exists() {
            let packages = "lomiri-wallpapers-20.04 lomiri-wallpapers-16.04";
            return Err(format!("{} is missing: apt-get install {packages}", from.display()));
        }
        let to = folder.join(format!("{width}x{height}-{kind}-{name}"));
        if !to.exists() {
            let unfinished = to.with_extension("part");
            let asked = json!({
                "op": "make", "from": from, "to": unfinished,
                "width": width, "height": height, "kind": kind,
            });
            sharp.ask(&asked)?;
            fs::rename(&unfinished, &to).map_err(|e| format!("{}: {e}", to.display()))?;
        }
        Ok(to)
    };
    WALLPAPERS.iter().map(photo).collect()
}
