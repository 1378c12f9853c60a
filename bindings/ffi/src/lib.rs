//! What an app gets of finalmile: small pictures, content ids and the verified IPFS cache.
//!
//! This crate translates and decides nothing: it converts what comes in, calls the library on a thread
//! of its own, and converts what goes out. TypeScript, Kotlin, Swift and Python are generated from it;
//! `bindings/README.md` says how.
//!
//! # Promises
//!
//! - **B1** No picture is decoded and no file is read on the thread that calls: every such function is
//!   `async` and works on the `pool`'s threads.
//! - **B2** A call that is given up stops working soon, and leaves no file behind.
//! - **B3** Every failure, a panic included, is a [`Failure`] with a public code; it carries no path and
//!   no id.
//! - **B4** Bytes of files do not cross: paths do.
//! - **B5** Once the host has hung up, or another has begun in the same process, nothing of it is called and
//!   nothing is given back to it.
//! - **B6** Who waits for the network, or for the host, keeps nothing else waiting.

mod cache;
mod call;
mod cid;
mod door;
mod failure;
mod host;
mod network;
mod placeholder;
mod pool;
mod render;
mod throttle;
mod thumbnails;

pub use cache::{
    CacheSettings, CacheStats, CachedFile, ContentKind, ContentRequest, GatewaySettings, IpfsCache,
    open_cache,
};
pub use cid::{ImportProfile, canonical_cid, cid_of_bytes, cid_of_file, cid_to_v0};
pub use door::{hang_up, pick_up};
pub use failure::{Failure, HostFailure};
pub use host::{
    DecodeRequest, Network, NetworkAnswer, NetworkHeader, NetworkRequest, PictureDecoder,
    ProgressListener,
};
pub use placeholder::{Placeholder, PlaceholderRequest, generate_placeholder, paint_placeholder};
pub use throttle::{ThrottlePermit, ThrottleRequest, UploadThrottle};
pub use thumbnails::{
    MediaKind, Picture, SourceInfo, ThumbnailFit, ThumbnailRequest, ThumbnailSet,
    generate_thumbnail_set,
};

uniffi::setup_scaffolding!("finalmile");
