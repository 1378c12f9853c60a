//! Two threads beside one: the same planes, whatever the file.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::super::ahead::KNOWN;
use super::super::{Control, JpegError, Scale, decode};
use super::{AMPLE, Random, control, decoded, decoded_from, files};

/// A picture with soft and with busy parts, of 128 x 104 MCUs at most.
fn photo(sampling: SamplingFactor, interval: u16, colour: ColorType) -> Vec<u8> {
    let (width, height) = (1_021_u16, 829_u16);
    let mut random = Random(7);
    let channels = if colour == ColorType::Luma { 1 } else { 3 };
    let mut pixels = Vec::new();
    for y in 0..usize::from(height) {
        for x in 0..usize::from(width) {
            for channel in 0..channels {
                let soft = (x * (channel + 1) / 9 + y / 5) % 256;
                let busy =
                    if (x / 64 + y / 64) % 3 == 0 { random.below(90) } else { random.below(4) };
                pixels.push(u8::try_from((soft + busy) % 256).unwrap());
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 88);
    encoder.set_sampling_factor(sampling);
    if interval > 0 {
        encoder.set_restart_interval(interval);
    }
    encoder.encode(&pixels, width, height, colour).unwrap();
    bytes
}

/// Decodes on one thread and on two, which do not differ. The answer is how many MCUs the second found.
fn in_both(bytes: &[u8], scale: Scale, what: &str) -> usize {
    KNOWN.set(0);
    let (one, two) = (decoded(bytes, scale), decoded_from(0, bytes, scale));
    match (one, two) {
        (Ok(one), Ok(two)) => {
            assert_eq!(one.partial, two.partial, "{what}");
            assert!(one == two, "{what}: other samples");
        }
        (one, two) => assert_eq!(one.is_err(), two.is_err(), "{what}"),
    }
    KNOWN.get()
}

#[test]
fn jd10_a_second_thread_finds_half_the_picture_and_changes_nothing() {
    let cases = [
        (SamplingFactor::F_2_2, 0, ColorType::Rgb, 64 * 52),
        (SamplingFactor::F_1_1, 0, ColorType::Rgb, 128 * 104),
        (SamplingFactor::F_2_1, 0, ColorType::Rgb, 64 * 104),
        (SamplingFactor::F_1_1, 0, ColorType::Luma, 128 * 104),
        (SamplingFactor::F_2_2, 64, ColorType::Rgb, 64 * 52),
        (SamplingFactor::F_2_2, 17, ColorType::Rgb, 64 * 52),
        (SamplingFactor::F_1_1, 1, ColorType::Luma, 128 * 104),
    ];
    for (sampling, interval, colour, mcus) in cases {
        let bytes = photo(sampling, interval, colour);
        for scale in Scale::ALL {
            let what = format!("{sampling:?}, {colour:?}, restarts {interval}, {scale:?}");
            let known = in_both(&bytes, scale, &what);
            assert!((mcus / 3..mcus * 3 / 4).contains(&known), "{what}: {known} of {mcus}");
        }
    }
}

#[test]
fn jd10_small_files_and_odd_ones_are_the_same_on_two_threads() {
    for (name, bytes) in files() {
        for scale in Scale::ALL {
            in_both(&bytes, scale, &name);
        }
    }
}

#[test]
fn jd10_what_is_cut_or_damaged_is_the_same_on_two_threads() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let photos = [0, 64, 5].map(|interval| photo(SamplingFactor::F_2_2, interval, ColorType::Rgb));
    let mut known = 0;
    for round in 0..60 {
        let mut bytes = photos[round % 3].clone();
        // Where it matters: anywhere, or in the few bytes where the scout begins.
        if random.below(2) == 0 {
            random.damage(&mut bytes);
        } else {
            let at = bytes.len() * 7 / 16 + random.below(900);
            bytes[at] ^= 1 << random.below(8);
        }
        known += in_both(&bytes, Scale::ALL[random.below(5)], &format!("round {round}"));
    }
    assert!(known > 20_000, "{known} MCUs were found");
    let files = files();
    for round in 0..600 {
        let mut bytes = files[random.below(files.len())].1.clone();
        random.damage(&mut bytes);
        in_both(&bytes, Scale::ALL[round % 5], &format!("small round {round}"));
    }
}

#[test]
fn jd8_a_second_thread_ends_with_the_first() {
    let bytes = photo(SamplingFactor::F_2_2, 0, ColorType::Rgb);
    for last in [1, 20, 30, 51] {
        let mut told = 0;
        let mut watch = |done, _| {
            told = done;
            done < last
        };
        let mut control = Control { in_two_from: 0, ..control(AMPLE, &mut watch) };
        let ended = decode(&bytes, Scale::Half, &mut control);
        assert!(matches!(ended, Err(JpegError::Cancelled)), "{last}");
        assert_eq!(told, last);
    }
}

#[test]
fn jd3_a_second_thread_takes_no_memory_that_was_not_allowed() {
    let bytes = photo(SamplingFactor::F_2_2, 0, ColorType::Rgb);
    let samples = 64 * 52 * 6 * 4;
    for (max_bytes, expected) in [(samples, false), (8 << 20, true)] {
        KNOWN.set(0);
        let mut watch = |_, _| true;
        let limits = (AMPLE.0, max_bytes, AMPLE.2);
        let mut control = Control { in_two_from: 0, ..control(limits, &mut watch) };
        decode(&bytes, Scale::Quarter, &mut control).unwrap();
        assert_eq!(KNOWN.get() > 0, expected);
    }
}
