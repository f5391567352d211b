//! A copy that `litestream restore -f` keeps up to date, read so that no read sees less than the copy has, or half of a change.
//!
//! Litestream writes pages into the file under the locks of a rollback journal (PENDING, then the readers' range), and does not
//! move the file change counter, by which SQLite knows that its cached pages are old. It copies the header as the primary has
//! it, WAL at first: a reader in WAL mode would keep its lock for as long as it is open, and Litestream would wait for ever. It
//! writes without a journal: killed in the middle, it leaves half of a change and no lock. What it has written it notes in
//! `NAME-txid`, each time by a new file, when the lock is free again.
//!
//! So here the header reads as that of a rollback journal, with another change counter whenever it may have changed since the lock was last taken; and
//! the lock is given to nobody while the file is younger than the note. Nothing is kept between two reads.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use crate::platform::file_id::{FileId, file_id};
use crate::platform::litestream::{CopyStamp, copy_stamp};
use crate::platform::path_facts::sidecar;
use crate::raw::handle;
use crate::sqlite;

thread_local! {
    static OPENING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `open`; the main database that SQLite opens meanwhile on this thread is such a copy.
pub(crate) fn opening<T>(open: impl FnOnce() -> T) -> T {
    OPENING.set(true);
    let done = open();
    OPENING.set(false);
    done
}

/// Whether the main database of a connection is read so: another VFS than SQLite's own would not.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub(crate) unsafe fn is_on(db: *mut sqlite::sqlite3) -> bool {
    // SAFETY: the caller's promise; a table with our function is ours.
    unsafe {
        handle::file_object(db).is_some_and(|file| {
            (*(*file).pMethods).xClose.is_some_and(|method| method as usize == close as *const () as usize)
        })
    }
}

/// Whether the next main database of this thread is one; told once.
pub(super) fn is_opening() -> bool {
    OPENING.take()
}

/// The methods of such a file, and what is known of it. SQLite sees the first field.
#[repr(C)]
struct Follower {
    methods: sqlite::sqlite3_io_methods,
    original: *const sqlite::sqlite3_io_methods,
    path: PathBuf,
    file: FileId,
    /// Grows with each lock at which the file may have changed; SQLite takes it for the file change counter.
    changes: Cell<u32>,
    locked: Cell<bool>,
    seen: Cell<Option<CopyStamp>>,
}

/// Gives an open file these methods.
///
/// # Safety
/// The file was just opened by a unix VFS and nobody uses it yet.
pub(super) unsafe fn put_on(file: *mut sqlite::sqlite3_file, path: &Path, id: FileId) {
    // SAFETY: the caller's promise. The table is freed when the file is closed, and by nobody else.
    unsafe {
        let original = (*file).pMethods;
        let mut methods = *original;
        // Without shared memory and without mappings.
        methods.iVersion = 1;
        methods.xClose = Some(close);
        methods.xRead = Some(read);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xLock = Some(lock);
        methods.xUnlock = Some(unlock);
        methods.xFileControl = Some(file_control);
        let follower = Follower {
            methods,
            original,
            path: path.to_owned(),
            file: id,
            changes: Cell::new(0),
            locked: Cell::new(false),
            seen: Cell::new(None),
        };
        (*file).pMethods = Box::into_raw(Box::new(follower)).cast();
    }
}

/// # Safety
/// One of the functions below was called with the file: its table is one of ours.
unsafe fn of<'a>(file: *mut sqlite::sqlite3_file) -> &'a Follower {
    // SAFETY: the caller's promise; `close` frees it after its last use.
    unsafe { &*(*file).pMethods.cast::<Follower>() }
}

/// Calls the method of the VFS; a unix VFS has all of them.
macro_rules! original {
    ($follower:expr, $method:ident ( $($argument:expr),* )) => {
        match (*$follower.original).$method {
            Some(method) => method($($argument),*),
            None => sqlite::SQLITE_ERROR,
        }
    };
}

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the file's own table is put back before its VFS closes it; nobody calls ours any more.
    unsafe {
        let follower = Box::from_raw((*file).pMethods.cast_mut().cast::<Follower>());
        (*file).pMethods = follower.original;
        original!(follower, xClose(file))
    }
}

/// Where the header says by which journal the file is read and written: 2 is WAL, 1 a rollback journal.
const FORMATS: std::ops::Range<usize> = 18..20;
/// The file change counter.
const COUNTER: std::ops::Range<usize> = 24..28;

unsafe extern "C" fn read(
    file: *mut sqlite::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: sqlite::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it with a file that has our table, and a buffer of so many bytes.
    unsafe {
        let follower = of(file);
        let rc = original!(follower, xRead(file, buffer, length, offset));
        if rc == sqlite::SQLITE_OK && (0..COUNTER.end as i64).contains(&offset) {
            let bytes = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length.max(0) as usize);
            let start = offset as usize;
            let counter = follower.changes.get().to_be_bytes();
            for (at, value) in FORMATS.map(|at| (at, 1)).chain(COUNTER.zip(counter)) {
                if let Some(byte) = at.checked_sub(start).and_then(|at| bytes.get_mut(at)) {
                    *byte = value;
                }
            }
        }
        rc
    }
}

unsafe extern "C" fn write(
    _: *mut sqlite::sqlite3_file,
    _: *const c_void,
    _: c_int,
    _: sqlite::sqlite3_int64,
) -> c_int {
    sqlite::SQLITE_READONLY
}

unsafe extern "C" fn truncate(_: *mut sqlite::sqlite3_file, _: sqlite::sqlite3_int64) -> c_int {
    sqlite::SQLITE_READONLY
}

unsafe extern "C" fn lock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        let follower = of(file);
        if level > sqlite::SQLITE_LOCK_SHARED {
            return sqlite::SQLITE_READONLY;
        }
        if follower.locked.get() {
            return sqlite::SQLITE_OK;
        }
        let rc = original!(follower, xLock(file, level));
        if rc != sqlite::SQLITE_OK {
            return rc;
        }
        let refused = follower.refuses();
        if refused != sqlite::SQLITE_OK {
            original!(follower, xUnlock(file, sqlite::SQLITE_LOCK_NONE));
            return refused;
        }
        follower.locked.set(true);
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        let follower = of(file);
        follower.locked.set(level >= sqlite::SQLITE_LOCK_SHARED && follower.locked.get());
        original!(follower, xUnlock(file, level))
    }
}

impl Follower {
    /// Under the lock: whether what is in the file is one state of the database, and the one at the path.
    fn refuses(&self) -> c_int {
        // Another copy has been put in its place, which this one will never get anything of.
        if file_id(&self.path) != Some(self.file) {
            return sqlite::SQLITE_READONLY_DBMOVED;
        }
        // Another program reads it in WAL mode: Litestream waits for as long as that has it open.
        if sidecar(&self.path, "-wal").exists() {
            return sqlite::SQLITE_BUSY;
        }
        let Some(now) = copy_stamp(&self.path) else { return sqlite::SQLITE_BUSY };
        let is_whole = match self.seen.get() {
            // The clock may have been set meanwhile: the file changes only together with the note.
            Some(before) if before.written == now.written => true,
            Some(before) => before.noted != now.noted && now.is_whole(),
            None => now.is_whole(),
        };
        if !is_whole {
            return sqlite::SQLITE_BUSY;
        }
        if self.seen.replace(Some(now)) != Some(now) || now.is_recent() {
            self.changes.set(self.changes.get().wrapping_add(1));
        }
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as in `read`; for a pragma the argument is an array of three strings, the second of which is its name.
    unsafe {
        if op == sqlite::SQLITE_FCNTL_PRAGMA {
            let (name, value) = (*argument.cast::<*const c_char>().add(1), *argument.cast::<*const c_char>().add(2));
            let is = |text: *const c_char, word: &[u8]| {
                !text.is_null() && CStr::from_ptr(text).to_bytes().eq_ignore_ascii_case(word)
            };
            if is(name, b"locking_mode") && is(value, b"exclusive") {
                let why = "this is a copy that Litestream keeps up to date: a lock that is kept would stop it";
                // SQLite frees it, and shows it as the statement's error.
                *argument.cast::<*mut c_char>() = handle::sqlite_text(why);
                return sqlite::SQLITE_ERROR;
            }
        }
        original!(of(file), xFileControl(file, op, argument))
    }
}
