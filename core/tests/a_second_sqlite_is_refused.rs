//! Another copy of SQLite in this process is found before it can do harm; connections of our own never are.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::{CString, c_char, c_int, c_void};

use common::{Dir, exec, get, open};
use litekeel_core::codes;

/// The system's libsqlite3, loaded beside ours with symbols of its own.
struct Other {
    library: *mut c_void,
    db: *mut c_void,
}

impl Other {
    fn open(path: &std::path::Path) -> Option<Other> {
        // SAFETY: a C library without unusual constructors; the signatures are those of sqlite3.h.
        unsafe {
            let library =
                libc::dlopen(c"libsqlite3.so.0".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND);
            if library.is_null() {
                return None;
            }
            let open: unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int =
                std::mem::transmute(libc::dlsym(library, c"sqlite3_open".as_ptr()));
            let path = CString::new(path.to_str().unwrap()).unwrap();
            let mut db = std::ptr::null_mut();
            assert_eq!(open(path.as_ptr(), &mut db), 0);
            Some(Other { library, db })
        }
    }

    fn exec(&self, sql: &std::ffi::CStr) -> c_int {
        // SAFETY: as in `open`; the handle is open.
        unsafe {
            let exec: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void, *mut c_void, *mut c_void) -> c_int =
                std::mem::transmute(libc::dlsym(self.library, c"sqlite3_exec".as_ptr()));
            let none = std::ptr::null_mut();
            exec(self.db, sql.as_ptr(), none, none, none)
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // SAFETY: as in `open`; nobody uses the handle any more.
        unsafe {
            let close: unsafe extern "C" fn(*mut c_void) -> c_int =
                std::mem::transmute(libc::dlsym(self.library, c"sqlite3_close".as_ptr()));
            close(self.db);
        }
    }
}

#[test]
fn the_systems_sqlite_beside_ours_is_refused_and_without_the_guard_both_write_at_once() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    let Some(other) = Other::open(&dir.file("a.db")) else {
        eprintln!("SKIPPED: there is no libsqlite3.so.0 on this system");
        return;
    };
    assert_eq!(other.exec(c"SELECT * FROM t; BEGIN IMMEDIATE"), 0);
    assert_eq!(open(&dir.url("a.db")).unwrap_err().code(), codes::SECOND_SQLITE);
    // The control: unguarded, the write lock that the other copy holds is granted to us too.
    let unguarded = open(&dir.url("a.db?foreign_sqlite=off")).unwrap();
    exec(&unguarded, "BEGIN IMMEDIATE; ROLLBACK");
    unguarded.close().unwrap();
    drop(other);
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&db, "SELECT a FROM t"), "1");
    db.close().unwrap();
}

#[test]
fn many_connections_threads_and_attach_of_our_own_raise_no_alarm() {
    let dir = Dir::new();
    let other = dir.file("b.db");
    let first = open(&dir.url("a.db")).unwrap();
    exec(&first, "CREATE TABLE t(a)");
    open(&dir.url("b.db")).unwrap().close().unwrap();
    exec(
        &first,
        &format!("ATTACH '{}' AS b; CREATE TABLE b.t(a); BEGIN IMMEDIATE; INSERT INTO b.t VALUES(1)", other.display()),
    );
    open(&dir.url("b.db?busy_timeout=2000")).unwrap().close().unwrap();
    exec(&first, "COMMIT");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let db = open(&dir.url("c.db")).unwrap();
                    exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
                    db.close().unwrap();
                }
            });
        }
    });
    let db = open(&dir.url("c.db")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "200");
}
