//! Which way a file is fetched, and what is tried when that fails.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::path::ContentPath;
use super::super::room::{NoLimit, Room};
use super::super::unixfs::{Node, Sink, Walk};
use super::ask::Fault;
use super::options::FetchControl;
use super::part::Part;
use super::session::{Patience, Session};
use super::{Fetched, Inner, Source, archive, filling, probe, ranges, whole};

pub(super) fn fetch(
    inner: &Inner,
    wanted: &ContentPath,
    folder: &Path,
    control: &FetchControl,
    room: Arc<Mutex<dyn Room>>,
) -> Result<Fetched, IpfsError> {
    let session = Session::new(inner, control, room, wanted.to_string());
    until_done(&session, || match locate(&session, wanted)? {
        Some(cid) => file(&session, &cid, folder),
        None => archive::fetch(&session, wanted, folder),
    })
}

pub(super) fn resolve(
    inner: &Inner,
    wanted: &ContentPath,
    control: &FetchControl,
) -> Result<Cid, IpfsError> {
    // What needs nobody is answered also where nobody has the content.
    if let Some(cid) = inner.place(wanted) {
        return Ok(cid);
    }
    let session = Session::new(inner, control, no_limit(), wanted.to_string());
    until_done(&session, || locate(&session, wanted)?.ok_or(Fault::Nobody))
}

pub(super) fn read(
    inner: &Inner,
    wanted: &ContentPath,
    range: Range<u64>,
    folder: &Path,
    control: &FetchControl,
) -> Result<Vec<u8>, IpfsError> {
    let session = Session::new(inner, control, no_limit(), wanted.to_string());
    let part = until_done(&session, || {
        let Some(cid) = locate(&session, wanted)? else { return Ok(None) };
        if !is_tree(&cid) {
            return Ok(None);
        }
        probe::probe(&session)?;
        let filling = match filling::prepare(&session, &cid, folder, None) {
            // Without its blocks no part of it can be checked: it is fetched as a whole.
            Err(Fault::Nobody) if !session.may_know(|record| record.raw) => return Ok(None),
            filling => filling?,
        };
        let end = range.end.min(filling.skeleton.size);
        let (first, last) = filling.skeleton.leaves_of(range.start, end);
        if let Err(fault) = ranges::fill(&filling, &session, &cid, first, last) {
            filling.give_up();
            return Err(fault);
        }
        Ok(Some(filling.read(range.start, end)?))
    })?;
    if let Some(bytes) = part {
        return Ok(bytes);
    }
    let fetched = fetch(inner, wanted, folder, control, no_limit())?;
    let end = range.end.min(fetched.bytes);
    let mut part = Part::open(folder, &fetched.cid)?;
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(range.start)).unwrap_or_default()];
    part.read_at(range.start, &mut bytes)?;
    Ok(bytes)
}

fn no_limit() -> Arc<Mutex<dyn Room>> {
    Arc::new(Mutex::new(NoLimit))
}

/// Tries until it is done, or until nobody is left who may give it in time.
fn until_done<T>(
    session: &Session<'_>,
    mut attempt: impl FnMut() -> Result<T, Fault>,
) -> Result<T, IpfsError> {
    let final_error = |fault| match fault {
        Fault::Final(error) => error,
        _ => session.verdict().0,
    };
    let wanted = session.wanted();
    if session.inner.is_absent(wanted) {
        return Err(IpfsError::Unavailable { wanted: wanted.to_owned() });
    }
    loop {
        let before = session.failures();
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Fault::Final(error)) => return Err(error),
            Err(_) => {}
        }
        match session.wait_for_a_gateway().map_err(final_error)? {
            Patience::Waited => {}
            Patience::NoNeed if session.failures() > before => {}
            Patience::NoNeed | Patience::Over => break,
        }
    }
    let (error, is_absent) = session.verdict();
    if is_absent {
        session.inner.remember_absent(wanted.to_owned());
    }
    Err(error)
}

/// The file that a path leads to; `None` where no gateway gives the blocks on the way.
fn locate(session: &Session<'_>, wanted: &ContentPath) -> Result<Option<Cid>, Fault> {
    /// Directories yield no bytes.
    struct Nothing;
    impl Sink for Nothing {
        fn bytes(&mut self, _: &[u8]) -> Result<(), IpfsError> {
            Ok(())
        }

        fn completed(&mut self, _: &Cid, _: u64) -> Result<(), IpfsError> {
            Ok(())
        }
    }
    if let Some(cid) = session.inner.place(wanted) {
        return Ok(Some(cid));
    }
    probe::probe(session)?;
    let limits = session.options().limits;
    let mut walk = Walk::new(wanted.cid().clone(), wanted.names(), limits);
    while let Some(cid) = walk.wanted().map(|(cid, _)| cid.clone()) {
        if walk.is_there() {
            session.inner.remember_place(wanted, &cid);
            return Ok(Some(cid));
        }
        match archive::block(session, &cid) {
            Ok((block, _)) => walk.take(&block, &mut Nothing)?,
            Err(Fault::Nobody) if session.may_know(|record| record.car) => return Ok(None),
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Nobody)
}

/// Whether the id names the root of a tree, and not the file itself.
fn is_tree(cid: &Cid) -> bool {
    cid.codec() == Codec::DagPb
}

#[derive(Clone, Copy)]
enum Way {
    Skeleton,
    Car,
    Reimport,
}

fn file(session: &Session<'_>, cid: &Cid, folder: &Path) -> Result<Fetched, Fault> {
    if !is_tree(cid) {
        let part = Part::open(folder, cid)?;
        return match cid.hash() {
            Multihash::Identity(content) => carried(session, cid, part, content),
            _ => whole::fetch(session, cid, &cid.clone().into(), part),
        };
    }
    let mut root = None;
    let ways: &[Way] = if filling::is_begun(folder, cid) {
        probe::probe(session)?;
        &[Way::Skeleton, Way::Car]
    } else {
        if !matches!(cid.hash(), Multihash::Identity(_)) {
            probe::probe(session)?;
        }
        match archive::block(session, cid) {
            Ok((block, site)) => {
                let size = size(cid, &block)?;
                root = Some((block, site));
                let is_small = size.is_some_and(|size| size < session.options().skeleton_from);
                match size {
                    Some(_) if is_small => &[Way::Car, Way::Skeleton],
                    _ => &[Way::Skeleton, Way::Car],
                }
            }
            Err(Fault::Nobody) => &[Way::Car, Way::Reimport],
            Err(fault) => return Err(fault),
        }
    };
    for way in ways {
        let done = match way {
            Way::Skeleton => skeleton(session, cid, folder, root.take()),
            Way::Car => archive::fetch(session, &cid.clone().into(), folder),
            Way::Reimport => {
                whole::fetch(session, cid, &cid.clone().into(), Part::open(folder, cid)?)
            }
        };
        match done {
            Err(Fault::Final(error)) => return Err(Fault::Final(error)),
            Err(_) => {}
            done => return done,
        }
    }
    Err(Fault::Nobody)
}

/// The size of the file of this root, where its root is not all of it.
fn size(cid: &Cid, root: &[u8]) -> Result<Option<u64>, Fault> {
    let node = Node::decode(root).map_err(|error| error.in_block(cid))?;
    Ok(match node {
        Node::File(file) if !file.children.is_empty() => Some(file.size_bytes),
        _ => None,
    })
}

/// Writes content that its id carries.
fn carried(
    session: &Session<'_>,
    cid: &Cid,
    mut part: Part,
    content: &[u8],
) -> Result<Fetched, Fault> {
    let bytes = content.len() as u64;
    session.grow_to(bytes)?;
    part.cut(0)?;
    part.write_at(0, content)?;
    let path = part.complete(bytes)?;
    Ok(Fetched { cid: cid.clone(), path, bytes, source: Source::Raw, gateway: None, entry: None })
}

fn skeleton(
    session: &Session<'_>,
    cid: &Cid,
    folder: &Path,
    root: Option<(Vec<u8>, usize)>,
) -> Result<Fetched, Fault> {
    let filling = filling::prepare(session, cid, folder, root)?;
    if let Err(fault) = ranges::fill(&filling, session, cid, 0, filling.skeleton.leaves.len()) {
        filling.give_up();
        return Err(fault);
    }
    let bytes = filling.skeleton.size;
    let (path, site) = filling.complete()?;
    session.tell(bytes);
    let gateway = site.and_then(|site| session.url(site));
    Ok(Fetched { cid: cid.clone(), path, bytes, source: Source::Skeleton, gateway, entry: None })
}
