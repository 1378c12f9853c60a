//! Files in which something was changed: found again at the next marker, or bounded in what it costs.

use std::ops::Range;
use std::time::Duration;

use super::super::{Planes, Scale};
use super::{Random, decoded, file, files};

/// The offsets of the restart markers.
fn restarts(bytes: &[u8]) -> Vec<usize> {
    let is_restart = |at: &usize| bytes[*at] == 0xFF && matches!(bytes[at + 1], 0xD0..=0xD7);
    (0..bytes.len() - 1).filter(is_restart).collect()
}

/// Asserts that the MCUs outside of `lost` are those of `whole`, in a file of 4:2:0 at 4/8.
fn keeps_all_but(lost: Range<usize>, found: &Planes, whole: &Planes, what: &str) {
    for (plane, whole) in found.planes.iter().zip(&whole.planes) {
        // 83 pixels are 6 MCUs, of 16 pixels or 8 of each colour.
        let side = plane.stride / 6;
        for (at, (sample, wanted)) in plane.data.iter().zip(&whole.data).enumerate() {
            let (y, x) = (at / plane.stride, at % plane.stride);
            let mcu = y / side * 6 + x / side;
            assert!(lost.contains(&mcu) || sample == wanted, "{what}: MCU {mcu}");
        }
    }
}

#[test]
fn jd6_a_lost_interval_costs_itself_and_a_lost_marker_its_neighbours() {
    let bytes = file("2x2-rst5.jpg");
    let whole = decoded(&bytes, Scale::Half).unwrap();
    let at = restarts(&bytes);
    assert_eq!(at.len(), 4, "24 MCUs are 5 intervals of 5");
    for number in 0..3 {
        let (marker, next) = (at[number], at[number + 1]);
        let interval = (number + 1) * 5..(number + 2) * 5;

        let mut gone = bytes.clone();
        drop(gone.drain(marker..next));
        let found = decoded(&gone, Scale::Half).unwrap();
        keeps_all_but(interval.clone(), &found, &whole, "an interval is gone");
        assert!(found.partial.is_some());

        for code in [0x00, 0x23, 0x7F, 0xC1] {
            let mut changed = bytes.clone();
            changed[marker + 1] = code;
            let found = decoded(&changed, Scale::Half).unwrap();
            let lost = number * 5..interval.end;
            keeps_all_but(lost, &found, &whole, &format!("marker {number} has code {code:X}"));
        }
        let mut late = bytes.clone();
        late[marker + 1] = 0xD0 | late[marker + 1].wrapping_sub(1) & 7;
        let found = decoded(&late, Scale::Half).unwrap();
        keeps_all_but(number * 5..interval.end + 5, &found, &whole, "a marker comes twice");
    }
}

#[test]
fn jd6_damage_inside_an_interval_ends_with_it() {
    let bytes = file("2x2-rst5.jpg");
    let whole = decoded(&bytes, Scale::Half).unwrap();
    let at = restarts(&bytes);
    for inside in at[1] + 2..at[2] {
        for change in [0x01, 0x80, 0x55] {
            let mut changed = bytes.clone();
            changed[inside] ^= change;
            if changed[inside] == 0xFF || bytes[inside - 1] == 0xFF {
                // It makes a marker, which may say anything.
                continue;
            }
            let found = decoded(&changed, Scale::Half).unwrap();
            keeps_all_but(10..15, &found, &whole, "a byte is changed");
        }
    }
}

#[test]
fn jd1_thousands_of_changed_files_end_in_planes_or_errors_in_bounded_time() {
    let files = files();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let started = cpu_time();
    let mut shown = 0;
    for round in 0..6_000 {
        let mut bytes = files[random.below(files.len())].1.clone();
        random.damage(&mut bytes);
        #[cfg(feature = "testing")]
        super::super::probe(&bytes);
        let before = cpu_time();
        shown += u32::from(decoded(&bytes, Scale::ALL[round % 5]).is_ok());
        let took = cpu_time() - before;
        // Thousands of times what a sound file takes: a million pixels may be claimed.
        assert!(took < Duration::from_secs(2), "{took:?} for {}", bytes.escape_ascii());
    }
    assert!(shown > 2_000, "{shown} were shown");
    println!("{shown} of 6000 shown in {:?}", cpu_time() - started);
}

/// What this thread has computed, where the system tells it simply.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn cpu_time() -> Duration {
    Duration::ZERO
}
