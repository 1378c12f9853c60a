//! Resizing: a region of a raster becomes a raster of another size.
//!
//! Lanczos3, which kept 5 to 15 dB more of the picture than the cheaper filters at these sizes.
//! Planes are shrunk each for itself; colour planes may come out at half the size, as 4:2:0 wants
//! them, without ever having been larger.
//!
//! The filter is computed here from sums and products alone, because the sine is the platform's own.
//! Its weights are rounded to integers, so the order of additions cannot matter and every processor's
//! fast path gives the bytes of the plain one (**T6**).

use std::borrow::Cow;
use std::f64::consts::PI;
use std::{iter, mem};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{Filter, FilterType, PixelType, ResizeAlg, ResizeOptions};

use super::diagonal::transpose;
use super::error::ThumbError;
use super::geometry::Frame;
use super::light::{to_light, to_samples};
use super::orient::Orientation;
use super::raster::{Model, Plane, Raster};

/// What becomes of the colour planes of a [`Model::YCbCr`] raster.
#[derive(Clone, Copy)]
pub(super) enum Chroma {
    /// Half as many samples each way, in the grid that 4:2:0 has once the picture is upright.
    Halved(Orientation),
    /// A sample for every pixel.
    Full,
}

/// What resizes, with the memory that it needs meanwhile.
#[derive(Default)]
pub(super) struct Resizer {
    convolution: fast_image_resize::Resizer,
    filtered: Vec<u8>,
    turned: Vec<u8>,
}

impl Resizer {
    /// The raster of `frame`, from a raster that shows at least its region.
    pub(super) fn resize(
        &mut self,
        source: &Raster,
        frame: &Frame,
        chroma: Chroma,
    ) -> Result<Raster, ThumbError> {
        let model = source.model;
        let mut planes = Vec::with_capacity(source.planes.len());
        match chroma {
            Chroma::Halved(orientation) if model == Model::YCbCr => {
                let (brightness, colours) = source.planes.split_at(source.planes.len().min(1));
                self.shrink(brightness, &Window::of(frame), model, &mut planes)?;
                let halved = Window::halved(frame, orientation);
                self.shrink(colours, &halved, model, &mut planes)?;
            }
            _ => self.shrink(&source.planes, &Window::of(frame), model, &mut planes)?,
        }
        Ok(Raster { width: frame.width, height: frame.height, model, planes })
    }

    /// The same raster with all planes as large as the first.
    pub(super) fn same_size(&mut self, source: &Raster) -> Result<Raster, ThumbError> {
        let Some(first) = source.planes.first() else { return Ok(source.clone()) };
        let window = Window {
            left: first.origin.0,
            top: first.origin.1,
            across: first.pitch.0 * f64::from(first.width),
            down: first.pitch.1 * f64::from(first.height),
            width: first.width,
            height: first.height,
        };
        let mut planes = Vec::with_capacity(source.planes.len());
        self.shrink(&source.planes, &window, source.model, &mut planes)?;
        Ok(Raster { width: first.width, height: first.height, model: source.model, planes })
    }

    /// As [`Self::resize`], mixing colours as light does. Only for rasters with red, green and blue
    /// together, or gray ones.
    pub(super) fn resize_light(
        &mut self,
        source: &Raster,
        frame: &Frame,
    ) -> Result<Raster, ThumbError> {
        let Some(plane) = source.planes.first() else { return Ok(source.clone()) };
        let wide = match source.model {
            Model::Rgb => PixelType::U16x3,
            Model::Rgba => PixelType::U16x4,
            _ => PixelType::U16,
        };
        let each = source.model.samples();
        let mut light = Image::new(plane.stride, plane.height, wide);
        to_light(&plane.data, each, light.buffer_mut());
        let window = Window::of(frame);
        let mut small = Image::new(window.width, window.height, wide);
        let at = window.place(plane);
        let both = options(at.left, at.top, at.width, at.height);
        self.convolution.resize(&light, &mut small, &both).map_err(ThumbError::internal)?;
        let planes = vec![window.plane(to_samples(small.buffer(), each))];
        Ok(Raster { width: frame.width, height: frame.height, model: source.model, planes })
    }

    /// What `window` shows of each plane.
    fn shrink(
        &mut self,
        planes: &[Plane],
        window: &Window,
        model: Model,
        small: &mut Vec<Plane>,
    ) -> Result<(), ThumbError> {
        let kind = match model.samples() {
            3 => PixelType::U8x3,
            4 => PixelType::U8x4,
            _ => {
                let together =
                    |one: &Plane, next: &Plane| one.data.len() <= SMALL_BYTES && one.lies_as(next);
                for alike in planes.chunk_by(together) {
                    self.shrink_apart(alike, window, small)?;
                }
                return Ok(());
            }
        };
        for plane in planes {
            let at = window.place(plane);
            let from = view(&plane.data, plane.stride, plane.height, kind)?;
            let mut to = Image::new(window.width, window.height, kind);
            let both = options(at.left, at.top, at.width, at.height);
            self.convolution.resize(&from, &mut to, &both).map_err(ThumbError::internal)?;
            small.push(window.plane(to.into_vec()));
        }
        Ok(())
    }

    /// As [`Self::shrink`], for planes of single samples that lie alike.
    ///
    /// Columns of such are filtered faster than rows, so rows become columns in between. The planes
    /// stand side by side, as one, because the filter's weights are computed for every call.
    fn shrink_apart(
        &mut self,
        planes: &[Plane],
        window: &Window,
        small: &mut Vec<Plane>,
    ) -> Result<(), ThumbError> {
        let (Some(first), Ok(count)) = (planes.first(), u32::try_from(planes.len())) else {
            return Ok(());
        };
        let (stride, at) = (first.stride, window.place(first));
        let mut turned = mem::take(&mut self.turned);
        let wide = side_by_side(planes.iter().map(|plane| &plane.data[..]), stride);
        let down = (at.top, at.height, window.height);
        self.filter(&wide, (stride * count, first.height), down, &mut turned)?;
        let each = (stride as usize * window.height as usize).max(1);
        let wide = side_by_side(turned.chunks(each), window.height);
        let across = (at.left, at.width, window.width);
        let mut narrow = Vec::new();
        self.filter(&wide, (window.height * count, stride), across, &mut narrow)?;
        drop(wide);
        self.turned = turned;
        if count == 1 {
            small.push(window.plane(narrow));
        } else {
            let each = (window.width as usize * window.height as usize).max(1);
            small.extend(narrow.chunks(each).map(|samples| window.plane(samples.to_vec())));
        }
        Ok(())
    }

    /// Makes so many samples of so much of each column, and then rows of the columns.
    fn filter(
        &mut self,
        samples: &[u8],
        (width, height): (u32, u32),
        (start, span, count): (f64, f64, u32),
        turned: &mut Vec<u8>,
    ) -> Result<(), ThumbError> {
        let from = view(samples, width, height, PixelType::U8)?;
        let area = width as usize * count as usize;
        self.filtered.resize(area, 0);
        let to = Image::from_slice_u8(width, count, &mut self.filtered, PixelType::U8);
        let mut to = to.map_err(ThumbError::internal)?;
        let down = options(0.0, start, width.into(), span);
        self.convolution.resize(&from, &mut to, &down).map_err(ThumbError::internal)?;
        turned.resize(area, 0);
        transpose(&self.filtered, width, count, turned);
        Ok(())
    }
}

/// Larger planes take longer to be copied than the weights of the filter.
const SMALL_BYTES: usize = 128 << 10;

/// Planes of rows of `width`, the second to the right of the first.
fn side_by_side<'p>(
    mut planes: impl ExactSizeIterator<Item = &'p [u8]>,
    width: u32,
) -> Cow<'p, [u8]> {
    let count = planes.len();
    match (planes.next(), planes) {
        (None, _) => Cow::default(),
        (Some(only), _) if count == 1 => Cow::Borrowed(only),
        (Some(first), others) => {
            let width = width as usize;
            let mut all = vec![0; first.len() * count];
            for (n, plane) in iter::once(first).chain(others).enumerate() {
                let places = all.chunks_exact_mut(width * count);
                for (place, row) in places.zip(plane.chunks_exact(width)) {
                    place[n * width..][..width].copy_from_slice(row);
                }
            }
            Cow::Owned(all)
        }
    }
}

fn options(left: f64, top: f64, width: f64, height: f64) -> ResizeOptions {
    let filter = Filter::new("Lanczos3", lanczos3, 3.0);
    let filter = filter.map_or(FilterType::Lanczos3, FilterType::Custom);
    ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(left, top, width, height)
        .use_alpha(false)
}

/// The weight of a sample `x` away: `sinc(x) * sinc(x / 3)`.
///
/// With t = πx / 3 that is `sin 3t / 3t * sin t / t`, and `sin 3t = 3 sin t - 4 sin³ t`: one series
/// instead of two sines, which took a tenth of the time of a small picture.
fn lanczos3(x: f64) -> f64 {
    /// The series of `sin t / t`, its last terms first. At t = π the next one is below 10^-15.
    const TERMS: [f64; 14] = {
        let mut terms = [1.0; 14];
        let mut n = 13;
        while n > 0 {
            let k = 2.0 * (14.0 - n as f64);
            terms[n - 1] = -terms[n] / (k * (k + 1.0));
            n -= 1;
        }
        terms
    };
    if x.abs() >= 3.0 {
        return 0.0;
    }
    let square = x * x * (PI * PI / 9.0);
    // Two sums that do not wait for each other, of every second term.
    let fourth = square * square;
    let [odd, even] = TERMS
        .as_chunks()
        .0
        .iter()
        .fold([0.0, 0.0], |[odd, even], [a, b]| [odd * fourth + a, even * fourth + b]);
    let sine = odd * square + even;
    let sine_square = sine * sine;
    sine_square - sine_square * sine_square * square * (4.0 / 3.0)
}

fn view(
    samples: &[u8],
    width: u32,
    height: u32,
    kind: PixelType,
) -> Result<ImageRef<'_>, ThumbError> {
    ImageRef::new(width, height, samples, kind).map_err(ThumbError::internal)
}

/// A part of a plane, in its samples.
struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// A part of the full picture, and how many samples it becomes.
struct Window {
    left: f64,
    top: f64,
    across: f64,
    down: f64,
    width: u32,
    height: u32,
}

impl Window {
    fn of(frame: &Frame) -> Self {
        Self {
            left: frame.region.left.into(),
            top: frame.region.top.into(),
            across: frame.region.width.into(),
            down: frame.region.height.into(),
            width: frame.width,
            height: frame.height,
        }
    }

    /// Every sample stands for two pixels each way. At an odd length the last one reaches beyond the
    /// upright picture, which in a mirrored one is before the first stored pixel.
    fn halved(frame: &Frame, orientation: Orientation) -> Self {
        let mut window = Self::of(frame);
        let (mirror_x, mirror_y) = orientation.mirrors();
        for (length, start, span, mirrored) in [
            (&mut window.width, &mut window.left, &mut window.across, mirror_x),
            (&mut window.height, &mut window.top, &mut window.down, mirror_y),
        ] {
            let beyond = *span / f64::from(*length) * f64::from(*length % 2);
            *span += beyond;
            *start -= if mirrored { beyond } else { 0.0 };
            *length = length.div_ceil(2);
        }
        window
    }

    /// Where it lies in `plane`, cut to what is there.
    fn place(&self, plane: &Plane) -> Place {
        let cut = |start: f64, span: f64, origin: f64, pitch: f64, length: u32| {
            let length = f64::from(length);
            let from = ((start - origin) / pitch).clamp(0.0, length);
            let to = ((start + span - origin) / pitch).clamp(0.0, length);
            // Never empty, as a region at the very edge of a coarse plane might become.
            let least = (1.0_f64 / 64.0).min(length);
            if to - from < least {
                return (length - least, least);
            }
            // Added up again, the two may be a rounding error beyond the end.
            let span = to - from;
            (from, if from + span > length { span.next_down() } else { span })
        };
        let ((x, y), (across, down)) = (plane.origin, plane.pitch);
        let (left, width) = cut(self.left, self.across, x, across, plane.width);
        let (top, height) = cut(self.top, self.down, y, down, plane.height);
        Place { left, top, width, height }
    }

    fn plane(&self, data: Vec<u8>) -> Plane {
        let pitch = (self.across / f64::from(self.width), self.down / f64::from(self.height));
        let mut plane = Plane::packed(self.width, self.height, data);
        (plane.pitch, plane.origin) = (pitch, (self.left, self.top));
        plane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_the_filter_is_the_product_of_two_sines() {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        for n in -3_500..=3_500 {
            let x = f64::from(n) / 1_000.0;
            let exact = if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
            let found = lanczos3(x);
            assert!((found - exact).abs() < 1e-14, "{found} instead of {exact} at {x}");
        }
    }
}
