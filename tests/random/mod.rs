//! What the tests of random calls share.
#![allow(dead_code)] // Each uses its part.

use std::ffi::c_char;
use std::ptr::null_mut;
use std::time::{SystemTime, UNIX_EPOCH};

use litekeel::ffi::*;

pub const HANDLE: i32 = -8;
pub const SHARED: i32 = -4;
pub const CLOSED: i32 = -9;
pub const IN_TRANSACTION: i32 = -41;
pub const PANIC: i32 = -7;
pub const MISUSE: i32 = 21;
pub const ERROR: i32 = 1;

pub struct Random(pub u64);

impl Random {
    pub fn new() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("SEED").map_or(now, |text| text.parse().unwrap());
        println!("SEED={seed}");
        Random(seed | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())]) }
    }
}

pub fn calls(short: usize) -> usize {
    let default = if std::env::var_os("LITEKEEL_LONG").is_some() { 50 * short } else { short };
    std::env::var("CALLS").map_or(default, |text| text.parse().unwrap())
}

pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new(name: &str) -> Dir {
        Dir(tempfile::Builder::new().prefix(&format!("litekeel-calls-{name}-")).tempdir().unwrap())
    }
    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub fn url(&self) -> String {
        format!("file:{}/a.db?busy_timeout=0&synchronous=off&close_checkpoint=passive", self.path().display())
    }
}

pub fn text(sql: &str) -> (*const c_char, usize) {
    (sql.as_ptr().cast(), sql.len())
}

/// What every call may answer when other connections are in the way.
pub fn is_ordinary(code: i32) -> bool {
    // OK, ERROR (a statement that fits no state), BUSY, LOCKED, INTERRUPT.
    matches!(code & 0xff, 0 | 1 | 5 | 6 | 9) && code >= 0
}

pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

pub fn prepare(dir: &Dir) {
    let url = dir.url();
    let ((url, url_len), mut db) = (text(&url), null_mut());
    let (sql, len) = text(
        "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO t SELECT i, zeroblob(100) FROM n",
    );
    // SAFETY: live texts and places.
    unsafe {
        assert_eq!(keel_open(url, url_len, &mut db, null_mut()), 0);
        assert_eq!(keel_exec(db, sql, len, null_mut()), 0);
        assert_eq!(keel_close(db, null_mut()), 0);
    }
}

pub fn is_whole(dir: &Dir) {
    let db = rusqlite::Connection::open(dir.path().join("a.db")).unwrap();
    assert_eq!(db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}
