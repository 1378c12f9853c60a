//! Regular files, and nothing else: opening a named pipe would wait for its writer for good.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

/// Opens a file that is one, or that a link leads to.
///
/// # Errors
///
/// What the system says, and `InvalidInput` for what is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Asked before opening, which is what would wait.
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((File::open(path)?, meta))
}
