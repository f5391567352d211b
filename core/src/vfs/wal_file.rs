//! A shim on the `-wal` files: what begins a WAL anew or cuts it is asked of the [`wal_guard`], in exclusive mode too, where
//! SQLite takes no lock of the WAL. And the two writes that SQLite makes of a frame become one.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER};
use crate::vfs::{content, wal_guard, wal_index};

/// The table of a file, as that of a database.
#[repr(C)]
struct Shim {
    methods: sqlite::sqlite3_io_methods,
    original: *const sqlite::sqlite3_io_methods,
    watch: Arc<FileMonitor>,
    frames: Frames,
}

/// Holds the header of a new frame until its page comes, which SQLite writes next and behind it. A header that replaces
/// another, as those of a transaction whose checksums are made anew, is not held: nothing may come after it.
///
/// Only the thread that is in a call on the connection uses it.
#[derive(Default)]
struct Frames {
    held: Cell<Option<([u8; FRAME_HEADER], sqlite::sqlite3_int64)>>,
    /// Header and page of the frame that is written.
    whole: Cell<Vec<u8>>,
    /// Where this transaction's writes end, and which transaction it is.
    end: Cell<sqlite::sqlite3_int64>,
    transaction: Cell<u32>,
}

impl Frames {
    /// Notes a write that will be made.
    fn note(&self, transaction: u32, at: sqlite::sqlite3_int64, count: c_int) {
        if self.transaction.replace(transaction) != transaction || at == 0 {
            self.end.set(0);
        }
        self.end.set(self.end.get().max(at + i64::from(count)));
    }

    /// Whether a write is the header of a frame behind all that the transaction has written. A part of a page that SQLite
    /// writes in two is none: it does not stand where a frame begins.
    fn is_header(&self, transaction: u32, at: sqlite::sqlite3_int64, count: c_int, page_size: u32) -> bool {
        let end = if self.transaction.get() == transaction { self.end.get() } else { 0 };
        let frame = page_size as usize + FRAME_HEADER;
        let begins = at >= LOG_HEADER as i64 && (at as usize - LOG_HEADER).is_multiple_of(frame);
        page_size > 0 && count as usize == FRAME_HEADER && begins && at >= end
    }
}

/// Writes the header that is held: what comes is not its page.
///
/// # Safety
/// This is a call on the connection of the file, which is open and has this shim.
unsafe fn flush(file: *mut sqlite::sqlite3_file, shim: &Shim) -> c_int {
    let Some((header, at)) = shim.frames.held.take() else { return sqlite::SQLITE_OK };
    // SAFETY: the caller's promise.
    unsafe {
        (*shim.original)
            .xWrite
            .map_or(sqlite::SQLITE_ERROR, |write| write(file, header.as_ptr().cast(), header.len() as c_int, at))
    }
}

/// Puts the shim on a `-wal` that the VFS has opened for this database.
///
/// # Safety
/// `file` is open, and SQLite has not used it yet.
pub(crate) unsafe fn install(file: *mut sqlite::sqlite3_file, watch: Arc<FileMonitor>) {
    // SAFETY: the caller's promise. The shim is freed when the file is closed, and by nobody else.
    unsafe {
        let original = (*file).pMethods;
        let mut methods = *original;
        watch.wal.set_object(file);
        methods.xClose = Some(close);
        methods.xRead = Some(read);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync_file);
        methods.xFileSize = Some(file_size);
        let frames = Frames::default();
        (*file).pMethods = Box::into_raw(Box::new(Shim { methods, original, watch, frames })).cast();
    }
}

/// Waits until the disk has what was written to an open `-wal`.
///
/// # Safety
/// `file` is open, and this thread is in a call of SQLite's on its connection.
pub(crate) unsafe fn sync(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { (*(*file).pMethods).xSync.map_or(sqlite::SQLITE_OK, |sync| sync(file, sqlite::SQLITE_SYNC_NORMAL)) }
}

/// # Safety
/// One of the functions below was called with the file: its table is a shim's.
unsafe fn of<'a>(file: *mut sqlite::sqlite3_file) -> &'a Shim {
    // SAFETY: the caller's promise; `close` frees it after its last use.
    unsafe { &*(*file).pMethods.cast::<Shim>() }
}

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the file's own table is put back before its VFS closes it; nobody calls the shim any more.
    unsafe {
        flush(file, of(file));
        let shim = Box::from_raw((*file).pMethods.cast_mut().cast::<Shim>());
        (*file).pMethods = shim.original;
        shim.watch.wal.set_object(std::ptr::null_mut());
        shim.watch.closed_wal();
        (*shim.original).xClose.map_or(sqlite::SQLITE_ERROR, |close| close(file))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: sqlite::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it with a file that has a shim.
    unsafe {
        let shim = of(file);
        // At 0 stands the header, with which the WAL begins anew.
        let begins =
            at == 0 && count == LOG_HEADER as c_int && shim.watch.latched().is_none() && !shim.watch.alone.is();
        if begins {
            content::begins_anew(&shim.watch, &*bytes.cast::<[u8; LOG_HEADER]>(), true);
        }
        let refused = if at == 0 { wal_guard::refuses(&shim.watch) } else { wal_guard::refuses_frame(&shim.watch) };
        if let Some(rc) = refused {
            shim.frames.held.set(None);
            return rc;
        }
        if shim.watch.alone.is() {
            shim.watch.alone.writes(std::slice::from_raw_parts(bytes.cast(), count as usize));
        }
        let rc = write_frames(file, shim, std::slice::from_raw_parts(bytes.cast(), count as usize), at);
        if rc == sqlite::SQLITE_OK && begins {
            content::begins_anew(&shim.watch, &*bytes.cast::<[u8; LOG_HEADER]>(), false);
        }
        rc
    }
}

/// Writes, or holds the header of a frame, or writes it with its page.
///
/// # Safety
/// As for [`flush`].
unsafe fn write_frames(file: *mut sqlite::sqlite3_file, shim: &Shim, bytes: &[u8], at: sqlite::sqlite3_int64) -> c_int {
    let frames = &shim.frames;
    let transaction = shim.watch.locks.write_transactions();
    let count = bytes.len() as c_int;
    let map = shim.watch.map();
    // SAFETY: the mapping lives as long as the connection has it, which is in this call.
    let page_size = if map.is_null() { 0 } else { unsafe { wal_index::page_size(map) } };
    let is_header = frames.is_header(transaction, at, count, page_size);
    frames.note(transaction, at, count);
    // SAFETY: the caller's promise.
    unsafe {
        let Some(write) = (*shim.original).xWrite else { return sqlite::SQLITE_ERROR };
        if let Some((header, begins)) = frames.held.get()
            && at == begins + FRAME_HEADER as i64
        {
            frames.held.set(None);
            let mut whole = frames.whole.take();
            whole.clear();
            whole.extend_from_slice(&header);
            whole.extend_from_slice(bytes);
            let rc = write(file, whole.as_ptr().cast(), whole.len() as c_int, begins);
            frames.whole.set(whole);
            return rc;
        }
        let rc = flush(file, shim);
        if rc != sqlite::SQLITE_OK {
            return rc;
        }
        match <[u8; FRAME_HEADER]>::try_from(bytes) {
            Ok(header) if is_header => {
                frames.held.set(Some((header, at)));
                sqlite::SQLITE_OK
            }
            _ => write(file, bytes.as_ptr().cast(), count, at),
        }
    }
}

/// Writes what is held, and calls the method of the VFS.
macro_rules! after_flush {
    ($file:expr, $method:ident ( $($argument:expr),* )) => {{
        let shim = of($file);
        match flush($file, shim) {
            sqlite::SQLITE_OK => (*shim.original).$method.map_or(sqlite::SQLITE_ERROR, |method| method($($argument),*)),
            rc => rc,
        }
    }};
}

unsafe extern "C" fn read(
    file: *mut sqlite::sqlite3_file,
    to: *mut c_void,
    count: c_int,
    at: sqlite::sqlite3_int64,
) -> c_int {
    // SAFETY: as in `write`.
    unsafe { after_flush!(file, xRead(file, to, count, at)) }
}

unsafe extern "C" fn sync_file(file: *mut sqlite::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as in `write`.
    unsafe { after_flush!(file, xSync(file, flags)) }
}

unsafe extern "C" fn file_size(file: *mut sqlite::sqlite3_file, size: *mut sqlite::sqlite3_int64) -> c_int {
    // SAFETY: as in `write`.
    unsafe { after_flush!(file, xFileSize(file, size)) }
}

unsafe extern "C" fn truncate(file: *mut sqlite::sqlite3_file, size: sqlite::sqlite3_int64) -> c_int {
    // SAFETY: as in `write`.
    unsafe {
        let shim = of(file);
        match wal_guard::refuses(&shim.watch) {
            Some(rc) => rc,
            None => after_flush!(file, xTruncate(file, size)),
        }
    }
}
