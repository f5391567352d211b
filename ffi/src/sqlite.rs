//! SQLite itself, on the one copy that litekeel carries.

use std::ffi::{c_char, c_int};
use std::sync::OnceLock;

use litekeel_core::sqlite::{self, sqlite3, sqlite3_api_routines};

use crate::boundary::value;
use crate::connection::{keel_db, of};

/// SQLite's own handle of the connection, or NULL. It is borrowed: do not close it. While other threads use the
/// connection through litekeel, do not.
#[unsafe(no_mangle)]
pub extern "C" fn keel_sqlite3(db: *mut keel_db) -> *mut sqlite3 {
    value(std::ptr::null_mut(), || {
        of(db).and_then(|connection| Ok(connection.lock()?.raw())).unwrap_or(std::ptr::null_mut())
    })
}

struct Api(*const sqlite3_api_routines);
// SAFETY: SQLite's table of functions is static and never written.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

/// SQLite's table of functions, for code compiled with sqlite3ext.h: every call goes to this copy of SQLite,
/// whichever other one is linked.
#[unsafe(no_mangle)]
pub extern "C" fn keel_sqlite3_api() -> *const sqlite3_api_routines {
    value(std::ptr::null(), api)
}

fn api() -> *const sqlite3_api_routines {
    static API: OnceLock<Api> = OnceLock::new();
    unsafe extern "C" fn capture(_: *mut sqlite3, _: *mut *mut c_char, api: *const sqlite3_api_routines) -> c_int {
        let _ = API.set(Api(api));
        sqlite::SQLITE_OK
    }
    if API.get().is_none() {
        litekeel_core::process::initialise();
        let mut raw = std::ptr::null_mut();
        // SAFETY: an automatic extension is called with SQLite's table when a connection opens; it is taken back at once,
        // and the connection in memory that triggered it is closed.
        unsafe {
            sqlite::sqlite3_auto_extension(Some(capture));
            sqlite::sqlite3_open_v2(c":memory:".as_ptr(), &mut raw, sqlite::SQLITE_OPEN_READWRITE, std::ptr::null());
            sqlite::sqlite3_close(raw);
            sqlite::sqlite3_cancel_auto_extension(Some(capture));
        }
    }
    API.get().map_or(std::ptr::null(), |api| api.0)
}
