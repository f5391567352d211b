//! SQLite itself, on the one copy that litekeel carries.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Once, OnceLock};

use litekeel_core::sqlite::{self, sqlite3, sqlite3_api_routines};
use litekeel_core::{Error, codes, standard_error_line};

use crate::boundary::{connection_of, run, value};
use crate::types::{keel_db, keel_error};

/// SQLite's own handle of the connection, for everything that litekeel/sqlite3.h declares; NULL for a handle that is
/// not usable. NULL too, with a line on standard error, where the program's sqlite3_ calls go to another SQLite that it
/// links before litekeel: they would crash on this handle. Take -lsqlite3 out, or call through keel_sqlite3_api() (and
/// call that first). The handle is borrowed: do not close it, and do not use it while other threads use the connection through
/// litekeel. For a program with its own prepared statements this is the intended way: keel_open, then
/// sqlite3_prepare_v2, bind, step, column, and keel_explain.
#[unsafe(no_mangle)]
pub extern "C" fn keel_sqlite3(db: *mut keel_db) -> *mut sqlite3 {
    value(std::ptr::null_mut(), || {
        if let Some(other) = stands_before_ours() {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                standard_error_line(&format!(
                    "this program's sqlite3_ calls go to {other}, which it links or preloads before litekeel; on \
                     litekeel's handle they would crash, so keel_sqlite3 returns NULL (take -lsqlite3 out, or call through \
                     keel_sqlite3_api)"
                ));
            });
            return std::ptr::null_mut();
        }
        connection_of(db).and_then(|connection| Ok(connection.lock()?.raw())).unwrap_or(std::ptr::null_mut())
    })
}

/// The object that a program's own calls of SQLite lead to, when that is not this one. Whoever loads this library by
/// itself (`dlopen`) asks it for its functions, and whoever has asked for the table calls through that.
fn stands_before_ours() -> Option<String> {
    if API.get().is_some() {
        return None;
    }
    // SAFETY: NUL-terminated names; the answers are only compared, and `dladdr` fills what it is given.
    unsafe {
        let first = |name: &CStr| libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        let (ours, other) = (first(c"keel_sqlite3"), first(c"sqlite3_libversion"));
        if ours != keel_sqlite3 as *mut c_void || other.is_null() || other == sqlite::sqlite3_libversion as *mut c_void
        {
            return None;
        }
        let mut found: libc::Dl_info = std::mem::zeroed();
        let named = libc::dladdr(other, &mut found) != 0 && !found.dli_fname.is_null();
        Some(if named {
            CStr::from_ptr(found.dli_fname).to_string_lossy().into_owned()
        } else {
            "another SQLite".into()
        })
    }
}

/// Explains a failure on SQLite's own handle: what happened, to which file, who holds the lock, what to do.
///
/// `rc`: what a sqlite3_ function on keel_sqlite3(db) returned. Call this before the connection is used again: the
/// details are those of its latest failure. Returns SQLite's extended result code, and `err` gets the error object.
/// For SQLITE_OK, SQLITE_ROW and SQLITE_DONE: 0, without an error. KEEL_E_ARGUMENT for a negative `rc`.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_explain(db: *mut keel_db, rc: i32, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        let connection = connection_of(db)?;
        if rc < 0 {
            return Err(Error::new(codes::ARGUMENT, format!("{rc} is not a result code of SQLite's"))
                .with_hint("pass what the sqlite3_ function returned"));
        }
        if matches!(rc, sqlite::SQLITE_OK | sqlite::SQLITE_ROW | sqlite::SQLITE_DONE) {
            return Ok(0);
        }
        Err(connection.explain(rc)?)
    })
}

static API: OnceLock<Api> = OnceLock::new();

struct Api(*const sqlite3_api_routines);
// SAFETY: SQLite's table of functions is static and never written.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

/// SQLite's table of functions, for code compiled with sqlite3ext.h: every call through it reaches this copy of
/// SQLite, even when another one is linked.
#[unsafe(no_mangle)]
pub extern "C" fn keel_sqlite3_api() -> *const sqlite3_api_routines {
    value(std::ptr::null(), api)
}

fn api() -> *const sqlite3_api_routines {
    unsafe extern "C" fn capture(_: *mut sqlite3, _: *mut *mut c_char, api: *const sqlite3_api_routines) -> c_int {
        let _ = API.set(Api(api));
        sqlite::SQLITE_OK
    }
    if API.get().is_none() {
        litekeel_core::initialise();
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
