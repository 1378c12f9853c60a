//! Profiles that give colours in a table: presses, scanners, and cameras measured one by one.
//!
//! A grid of two to four dimensions holds a colour of CIE Lab or XYZ at each of its points; curves
//! stand before and behind it. Between the points colours are mixed by distance. Everything is
//! basic arithmetic in a fixed order, so that every processor computes the same (**T6**).
//!
//! Source: ICC.1:2022, sections 10.10 and 10.11 (`lut16Type`, `lut8Type`), 10.12 (`lutAToBType`),
//! 6.3.4 and annex A (encodings of the connection space).

use moxcms::{DataColorSpace, LutStore, LutType, LutWarehouse, ToneReprCurve};

use super::curve::{ToSrgb, between, fixed, place, value};
use super::shaper::from_xyz;

/// The white of the connection space.
const D50: [f64; 3] = [0.964_2, 1.0, 0.824_9];
/// Steps of a curve behind the grid; between them it is nearly straight.
const STEPS: u16 = 4_096;

/// A table of colours.
pub(super) struct Table {
    /// For each dimension: how many points, and where on them each sample lies.
    inputs: Vec<(usize, Vec<(usize, f64)>)>,
    /// Three numbers a point, the last dimension first; 65,535 is 1.
    grid: Vec<u16>,
    behind: Behind,
    connection: Connection,
}

/// What comes behind the grid: curves, then a matrix and curves.
struct Behind {
    curves: Option<[Vec<f64>; 3]>,
    matrix: Option<([[f64; 3]; 3], [f64; 3])>,
    last: Option<[Vec<f64>; 3]>,
}

/// How the three numbers mean a colour.
#[derive(Clone, Copy)]
enum Connection {
    /// What 1 means in L, and what it means in a and b before 128 is taken off.
    Lab(f64, f64),
    Xyz,
}

impl Table {
    /// The table of a profile whose pictures have `inputs` samples a pixel; `None` if it makes no sense.
    pub(super) fn new(lut: &LutWarehouse, space: DataColorSpace, inputs: usize) -> Option<Self> {
        let connection = match (space, lut) {
            (DataColorSpace::Xyz, _) => Connection::Xyz,
            // The older encoding: FF00 is 100.
            (DataColorSpace::Lab, LutWarehouse::Lut(lut)) if lut.lut_type == LutType::Lut16 => {
                Connection::Lab(100.0 * 65_535.0 / 65_280.0, 65_535.0 / 256.0)
            }
            (DataColorSpace::Lab, _) => Connection::Lab(100.0, 255.0),
            _ => return None,
        };
        match lut {
            LutWarehouse::Lut(lut) => {
                let points = usize::from(lut.num_clut_grid_points);
                let (before, behind) = (numbers(&lut.input_table), numbers(&lut.output_table));
                let first = before.chunks_exact(usize::from(lut.num_input_table_entries).max(1));
                let first = first.map(|steps| ToneReprCurve::Lut(steps.to_vec()));
                let mut last = behind
                    .chunks_exact(usize::from(lut.num_output_table_entries).max(1))
                    .map(|steps| ToneReprCurve::Lut(steps.to_vec()));
                let last = [last.next()?, last.next()?, last.next()?];
                let behind = Behind { curves: Some(baked(&last)?), matrix: None, last: None };
                let first: Vec<_> = first.map(|curve| (points, curve)).collect();
                let channels = (lut.num_input_channels, lut.num_output_channels);
                Self::checked(
                    &first,
                    numbers(&lut.clut_table),
                    channels,
                    inputs,
                    behind,
                    connection,
                )
            }
            LutWarehouse::Multidimensional(lut) => {
                let behind = Behind {
                    curves: (!lut.m_curves.is_empty()).then(|| baked(&lut.m_curves)).flatten(),
                    matrix: (!lut.m_curves.is_empty()).then_some((lut.matrix.v, lut.bias.v)),
                    last: Some(baked(&lut.b_curves)?),
                };
                let points = lut.grid_points.iter().map(|&points| usize::from(points));
                let first: Vec<_> = points.zip(lut.a_curves.iter().cloned()).collect();
                let channels = (lut.num_input_channels, lut.num_output_channels);
                let grid = numbers(lut.clut.as_ref()?);
                Self::checked(&first, grid, channels, inputs, behind, connection)
            }
        }
    }

    fn checked(
        first: &[(usize, ToneReprCurve)],
        grid: Vec<u16>,
        channels: (u8, u8),
        inputs: usize,
        behind: Behind,
        connection: Connection,
    ) -> Option<Self> {
        let fits = usize::from(channels.0) == inputs && channels.1 == 3 && first.len() >= inputs;
        let first = first.get(..inputs)?;
        let numbers =
            first.iter().try_fold(3_usize, |all, (points, _)| all.checked_mul(*points))?;
        if !fits || numbers == 0 || inputs > 4 || grid.len() < numbers {
            return None;
        }
        let inputs = first.iter().map(|(points, curve)| {
            let samples = 0..=255_u8;
            let places = samples.map(|s| place(value(curve, f64::from(s) / 255.0), *points));
            (*points, places.collect())
        });
        Some(Self { inputs: inputs.collect(), grid, behind, connection })
    }

    /// The colour of a pixel.
    pub(super) fn colour(&self, pixel: &[u8], srgb: &ToSrgb) -> [u8; 3] {
        let mut colour = self.mixed(pixel);
        let curved = |colour: [f64; 3], curves: &Option<[Vec<f64>; 3]>| match curves {
            Some([a, b, c]) => {
                let [x, y, z] = colour;
                [between(a, x, |&n| n), between(b, y, |&n| n), between(c, z, |&n| n)]
            }
            None => colour,
        };
        colour = curved(colour, &self.behind.curves);
        if let Some((matrix, offset)) = &self.behind.matrix {
            let [x, y, z] = colour;
            let row = |at: usize| {
                let [a, b, c] = matrix[at];
                a * x + b * y + c * z + offset[at]
            };
            colour = [row(0), row(1), row(2)];
        }
        let [x, y, z] = curved(colour, &self.behind.last);
        let xyz = match self.connection {
            Connection::Xyz => [x, y, z].map(|n| n * 65_535.0 / 32_768.0),
            Connection::Lab(whole, wide) => {
                let (l, a, b) = (x * whole, y * wide - 128.0, z * wide - 128.0);
                let middle = (l + 16.0) / 116.0;
                let [x, y, z] = [middle + a / 500.0, middle, middle - b / 200.0].map(cubed);
                [x * D50[0], y * D50[1], z * D50[2]]
            }
        };
        from_xyz(xyz).map(|linear| srgb.sample(fixed(linear)))
    }

    /// The mean of the grid's points around a pixel, weighted by how near they are.
    fn mixed(&self, pixel: &[u8]) -> [f64; 3] {
        let mut sum = [0.0; 3];
        let dimensions = self.inputs.len().min(pixel.len());
        for corner in 0..1_usize << dimensions {
            let (mut weight, mut at) = (1.0, 0);
            for (dimension, ((points, places), &sample)) in
                self.inputs.iter().zip(pixel).enumerate()
            {
                let (below, share) = places.get(usize::from(sample)).copied().unwrap_or_default();
                let above = corner >> dimension & 1;
                weight *= if above == 1 { share } else { 1.0 - share };
                at = at * points + (below + above).min(points - 1);
            }
            if weight > 0.0
                && let Some([a, b, c]) = self.grid.get(at * 3..).and_then(|rest| rest.first_chunk())
            {
                let [x, y, z] = [a, b, c].map(|&n| f64::from(n) / 65_535.0);
                sum = [sum[0] + weight * x, sum[1] + weight * y, sum[2] + weight * z];
            }
        }
        sum
    }
}

/// The other direction of Lab's cube root.
///
/// Source: CIE 15:2004, section 8.2.1.
fn cubed(t: f64) -> f64 {
    let edge = 6.0 / 29.0;
    if t > edge { t * t * t } else { 3.0 * edge * edge * (t - 4.0 / 29.0) }
}

/// Three curves at equal steps, since a power for each pixel would take too long.
fn baked(curves: &[ToneReprCurve]) -> Option<[Vec<f64>; 3]> {
    let bake = |curve: &ToneReprCurve| {
        let steps = (0..=STEPS).map(|step| value(curve, f64::from(step) / f64::from(STEPS)));
        steps.collect::<Vec<f64>>()
    };
    let [a, b, c] = curves.first_chunk()?;
    Some([bake(a), bake(b), bake(c)])
}

fn numbers(store: &LutStore) -> Vec<u16> {
    match store {
        LutStore::Store8(bytes) => bytes.iter().map(|&byte| u16::from(byte) * 257).collect(),
        LutStore::Store16(numbers) => numbers.clone(),
    }
}
