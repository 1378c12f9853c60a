//! Small pictures: a file's path goes in, paths and content ids of small files come out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use finalmile::ipfs::{IpfsError, cid_of_bytes};
use finalmile::thumb::{self, Fit, Gravity, ThumbSpec};

use crate::call;
use crate::door::Loan;
use crate::failure::Failure;
use crate::host::{PictureDecoder, ProgressListener, Seldom};
use crate::pool::Lane;
use crate::render::{Rendered, Wanted, rendered};

/// What a file is said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, uniffi::Enum)]
#[expect(clippy::exhaustive_enums, reason = "the documents know these two")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video, of which a frame is shown.
    Video,
}

/// How a thumbnail meets its square.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, uniffi::Enum)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum ThumbnailFit {
    /// It fills the square; what is too much is cut off.
    #[default]
    Cover,
    /// It lies within the square, whole.
    Contain,
}

/// What is wanted.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct ThumbnailRequest {
    /// The picture or video.
    pub path: String,
    /// Which of the two.
    pub kind: MediaKind,
    /// A folder for the small files, made if it is missing. They are named by their content.
    pub out_dir: String,
    /// The side of the thumbnail's square, in pixels.
    #[uniffi(default = 300)]
    pub thumbnail_side_px: u16,
    /// The side of the square that the preview fits into, in pixels.
    #[uniffi(default = 600)]
    pub preview_side_px: u16,
    /// How the thumbnail meets its square.
    #[uniffi(default = None)]
    pub fit: Option<ThumbnailFit>,
    /// JPEG quality, 1 to 100.
    #[uniffi(default = 80)]
    pub quality: u8,
    /// The moment of a video, in milliseconds. `None`: early, but not black.
    #[uniffi(default = None)]
    pub at_ms: Option<u32>,
    /// How long it may take, the host's decoder included.
    #[uniffi(default = 30000)]
    pub timeout_ms: u32,
}

/// A small file.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct Picture {
    /// Where it lies: `<cid>.jpg` in the folder that was named.
    pub path: String,
    /// Its content id under `unixfs-v1-2025`.
    pub cid: String,
    /// Such as `image/jpeg`.
    pub media_type: String,
    /// Pixels from left to right.
    pub width_px: u32,
    /// Pixels from top to bottom.
    pub height_px: u32,
    /// Its length in bytes.
    pub size_bytes: u32,
}

/// What the source said about itself.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct SourceInfo {
    /// Such as `image/heic`.
    pub media_type: String,
    /// Pixels from left to right once upright.
    pub width_px: u32,
    /// Pixels from top to bottom once upright.
    pub height_px: u32,
    /// How long a video is, where its file says so.
    pub duration_ms: Option<u32>,
}

/// The small files of one source.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct ThumbnailSet {
    /// For grids. Of a video, its frame.
    pub thumbnail: Picture,
    /// For feeds. `None`: the source is so small that the thumbnail is all of it.
    pub preview: Option<Picture>,
    /// To be shown meanwhile: a BlurHash of 28 characters.
    pub blurhash: String,
    /// The same as a ThumbHash, at most 25 bytes.
    pub thumbhash: Vec<u8>,
    /// The source was cut, and what is missing is filled.
    pub partial: bool,
    /// What was read.
    pub source: SourceInfo,
}

/// Makes the small pictures of a picture or a video.
///
/// Aborting it stops the work within some ten milliseconds and leaves no file. `decoder` is asked for
/// what is not decoded here.
///
/// # Errors
///
/// The codes of `finalmile::thumb::ThumbError`, such as `NOT_AN_IMAGE` and `IMAGE_TRUNCATED`;
/// `DISK_FULL` and `OUTPUT_UNWRITABLE`; `INVALID_ARGUMENT`; `CANCELLED`.
#[uniffi::export(default(decoder = None, progress = None))]
pub async fn generate_thumbnail_set(
    request: ThumbnailRequest,
    decoder: Option<Box<dyn PictureDecoder>>,
    progress: Option<Box<dyn ProgressListener>>,
) -> Result<ThumbnailSet, Failure> {
    let (decoder, progress) = (decoder.map(Loan::new), progress.map(Seldom::new));
    call::run(Lane::Compute, move |given_up| {
        let (path, spec) = (Path::new(&request.path), spec(&request)?);
        let wanted = Wanted { path, kind: request.kind, at_ms: request.at_ms, spec };
        let set = rendered(&wanted, decoder.as_ref(), progress.as_ref(), given_up)?;
        written(set, Path::new(&request.out_dir), given_up)
    })
    .await
}

fn spec(request: &ThumbnailRequest) -> Result<ThumbSpec, Failure> {
    if request.thumbnail_side_px == 0 || request.preview_side_px == 0 {
        return Err(Failure::argument("A picture has at least one pixel"));
    }
    if !(1..=100).contains(&request.quality) {
        return Err(Failure::argument("Quality goes from 1 to 100"));
    }
    let mut spec = ThumbSpec::default();
    spec.thumbnail_side_px = request.thumbnail_side_px;
    spec.preview_side_px = request.preview_side_px;
    spec.quality = request.quality;
    spec.fit = match request.fit.unwrap_or_default() {
        ThumbnailFit::Cover => Fit::Cover(Gravity::Center),
        ThumbnailFit::Contain => Fit::Contain,
    };
    spec.limits.max_time = Duration::from_millis(request.timeout_ms.into());
    Ok(spec)
}

/// Writes the files: all of them or none (**B2**).
fn written(set: Rendered, folder: &Path, given_up: &AtomicBool) -> Result<ThumbnailSet, Failure> {
    fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let mut written = Written::default();
    let Rendered { thumbnail, preview, blurhash, thumbhash, partial, source } = set;
    let thumbnail = written.add(folder, &thumbnail)?;
    let preview = preview.map(|picture| written.add(folder, &picture)).transpose()?;
    if given_up.load(Ordering::Relaxed) {
        return Err(Failure::cancelled());
    }
    written.keep();
    Ok(ThumbnailSet { thumbnail, preview, blurhash, thumbhash, partial, source })
}

/// Files that are removed again unless they are kept.
#[derive(Default)]
struct Written(Vec<PathBuf>);

impl Written {
    fn add(&mut self, folder: &Path, picture: &thumb::Picture) -> Result<Picture, Failure> {
        // Two calls may make the same picture at the same time.
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let cid = cid_of_bytes(&picture.bytes).to_string();
        let path = folder.join(format!("{cid}.{}", picture.format.extension()));
        let name = path.to_str().ok_or_else(|| Failure::argument("A path is no UTF-8"))?.to_owned();
        if !fs::metadata(&path).is_ok_and(|meta| meta.len() == picture.bytes.len() as u64) {
            let part = folder.join(format!("{cid}.{}.part", CALLS.fetch_add(1, Ordering::Relaxed)));
            let done = fs::write(&part, &picture.bytes).and_then(|()| fs::rename(&part, &path));
            if let Err(error) = done {
                drop(fs::remove_file(&part));
                return Err(unwritable(&path)(error));
            }
            self.0.push(path);
        }
        Ok(Picture {
            path: name,
            cid,
            media_type: picture.format.media_type().to_owned(),
            width_px: picture.width_px,
            height_px: picture.height_px,
            size_bytes: u32::try_from(picture.bytes.len()).unwrap_or(u32::MAX),
        })
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.0 {
            drop(fs::remove_file(path));
        }
    }
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    |source| match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            IpfsError::DiskFull { path: path.to_path_buf(), source: source.into() }.into()
        }
        _ => IpfsError::Write(source.into()).into(),
    }
}
