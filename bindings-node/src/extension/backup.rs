//! SQLite's online backup, driven a few pages at a time from the event loop.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_void};
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::{Call, value};

/// Marks externals as backups.
const BACKUP: sys::napi_type_tag = sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: 0x6261_636b_7570_0001 };

struct Backup {
    handle: Cell<*mut sqlite::sqlite3_backup>,
    destination: *mut sqlite::sqlite3,
    path: CString,
    /// The file did not exist before: an aborted backup leaves nothing behind.
    new_file: bool,
    done: Cell<bool>,
}

impl Backup {
    /// Ends the backup, complete or not. Must happen before the source connection closes.
    fn finish(&self) {
        let handle = self.handle.replace(ptr::null_mut());
        if handle.is_null() {
            return;
        }
        // SAFETY: both handles are live until here and used by nobody else; an unfinished backup is rolled back.
        unsafe {
            sqlite::sqlite3_backup_finish(handle);
            sqlite::sqlite3_close(self.destination);
        }
        if self.new_file && !self.done.get() {
            // SAFETY: a NUL-terminated path. SQLite has closed the file above. Failure leaves a partial file: no harm.
            unsafe { libc::unlink(self.path.as_ptr()) };
        }
    }
}

/// `(token, schema, path, newFile)` → backup
pub(super) unsafe fn start(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let (schema, path) = (call.text(1)?, call.text(2)?);
    let mut destination = ptr::null_mut();
    // SAFETY: every handle made here is closed on each failure, or owned by the backup's box, which the external owns.
    unsafe {
        let rc = sqlite::sqlite3_open_v2(
            path.as_ptr(),
            &mut destination,
            sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE,
            ptr::null(),
        );
        if rc != sqlite::SQLITE_OK {
            let failure = call.outcome(rc, destination);
            sqlite::sqlite3_close(destination);
            return Some(failure);
        }
        sqlite::sqlite3_extended_result_codes(destination, 1);
        let handle = sqlite::sqlite3_backup_init(destination, c"main".as_ptr(), db, schema.as_ptr());
        if handle.is_null() {
            let failure = call.outcome(sqlite::SQLITE_ERROR, destination);
            sqlite::sqlite3_close(destination);
            return Some(failure);
        }
        let file = sqlite::sqlite3_db_filename(destination, c"main".as_ptr());
        let path = if file.is_null() { path } else { CStr::from_ptr(file).to_owned() };
        let backup = Box::into_raw(Box::new(Backup {
            handle: Cell::new(handle),
            destination,
            path,
            new_file: call.flag(3),
            done: Cell::new(false),
        }));
        let mut external = ptr::null_mut();
        if sys::napi_create_external(call.env, backup.cast(), Some(free), ptr::null_mut(), &mut external)
            != sys::Status::napi_ok
        {
            (*backup).finish();
            drop(Box::from_raw(backup));
            return None;
        }
        sys::napi_type_tag_object(call.env, external, &BACKUP);
        Some(external)
    }
}

unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the box of `start`, finalised once. `lib/` finishes every backup before its source closes, and the
    // source keeps the external alive until then, so nothing is left to finish here but at teardown.
    drop(unsafe { Box::from_raw(data.cast::<Backup>()) });
}

/// The live backup in the first argument; throws a TypeError if it has ended.
unsafe fn backup_of(call: &Call) -> Option<&Backup> {
    let mut ours = false;
    let mut data = ptr::null_mut();
    // SAFETY: the tag is checked before the pointer is believed; the external keeps the box alive during the call.
    unsafe {
        sys::napi_check_object_type_tag(call.env, call.args[0], &BACKUP, &mut ours);
        if ours {
            sys::napi_get_value_external(call.env, call.args[0], &mut data);
        }
        if data.is_null() { None } else { Some(&*data.cast::<Backup>()) }
    }
}

/// `(backup, pages)` → `[code, totalPages, remainingPages]`, or `[code, message]`
pub(super) unsafe fn step(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: called by N-API with live handles.
    let backup = unsafe { backup_of(call) };
    let Some(backup) = backup.filter(|backup| !backup.handle.get().is_null()) else {
        value::throw_type(call.env, "The database connection is not open");
        return None;
    };
    // SAFETY: the handle is live until `finish`.
    unsafe {
        let rc = sqlite::sqlite3_backup_step(backup.handle.get(), call.int(1)) & 0xff;
        match rc {
            // A busy database is tried again at the next step.
            sqlite::SQLITE_OK | sqlite::SQLITE_DONE | sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED => {
                if rc == sqlite::SQLITE_DONE {
                    backup.done.set(true);
                }
                let total = sqlite::sqlite3_backup_pagecount(backup.handle.get());
                let remaining = sqlite::sqlite3_backup_remaining(backup.handle.get());
                let figures = [rc, total, remaining].map(|figure| value::number(call.env, f64::from(figure)));
                Some(call.list(&figures))
            }
            _ => Some(call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))),
        }
    }
}

/// `(backup)`
pub(super) unsafe fn finish(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: called by N-API with live handles.
    if let Some(backup) = unsafe { backup_of(call) } {
        backup.finish();
    }
    None
}
