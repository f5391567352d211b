//! SQLite's online backup, driven a few pages at a time from the event loop.

use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::rc::Rc;

use litekeel_core::strayed;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::RESCUE;
use crate::connection::call::Call;
use crate::connection::token::{Attachment, Token};
use crate::js::external::{self, External, Held};
use crate::js::object;
use crate::js::value;

struct Backup {
    handle: Cell<*mut sqlite::sqlite3_backup>,
    destination: *mut sqlite::sqlite3,
    path: CString,
    /// The file did not exist before: an aborted backup leaves nothing behind.
    new_file: bool,
    /// The source's database; `None`: what the connection sees is copied, whatever is at its path.
    in_place: Option<CString>,
    done: Cell<bool>,
}

/// What JavaScript holds.
struct HeldBackup {
    backup: Rc<Backup>,
    /// Its connection.
    source: Rc<Token>,
}

impl Held for HeldBackup {
    type Pointer = Rc<HeldBackup>;
    const TAG: sys::napi_type_tag = external::tag(0x6261_636b_7570_0001);
}

impl HeldBackup {
    fn finish(&self) {
        self.source.with_teardown_lock(|| self.backup.release());
        self.source.detach_from(&self.backup);
    }
}

impl Drop for HeldBackup {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Attachment for Backup {
    /// Ends the backup, complete or not. Must happen before the source connection closes, and while nobody else uses it.
    fn release(&self) {
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

/// `(token, schema, path, newFile, unsafe)` → backup
pub(super) unsafe fn start(call: &Call) -> Option<sys::napi_value> {
    let source = call.open_token()?;
    let db = source.db();
    let (schema, path) = (call.text(1)?, call.text(2)?);
    // SQLite would say no more than that it cannot open the file.
    let file = std::path::absolute(OsStr::from_bytes(path.to_bytes())).unwrap_or_default();
    if let Some(Err(error)) = source.core().map(|connection| connection.check_allowed(&file)) {
        return Some(object::failure(call.env, &error));
    }
    let mut destination = ptr::null_mut();
    // SAFETY: every handle made here is closed on each failure, or owned by the backup, which the external owns.
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
        let new_file = call.flag(3);
        let in_place = (!call.flag(4)).then_some(schema);
        let done = Cell::new(false);
        let backup = Rc::new(Backup { handle: Cell::new(handle), destination, path, new_file, in_place, done });
        source.attach(backup.clone());
        External::<HeldBackup>::make(call.env, Rc::new(HeldBackup { backup, source }))
    }
}

/// The backup in the first argument.
fn backup_of(call: &Call) -> Option<Rc<HeldBackup>> {
    External::<HeldBackup>::of(call.env, call.args[0])
}

/// `(backup, pages)` → `[code, totalPages, remainingPages]`, or `[code, message]`
pub(super) unsafe fn step(call: &Call) -> Option<sys::napi_value> {
    let held = backup_of(call).filter(|held| !held.backup.handle.get().is_null());
    let Some(held) = held else {
        value::throw_type(call.env, "The database connection is not open");
        return None;
    };
    let HeldBackup { backup, source } = &*held;
    // SAFETY: a backup that has not ended has an open source, held during the call.
    let answer = source.with_guard(|_| unsafe { copy(call, backup, source.db()) });
    answer.unwrap_or_else(|error| Some(object::failure(call.env, &error)))
}

unsafe fn copy(call: &Call, backup: &Backup, db: *mut sqlite::sqlite3) -> Option<sys::napi_value> {
    // SAFETY: the handle is live until `release`.
    unsafe {
        let handle = backup.handle.get();
        let (mut pages, left) = (call.int(1), sqlite::sqlite3_backup_remaining(handle));
        // A source that gets small ends in whichever step comes next.
        if sqlite::sqlite3_backup_pagecount(handle) > 0
            && let Some(refused) = refuses(call, backup, db)
        {
            return Some(refused);
        }
        let mut rc = sqlite::SQLITE_OK;
        if left > 0 && (pages < 0 || pages >= left) {
            // With the last page the copy has its content: up to there the source has been the file at its path.
            if left > 1 {
                rc = sqlite::sqlite3_backup_step(handle, left - 1) & 0xff;
                if let Some(refused) = refuses(call, backup, db) {
                    return Some(refused);
                }
            }
            pages = -1;
        }
        if rc == sqlite::SQLITE_OK {
            rc = sqlite::sqlite3_backup_step(handle, pages) & 0xff;
        }
        match rc {
            // A busy database is tried again at the next step.
            sqlite::SQLITE_OK | sqlite::SQLITE_DONE | sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED => {
                if rc == sqlite::SQLITE_DONE {
                    backup.done.set(true);
                }
                let total = sqlite::sqlite3_backup_pagecount(backup.handle.get());
                let remaining = sqlite::sqlite3_backup_remaining(backup.handle.get());
                // SQLite does not begin then, and nothing would ever be copied while that is open.
                let writes = || sqlite::sqlite3_txn_state(db, ptr::null()) == sqlite::SQLITE_TXN_WRITE;
                if rc == sqlite::SQLITE_BUSY && total == 0 && writes() {
                    let text =
                        c"a backup inside a transaction that writes would copy what may be undone: commit it first";
                    return Some(call.failure(rc, text));
                }
                let figures = [rc, total, remaining].map(|figure| value::number(call.env, f64::from(figure)));
                Some(call.list(&figures))
            }
            _ => Some(call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))),
        }
    }
}

/// The failure where the source is not, or not any more, what is at its path, and where that is empty: it would empty a copy that
/// was there.
///
/// # Safety
/// `db` is the open source, and this thread has it.
unsafe fn refuses(call: &Call, backup: &Backup, db: *mut sqlite::sqlite3) -> Option<sys::napi_value> {
    let schema = backup.in_place.as_deref()?;
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(error) = strayed(db, schema) {
            return Some(object::failure(call.env, &error.with_hint(RESCUE)));
        }
        is_empty(db, schema).then(|| {
            call.failure(sqlite::SQLITE_NOTADB, c"the database has become empty: the copy is as it was before")
        })
    }
}

/// Whether the database's file has nothing in it, as after `: > app.db`.
///
/// # Safety
/// `db` is open, and this thread has it.
unsafe fn is_empty(db: *mut sqlite::sqlite3, schema: &CStr) -> bool {
    // SAFETY: the caller's promise; the name lives as long as the file is attached, and is empty for one in memory.
    let name = unsafe {
        let name = sqlite::sqlite3_db_filename(db, schema.as_ptr());
        if name.is_null() { c"" } else { CStr::from_ptr(name) }
    };
    std::fs::metadata(OsStr::from_bytes(name.to_bytes())).is_ok_and(|meta| meta.len() == 0)
}

/// `(backup)`
pub(super) unsafe fn finish(call: &Call) -> Option<sys::napi_value> {
    if let Some(held) = backup_of(call) {
        held.finish();
    }
    None
}
