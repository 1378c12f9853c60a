//! The machines' disks as SQLite's default file system: the only unsafe code of the workspace.
//!
//! SQLite calls C functions with pointers to structures that it allocates. Here they are turned into
//! calls of [`OpenFile`]; time, sleep and chance come from the platform's own file system. A panic
//! must not unwind into C, so each call catches it and answers an error.
//!
//! Source: <https://www.sqlite.org/c3ref/vfs.html> and <https://www.sqlite.org/c3ref/io_methods.html>.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
};

use finalmile::rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::{
    disk::SECTOR,
    files::{self, OpenFile},
};

/// What SQLite allocates for each open file.
#[repr(C)]
struct Slot {
    base: sqlite3_file,
    /// Made by `open`, taken back by `close`.
    open: *mut OpenFile,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Version 2 has shared memory, for the log; version 3 would have memory maps.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How often this file system panicked: a mistake of its own, which would look like a failing disk.
#[must_use]
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Makes the machines' disks what SQLite opens files on, in this process, for good.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `sqlite3_initialize` and `sqlite3_vfs_find` may be called at any time; null asks for
        // the default file system, which is static.
        let platform = unsafe {
            ffi::sqlite3_initialize();
            ffi::sqlite3_vfs_find(ptr::null())
        };
        assert!(!platform.is_null(), "SQLite has no file system of its own");
        // SAFETY: it is not null, so it points to a static structure that nobody changes.
        let base = unsafe { *platform };
        let vfs = sqlite3_vfs {
            iVersion: 2,
            szOsFile: c_int::try_from(size_of::<Slot>()).unwrap_or(c_int::MAX),
            zName: c"machines".as_ptr(),
            pNext: ptr::null_mut(),
            pAppData: platform.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xCurrentTimeInt64: Some(current_time_int64),
            xGetLastError: Some(get_last_error),
            ..base
        };
        // SAFETY: the structure is leaked, so it lives for ever, as SQLite asks.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1) };
        assert_eq!(code, ffi::SQLITE_OK, "the file system was not accepted");
    });
}

/// Runs a call's work, and answers its result code.
fn guarded(work: impl FnOnce() -> Result<(), c_int>) -> c_int {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => ffi::SQLITE_OK,
        Ok(Err(code)) => code,
        Err(_) => {
            PANICS.fetch_add(1, Ordering::Relaxed);
            ffi::SQLITE_IOERR
        }
    }
}

/// The same, for a call on an open file.
///
/// # Safety
///
/// `file` was filled by [`open`] and not closed.
unsafe fn on(file: *mut sqlite3_file, work: impl FnOnce(&OpenFile) -> Result<(), c_int>) -> c_int {
    // SAFETY: the caller's promise; `open` made the pointer of a box, and only `close` takes it back.
    let open = unsafe { &*(*file.cast::<Slot>()).open };
    guarded(|| work(open))
}

/// The text of a path.
///
/// # Safety
///
/// `name` ends with a zero byte and lives as long as the answer.
unsafe fn text<'t>(name: *const c_char) -> Result<&'t str, c_int> {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(name) }.to_str().map_err(|_| ffi::SQLITE_CANTOPEN)
}

fn size(number: impl TryInto<usize>) -> Result<usize, c_int> {
    number.try_into().map_err(|_| ffi::SQLITE_IOERR)
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let slot = file.cast::<Slot>();
    // SAFETY: SQLite gives `szOsFile` bytes, aligned, which is a slot. Without methods it knows that
    // there is nothing to close.
    unsafe { (*slot).base.pMethods = ptr::null() };
    guarded(|| {
        // SAFETY: a name that is not null is a zero-terminated path.
        let name = if name.is_null() { None } else { Some(unsafe { text(name) }?) };
        let opened = Box::into_raw(Box::new(OpenFile::open(name, flags)?));
        // SAFETY: as above; the flags may be null, and are one number otherwise.
        unsafe {
            slot.write(Slot { base: sqlite3_file { pMethods: &raw const METHODS }, open: opened });
            if let Some(out) = out_flags.as_mut() {
                *out = flags;
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let slot = file.cast::<Slot>();
    guarded(|| {
        // SAFETY: SQLite closes a file once, and the pointer is that of `open`'s box.
        drop(unsafe { Box::from_raw((*slot).open) });
        Ok(())
    })
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    count: c_int,
    at: i64,
) -> c_int {
    let work = |open: &OpenFile| {
        let count = size(count)?;
        // SAFETY: SQLite gives room for `count` bytes, which nobody else uses meanwhile; they are
        // zeroed first, so that they are bytes to Rust.
        let into = unsafe {
            to.cast::<u8>().write_bytes(0, count);
            slice::from_raw_parts_mut(to.cast::<u8>(), count)
        };
        match open.read(size(at)?, into)? {
            true => Ok(()),
            false => Err(ffi::SQLITE_IOERR_SHORT_READ),
        }
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    let work = |open: &OpenFile| {
        // SAFETY: SQLite gives `count` bytes, which nobody changes meanwhile.
        let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), size(count)?) };
        open.write(size(at)?, bytes)
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: i64) -> c_int {
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, |open| open.truncate(size(to)?)) }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, OpenFile::sync) }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    let work = |open: &OpenFile| {
        let bytes = i64::try_from(open.size()?).map_err(|_| ffi::SQLITE_IOERR)?;
        // SAFETY: SQLite gives room for the number.
        unsafe { out.write(bytes) };
        Ok(())
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, |open| open.lock(level)) }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    let work = |open: &OpenFile| {
        open.unlock(level);
        Ok(())
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    let work = |open: &OpenFile| {
        // SAFETY: SQLite gives room for the number.
        unsafe { out.write(c_int::from(open.is_reserved())) };
        Ok(())
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    c_int::try_from(SECTOR).unwrap_or(c_int::MAX)
}

/// Promises no atomic pages, no order of writes, and no more than the disk does.
unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite calls this on open files only; `close` alone ends the pointer's life.
    let is_powersafe = unsafe { (*(*file.cast::<Slot>()).open).is_powersafe() };
    if is_powersafe { ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE } else { 0 }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size_bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let work = |open: &OpenFile| {
        let found = open.map(size(region)?, size(size_bytes)?, extend != 0)?;
        // SAFETY: SQLite gives room for the pointer.
        unsafe { out.write(found) };
        Ok(())
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    let bits = ((1_u32 << count) - 1) << offset;
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, |open| open.lock_memory(bits, flags)) }
}

unsafe extern "C" fn shm_barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    let work = |open: &OpenFile| {
        open.unmap();
        Ok(())
    };
    // SAFETY: SQLite calls this on open files only.
    unsafe { on(file, work) }
}

unsafe extern "C" fn delete(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    sync_directory: c_int,
) -> c_int {
    // SAFETY: SQLite gives a zero-terminated path.
    guarded(|| files::remove(unsafe { text(name) }?, sync_directory != 0))
}

unsafe extern "C" fn access(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    out: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives a zero-terminated path, and room for the number.
        unsafe { out.write(c_int::from(files::exists(text(name)?)?)) };
        Ok(())
    })
}

unsafe extern "C" fn full_pathname(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives a zero-terminated path.
        let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
        if bytes.len() > size(room)? {
            return Err(ffi::SQLITE_CANTOPEN);
        }
        // SAFETY: SQLite gives `room` bytes, which are enough, and they are not the path's own.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
        Ok(())
    })
}

/// The platform's own file system, by which `vfs` was registered.
///
/// # Safety
///
/// `vfs` is what [`register`] registered.
unsafe fn platform(vfs: *mut sqlite3_vfs) -> (*mut sqlite3_vfs, sqlite3_vfs) {
    // SAFETY: the caller's promise; `register` put a static structure's address there.
    unsafe {
        let platform = (*vfs).pAppData.cast::<sqlite3_vfs>();
        (platform, *platform)
    }
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes what was registered, and the platform's call has the same promises.
    unsafe {
        let (vfs, calls) = platform(vfs);
        calls.xRandomness.map_or(0, |call| call(vfs, count, out))
    }
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: SQLite passes what was registered, and the platform's call has the same promises.
    unsafe {
        let (vfs, calls) = platform(vfs);
        calls.xSleep.map_or(0, |call| call(vfs, microseconds))
    }
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes what was registered, and the platform's call has the same promises.
    unsafe {
        let (vfs, calls) = platform(vfs);
        calls.xCurrentTime.map_or(ffi::SQLITE_ERROR, |call| call(vfs, out))
    }
}

unsafe extern "C" fn current_time_int64(vfs: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite passes what was registered, and the platform's call has the same promises.
    unsafe {
        let (vfs, calls) = platform(vfs);
        calls.xCurrentTimeInt64.map_or(ffi::SQLITE_ERROR, |call| call(vfs, out))
    }
}

unsafe extern "C" fn get_last_error(vfs: *mut sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes what was registered, and the platform's call has the same promises.
    unsafe {
        let (vfs, calls) = platform(vfs);
        calls.xGetLastError.map_or(0, |call| call(vfs, room, out))
    }
}
