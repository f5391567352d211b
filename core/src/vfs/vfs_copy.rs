//! A VFS of ours that is a copy of one of SQLite's, under another name and with some functions of its own.

use std::ffi::CStr;
use std::ptr;
use std::sync::OnceLock;

use crate::sqlite;

/// One of them, and the VFS that it is a copy of.
pub(super) struct VfsCopy {
    original: OnceLock<Option<Original>>,
}

struct Original(*mut sqlite::sqlite3_vfs);
// SAFETY: SQLite's own VFSes live as long as the process, and SQLite calls them from any thread.
unsafe impl Send for Original {}
// SAFETY: as above.
unsafe impl Sync for Original {}

impl VfsCopy {
    pub(super) const fn new() -> VfsCopy {
        VfsCopy { original: OnceLock::new() }
    }

    /// Registers it under this name beside the others, never as the default; once per process. `of`: the name of the VFS that is
    /// copied, `None` for the default one. `change` puts functions of its own in, or says that it cannot be used here.
    pub(super) fn register(
        &self,
        name: &'static CStr,
        of: Option<&CStr>,
        change: impl FnOnce(&mut sqlite::sqlite3_vfs) -> bool,
    ) -> bool {
        let original = self.original.get_or_init(|| {
            // SAFETY: the original lives as long as the process; ours is leaked. The functions that stay are given the copy's
            // address, which SQLite's unix functions only read `mxPathname` and `pAppData` of: both are copied too.
            unsafe {
                let original = sqlite::sqlite3_vfs_find(of.map_or(ptr::null(), CStr::as_ptr));
                if original.is_null() {
                    return None;
                }
                let mut ours = Box::new(ptr::read(original));
                ours.pNext = ptr::null_mut();
                ours.zName = name.as_ptr();
                let registered =
                    change(&mut ours) && sqlite::sqlite3_vfs_register(Box::leak(ours), 0) == sqlite::SQLITE_OK;
                registered.then_some(Original(original))
            }
        });
        original.is_some()
    }

    /// The VFS that it is a copy of; null where none was registered.
    pub(super) fn original(&self) -> *mut sqlite::sqlite3_vfs {
        self.original.get().and_then(Option::as_ref).map_or(ptr::null_mut(), |original| original.0)
    }
}
