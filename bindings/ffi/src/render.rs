//! Rendering: a picture's or a video's file becomes small pictures in memory.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use finalmile::thumb::{
    Format, Hooks, Picture, PosterSet, PosterSpec, ThumbSpec, ThumbnailSet,
    render_poster_set_file_with, render_set_file_with,
};

use crate::door::Loan;
use crate::failure::Failure;
use crate::host::{Lent, PictureDecoder, Seldom};
use crate::thumbnails::{MediaKind, SourceInfo};

/// What is rendered, and how.
pub(crate) struct Wanted<'w> {
    pub(crate) path: &'w Path,
    pub(crate) kind: MediaKind,
    pub(crate) at_ms: Option<u32>,
    pub(crate) spec: ThumbSpec,
}

/// Pictures in memory, of whichever kind of source.
pub(crate) struct Rendered {
    pub(crate) thumbnail: Picture,
    pub(crate) preview: Option<Picture>,
    pub(crate) blurhash: String,
    pub(crate) thumbhash: Vec<u8>,
    pub(crate) partial: bool,
    pub(crate) source: SourceInfo,
}

pub(crate) fn rendered(
    wanted: &Wanted<'_>,
    decoder: Option<&Loan<Box<dyn PictureDecoder>>>,
    progress: Option<&Seldom>,
    given_up: &AtomicBool,
) -> Result<Rendered, Failure> {
    let Wanted { path, kind, at_ms, spec } = wanted;
    let lent = decoder.map(|decoder| Lent { decoder, given_up, patience: spec.limits.max_time });
    let told = |share: f32| {
        if let Some(seldom) = progress {
            seldom.told(share.into());
        }
    };
    let mut hooks = Hooks::new().cancel(given_up).progress(&told);
    if let Some(lent) = &lent {
        hooks = hooks.platform(lent);
    }
    let info = |format: Format, width_px, height_px, duration_ms| SourceInfo {
        media_type: format.media_type().to_owned(),
        width_px,
        height_px,
        duration_ms,
    };
    match kind {
        MediaKind::Image => {
            let ThumbnailSet { thumbnail, preview, blurhash, thumbhash, partial, source, .. } =
                render_set_file_with(path, spec, &hooks)?;
            let source = info(source.format, source.width_px, source.height_px, None);
            Ok(Rendered { thumbnail, preview, blurhash, thumbhash, partial, source })
        }
        MediaKind::Video => {
            let mut poster = PosterSpec::default();
            poster.at_ms = at_ms.map(u64::from);
            let PosterSet { thumbnail, preview, blurhash, thumbhash, partial, source, .. } =
                render_poster_set_file_with(path, spec, &poster, &hooks)?;
            let duration_ms = source.duration_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
            let source = info(source.format, source.width_px, source.height_px, duration_ms);
            Ok(Rendered { thumbnail, preview, blurhash, thumbhash, partial, source })
        }
    }
}
