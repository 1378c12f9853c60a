//! The program `ffmpeg`, for videos that this crate does not decode itself. Feature `ffmpeg`.
//!
//! It is started without a shell, with the file's path as an argument of its own, told to read that
//! one file and nothing else, and to write one raw frame into a pipe. What comes out of the pipe is
//! as little trusted as a file: its size is compared with the limits before memory is taken. A
//! program that takes too long is ended.
//!
//! Source: ffmpeg(1), ffmpeg-protocols(1); yuv4mpeg(5).

#[cfg(not(feature = "ffmpeg"))]
use std::path::Path;

#[cfg(not(feature = "ffmpeg"))]
use super::{Control, Format, Limits, Raster, ThumbError};

/// Without the feature there is no such program.
#[cfg(not(feature = "ffmpeg"))]
pub(super) fn frame(
    _: &Path,
    _: Format,
    _: u64,
    _: &Limits,
    _: u32,
    _: &Control<'_>,
) -> Result<Option<Raster>, ThumbError> {
    Ok(None)
}

#[cfg(feature = "ffmpeg")]
pub(super) use with_program::frame;

#[cfg(feature = "ffmpeg")]
mod with_program {
    use std::ffi::OsString;
    use std::io::{self, BufRead, BufReader, Read};
    use std::path::Path;
    use std::process::{ChildStdout, Command, Stdio};
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;
    use std::time::Duration;

    use super::super::super::signal::{Matrix, Signal};
    use super::super::frame::{self, Samples, Siting};
    use super::super::{Control, Format, Limits, Raster, ThumbError};
    use crate::time::Deadline;

    /// How long the host waits at most to be heard.
    const STEP: Duration = Duration::from_millis(20);

    /// The frame that is shown at a moment, upright. `None`: there is no such program.
    pub(in super::super) fn frame(
        path: &Path,
        format: Format,
        at_ms: u64,
        limits: &Limits,
        timeout_ms: u32,
        control: &Control<'_>,
    ) -> Result<Option<Raster>, ThumbError> {
        let mut child = match command(path, format, at_ms, limits).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ThumbError::internal(error)),
        };
        let deadline = Deadline::after(Duration::from_millis(timeout_ms.into()));
        let answer = child.stdout.take().map(|pipe| receive(pipe, format, *limits));
        let raster = answer.and_then(|answer| {
            loop {
                match answer.recv_timeout(STEP.min(deadline.left())) {
                    Ok(raster) => break Some(raster),
                    Err(RecvTimeoutError::Timeout)
                        if !deadline.left().is_zero() && control.check().is_ok() => {}
                    Err(_) => break None,
                }
            }
        });
        // It has written all that is wanted, or it is late: either way there is no use for it.
        child.kill().and_then(|()| child.wait()).map_err(ThumbError::internal)?;
        control.check()?;
        raster.map_or_else(
            || Err(ThumbError::Damaged { format, source: "ffmpeg took too long".into() }),
            |raster| raster.map(Some),
        )
    }

    fn command(path: &Path, format: Format, at_ms: u64, limits: &Limits) -> Command {
        // The prefix keeps a name from being taken for an option or another protocol.
        let mut input = OsString::from("file:");
        input.push(path);
        // Named, so that a playlist in disguise is not followed.
        let demuxer = if format == Format::Matroska { "matroska" } else { "mov" };
        let at = format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000);
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-hide_banner", "-v", "quiet", "-threads", "1"]);
        command.args(["-protocol_whitelist", "file,pipe", "-f", demuxer]);
        command.arg("-max_alloc").arg(limits.max_alloc_bytes.to_string());
        command.arg("-max_pixels").arg(limits.max_pixels.min(u64::from(u32::MAX >> 1)).to_string());
        command.args(["-noaccurate_seek", "-ss", &at, "-i"]).arg(input);
        // Turned upright by itself; pixels made square, and colours as [`receive`] expects them.
        command.args(["-map", "0:v:0", "-frames:v", "1", "-an", "-sn", "-dn", "-vf"]);
        command.arg(
            "scale=w='max(1,iw*min(1,sar))':h='max(1,ih/max(1,sar))'\
             :out_color_matrix=bt709:out_range=tv,format=yuv420p",
        );
        command.args(["-f", "yuv4mpegpipe", "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// Reads the frame on a thread of its own, because a pipe cannot be waited for with a limit.
    fn receive(
        pipe: ChildStdout,
        format: Format,
        limits: Limits,
    ) -> mpsc::Receiver<Result<Raster, ThumbError>> {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let raster = read_frame(BufReader::new(pipe), &limits).and_then(|raster| {
                let source = "ffmpeg gave no picture".into();
                raster.ok_or(ThumbError::Damaged { format, source })
            });
            // Nobody waits any longer when it comes too late.
            drop(sender.send(raster));
        });
        receiver
    }

    /// Reads a picture in the format yuv4mpeg. `None`: there is none, or it is cut.
    fn read_frame(mut pipe: impl BufRead, limits: &Limits) -> Result<Option<Raster>, ThumbError> {
        let mut line = || {
            let mut line = Vec::new();
            pipe.by_ref().take(256).read_until(b'\n', &mut line).ok()?;
            String::from_utf8(line).ok()
        };
        let (Some(header), Some(start)) = (line(), line()) else { return Ok(None) };
        if !header.starts_with("YUV4MPEG2 ") || !start.starts_with("FRAME") {
            return Ok(None);
        }
        let number = |tag: char| {
            let mut words = header.split_ascii_whitespace().skip(1);
            let number = words.find_map(|word| word.strip_prefix(tag))?;
            number.parse::<u32>().ok().filter(|&number| (1..1 << 16).contains(&number))
        };
        let (Some(width), Some(height)) = (number('W'), number('H')) else { return Ok(None) };
        limits.check_pixels(width, height)?;
        limits.check_alloc_bytes(u64::from(width) * u64::from(height) * 2)?;
        let mut plane = |width: u32, height: u32| {
            let mut data = vec![0; width as usize * height as usize];
            pipe.read_exact(&mut data).ok()?;
            Some(Samples { data, width, height })
        };
        let half = (width.div_ceil(2), height.div_ceil(2));
        let luma = plane(width, height);
        let (blue, red) = (plane(half.0, half.1), plane(half.0, half.1));
        let (Some(luma), Some(blue), Some(red)) = (luma, blue, red) else { return Ok(None) };
        let siting = if header.contains(" C420mpeg2") { Siting::Left } else { Siting::Middle };
        let signal = Signal { matrix: Matrix::Bt709, is_full_range: false };
        Ok(Some(frame::raster(luma, [blue, red], siting, signal)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn frame(bytes: &[u8]) -> Option<(u32, u32)> {
            let raster = read_frame(bytes, &Limits::default()).unwrap();
            raster.map(|raster| (raster.width, raster.height))
        }

        #[test]
        fn a_frame_is_read_as_large_as_it_says_and_a_cut_one_not_at_all() {
            let whole = [&b"YUV4MPEG2 W3 H2 F30:1 Ip C420jpeg\nFRAME\n"[..], &[128; 10]].concat();
            assert_eq!(frame(&whole), Some((3, 2)));
            for length in 0..whole.len() {
                assert_eq!(frame(&whole[..length]), None, "{length}");
            }
            assert_eq!(frame(&[b'W'; 1_000]), None);
        }

        #[test]
        fn vp5_a_frame_that_claims_too_much_takes_no_memory() {
            let claim = b"YUV4MPEG2 W60000 H60000\nFRAME\n";
            let error = read_frame(&claim[..], &Limits::default()).err().unwrap();
            assert_eq!(error.code(), "IMAGE_TOO_LARGE");
        }
    }
}
