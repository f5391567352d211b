//! The system calls of SQLite's unix VFS, which functions of ours stand before: opens and closes of every database file pass
//! here, whoever asks for them.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sqlite;

pub(super) type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
pub(super) type Close = unsafe extern "C" fn(c_int) -> c_int;
pub(super) type Stat = unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int;
pub(super) type Fstat = unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int;
/// Variadic, as the C library's.
pub(super) type Fcntl = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;
pub(super) type Unlink = unsafe extern "C" fn(*const c_char) -> c_int;

/// One of them, and what SQLite called before ours stood there. `Function` is its type.
pub(super) struct SystemCall<Function> {
    name: &'static CStr,
    original: AtomicUsize,
    kind: PhantomData<fn() -> Function>,
}

impl<Function: Copy> SystemCall<Function> {
    /// # Safety
    /// `Function` is the type that SQLite calls this one by (`aSyscall` in its `os_unix.c`).
    pub(super) const unsafe fn new(name: &'static CStr) -> SystemCall<Function> {
        const { assert!(size_of::<Function>() == size_of::<usize>()) };
        SystemCall { name, original: AtomicUsize::new(0), kind: PhantomData }
    }

    /// Notes what SQLite calls now; whether it has a system call of this name, of a unix VFS.
    pub(super) fn find(&self) -> bool {
        // SAFETY: the VFS is SQLite's own and lives as long as the process.
        let found = unsafe {
            let vfs = sqlite::sqlite3_vfs_find(c"unix".as_ptr());
            if vfs.is_null() {
                return false;
            }
            (*vfs).xGetSystemCall.and_then(|get| get(vfs, self.name.as_ptr()))
        };
        if let Some(found) = found {
            self.original.store(found as usize, Ordering::Release);
        }
        found.is_some()
    }

    /// Puts `ours` in the place of what was [found](SystemCall::find).
    pub(super) fn replace(&self, ours: Function) {
        // SAFETY: as in `find`. The function has the type that SQLite calls it by: see `new`.
        unsafe {
            let vfs = sqlite::sqlite3_vfs_find(c"unix".as_ptr());
            if let Some(set) = (*vfs).xSetSystemCall {
                set(vfs, self.name.as_ptr(), Some(std::mem::transmute_copy::<Function, unsafe extern "C" fn()>(&ours)));
            }
        }
    }

    /// Whether it was found.
    pub(super) fn is_found(&self) -> bool {
        self.original.load(Ordering::Acquire) != 0
    }

    /// What SQLite called before.
    ///
    /// # Safety
    /// It was found, as it was when this is called by a function that stands in its place.
    pub(super) unsafe fn original(&self) -> Function {
        // SAFETY: stored by `find`, and of this type: see `new`.
        unsafe { std::mem::transmute_copy::<usize, Function>(&self.original.load(Ordering::Acquire)) }
    }
}
