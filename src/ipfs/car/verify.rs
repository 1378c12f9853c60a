//! From an archive that nobody vouches for to a file that is what its id names.
//!
//! One pass over the sections. A block that the walk wants is hashed, checked and written out; one
//! that comes early is hashed, checked and kept in a file without a name until it is wanted. So any
//! order will do, and the usual one costs nothing. What is linked again is copied from the output.
//!
//! # Invariants
//!
//! - **C12** Every byte of the file was hashed, and the hash is named by its parent, up to the id that
//!   was asked for. Whatever else an archive holds or says has no effect on the file.
//! - **C13** An archive that is refused, cut or abandoned leaves nothing behind; the file appears whole
//!   under its name.
//! - **C14** What is held in memory is one section, the links of the open nodes and an index, each
//!   within [`Limits`], however long the file is.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::limits::Limits;
use super::super::path::ContentPath;
use super::super::room::{NoLimit, Room};
use super::super::unixfs::{Sink, Walk};
use super::sections::{Section, Sections};
use super::spill::{self, Spill};

/// Reads the archive to its end and writes the file that `wanted` names to `destination`.
///
/// A file that is there already is replaced, and only by a whole one. It is not synced: its bytes
/// can be checked again at any time.
///
/// # Errors
///
/// Those of [`CarVerifier`]; [`IpfsError::Read`] when `car` fails. Nothing was left behind.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{ContentPath, Limits, verify_car};
///
/// // An archive of one block, "hey", and no root: what is wanted is known.
/// let mut car = b"\x11\xA2\x65roots\x80\x67version\x01\x27".to_vec();
/// let cid = finalmile::ipfs::cid_of_bytes(b"hey");
/// car.extend_from_slice(cid.as_bytes());
/// car.extend_from_slice(b"hey");
/// # let file = std::env::temp_dir().join(format!("finalmile-verify-{}", std::process::id()));
/// let verified = verify_car(&car[..], &ContentPath::from(cid), &file, Limits::default())?;
/// assert_eq!((verified.bytes, std::fs::read(&file).unwrap()), (3, b"hey".to_vec()));
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
pub fn verify_car(
    car: impl Read,
    wanted: &ContentPath,
    destination: &Path,
    limits: Limits,
) -> Result<Verified, IpfsError> {
    verify_within(car, wanted, destination, limits, Arc::new(Mutex::new(NoLimit)))
}

/// The same, with room asked for before anything is written.
pub(in super::super) fn verify_within(
    car: impl Read,
    wanted: &ContentPath,
    destination: &Path,
    limits: Limits,
    room: Arc<Mutex<dyn Room>>,
) -> Result<Verified, IpfsError> {
    let mut verifier = CarVerifier::within(wanted, destination, limits, room)?;
    let mut car = BufReader::with_capacity(64 << 10, car);
    loop {
        match car.read(verifier.sections.space()) {
            Ok(0) => return verifier.finish(),
            Ok(count) => verifier.filled(count)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(IpfsError::reading(error)),
        }
    }
}

/// A file that was proved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Verified {
    /// The id of the file itself, where a path led to it.
    pub cid: Cid,
    /// Its length.
    pub bytes: u64,
}

/// Takes an archive in pieces as they arrive; see [`verify_car`].
///
/// # Errors
///
/// - [`IpfsError::InvalidCar`] and [`IpfsError::InvalidBlock`] when the archive or one of its blocks
///   is damaged, or lies about sizes.
/// - [`IpfsError::Incomplete`] when it ends before the file does.
/// - [`IpfsError::TooLarge`] when it passes one of the [`Limits`].
/// - [`IpfsError::NotFound`], [`IpfsError::IsDirectory`], [`IpfsError::UnsupportedContent`] for what
///   the path leads to.
/// - [`IpfsError::DiskFull`] and [`IpfsError::CacheUnavailable`] when the file cannot be written.
///
/// After an error every call gives one. Dropped before [`CarVerifier::finish`], it leaves nothing.
pub struct CarVerifier {
    sections: Sections,
    walk: Walk,
    output: Output,
    folder: PathBuf,
    /// Blocks that came early; made when the first one comes.
    spill: Option<Spill>,
    /// How many bytes came early, twice or for nothing.
    extra: u64,
    limits: Limits,
    is_refused: bool,
    is_senders_fault: bool,
}

impl std::fmt::Debug for CarVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarVerifier").field("wanted", &self.walk.wanted()).finish_non_exhaustive()
    }
}

impl CarVerifier {
    /// Begins to wait for the file that `wanted` names.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when nothing can be written beside `destination`.
    pub fn new(
        wanted: &ContentPath,
        destination: &Path,
        limits: Limits,
    ) -> Result<Self, IpfsError> {
        Self::within(wanted, destination, limits, Arc::new(Mutex::new(NoLimit)))
    }

    /// The same, with room asked for before anything is written.
    pub(in super::super) fn within(
        wanted: &ContentPath,
        destination: &Path,
        limits: Limits,
        room: Arc<Mutex<dyn Room>>,
    ) -> Result<Self, IpfsError> {
        let folder = match destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut verifier = Self {
            sections: Sections::new(&limits),
            walk: Walk::new(wanted.cid().clone(), wanted.names(), limits),
            output: Output::create(folder, destination, limits.remembered, room)?,
            folder: folder.to_path_buf(),
            spill: None,
            extra: 0,
            limits,
            is_refused: false,
            is_senders_fault: false,
        };
        // An id may carry its content itself.
        verifier.take_what_is_there()?;
        Ok(verifier)
    }

    /// Takes the next bytes of the archive.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), IpfsError> {
        while !bytes.is_empty() {
            let space = self.sections.space();
            let (head, rest) = bytes.split_at(bytes.len().min(space.len()));
            space[..head.len()].copy_from_slice(head);
            self.filled(head.len())?;
            bytes = rest;
        }
        Ok(())
    }

    /// Whether the whole file has come, so that the rest of the archive is of no use.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.walk.wanted().is_none() && !self.is_refused
    }

    /// Whether it was refused for what anybody may have done to the archive on its way: what is wrong
    /// with the content itself, its id vouches for.
    pub(in super::super) fn is_senders_fault(&self) -> bool {
        self.is_senders_fault
    }

    /// How many bytes of the file were written, and how many it has, once that is known.
    pub(in super::super) fn progress(&self) -> (u64, Option<u64>) {
        (self.output.written, self.walk.size())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn finish(self) -> Result<Verified, IpfsError> {
        if self.is_refused {
            return Err(IpfsError::car("it was refused"));
        }
        if let Some((missing, _)) = self.walk.wanted() {
            return Err(IpfsError::Incomplete { missing: missing.clone() });
        }
        if !self.sections.is_between() && !self.sections.is_untouched() {
            return Err(IpfsError::car("it ends in the middle of a section"));
        }
        self.close()
    }

    /// Gives a file that is complete its name, wherever in the archive that is.
    pub(in super::super) fn close(self) -> Result<Verified, IpfsError> {
        let (Some(cid), Some(bytes)) = (self.walk.found().cloned(), self.walk.size()) else {
            return Err(IpfsError::car("it holds no file"));
        };
        self.output.publish()?;
        Ok(Verified { cid, bytes })
    }

    /// Looks at what was written into [`Sections::space`].
    fn filled(&mut self, count: usize) -> Result<(), IpfsError> {
        if self.is_refused {
            return Err(IpfsError::car("it was refused"));
        }
        let done = match self.sections.filled(count) {
            Ok(Some(part)) => self.take_section(part),
            Ok(None) => Ok(()),
            Err(error) => {
                self.is_senders_fault = true;
                Err(error)
            }
        };
        self.is_refused = done.is_err();
        done
    }

    fn take_section(&mut self, part: usize) -> Result<(), IpfsError> {
        // One of a kind that is not read is of no use to us, whatever it is.
        let section = self.sections.section(part)?;
        let Some(Section { id, block, is_right }) = section else { return self.count_extra(part) };
        if !is_right {
            self.is_senders_fault = true;
            let reason = "its bytes are something else";
            return Err(IpfsError::InvalidBlock { cid: Some(id.clone()), reason });
        }
        let Multihash::Sha2_256(digest) = id.hash() else { return self.count_extra(part) };
        let wanted = self.walk.wanted().map(|(wanted, _)| wanted.hash());
        if wanted == Some(id.hash()) {
            self.walk.take(block, &mut self.output)?;
            return self.take_what_is_there();
        }
        if wanted.is_some() && !self.output.places.contains_key(digest) {
            self.output.has_room()?;
            let spill = match &mut self.spill {
                Some(spill) => spill,
                none => none.insert(Spill::create(&self.folder)?),
            };
            self.output.spilled += block.len() as u64;
            self.output.ask_room(0)?;
            let (at, bytes) = (spill.append(block)?, block.len());
            self.output.places.insert(*digest, Place::Early { at, bytes });
        }
        self.count_extra(part)
    }

    /// Counts what came early, twice or for nothing: at most every block of the file twice.
    fn count_extra(&mut self, bytes: usize) -> Result<(), IpfsError> {
        self.extra = self.extra.saturating_add(bytes as u64);
        let known = self.walk.size().map_or(u64::MAX, |size| size.saturating_mul(2));
        let most = known.min(self.limits.file_bytes).saturating_add(self.limits.extra_bytes);
        if self.extra > most {
            return Err(IpfsError::TooLarge { what: "bytes out of turn", most });
        }
        Ok(())
    }

    /// Takes blocks that need not come any more: those that came early, those that were written
    /// already, and those that their id carries.
    fn take_what_is_there(&mut self) -> Result<(), IpfsError> {
        while let Some((id, said)) = self.walk.wanted() {
            let id = id.clone();
            let digest = match id.hash() {
                Multihash::Identity(block) => {
                    self.walk.take(block, &mut self.output)?;
                    continue;
                }
                Multihash::Sha2_256(digest) => digest,
            };
            match (self.output.places.get(digest).copied(), &mut self.spill) {
                (Some(Place::Early { at, bytes }), Some(spill)) => {
                    let mut block = vec![0; bytes];
                    spill.read(at, &mut block)?;
                    self.walk.take(&block, &mut self.output)?;
                }
                (Some(Place::Written { at, bytes, codec }), _)
                    if said == Some(bytes) && codec == id.codec() =>
                {
                    self.output.repeat(at, bytes)?;
                    self.walk.skip(&mut self.output)?;
                }
                (Some(Place::Written { .. }), _) => {
                    let reason = "it has another size or codec than its parent says";
                    return Err(IpfsError::InvalidBlock { cid: Some(id), reason });
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Where a block's content is, if it need not come again.
#[derive(Clone, Copy)]
enum Place {
    /// The block itself, in the spill.
    Early { at: u64, bytes: usize },
    /// What it stands for, in the output.
    Written { at: u64, bytes: u64, codec: Codec },
}

/// The file as it grows, under a name of its own until it is whole.
struct Output {
    file: BufWriter<File>,
    part: PathBuf,
    destination: PathBuf,
    written: u64,
    /// What lies beside it until it is complete.
    spilled: u64,
    room: Arc<Mutex<dyn Room>>,
    places: HashMap<[u8; 32], Place>,
    most: usize,
}

impl Output {
    fn create(
        folder: &Path,
        destination: &Path,
        most: usize,
        room: Arc<Mutex<dyn Room>>,
    ) -> Result<Self, IpfsError> {
        let (file, part) = spill::create_new(folder, "part")?;
        let file = BufWriter::with_capacity(64 << 10, file);
        let destination = destination.to_path_buf();
        let places = HashMap::new();
        Ok(Self { file, part, destination, written: 0, spilled: 0, room, places, most })
    }

    /// Asks for room for so many more bytes.
    fn ask_room(&self, more: u64) -> Result<(), IpfsError> {
        let total = self.written.saturating_add(self.spilled).saturating_add(more);
        self.room.lock().unwrap_or_else(PoisonError::into_inner).grow_to(total)
    }

    /// Writes `bytes` that lie at `at` once more, at the end.
    fn repeat(&mut self, mut at: u64, bytes: u64) -> Result<(), IpfsError> {
        let failed = IpfsError::writing(&self.part);
        self.ask_room(bytes)?;
        let mut buffer = vec![0; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..count).unwrap_or_default();
            self.file.seek(SeekFrom::Start(at)).map_err(&failed)?;
            self.file.get_mut().read_exact(piece).map_err(&failed)?;
            self.file.seek(SeekFrom::Start(self.written)).map_err(&failed)?;
            self.file.write_all(piece).map_err(&failed)?;
            (at, left) = (at + count as u64, left - count as u64);
            self.written += count as u64;
        }
        Ok(())
    }

    fn has_room(&self) -> Result<(), IpfsError> {
        if self.places.len() < self.most {
            return Ok(());
        }
        Err(IpfsError::TooLarge { what: "blocks out of turn", most: self.most as u64 })
    }

    fn publish(mut self) -> Result<(), IpfsError> {
        self.file.flush().map_err(IpfsError::writing(&self.part))?;
        fs::rename(&self.part, &self.destination).map_err(IpfsError::writing(&self.destination))
    }
}

impl Sink for Output {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), IpfsError> {
        self.ask_room(bytes.len() as u64)?;
        self.file.write_all(bytes).map_err(IpfsError::writing(&self.part))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn completed(&mut self, id: &Cid, bytes: u64) -> Result<(), IpfsError> {
        if let Multihash::Sha2_256(digest) = id.hash() {
            let place = Place::Written { at: self.written - bytes, bytes, codec: id.codec() };
            // Without room it is forgotten, and has to come again if it is linked again.
            if self.places.len() < self.most || self.places.contains_key(digest) {
                self.places.insert(*digest, place);
            }
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After a successful rename there is nothing left under this name.
        drop(fs::remove_file(&self.part));
    }
}
