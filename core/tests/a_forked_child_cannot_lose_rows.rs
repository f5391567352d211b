//! In a forked child the parent's files stay closed: SQLite would take no lock on them.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use common::{Dir, exec, get, open};
use litekeel_core::{codes, sqlite};

fn raw_open(path: &CStr) -> (i32, *mut sqlite::sqlite3) {
    let mut raw = std::ptr::null_mut();
    // SAFETY: a NUL-terminated path.
    let rc = unsafe { sqlite::sqlite3_open(path.as_ptr(), &mut raw) };
    (rc, raw)
}

fn raw_exec(raw: *mut sqlite::sqlite3, sql: &CStr) -> i32 {
    // SAFETY: an open handle.
    unsafe { sqlite::sqlite3_exec(raw, sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut()) }
}

/// Runs `body` in a child and gives its exit status. `handlers`: with `fork`, which runs the fork handlers; without
/// them the child looks to this library like the parent, which is how it would be without the guard.
fn in_child(handlers: bool, body: impl FnOnce() -> i32, meanwhile: impl FnOnce()) -> i32 {
    // SAFETY: these tests run one at a time, so no other thread of the process holds a lock that the child needs.
    let child = unsafe {
        if handlers { libc::fork() } else { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }
    };
    if child == 0 {
        let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(99);
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(status) };
    }
    meanwhile();
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status), "status {status:#x}");
    libc::WEXITSTATUS(status)
}

/// One test function: forks of a process with several test threads would not be deterministic.
#[test]
fn every_use_in_a_forked_child_is_refused_and_without_the_guard_its_rows_are_lost() {
    refused();
    unguarded_rows_are_lost();
    fork_after_close_and_exec_are_fine();
}

fn refused() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let path = CString::new(dir.file("a.db").to_str().unwrap()).unwrap();
    let child = || {
        let mut failed = 0;
        failed |= i32::from(db.lock().err().map(|error| error.code()) != Some(codes::FORKED));
        failed |= i32::from(open(&dir.url("a.db")).err().map(|error| error.code()) != Some(codes::FORKED)) << 1;
        failed |= i32::from(raw_open(&path).0 & 0xff != sqlite::SQLITE_CANTOPEN) << 2;
        failed |= i32::from(open(&dir.url("other.db")).is_err()) << 3;
        failed |= i32::from(db.sibling().err().map(|error| error.code()) != Some(codes::FORKED)) << 4;
        failed |= i32::from(!db.close().unwrap().why.contains("parent")) << 5;
        // None of the parent's connections is a leak of the child's.
        failed |= i32::from(litekeel_core::assert_no_leaks().is_err()) << 6;
        failed
    };
    assert_eq!(in_child(true, child, || ()), 0);
    exec(&db, "INSERT INTO t VALUES(1)");
    let report = db.close().unwrap();
    assert!(report.wal_removed, "{report:?}");
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "1");
    db.close().unwrap();
}

/// The child opens the parent's file, the parent closes, the child writes: returns what the write said in the child, and
/// the rows that are there afterwards.
fn write_in_child_after_the_parent_closed(handlers: bool) -> (i32, String) {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let path = CString::new(dir.file("a.db").to_str().unwrap()).unwrap();
    let (mut parents, mut childs) = UnixStream::pair().unwrap();
    let child = || {
        // The control is without the other guard too, which notices that the WAL is gone.
        // SAFETY: the child has this test's file alone.
        unsafe { litekeel_core::turn_wal_guard_off(!handlers) };
        let (mut rc, raw) = raw_open(&path);
        if rc == sqlite::SQLITE_OK {
            rc = raw_exec(raw, c"SELECT * FROM t");
        }
        childs.write_all(b"o").unwrap();
        childs.read_exact(&mut [0]).unwrap();
        let rc = if rc == sqlite::SQLITE_OK { raw_exec(raw, c"INSERT INTO t VALUES(2)") } else { rc };
        rc & 0xff
    };
    let meanwhile = || {
        parents.read_exact(&mut [0]).unwrap();
        assert!(db.close().unwrap().wal_removed);
        parents.write_all(b"c").unwrap();
    };
    let rc = in_child(handlers, child, meanwhile);
    let db = open(&dir.url("a.db")).unwrap();
    let rows = get(&db, "SELECT group_concat(a) FROM t");
    db.close().unwrap();
    (rc, rows)
}

fn unguarded_rows_are_lost() {
    // The control: the row was acknowledged, and is nowhere.
    assert_eq!(write_in_child_after_the_parent_closed(false), (sqlite::SQLITE_OK, "1".to_owned()));
    // With the guard nothing is acknowledged.
    assert_eq!(write_in_child_after_the_parent_closed(true), (sqlite::SQLITE_CANTOPEN, "1".to_owned()));
}

fn fork_after_close_and_exec_are_fine() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    let child = || {
        let db = open(&dir.url("a.db")).unwrap();
        exec(&db, "INSERT INTO t VALUES(1)");
        db.close().unwrap();
        0
    };
    assert_eq!(in_child(true, child, || ()), 0);
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "1");
    // After exec nothing is inherited, open parent or not.
    let output = common::child("writes_after_exec", &[("URL", &dir.url("a.db"))]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "2");
    db.close().unwrap();
}

#[test]
fn writes_after_exec() {
    if !common::is_child("writes_after_exec") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "INSERT INTO t VALUES(2)");
    db.close().unwrap();
}
