//! The VFS of databases opened by descriptor: SQLite's unix VFS, but for what would need the directory.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use super::main_files::{
    GIVEN, INSTEAD, Main, Methods, NO_WAL, OPEN_FAULT, OTHER_JOURNAL, PENDING, SEVERAL_FAULT, UNLINKED_FAULT, VFS,
    duplicate, is_installed, mains,
};
use crate::platform::durable;
use crate::sqlite;
use crate::vfs::open_files::status;
use crate::vfs::vfs_copy::VfsCopy;

static UNIX: VfsCopy = VfsCopy::new();

/// Registers the VFS beside the others, never as the default; once per process.
pub(super) fn register() -> bool {
    UNIX.register(VFS, Some(c"unix"), |ours| {
        ours.xOpen = Some(vfs_open);
        ours.xDelete = Some(vfs_delete);
        ours.xAccess = Some(vfs_access);
        ours.xFullPathname = Some(vfs_full_pathname);
        is_installed()
    })
}

fn base() -> *mut sqlite::sqlite3_vfs {
    UNIX.original()
}

/// # Safety
/// `name` is null or NUL-terminated.
unsafe fn ours<'a>(name: *const c_char) -> Option<&'a [u8]> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let rest = name.strip_prefix(b"fd:")?;
    rest.first().is_some_and(u8::is_ascii_digit).then_some(name)
}

/// The main database whose side file `name` is; `suffix` begins at the last hyphen.
fn owner(name: &[u8]) -> Option<(Arc<Main>, &[u8])> {
    let at = name.iter().rposition(|byte| *byte == b'-')?;
    let main = mains().values().find(|main| main.name.to_bytes() == &name[..at]).cloned()?;
    Some((main, &name[at..]))
}

fn linked(main: &Main) -> bool {
    [main.database, main.journal].into_iter().all(|fd| status(fd).is_some_and(|stat| stat.st_nlink > 0))
}

fn fail(main: &Main, fault: c_int) -> c_int {
    main.fault.store(fault, Ordering::Relaxed);
    sqlite::SQLITE_CANTOPEN
}

unsafe extern "C" fn vfs_open(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: forwarded from SQLite: the name is NULL or a file name of its own, `file` has the base VFS's size.
    unsafe {
        let Some(xopen) = (*base()).xOpen else { return sqlite::SQLITE_CANTOPEN };
        let Some(ours) = ours(name) else { return xopen(base(), name, file, flags, out_flags) };
        (*file).pMethods = ptr::null();
        if flags & sqlite::SQLITE_OPEN_MAIN_DB != 0 {
            return open_main(ours, file, flags, out_flags, xopen);
        }
        let Some((main, suffix)) = owner(ours) else { return sqlite::SQLITE_CANTOPEN };
        if flags & sqlite::SQLITE_OPEN_SUPER_JOURNAL != 0 {
            return fail(&main, SEVERAL_FAULT);
        }
        if flags & sqlite::SQLITE_OPEN_MAIN_JOURNAL == 0 || suffix != b"-journal" {
            return sqlite::SQLITE_CANTOPEN;
        }
        if !linked(&main) {
            return fail(&main, UNLINKED_FAULT);
        }
        INSTEAD.set(main.journal);
        let rc = xopen(base(), main.journal_shown.as_ptr(), file, flags, out_flags);
        INSTEAD.set(-1);
        rc
    }
}

type XOpen = unsafe extern "C" fn(
    *mut sqlite::sqlite3_vfs,
    *const c_char,
    *mut sqlite::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;

/// # Safety
/// As [`vfs_open`].
unsafe fn open_main(
    name: &[u8],
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
    xopen: XOpen,
) -> c_int {
    // A descriptor is only for the call that brought it: `ATTACH 'fd:3:0'` opens nothing.
    let Some((id, database, journal)) = PENDING.take() else { return sqlite::SQLITE_CANTOPEN };
    if name != format!("fd:{database}:{id}").as_bytes() {
        return sqlite::SQLITE_CANTOPEN;
    }
    let identity = |fd| status(fd).map(|stat| (stat.st_dev, stat.st_ino));
    let (Some(one), Some(other)) = (identity(database), identity(journal)) else { return sqlite::SQLITE_CANTOPEN };
    if mains().values().any(|main| main.files[0] == one && main.files[1] != other) {
        OPEN_FAULT.set(Some(OTHER_JOURNAL));
        return sqlite::SQLITE_CANTOPEN;
    }
    // Paths below a file name nothing, so that SQLite finds no descriptor to use instead; two NULs end a file name.
    let shown = |fd: c_int, what: &str| CString::new(format!("/proc/self/fd/{fd}/{what}")).ok();
    let (Some(path), Some(journal_path)) = (shown(database, "database"), shown(journal, "journal")) else {
        return sqlite::SQLITE_CANTOPEN;
    };
    let journal = duplicate(journal);
    if journal < 0 {
        return sqlite::SQLITE_CANTOPEN;
    }
    let mut padded = path.into_bytes_with_nul();
    padded.extend([0, 0, 0]);
    let mut main = Main {
        name: CString::new(name).unwrap_or_default(),
        shown: padded,
        database: -1,
        journal,
        journal_shown: journal_path,
        files: [one, other],
        methods: OnceLock::new(),
        fault: AtomicI32::new(0),
    };
    INSTEAD.set(database);
    // SAFETY: forwarded from SQLite; the path lives in the entry until `x_close`, moving the vector leaves its bytes.
    let rc = unsafe { xopen(base(), main.shown.as_ptr().cast(), file, flags, out_flags) };
    INSTEAD.set(-1);
    if rc != sqlite::SQLITE_OK {
        // SAFETY: our own duplicate.
        unsafe { libc::close(journal) };
        return rc;
    }
    main.database = GIVEN.replace(-1);
    // SAFETY: the base VFS has filled in its methods; the changed copy lives as long as the entry.
    unsafe {
        let base = &*(*file).pMethods;
        let patched = sqlite::sqlite3_io_methods {
            // Without shared memory there is no WAL.
            iVersion: 1,
            xClose: Some(x_close),
            xLock: Some(x_lock),
            xFileControl: Some(x_file_control),
            ..ptr::read(base)
        };
        let methods = main.methods.get_or_init(|| Box::new((Methods(base), patched)));
        (*file).pMethods = &raw const methods.1;
    }
    mains().insert(file as usize, Arc::new(main));
    sqlite::SQLITE_OK
}

fn main_of(file: *mut sqlite::sqlite3_file) -> Option<Arc<Main>> {
    mains().get(&(file as usize)).cloned()
}

impl Main {
    fn base(&self) -> Option<&sqlite::sqlite3_io_methods> {
        // SAFETY: SQLite's methods are static.
        self.methods.get().map(|methods| unsafe { &*methods.0.0 })
    }
}

unsafe extern "C" fn x_close(file: *mut sqlite::sqlite3_file) -> c_int {
    let main = mains().remove(&(file as usize));
    let Some(main) = main else { return sqlite::SQLITE_IOERR_CLOSE };
    // SAFETY: the base method on its own file; the journal's descriptor is a duplicate of ours, on another inode than
    // the one that carries locks.
    unsafe {
        let rc = main.base().and_then(|base| base.xClose).map_or(sqlite::SQLITE_OK, |close| close(file));
        libc::close(main.journal);
        rc
    }
}

/// A transaction begins only while both files are where others look for them, and so does a write.
unsafe extern "C" fn x_lock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    let Some(main) = main_of(file) else { return sqlite::SQLITE_IOERR_LOCK };
    if level <= sqlite::SQLITE_LOCK_RESERVED && !linked(&main) {
        return fail(&main, UNLINKED_FAULT);
    }
    // SAFETY: the base method on its own file.
    unsafe { main.base().and_then(|base| base.xLock).map_or(sqlite::SQLITE_IOERR_LOCK, |lock| lock(file, level)) }
}

unsafe extern "C" fn x_file_control(file: *mut sqlite::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    let Some(main) = main_of(file) else { return sqlite::SQLITE_NOTFOUND };
    // SAFETY: the arguments are what SQLite documents for each opcode.
    unsafe {
        match op {
            sqlite::SQLITE_FCNTL_HAS_MOVED => {
                argument.cast::<c_int>().write(c_int::from(!linked(&main)));
                return sqlite::SQLITE_OK;
            }
            sqlite::SQLITE_FCNTL_PRAGMA => {
                let words = argument.cast::<*mut c_char>();
                let (name, value) = (*words.add(1), *words.add(2));
                if !value.is_null()
                    && CStr::from_ptr(name).to_bytes().eq_ignore_ascii_case(b"journal_mode")
                    && CStr::from_ptr(value).to_bytes().eq_ignore_ascii_case(b"wal")
                {
                    *words = sqlite::sqlite3_mprintf(c"%s".as_ptr(), NO_WAL.as_ptr());
                    return sqlite::SQLITE_ERROR;
                }
            }
            _ => {}
        }
        main.base().and_then(|base| base.xFileControl).map_or(sqlite::SQLITE_NOTFOUND, |next| next(file, op, argument))
    }
}

/// A journal is emptied instead of deleted: that commits the transaction too.
unsafe extern "C" fn vfs_delete(_: *mut sqlite::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: forwarded from SQLite; the descriptor is ours.
    unsafe {
        let Some(ours) = ours(name) else {
            return (*base()).xDelete.map_or(sqlite::SQLITE_IOERR_DELETE, |next| next(base(), name, sync_directory));
        };
        let Some((main, b"-journal")) = owner(ours) else { return sqlite::SQLITE_IOERR_DELETE_NOENT };
        if libc::ftruncate(main.journal, 0) != 0 || (sync_directory != 0 && !durable::sync(main.journal)) {
            return sqlite::SQLITE_IOERR_DELETE;
        }
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn vfs_access(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: forwarded from SQLite; `out` is writable.
    unsafe {
        let Some(ours) = ours(name) else {
            return (*base()).xAccess.map_or(sqlite::SQLITE_IOERR_ACCESS, |next| next(base(), name, flags, out));
        };
        out.write(0);
        let Some((main, b"-journal")) = owner(ours) else { return sqlite::SQLITE_OK };
        if !linked(&main) {
            return fail(&main, UNLINKED_FAULT);
        }
        // An empty journal is none, as SQLite sees it.
        out.write(c_int::from(status(main.journal).is_some_and(|stat| stat.st_size > 0)));
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn vfs_full_pathname(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: forwarded from SQLite; `out` has `size` bytes.
    unsafe {
        let Some(ours) = ours(name) else {
            return (*base()).xFullPathname.map_or(sqlite::SQLITE_CANTOPEN, |next| next(base(), name, size, out));
        };
        if ours.len() >= size as usize {
            return sqlite::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name, out, ours.len() + 1);
        sqlite::SQLITE_OK
    }
}
