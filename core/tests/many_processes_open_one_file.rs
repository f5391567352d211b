//! Real processes: opening one fresh file together, dying without close, ending with a connection open.

mod common;

use std::process::Stdio;

use common::{Dir, child, exec, get, is_child, open};

#[test]
fn opener() {
    if !is_child("opener") {
        return;
    }
    let dir = std::env::var("DIR").unwrap();
    for round in 0..60 {
        let db = open(&format!("file:{dir}/{round}.db")).unwrap();
        assert_eq!(get(&db, "PRAGMA journal_mode"), "wal");
        db.close().unwrap();
    }
}

#[test]
fn eight_processes_open_sixty_fresh_files_and_none_fails() {
    let dir = Dir::new();
    let path = dir.path().to_str().unwrap();
    let children: Vec<_> =
        (0..8).map(|_| child("opener", &[("DIR", path)]).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    // Two that close at the same instant each see the other, and neither removes the WAL: the next close does.
    for round in 0..60 {
        let db = open(&dir.url(&format!("{round}.db?mode=rw"))).unwrap();
        assert!(db.close().unwrap().wal_removed);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 60, "60 databases and no -wal or -shm beside them");
}

#[test]
fn dies() {
    if !is_child("dies") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    // SAFETY: ends this child process at once, as a power button would.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

#[test]
fn frames_of_a_killed_process_are_recovered_and_reported() {
    let dir = Dir::new();
    let url = dir.url("a.db");
    assert!(!child("dies", &[("URL", &url)]).stdout(Stdio::null()).status().unwrap().success());
    let db = open(&url).unwrap();
    assert!(db.report().recovered_frames > 0, "{:?}", db.report());
    assert_eq!(get(&db, "SELECT a FROM t"), "1");
    db.close().unwrap();
    let db = open(&url).unwrap();
    assert_eq!(db.report().recovered_frames, 0, "a clean close leaves nothing to recover");
    db.close().unwrap();
}

#[test]
fn leaves_open() {
    if !is_child("leaves_open") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)");
    std::mem::forget(db);
}

#[test]
fn what_is_open_at_exit_is_closed_and_the_test_profile_fails() {
    let dir = Dir::new();
    for (name, query, success) in [("a.db", "", true), ("b.db", "?profile=test", false)] {
        let url = dir.url(&format!("{name}{query}"));
        let output = child("leaves_open", &[("URL", &url)]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), success, "{stderr}");
        assert!(stderr.contains("open at exit") && stderr.contains(name), "{stderr}");
        assert!(!dir.file(&format!("{name}-wal")).exists());
    }
}

#[test]
fn drops() {
    if !is_child("drops") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    assert_eq!(litekeel_core::assert_no_leaks().unwrap_err().name(), "KEEL_LEAK");
    drop(db);
    assert!(litekeel_core::open_handles().is_empty());
}

#[test]
fn a_drop_without_close_warns_and_fails_the_test_profile() {
    let dir = Dir::new();
    for (query, success) in [("", true), ("?profile=test", false)] {
        let output = child("drops", &[("URL", &dir.url(&format!("{success}.db{query}")))]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), success, "{stderr}");
        assert!(stderr.contains("dropped without close"), "{stderr}");
        assert!(!dir.file(&format!("{success}.db-wal")).exists());
    }
}

#[test]
fn a_forked_child_is_refused_and_harms_nothing() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    // SAFETY: the child only uses the connection, which refuses without taking a lock another thread may hold, and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let refused = db.lock().is_err_and(|error| error.name() == "KEEL_FORKED");
        let discarded = db.close().is_ok_and(|report| !report.wal_removed);
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(!(refused && discarded))) };
    }
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!(status, 0);
    exec(&db, "INSERT INTO t VALUES(1)");
    assert!(db.close().unwrap().wal_removed);
}
