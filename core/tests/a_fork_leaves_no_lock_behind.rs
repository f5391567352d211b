//! A child forked while other threads open, query and close can use the library at once: no lock is stuck in it.
#![cfg(target_os = "linux")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, exec, open};
use litekeel_core::{codes, open_handles, sqlite};

/// Waits for the child at most 20 s; `None` when it hung and was killed.
fn wait(child: i32) -> Option<i32> {
    let began = Instant::now();
    let mut status = 0;
    // SAFETY: our own child.
    while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == 0 {
        if began.elapsed() > Duration::from_secs(20) {
            // SAFETY: as above; it has not been waited for yet.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &mut status, 0);
            }
            return None;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Some(status)
}

/// How many of SQLite's locks somebody holds here. Asks for no memory: in a child made without fork handlers the
/// allocator's lock may be stuck too.
fn stuck() -> i32 {
    (sqlite::SQLITE_MUTEX_STATIC_MASTER..=sqlite::SQLITE_MUTEX_STATIC_VFS3)
        .filter(|&id| {
            // SAFETY: SQLite is initialised; a lock that is free is given back.
            unsafe {
                let mutex = sqlite::sqlite3_mutex_alloc(id);
                let free = sqlite::sqlite3_mutex_try(mutex) == sqlite::SQLITE_OK;
                if free {
                    sqlite::sqlite3_mutex_leave(mutex);
                }
                !free
            }
        })
        .count() as i32
}

fn uses_everything(dir: &Dir, number: usize, parents: &litekeel_core::Connection) -> i32 {
    let mut failed = i32::from(parents.lock().err().map(|error| error.code()) != Some(codes::FORKED));
    failed |= i32::from(!open_handles().is_empty()) << 1;
    litekeel_core::subscribe_log(std::sync::Arc::new(|_, _| ()));
    let db = open(&dir.url(&format!("child-{number}.db?share=1&synchronous=off"))).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    failed |= i32::from(!db.close().unwrap().wal_removed) << 3;
    failed |= i32::from(open(&dir.url("load-0.db")).err().map(|error| error.code()) != Some(codes::FORKED)) << 4;
    failed
}

/// `FORKS` makes it longer than the default of 60.
#[test]
fn children_of_a_busy_process_never_hang() {
    let forks: usize = std::env::var("FORKS").map_or(60, |text| text.parse().unwrap());
    let dir = Dir::new();
    let db = open(&dir.url("load-0.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let stop = AtomicBool::new(false);
    let (mut hung, mut failed, mut stuck_unguarded) = (0, Vec::new(), 0);
    std::thread::scope(|scope| {
        for number in 1..=6 {
            let (dir, stop) = (&dir, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let db = open(&dir.url(&format!("load-{number}.db?synchronous=off&share=1"))).unwrap();
                    exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(randomblob(9)); DELETE FROM t");
                    db.close().unwrap();
                    open_handles();
                }
            });
        }
        for number in 0..forks {
            // SAFETY: what the child calls is what this test is about.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let body = || if stuck() > 0 { 64 } else { uses_everything(&dir, number, &db) };
                let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(99);
                // SAFETY: ends the child without the parent's exit handlers.
                unsafe { libc::_exit(status) };
            }
            match wait(child) {
                None => hung += 1,
                Some(0) => {}
                Some(status) => failed.push(status),
            }
        }
        // The control: without the handlers children do inherit locks that nobody will ever give back.
        for _ in 0..2000 {
            // SAFETY: the child only tries locks and ends.
            let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 };
            if child == 0 {
                // SAFETY: ends the child.
                unsafe { libc::_exit(stuck()) };
            }
            stuck_unguarded += usize::from(wait(child) != Some(0));
            if stuck_unguarded > 0 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!((hung, &failed[..]), (0, &[][..]), "of {forks} children");
    assert!(stuck_unguarded > 0, "no lock was ever held at a fork: the test has not tested");
    db.close().unwrap();
}
