//! In a forked child the parent's files stay closed: SQLite would take no lock on them.
#![cfg(target_os = "linux")]

mod common;

use common::{Dir, exec, open};
use litekeel_core::{codes, sqlite};

#[test]
fn every_use_in_a_forked_child_is_refused_and_the_parent_is_unharmed() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let path = std::ffi::CString::new(dir.file("a.db").to_str().unwrap()).unwrap();
    // SAFETY: this test is alone in its process but for the harness's thread, which holds no lock the child needs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut failed = 0;
        failed |= i32::from(db.lock().err().map(|error| error.code()) != Some(codes::FORKED));
        failed |= i32::from(open(&dir.url("a.db")).err().map(|error| error.code()) != Some(codes::FORKED)) << 1;
        let mut raw = std::ptr::null_mut();
        // SAFETY: a NUL-terminated path; the process ends right after.
        let rc = unsafe {
            sqlite::sqlite3_open(path.as_ptr(), &mut raw);
            sqlite::sqlite3_exec(raw, c"SELECT * FROM t".as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut())
        };
        failed |= i32::from(rc & 0xff != sqlite::SQLITE_CANTOPEN && rc != sqlite::SQLITE_MISUSE) << 2;
        failed |= i32::from(open(&dir.url("other.db")).is_err()) << 3;
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(failed) };
    }
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status));
    assert_eq!(libc::WEXITSTATUS(status), 0);
    exec(&db, "INSERT INTO t VALUES(1)");
    assert!(db.close().unwrap().wal_removed);
}
