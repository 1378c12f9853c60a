//! Every file at every scale against the reference.

use super::super::{Colour, Feature, JpegError, Scale, read_header};
use super::{decoded, file, files, reference};

#[test]
fn jd2_every_coding_and_sampling_is_within_1_of_the_definition_at_every_scale() {
    for (name, bytes) in files() {
        for scale in Scale::ALL {
            let found = decoded(&bytes, scale).unwrap();
            let wanted = reference::decode(&bytes, scale.eighths());
            assert_eq!(found.partial, None, "{name} at {scale:?}");
            assert_eq!(found.planes.len(), wanted.len(), "{name} at {scale:?}");
            for (index, (plane, wanted)) in found.planes.iter().zip(&wanted).enumerate() {
                let size = (wanted.width, wanted.height);
                assert_eq!((plane.width, plane.height), size, "{name} at {scale:?}, plane {index}");
                // Rounded, the definition leaves no choice where the arithmetic is exact.
                let exact = scale.eighths() <= 2;
                for y in 0..plane.height {
                    for x in 0..plane.width {
                        let sample = f64::from(plane.data[y * plane.stride + x]);
                        let wanted = wanted.samples[y * wanted.width + x];
                        let off = (sample - (wanted + 0.5 + 1e-9).floor()).abs();
                        assert!(
                            off < 0.5 || off <= 1.0 && !exact,
                            "{name} at {scale:?}, plane {index}, {x} {y}: {sample} for {wanted}"
                        );
                    }
                }
            }
        }
    }
}
