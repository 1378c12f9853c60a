//! Signatures: what vouching for an event costs beside the hash that it cannot do without.

use std::hint::black_box;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::time::ClockId;
use sha2::Sha256;

use crate::{
    args::Args,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    stripe::{self, NOW, SECRET, Signed, checkout},
};

/// The row of an event's verification: its signature, its digest, its JSON.
pub fn alone(args: &Args, report: &mut Report) {
    let (signed, endpoint) = (checkout(1), stripe::endpoint());
    let bytes = signed.body.len();
    let figure = format!("verify an event of {bytes} bytes, per KiB, of processor time");
    if !args.wants(&figure) {
        return;
    }
    let calls = if args.quick { 1_000 } else { 10_000 };
    let mut ours = || drop(black_box(black_box(&signed).verified(&endpoint)));
    let mut bare = || {
        black_box(mac(black_box(&signed)));
    };
    let mut runs = [Runs::default(), Runs::default()];
    let sides: [&mut dyn FnMut(); 2] = [&mut ours, &mut bare];
    let mut sides = sides.into_iter().zip(&mut runs).collect::<Vec<_>>();
    for _ in 0..args.pace().rounds {
        for (side, runs) in &mut sides {
            let before = reading(ClockId::ThreadCPUTime);
            (0..calls).for_each(|_| side());
            let took = reading(ClockId::ThreadCPUTime) - before;
            let kibibytes = f64::from(calls) * bytes as f64 / 1_024.0;
            runs.push(took.as_nanos() as f64 / kibibytes);
        }
    }
    let (rival, bar) = ("HMAC-SHA256 of the same bytes".to_owned(), Bar::None);
    report.row(&Row { figure, rival, unit: Unit::Micros, runs, bar });
}

/// The signature alone.
fn mac(signed: &Signed) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of every length");
    mac.update(NOW.to_string().as_bytes());
    mac.update(b".");
    mac.update(signed.body.as_bytes());
    mac.finalize().into_bytes().into()
}
