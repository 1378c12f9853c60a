//! A file as an archive of its blocks, in one request, and single blocks.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::car::CarVerifier;
use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::path::ContentPath;
use super::ask::{Ask, Fault, Form};
use super::session::Session;
use super::{Fetched, Source};

/// Fetches the archive of what `wanted` names, and takes the file out of it.
pub(super) fn fetch(
    session: &Session<'_>,
    wanted: &ContentPath,
    folder: &Path,
) -> Result<Fetched, Fault> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Where a path leads is known when its end is reached, so the file has a name of its own until then.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let destination = folder.join(format!(".{}-{number}.archive.part", process::id()));
    let ask = Ask::new(Form::Car, wanted);
    loop {
        let mut transfer = session.open(&session.ready(|record| record.car), &ask)?;
        let limits = session.options().limits;
        let mut car = CarVerifier::within(wanted, &destination, limits, session.shared_room())?;
        let refused = loop {
            if car.is_complete() {
                break None;
            }
            match transfer.next(|| session.stop()) {
                Ok(Some(piece)) => {
                    if let Err(error) = car.push(&piece) {
                        break Some(sent_by(&car, error)?);
                    }
                    let (bytes, size) = car.progress();
                    if let Some(size) = size {
                        session.proved_size(size);
                    }
                    session.tell(bytes);
                }
                Ok(None) => break None,
                Err(Fault::Final(error)) => return Err(Fault::Final(error)),
                Err(fault) => break Some(fault),
            }
        };
        let site = transfer.site;
        let closed = match refused {
            Some(fault) => Err(fault),
            None if car.is_complete() => Ok(car.close()?),
            // A missing leaf arrives as an archive that is short, with a good status.
            None => Err(match car.finish() {
                Err(error) => {
                    session.note(error);
                    Fault::Refused("a short archive".to_owned())
                }
                Ok(_) => Fault::Refused("no file".to_owned()),
            }),
        };
        let found = match closed {
            Ok(found) => found,
            Err(fault) => {
                session.blame(site, &Form::Car, fault);
                continue;
            }
        };
        session.praise(site);
        session.tell(found.bytes);
        let path = folder.join(format!("{}.part", found.cid));
        std::fs::rename(&destination, &path).map_err(IpfsError::writing(&path))?;
        let (cid, bytes, gateway) = (found.cid, found.bytes, session.url(site));
        return Ok(Fetched { cid, path, bytes, source: Source::Car, gateway, entry: None });
    }
}

/// What a refused archive says of its sender: nothing, where the content itself is bad.
fn sent_by(car: &CarVerifier, error: IpfsError) -> Result<Fault, IpfsError> {
    match error {
        error if car.is_senders_fault() => Ok(Fault::Lie(error)),
        // Strangers and doubles without end.
        IpfsError::TooLarge { what: "bytes out of turn" | "blocks out of turn", .. } => {
            Ok(Fault::Lie(error))
        }
        error => Err(error),
    }
}

/// Fetches one block.
pub(super) fn block(session: &Session<'_>, cid: &Cid) -> Result<(Vec<u8>, usize), Fault> {
    if let Multihash::Identity(block) = cid.hash() {
        return Ok((block.to_vec(), usize::MAX));
    }
    let ask = Ask::block(cid);
    loop {
        let mut transfer = session.open(&session.ready(|record| record.raw), &ask)?;
        let (site, head) = (transfer.site, transfer.head);
        let mut block = Vec::new();
        let fault = loop {
            match transfer.next(|| session.stop()) {
                Ok(None) if cid.names_block(&block) => {
                    session.praise(site);
                    return Ok((block, site));
                }
                Ok(None) => break None,
                Ok(Some(piece)) => block.extend_from_slice(&piece),
                Err(Fault::Final(error)) => return Err(Fault::Final(error)),
                Err(fault) => break Some(fault),
            }
            if block.len() > session.options().limits.block_bytes {
                break None;
            }
        };
        let fault = fault.unwrap_or_else(|| {
            let reason = "its bytes are something else";
            let error = IpfsError::InvalidBlock { cid: Some(cid.clone()), reason };
            // One that did not say it was a block may have given the file, as it does for everybody.
            if head.is_marked || cid.codec() == Codec::Raw {
                Fault::Lie(error)
            } else {
                Fault::Form
            }
        });
        session.blame(site, &Form::Raw, fault);
    }
}
