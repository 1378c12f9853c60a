//! Small pictures against sharp, their decoder against libjpeg-turbo, and posters against the program `ffmpeg`.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench thumbs [-- [--quick] [--write] [ROW…]]
//! ```
//!
//! Needs node and npm, which installs sharp below the build's folder, and Debian's packages
//! lomiri-wallpapers-20.04 and lomiri-wallpapers-16.04; for the row of posters also ffmpeg. The bench
//! itself is built with cmake and nasm, because libjpeg-turbo is.

use std::path::Path;

use finalmile_compare::{
    args::{self, Args},
    decoders, fidelity, peak, poster,
    report::Report,
    sharp::Sharp,
    thumbs,
};

const INPUT: &str = "Five photographs from Debian's lomiri-wallpapers, each cut to the size of a \
                     phone's picture, with grain, JPEG quality 92, 4:2:0. From bytes in memory to \
                     two JPEG files' bytes, quality 80, 4:2:0; one thread on both sides, \
                     `sharp.concurrency(1)`, `sharp.cache(false)`, sharp 0.35, processor time of \
                     both processes in one interleaved run. The video is three seconds of \
                     1080p at 17 Mb/s made by ffmpeg with libx264";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    if peak::was_child() {
        return;
    }
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench thumbs");
    let place = Path::new(PLACE);
    let mut sharp = Sharp::start(place).unwrap_or_else(|why| args::end(&why));
    let mut report = Report::new("thumbs", INPUT, command);
    let rows =
        [thumbs::rows, decoders::rows, thumbs::slowest, thumbs::in_two, peak::rows, fidelity::rows];
    for row in rows {
        row(&args, &mut report, place, &mut sharp).unwrap_or_else(|why| args::end(&why));
    }
    poster::rows(&args, &mut report, place).unwrap_or_else(|why| args::end(&why.to_string()));
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
