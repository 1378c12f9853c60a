//! Fuzz targets: what may reach finalmile from strangers, and what must hold whatever that is.
//!
//! A target is a module with `run`, which takes any bytes and panics when a promise is broken.
//! libFuzzer calls it from `targets/`, looking for bytes that take new ways through the code; the
//! tests here call it with the seeds and with changes of them, on any machine and within seconds.
//!
//! The public API is used: these are a stranger's bytes, so a stranger's view is enough. `jpeg` alone
//! looks behind it, at a decoder that is reached through `thumb` with its promises out of sight.

pub mod car;
pub mod cid;
pub mod dagpb;
pub mod jpeg;
pub mod json;
pub mod mutate;
pub mod poster;
pub mod thumbnail;
pub mod webhook_header;
pub mod webhook_payload;

/// A target's name, which is also that of its folder of seeds, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("webhook_header", webhook_header::run),
    ("webhook_payload", webhook_payload::run),
    ("cid", cid::run),
    ("dagpb", dagpb::run),
    ("car", car::run),
    ("thumbnail", thumbnail::run),
    ("jpeg", jpeg::run),
    ("poster", poster::run),
];
