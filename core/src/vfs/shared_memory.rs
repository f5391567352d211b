//! Databases in memory that several connections share (`cache=shared`): SQLite's VFS `memdb` for the one database, and the
//! default VFS for everything else.
//!
//! A connection opened on `memdb` itself opens whatever it attaches there too: `ATTACH 'app.db'` would be an empty database
//! in memory, and what is written to it, or by VACUUM INTO, gone at the end.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::sqlite;
use crate::vfs::vfs_copy::VfsCopy;

/// The VFS's name.
pub(crate) const VFS: &CStr = c"litekeel-memory";
/// The name under which the connections find each other.
pub(crate) const DATABASE: &CStr = c"/:litekeel-shared-memory:";

static FILES: VfsCopy = VfsCopy::new();
/// SQLite's VFS for databases in memory.
static MEMORY: AtomicPtr<sqlite::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// Registers the VFS beside the others, never as the default; once per process.
pub(crate) fn register() -> bool {
    FILES.register(VFS, None, |ours| {
        // SAFETY: SQLite's own VFS lives as long as the process. It is SQLite's to change (its place in the list), so no
        // reference to it is made.
        let (memory, size) = unsafe {
            let memory = sqlite::sqlite3_vfs_find(c"memdb".as_ptr());
            if memory.is_null() {
                return false;
            }
            (memory, (*memory).szOsFile)
        };
        ours.szOsFile = ours.szOsFile.max(size);
        ours.xOpen = Some(vfs_open);
        ours.xDelete = Some(vfs_delete);
        ours.xAccess = Some(vfs_access);
        ours.xFullPathname = Some(vfs_full_pathname);
        MEMORY.store(memory, Ordering::Release);
        true
    })
}

/// The VFS that a file of this name belongs to.
///
/// # Safety
/// `name` is null or NUL-terminated.
unsafe fn vfs_of(name: *const c_char) -> *mut sqlite::sqlite3_vfs {
    // SAFETY: the caller's promise.
    let shared = !name.is_null() && unsafe { CStr::from_ptr(name) }.to_bytes().starts_with(DATABASE.to_bytes());
    if shared { MEMORY.load(Ordering::Acquire) } else { FILES.original() }
}

/// Calls the function of the VFS that the name belongs to.
macro_rules! forward {
    ($name:expr, $function:ident ( $($argument:expr),* )) => {{
        let vfs = vfs_of($name);
        match if vfs.is_null() { None } else { (*vfs).$function } {
            Some(function) => function(vfs, $name, $($argument),*),
            None => sqlite::SQLITE_CANTOPEN,
        }
    }};
}

unsafe extern "C" fn vfs_open(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: forwarded from SQLite; the file has room for either VFS's.
    unsafe { forward!(name, xOpen(file, flags, out_flags)) }
}

unsafe extern "C" fn vfs_delete(_: *mut sqlite::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: forwarded from SQLite.
    unsafe { forward!(name, xDelete(sync)) }
}

unsafe extern "C" fn vfs_access(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: forwarded from SQLite.
    unsafe { forward!(name, xAccess(flags, out)) }
}

unsafe extern "C" fn vfs_full_pathname(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: forwarded from SQLite.
    unsafe { forward!(name, xFullPathname(size, out)) }
}
