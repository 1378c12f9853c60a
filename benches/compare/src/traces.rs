//! Traces of requests, made from a seed: what phones and servers ask a cache for.
//!
//! Three kinds, as they are met in a media app. Sizes belong to objects: a thumbnail has some 20 kB, a preview
//! some 150 kB, a video from one to twenty megabytes, and an object has its size for good.

use finalmile::ipfs::Kind;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Which object.
    pub object: u64,
    /// Its size.
    pub bytes: u64,
    /// What it is for.
    pub kind: Kind,
}

/// A generator of numbers with a seed.
///
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014 (SplitMix64).
#[derive(Clone, Copy, Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A rank from 0, drawn by Zipf's law with that exponent below 1, by the inverse of its integral.
    fn zipf(&mut self, count: u64, exponent: f64) -> u64 {
        let rest = 1.0 - exponent;
        let rank = (self.part() * (count as f64).powf(rest)).powf(rest.recip());
        whole(rank).min(count - 1)
    }
}

/// The whole part of a number that is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as it says")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// An object's thumbnail, preview and video have numbers of their own.
fn thumbnail(post: u64) -> Request {
    let bytes = 8_000 + Numbers(post).below(24_000);
    Request { object: post * 4, bytes, kind: Kind::Thumbnail }
}

fn preview(post: u64) -> Request {
    let bytes = 60_000 + Numbers(post ^ 0x5555).below(180_000);
    Request { object: post * 4 + 1, bytes, kind: Kind::Media }
}

fn video(post: u64) -> Request {
    let bytes = 1_000_000 + Numbers(post ^ 0xAAAA).below(9_000_000);
    Request { object: post * 4 + 2, bytes, kind: Kind::Media }
}

/// A feed that is scrolled down from the top in every visit. New posts come on top; most visits see the first
/// pages again. Some posts are opened: their preview, and every third time the video.
#[must_use]
pub fn feed(seed: u64) -> Vec<Request> {
    let (mut numbers, mut requests, mut newest) = (Numbers(seed), Vec::new(), 4_000_u64);
    for _ in 0..1_500 {
        newest += numbers.below(30);
        // Few scroll far.
        let depth = 20 + whole(numbers.part().powi(3) * 2_000.0);
        for post in (newest.saturating_sub(depth)..=newest).rev() {
            requests.push(thumbnail(post));
            if numbers.below(12) == 0 {
                requests.push(preview(post));
                if numbers.below(3) == 0 {
                    requests.push(video(post));
                }
            }
        }
    }
    requests
}

/// Popular objects of all sizes, drawn by Zipf's law, and every now and then somebody goes through a whole
/// album of videos that nobody asks for again.
#[must_use]
pub fn scans(seed: u64) -> Vec<Request> {
    let (mut numbers, mut requests, mut album) = (Numbers(seed), Vec::new(), 1_000_000_u64);
    for _ in 0..300_000 {
        if numbers.below(2_000) == 0 {
            for _ in 0..40 {
                album += 1;
                requests.extend([thumbnail(album), video(album)]);
            }
        }
        let post = numbers.zipf(60_000, 0.8);
        requests.push(match numbers.below(20) {
            0 => video(post),
            1..=5 => preview(post),
            _ => thumbnail(post),
        });
    }
    requests
}

/// A user who comes back to what he has looked at: half of all requests repeat one of his, rather a recent
/// one; the others are new posts.
#[must_use]
pub fn revisits(seed: u64) -> Vec<Request> {
    let (mut numbers, mut requests) = (Numbers(seed), Vec::<Request>::new());
    let mut next = 0;
    while requests.len() < 250_000 {
        if requests.is_empty() || numbers.below(2) == 0 {
            next += 1;
            requests.push(thumbnail(next));
            match numbers.below(16) {
                0 => requests.push(video(next)),
                1..=4 => requests.push(preview(next)),
                _ => {}
            }
        } else {
            // The square leans towards what was asked for last.
            let back = whole(numbers.part().powi(2) * requests.len() as f64);
            let back = usize::try_from(back).unwrap_or(usize::MAX).min(requests.len() - 1);
            requests.push(requests[requests.len() - 1 - back]);
        }
    }
    requests
}
