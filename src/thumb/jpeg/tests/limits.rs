//! What a decoding may take.

use super::super::script::Script;
use super::super::window::Window;
use super::super::{Control, JpegError, Scale, decode, read_header};
use super::{control, file, replaced};

/// Decodes `bytes` under limits of pixels, bytes and scans.
fn limited(bytes: &[u8], limits: (u64, u64, u32)) -> Result<(), JpegError> {
    let mut watch = |_, _| true;
    let mut control = Control { exact: false, ..control(limits, &mut watch) };
    decode(bytes, Scale::Quarter, &mut control).map(drop)
}

#[test]
fn jd3_limits_are_compared_with_the_claims() {
    let passed = |what, found, limit| Err(JpegError::TooLarge { what, found, limit });
    let (base, prog) = (file("2x2-base.jpg"), file("2x2-prog.jpg"));
    let pixels = 83 * 61;
    // 6 x 4 MCUs of 6 blocks, 4 samples each; 10 bytes of coefficients and 8 of their places.
    let (samples, coefficients) = (576, 144 * 18);
    assert_eq!(limited(&base, (pixels, samples, 1)), Ok(()));
    assert_eq!(limited(&base, (pixels - 1, samples, 1)), passed("pixels", pixels, pixels - 1));
    let short = samples - 1;
    assert_eq!(limited(&base, (pixels, short, 1)), passed("bytes of memory", samples, short));

    let needed = samples + coefficients;
    assert_eq!(limited(&prog, (pixels, needed, 10)), Ok(()));
    assert_eq!(limited(&prog, (pixels, needed, 9)), passed("scans", 10, 9));
    assert!(limited(&prog, (pixels, samples + 144 * 10 - 1, 10)).is_err());

    // What is claimed is not there, and no memory is taken for it.
    let vast = replaced(&base, b"\0\x3D\0\x53\x03", b"\xFF\xFF\xFF\xFF\x03");
    let claimed = 65_535 * 65_535;
    assert_eq!(limited(&vast, (1 << 28, 1 << 20, 1)), passed("pixels", claimed, 1 << 28));
    let needed = (65_536 / 16) * (65_536 / 16) * 24;
    assert_eq!(limited(&vast, (claimed, 1 << 20, 1)), passed("bytes of memory", needed, 1 << 20));
}

#[test]
fn jd4_the_window_does_not_grow_with_the_file() {
    let mut vast = file("fine.jpg");
    let header = read_header(&vast).unwrap();
    let scan = Script::new(&vast).next_scan(&header).unwrap();
    let data = vast[scan.data..scan.data + 3_000].to_vec();
    for _ in 0..1_000 {
        drop(vast.splice(scan.data..scan.data, data.iter().copied()));
    }
    let mut window = Window::new(&vast, scan.data, 3);
    let mut seen = 0;
    while window.filled() > 0 {
        assert!(window.data().len() < 34 << 10);
        let some = window.filled().min(10_000);
        seen += some;
        window.advance(some);
    }
    assert!(seen > 2_900_000, "{seen}");
}

#[test]
fn jd8_the_watch_sees_every_row_and_can_end_the_work() {
    for (name, scans) in [("2x2-base.jpg", 1), ("2x2-apart.jpg", 3), ("2x2-prog.jpg", 11)] {
        let bytes = file(name);
        let mut told = Vec::new();
        let mut watch = |done, all| {
            told.push((done, all));
            true
        };
        let limits = (1 << 20, 1 << 20, 50);
        let mut control = control(limits, &mut watch);
        assert!(decode(&bytes, Scale::Full, &mut control).is_ok());
        let all = 4 * scans;
        assert_eq!(told, (1..=all).map(|done| (done, all)).collect::<Vec<_>>(), "{name}");

        let mut left = 3;
        let mut watch = |_, _| {
            left -= 1;
            left > 0
        };
        let mut control = self::control(limits, &mut watch);
        assert_eq!(decode(&bytes, Scale::Full, &mut control), Err(JpegError::Cancelled));
        assert_eq!(left, 0, "it is not asked again");
    }
}
