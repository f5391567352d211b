//! BUSY has many causes: a close or a recovery in another process, a change of the journal mode. Each is told apart, with
//! the process that is in the way, in real processes that are stopped in the middle of it.
#![cfg(target_os = "linux")]

mod common;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Dir, Killed, child, exec, is_child, open};
use litekeel_core::Error;
use litekeel_core::holders;
use litekeel_core::{BusyKind, HolderRole, HolderState};

/// Fills a WAL with so many pages that closing or recovering it takes a while.
const PAGES: u32 = 10_000;

#[test]
fn fills_the_wal() {
    if !is_child("fills_the_wal") {
        return;
    }
    // SQLite as it is: its own close moves the whole WAL into the database, with all of it locked.
    let db = rusqlite::Connection::open(std::env::var("DATABASE").unwrap()).unwrap();
    db.execute_batch(&format!(
        "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a); \
         WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < {PAGES}) \
         INSERT INTO t SELECT zeroblob(4000) FROM n"
    ))
    .unwrap();
    if std::env::var_os("DIES").is_some() {
        // SAFETY: this process; nothing is closed.
        unsafe { libc::kill(std::process::id() as i32, libc::SIGKILL) };
    }
    drop(db);
}

#[test]
fn opens() {
    if is_child("opens") {
        open(&std::env::var("URL").unwrap()).unwrap().close().unwrap();
    }
}

/// Stops the process while it holds a lock of this kind; whether that was in time.
fn stopped_as(role: HolderRole, process: &mut Child, path: &std::path::Path) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let holds = || holders(path, None).unwrap_or_default().iter().any(|holder| holder.role == role);
        if holds() {
            // SAFETY: our own child.
            unsafe { libc::kill(process.id() as i32, libc::SIGSTOP) };
            // It ends the system call that it is in, which may be the one that gives the lock back.
            let stat = format!("/proc/{}/stat", process.id());
            let stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
            while !stopped() && process.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            return holds();
        }
        if process.try_wait().unwrap().is_some() {
            return false;
        }
    }
    false
}

fn check(error: &Error, kind: BusyKind, process: &Child) {
    let busy = error.busy().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(busy.kind, kind, "{error}");
    assert!(busy.waited >= Duration::from_millis(200), "{:?}", busy.waited);
    let holder = busy.holders.iter().find(|holder| holder.pid == process.id()).unwrap_or_else(|| panic!("{error}"));
    assert_eq!(holder.state, HolderState::Stopped);
    assert!(holder.since.is_none_or(|since| since < Duration::from_secs(60)));
    assert!(error.message().contains("stopped by a signal"), "{error}");
    assert_eq!(error.hint(), "resume or kill the stopped process");
}

/// Catching a process in the middle of something is a matter of luck: a few attempts.
const ATTEMPTS: u32 = 20;

#[test]
fn a_process_that_closes_as_the_last_one_is_named() {
    for _ in 0..ATTEMPTS {
        let dir = Dir::new();
        let url = dir.url("a.db?busy_timeout=200");
        // Made before, since creating it locks all of the file as well.
        open(&url).unwrap().close().unwrap();
        let database = dir.file("a.db").display().to_string();
        let writer = child("fills_the_wal", &[("DATABASE", &database)]).stdout(Stdio::null()).spawn().unwrap();
        let mut process = Killed(writer);
        let caught = stopped_as(HolderRole::Exclusive, &mut process.0, &dir.file("a.db"));
        // It may have gone on between the look and the stop.
        let error = if caught { open(&url).map(|db| db.close()).err() } else { None };
        let checked = error.map(|error| check(&error, BusyKind::CloseInProgress, &process.0));
        if checked.is_some() {
            return;
        }
    }
    panic!("the process was never caught while it was closing");
}

#[test]
fn a_process_that_recovers_the_wal_is_named() {
    for _ in 0..ATTEMPTS {
        let dir = Dir::new();
        let url = dir.url("a.db?busy_timeout=200");
        let database = dir.file("a.db").display().to_string();
        let envs = [("DATABASE", database.as_str()), ("DIES", "1")];
        child("fills_the_wal", &envs).stdout(Stdio::null()).spawn().unwrap().wait().unwrap();
        let mut process = Killed(child("opens", &[("URL", &url)]).stdout(Stdio::null()).spawn().unwrap());
        let caught = stopped_as(HolderRole::Recoverer, &mut process.0, &dir.file("a.db"));
        // It may have gone on between the look and the stop.
        let error = if caught { open(&url).map(|db| db.close()).err() } else { None };
        let checked = error.map(|error| check(&error, BusyKind::Recovery, &process.0));
        if checked.is_some() {
            return;
        }
    }
    panic!("the process was never caught while it was recovering");
}

#[test]
fn a_conversion_of_the_journal_names_who_is_in_its_way() {
    let dir = Dir::new();
    let writer = open(&dir.url("a.db?journal_mode=delete")).unwrap();
    writer.exec("CREATE TABLE t(a); BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
    let error = open(&dir.url("a.db?busy_timeout=200")).unwrap_err();
    let other = open(&dir.url("a.db?journal_mode=delete&busy_timeout=200")).unwrap();
    for (error, step) in [(error, Some("journal_mode")), (other.exec("PRAGMA journal_mode = wal").unwrap_err(), None)] {
        let busy = error.busy().unwrap_or_else(|| panic!("{error}"));
        assert_eq!((busy.kind, error.step()), (BusyKind::WalConversion, step), "{error}");
        assert_eq!(busy.holders[0].sql.as_deref(), Some("INSERT INTO t VALUES(1)"), "{error}");
        if step.is_some() {
            assert!(busy.waited >= Duration::from_millis(200), "{:?}", busy.waited);
        }
    }
    writer.exec("COMMIT").unwrap();
    writer.close().unwrap();
    other.close().unwrap();
}

/// A reader is in a writer's way with a rollback journal alone, whatever the settings wished for.
#[test]
fn the_journal_in_use_says_whether_an_own_reader_is_in_the_way() {
    let dir = Dir::new();
    let reader = open(&dir.url("a.db")).unwrap();
    exec(&reader, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA journal_mode=delete");
    let writer = open(&dir.url("a.db?journal_mode=delete&busy_timeout=600s")).unwrap();
    reader.exec("BEGIN; SELECT * FROM t").unwrap();
    reader.set_async_transaction(true);
    // At once: nobody but this thread can end the transaction.
    let error = writer.exec("INSERT INTO t VALUES(2)").unwrap_err();
    assert_eq!(error.busy().unwrap().kind, BusyKind::OwnAsyncTransaction, "{error}");
    reader.set_async_transaction(false);
    reader.exec("ROLLBACK").unwrap();
    writer.exec("INSERT INTO t VALUES(2)").unwrap();
    // In WAL mode it is in nobody's.
    writer.close().unwrap();
    exec(&reader, "PRAGMA journal_mode=wal");
    let writer = open(&dir.url("a.db?busy_timeout=0")).unwrap();
    reader.exec("BEGIN; SELECT * FROM t").unwrap();
    reader.set_async_transaction(true);
    writer.exec("INSERT INTO t VALUES(3)").unwrap();
    reader.set_async_transaction(false);
    reader.exec("ROLLBACK").unwrap();
}
