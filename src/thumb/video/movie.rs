//! The index of an MP4 or QuickTime file: its video track, and where its key frames lie.
//!
//! The boxes are walked to `moov` by their headers, so that of a file of a gigabyte only the index is
//! read, wherever it stands. In `moov` only the tables of the video track are. A fragmented file
//! keeps its tables in `moof` boxes between the media; see [`super::fragments`].
//!
//! Source: ISO/IEC 14496-12, sections 8.2 to 8.8; QuickTime File Format, "Movie Atoms".

use super::super::error::ThumbError;
use super::super::orient::Orientation;
use super::aperture::Aperture;
use super::fragments;
use super::samples::{self, KeyFrame};
use super::source::{BoxSpan, Source, be16, be32, be64, boxes_in};

/// One box of each kind is enough for any of these.
const CONTAINERS: [&[u8; 4]; 4] = [b"edts", b"mdia", b"minf", b"stbl"];
/// What one file may declare; each is a track that is walked.
const MAX_TRACKS: usize = 64;

/// The first enabled video track of a file, without its samples.
#[derive(Debug)]
pub(super) struct Track {
    /// Names the track in fragments.
    pub(super) id: u32,
    /// How its pictures must be turned.
    pub(super) orientation: Orientation,
    /// Ticks of a second, at least 1.
    pub(super) timescale: u32,
    /// What is shown, in ticks. 0: not said.
    pub(super) duration: u64,
    /// The tick at which showing begins.
    pub(super) start: u64,
    /// How its samples are coded: the content of `stsd`.
    pub(super) entries: Vec<SampleEntry>,
    leaves: Vec<BoxSpan>,
    is_enabled: bool,
}

/// One way in which samples are coded.
#[derive(Debug, Default)]
pub(super) struct SampleEntry {
    /// Four characters such as `avc1`.
    pub(super) codec: [u8; 4],
    /// The content of `avcC`.
    pub(super) config: Option<Vec<u8>>,
    /// From `colr`: how colour is written.
    pub(super) color: Option<Color>,
    /// From `pasp` and `clap`: what of a frame is shown, and how wide its pixels are.
    pub(super) aperture: Aperture,
}

/// How colour is written, in the codes of ITU-T H.273.
#[derive(Clone, Copy, Debug)]
pub(super) struct Color {
    pub(super) transfer: u8,
    pub(super) matrix: u8,
    pub(super) is_full_range: bool,
}

/// A file's movie: a track, and where more of its index may lie.
#[derive(Debug)]
pub(super) struct Movie {
    pub(super) track: Track,
    /// `trex` of the track, when samples may come in fragments.
    fragment_defaults: Option<fragments::Defaults>,
}

impl Movie {
    /// Reads the index.
    pub(super) fn read(source: &mut Source<'_>) -> Result<Self, ThumbError> {
        let moov = find_moov(source)?;
        let (mut movie_timescale, mut tracks, mut defaults) = (0, Vec::new(), Vec::new());
        let mut at = moov.start;
        while let Some(span) = source.box_at(at, moov.end)? {
            if span.end > moov.end {
                return Err(source.damaged("a box reaches beyond the movie"));
            }
            match &span.kind {
                b"mvhd" => {
                    let body = source.body(&span)?;
                    let at = if body.first() == Some(&1) { 20 } else { 12 };
                    movie_timescale = be32(&body, at).unwrap_or_default();
                }
                b"trak" if tracks.len() < MAX_TRACKS => tracks.push(span),
                b"mvex" => {
                    let body = source.body(&span)?;
                    let all = boxes_in(&body).filter(|(kind, _)| kind == b"trex");
                    defaults.extend(all.filter_map(|(_, trex)| fragments::Defaults::read(trex)));
                }
                // QuickTime's compressed movie: zlib, out of use for twenty years.
                b"cmov" => {
                    return Err(super::unsupported("a compressed movie", source.format()));
                }
                _ => {}
            }
            at = span.end;
        }
        let mut found: Option<Track> = None;
        for span in tracks {
            match Track::read(source, &span, movie_timescale)? {
                Some(track) if track.is_enabled => {
                    found = Some(track);
                    break;
                }
                track => found = found.or(track),
            }
        }
        let Some(mut track) = found else {
            let what = "a file without a video track".to_owned();
            return Err(ThumbError::Unsupported { what, handled_by: "a player of sounds" });
        };
        track.entries = track.read_entries(source)?;
        let fragment_defaults = defaults.into_iter().find(|one| one.track == track.id);
        Ok(Self { track, fragment_defaults })
    }

    /// The key frames nearest to each of `targets`, in ticks, without repetition.
    pub(super) fn nearest(
        &self,
        source: &mut Source<'_>,
        targets: &[u64],
    ) -> Result<Vec<KeyFrame>, ThumbError> {
        let mut nearest = samples::Nearest::new(targets);
        let tables = samples::Tables::read(source, |kind| self.track.leaf(kind))?;
        tables.each_key_frame(|frame| nearest.offer(frame));
        if let Some(defaults) = &self.fragment_defaults {
            fragments::each_key_frame(source, defaults, |frame| nearest.offer(frame))?;
        }
        Ok(nearest.found())
    }
}

impl Track {
    /// `None`: it holds no video.
    fn read(
        source: &mut Source<'_>,
        trak: &BoxSpan,
        movie_timescale: u32,
    ) -> Result<Option<Self>, ThumbError> {
        let mut leaves = Vec::new();
        gather(source, trak, &mut leaves)?;
        let mut track = Self {
            id: 0,
            orientation: Orientation::Upright,
            timescale: 1,
            duration: 0,
            start: 0,
            entries: Vec::new(),
            leaves,
            is_enabled: false,
        };
        let Some(handler) = track.leaf(b"hdlr") else { return Ok(None) };
        if source.body(&handler)?.get(8..12) != Some(b"vide") {
            return Ok(None);
        }
        if let Some(span) = track.leaf(b"tkhd") {
            let body = source.body(&span)?;
            let is_wide = body.first() == Some(&1);
            track.is_enabled = body.get(3).is_some_and(|flags| flags & 1 != 0);
            track.id = be32(&body, if is_wide { 20 } else { 12 }).unwrap_or_default();
            let matrix = body.get(if is_wide { 52 } else { 40 }..).unwrap_or_default();
            track.orientation = turned_by(matrix).unwrap_or_default();
        }
        if let Some(span) = track.leaf(b"mdhd") {
            let body = source.body(&span)?;
            let (scale, duration) = if body.first() == Some(&1) {
                (be32(&body, 20), be64(&body, 24))
            } else {
                (be32(&body, 12), be32(&body, 16).map(u64::from))
            };
            track.timescale = scale.unwrap_or_default().max(1);
            // All ones: unknown.
            let known = |ticks: &u64| *ticks < u64::from(u32::MAX);
            track.duration = duration.filter(known).unwrap_or_default();
        }
        if let Some(span) = track.leaf(b"elst") {
            let body = source.body(&span)?;
            track.cut(&body, movie_timescale);
        }
        Ok(Some(track))
    }

    /// Applies the first edit that shows something: people trim the beginning of what they recorded.
    fn cut(&mut self, elst: &[u8], movie_timescale: u32) {
        let is_wide = elst.first() == Some(&1);
        let entries = elst.get(8..).unwrap_or_default().chunks_exact(if is_wide { 20 } else { 12 });
        for entry in entries.take(16) {
            let (duration, start) = if is_wide {
                (be64(entry, 0), be64(entry, 8))
            } else {
                // -1, an empty edit, must stay beyond every time.
                let start = be32(entry, 4).map(|ticks| match ticks {
                    u32::MAX => u64::MAX,
                    ticks => u64::from(ticks),
                });
                (be32(entry, 0).map(u64::from), start)
            };
            let (Some(duration), Some(start)) = (duration, start) else { return };
            if start >= 1 << 48 {
                continue;
            }
            self.start = start;
            let shown = u128::from(duration) * u128::from(self.timescale)
                / u128::from(movie_timescale.max(1));
            let left = if self.duration == 0 { u64::MAX } else { self.duration };
            if shown > 0 {
                self.duration = u64::try_from(shown).unwrap_or(u64::MAX).min(left);
            }
            return;
        }
    }

    fn leaf(&self, kind: &[u8; 4]) -> Option<BoxSpan> {
        self.leaves.iter().find(|leaf| leaf.kind == *kind).copied()
    }

    fn read_entries(&self, source: &mut Source<'_>) -> Result<Vec<SampleEntry>, ThumbError> {
        let Some(span) = self.leaf(b"stsd") else { return Ok(Vec::new()) };
        let body = source.body(&span)?;
        let entries = body.get(8..).unwrap_or_default();
        Ok(boxes_in(entries)
            .take(16)
            .map(|(codec, entry)| SampleEntry::read(codec, entry))
            .collect())
    }
}

impl SampleEntry {
    fn read(codec: [u8; 4], entry: &[u8]) -> Self {
        let mut read = Self { codec, ..Self::default() };
        // 78 bytes of size, resolution and a name that decoders do not need.
        for (kind, body) in boxes_in(entry.get(78..).unwrap_or_default()) {
            match &kind {
                b"avcC" => read.config = Some(body.to_vec()),
                b"colr" if body.starts_with(b"nclx") || body.starts_with(b"nclc") => {
                    let code = |at| be16(body, at).and_then(|code| u8::try_from(code).ok());
                    let is_full_range = body.starts_with(b"nclx")
                        && body.get(10).is_some_and(|flags| flags & 0x80 != 0);
                    read.color = code(6).zip(code(8)).map(|(transfer, matrix)| Color {
                        transfer,
                        matrix,
                        is_full_range,
                    });
                }
                b"pasp" => read.aperture.read_pasp(body),
                b"clap" => read.aperture.read_clap(body),
                _ => {}
            }
        }
        read
    }
}

/// Finds `moov` by the headers of what stands beside it.
fn find_moov(source: &mut Source<'_>) -> Result<BoxSpan, ThumbError> {
    let (mut at, length) = (0, source.length());
    while let Some(span) = source.box_at(at, length)? {
        if span.end > length {
            return Err(ThumbError::Truncated { format: source.format() });
        }
        if span.kind == *b"moov" {
            return Ok(span);
        }
        at = span.end;
    }
    // The index is written last by phones, so a transfer that broke off lacks it.
    Err(ThumbError::Truncated { format: source.format() })
}

/// Lists the boxes below `parent` that hold no others. Their content is not read.
fn gather(
    source: &mut Source<'_>,
    parent: &BoxSpan,
    leaves: &mut Vec<BoxSpan>,
) -> Result<(), ThumbError> {
    // Four levels of containers, and each may stand in itself only as often as steps are left.
    let mut open = vec![*parent];
    while let Some(parent) = open.pop() {
        let mut at = parent.start;
        while let Some(span) = source.box_at(at, parent.end)? {
            if span.end > parent.end {
                return Err(source.damaged("a box reaches beyond its container"));
            }
            if CONTAINERS.contains(&&span.kind) {
                open.push(span);
            } else {
                leaves.push(span);
            }
            at = span.end;
        }
    }
    Ok(())
}

/// The turn in a track's matrix; `None` where it is none of the eight.
///
/// The four numbers say where the picture's right and down point to.
fn turned_by(matrix: &[u8]) -> Option<Orientation> {
    let sign = |at| be32(matrix, at).map(|number| number.cast_signed().signum());
    // a, b, (u,) c, d: x' = ax + cy, y' = bx + dy, in a plane whose y runs down.
    Some(match (sign(0)?, sign(4)?, sign(12)?, sign(16)?) {
        (1, 0, 0, 1) => Orientation::Upright,
        (-1, 0, 0, 1) => Orientation::MirrorHorizontal,
        (-1, 0, 0, -1) => Orientation::Rotate180,
        (1, 0, 0, -1) => Orientation::MirrorVertical,
        (0, 1, 1, 0) => Orientation::Transpose,
        (0, 1, -1, 0) => Orientation::Rotate90,
        (0, -1, -1, 0) => Orientation::Transverse,
        (0, -1, 1, 0) => Orientation::Rotate270,
        _ => return None,
    })
}
