//! Files that end too early.

use super::super::{Planes, Scale};
use super::{decoded, file, files};

/// Asserts that the first `rows` rows of MCUs of `found` are those of `whole`.
fn begins_like(found: &Planes, whole: &Planes, rows: u32, of: u32, what: &str) {
    for (plane, whole) in found.planes.iter().zip(&whole.planes) {
        // A plane is as high as its MCUs.
        let each = plane.data.len() / plane.stride / of as usize;
        let length = rows as usize * each * plane.stride;
        assert_eq!(plane.data[..length], whole.data[..length], "{what}");
    }
}

#[test]
fn jd5_a_file_cut_at_every_percent_gives_what_lies_before_the_cut_and_says_so() {
    for (name, bytes) in files() {
        let whole = decoded(&bytes, Scale::Quarter).unwrap();
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            let Ok(found) = decoded(cut, Scale::Quarter) else { continue };
            let what = format!("{name} cut at {percent} %");
            let Some(partial) = found.partial else {
                // Nothing that this scale needs was cut off.
                assert_eq!(found, whole, "{what}");
                continue;
            };
            assert!(partial.rows <= partial.of, "{what}");
            let detail_comes_later = ["prog", "prst", "bands", "plain"];
            if !detail_comes_later.iter().any(|coding| name.contains(coding)) {
                begins_like(&found, &whole, partial.rows, partial.of, &what);
            }
        }
    }
}

#[test]
fn jd5_rows_grow_with_the_file() {
    for name in ["2x2-base.jpg", "2x2-rst5.jpg", "2x2-prog.jpg", "grey.jpg"] {
        let bytes = file(name);
        let mut last = 0;
        for end in 0..bytes.len() {
            let Ok(found) = decoded(&bytes[..end], Scale::Eighth) else { continue };
            let rows = found.partial.map_or(u32::MAX, |partial| partial.rows);
            assert!(rows >= last, "{name} cut at {end}: {rows} rows after {last}");
            last = rows;
        }
        assert_eq!(last, u32::MAX, "{name} lacks its end marker alone");
    }
}

#[test]
fn jd5_a_progressive_file_that_lacks_detail_shows_every_row_and_says_so() {
    let bytes = file("2x2-prog.jpg");
    let found = decoded(&bytes[..bytes.len() * 3 / 4], Scale::Full).unwrap();
    let partial = found.partial.unwrap();
    assert_eq!((partial.rows, partial.of), (4, 4));
    // The constant coefficients are there, short of their last bit.
    let small = decoded(&bytes[..bytes.len() * 3 / 4], Scale::Eighth).unwrap();
    let whole = decoded(&bytes, Scale::Eighth).unwrap();
    for (plane, whole) in small.planes.iter().zip(&whole.planes) {
        let far = plane.data.iter().zip(&whole.data).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far < Some(6), "{far:?}");
    }
}
