//! Counts the lock calls that SQLite makes, on each thread.
#![allow(dead_code)] // Each test program uses its part.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use litekeel_core::{Connection, sqlite};

use crate::common::{Dir, exec, open};

thread_local!(static CALLS: Cell<u64> = const { Cell::new(0) });
static FCNTL: AtomicUsize = AtomicUsize::new(0);

type Fcntl = unsafe extern "C" fn(c_int, c_int, usize) -> c_int;

unsafe extern "C" fn counted(fd: c_int, command: c_int, argument: usize) -> c_int {
    CALLS.set(CALLS.get() + 1);
    // SAFETY: stored before this function could be called.
    unsafe { std::mem::transmute::<usize, Fcntl>(FCNTL.load(Ordering::Acquire))(fd, command, argument) }
}

/// Begins to count. After the first open, so that the library has its own hooks in place.
pub fn count() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite's VFS, which lives as long as the process; a variadic C function takes its argument in a register.
        unsafe {
            let vfs = sqlite::sqlite3_vfs_find(c"unix".as_ptr());
            let original = (*vfs).xGetSystemCall.unwrap()(vfs, c"fcntl".as_ptr());
            FCNTL.store(original.unwrap() as usize, Ordering::Release);
            let ours: Fcntl = counted;
            let ours = std::mem::transmute::<Fcntl, unsafe extern "C" fn()>(ours);
            assert_eq!((*vfs).xSetSystemCall.unwrap()(vfs, c"fcntl".as_ptr(), Some(ours)), 0);
        }
    });
}

/// This thread's until now.
pub fn made() -> u64 {
    CALLS.get()
}

/// A connection whose calls are counted, to a database with a row.
pub fn filled(dir: &Dir, name: &str, parameters: &str) -> Arc<Connection> {
    let connection = open(&dir.url(&format!("{name}?checkpoint=auto&{parameters}"))).unwrap();
    count();
    exec(&connection, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1)");
    connection
}

/// The lock calls of this thread for so many reads with this pause before each.
pub fn calls(connection: &Connection, reads: u64, pause: Duration) -> u64 {
    let guard = connection.lock().unwrap();
    let mut statement = guard.sqlite().prepare("SELECT a FROM t WHERE id = 1").unwrap();
    let mut read = || {
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        statement.query_row([], |row| row.get::<_, i64>(0)).unwrap()
    };
    for _ in 0..10 {
        read();
    }
    let before = made();
    for _ in 0..reads {
        read();
    }
    made() - before
}

/// Reads until the lock is kept, then runs `act` with it: whether its first read found it kept still. Under load the thread may
/// be held up, and the lock be given back.
pub fn with_kept(connection: &Connection, between: impl Fn(), mut act: impl FnMut()) {
    for _ in 0..2000 {
        let kept = calls(connection, 20, Duration::ZERO) == 0;
        between();
        let before = made();
        exec(connection, "BEGIN; SELECT a FROM t WHERE id = 1");
        if kept && made() == before {
            act();
            exec(connection, "ROLLBACK");
            return;
        }
        exec(connection, "ROLLBACK");
    }
    panic!("no lock was ever kept");
}
