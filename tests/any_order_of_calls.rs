//! Calls of the C ABI in random order: statements, batches and backups in flight while their connection closes, closed
//! twice, used afterwards, forged. Every call answers as it should, nothing crashes, and nothing is left at the end.
//!
//! `SEED` repeats a run, `CALLS` or `LITEKEEL_LONG=1` make it longer.
#![cfg(target_os = "linux")]

mod random;

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use litekeel::ffi::*;
use random::*;

/// A token as the model knows it. Several can stand for one connection.
#[derive(Clone, Copy)]
struct Token {
    db: *mut keel_db,
    connection: usize,
}

#[derive(Default)]
struct Connection {
    owners: usize,
    shared: bool,
    /// Opened on SQLite's own handle and not finalized.
    statements: Vec<*mut rusqlite::ffi::sqlite3_stmt>,
}

struct Model {
    random: Random,
    dir: Dir,
    connections: Vec<Connection>,
    live: Vec<Token>,
    stale: Vec<*mut keel_db>,
    /// With the number of their connection; the freed ones are forgotten but for one use.
    rows: Vec<(*mut keel_rows, usize)>,
    calls: usize,
}

extern "C" fn goes_on(_: *mut c_void, _: i64, _: i64) -> i32 {
    0
}

/// Set when a call from within was not refused.
static CALLED_IN: AtomicBool = AtomicBool::new(false);

/// A callback of the connection that uses the connection: refused each time, and the token stays.
extern "C" fn calls_in(db: *mut c_void, _: i64, _: i64) -> i32 {
    let db = db.cast::<keel_db>();
    let (sql, len) = text("SELECT 1");
    // SAFETY: a token, live text, no wanted errors.
    let codes =
        unsafe { [keel_exec(db, sql, len, null_mut()), keel_close(db, null_mut()), keel_close(db, null_mut())] };
    if codes != [MISUSE; 3] {
        CALLED_IN.store(true, Ordering::Relaxed);
    }
    0
}

impl Model {
    fn run(&mut self) {
        match self.random.below(26) {
            0 | 1 => self.open(),
            2 => self.another(true),
            3 => self.another(false),
            4 | 5 => self.close(),
            6 => self.stale(),
            7..=10 => self.exec(),
            11 | 12 => self.query(),
            13..=15 => self.next(),
            16 | 17 => self.free(),
            18 | 19 => self.transaction(),
            20 => self.look(),
            // Rarely: each waits for the disk.
            21 if self.random.below(8) == 0 => self.backup(),
            22..=24 => self.statement(),
            _ => self.limits(),
        }
    }

    fn open(&mut self) {
        if self.live.len() >= 8 {
            return self.close();
        }
        let url = self.dir.url();
        let (url, len) = text(&url);
        let mut db = null_mut();
        // SAFETY: live texts and places.
        let code = unsafe { keel_open(url, len, &mut db, null_mut()) };
        // Another connection's transaction may hold what opening needs.
        assert!(is_ordinary(code), "open: {code}");
        if code == 0 {
            self.connections.push(Connection { owners: 1, ..Connection::default() });
            self.live.push(Token { db, connection: self.connections.len() - 1 });
        }
    }

    fn another(&mut self, retain: bool) {
        let Some(token) = self.random.pick(&self.live) else { return };
        let mut db = null_mut();
        if retain {
            // SAFETY: a live place.
            let code = unsafe { keel_retain(token.db, &mut db, null_mut()) };
            assert!(code == 0 || code == IN_TRANSACTION || code == SHARED, "retain: {code}");
            if code == 0 {
                self.connections[token.connection].owners += 1;
                self.connections[token.connection].shared = true;
                self.live.push(Token { db, connection: token.connection });
            }
        } else if self.live.len() < 8 {
            // SAFETY: a live place.
            let code = unsafe { keel_sibling(token.db, &mut db, null_mut()) };
            assert!(is_ordinary(code), "sibling: {code}");
            if code == 0 {
                self.connections.push(Connection { owners: 1, ..Connection::default() });
                self.live.push(Token { db, connection: self.connections.len() - 1 });
            }
        }
    }

    fn close(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let at = self.random.below(self.live.len());
        let token = self.live.swap_remove(at);
        if self.random.below(3) == 0 {
            keel_release(token.db);
        } else {
            // SAFETY: no wanted error.
            assert_eq!(unsafe { keel_close(token.db, null_mut()) }, 0);
        }
        self.connections[token.connection].owners -= 1;
        self.stale.push(token.db);
    }

    fn stale(&mut self) {
        let forged = (self.random.0.rotate_left(17) as usize) as *mut keel_db;
        let db = if self.random.below(2) == 0 { forged } else { self.random.pick(&self.stale).unwrap_or(null_mut()) };
        let (sql, len) = text("SELECT 1");
        let (mut rows, mut other, mut err) = (null_mut(), null_mut(), null_mut());
        // SAFETY: what stands for no connection is looked up, never followed.
        unsafe {
            let codes = [
                keel_exec(db, sql, len, null_mut()),
                keel_exec_atomic(db, sql, len, null_mut()),
                keel_query(db, sql, len, std::ptr::null(), 0, 0, &mut rows, null_mut()),
                keel_begin(db, KEEL_IMMEDIATE, null_mut()),
                keel_commit(db, null_mut()),
                keel_retain(db, &mut other, null_mut()),
                keel_sibling(db, &mut other, null_mut()),
                keel_report(db, &mut rows, null_mut()),
                keel_checkpoint(db, 0, null_mut(), null_mut(), null_mut()),
                keel_set_timeout(db, 5),
                keel_rows_next(db.cast(), null_mut()),
                keel_close(db, &mut err),
            ];
            assert_eq!(codes, [HANDLE; 12]);
            assert!(rows.is_null() && other.is_null() && keel_error_code(err) == HANDLE);
            assert!(keel_sqlite3(db).is_null() && keel_rows_data(db.cast(), null_mut()).is_null());
            keel_interrupt(db);
            keel_release(db);
            keel_rows_free(db.cast());
            keel_options_free(db.cast());
            keel_error_free(err);
            keel_error_free(err);
        }
    }

    fn exec(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        let sql = [
            "INSERT INTO t VALUES(abs(random() % 1000), zeroblob(200))",
            "DELETE FROM t WHERE a < 200",
            "SELECT sum(length(b)) FROM t",
            "UPDATE t SET b = zeroblob(300) WHERE a > 900",
            "BEGIN; INSERT INTO t VALUES(1, 2)",
            "SELECT nonsense",
            "SAVEPOINT s; INSERT INTO t VALUES(3, 4); RELEASE s",
        ];
        let (sql, len) = text(sql[self.random.below(sql.len())]);
        // SAFETY: live text.
        let code = unsafe {
            if self.random.below(3) == 0 {
                keel_exec_atomic(token.db, sql, len, null_mut())
            } else {
                keel_exec(token.db, sql, len, null_mut())
            }
        };
        let shared = self.connections[token.connection].shared;
        assert!(is_ordinary(code) || (shared && code == SHARED), "exec: {code}");
    }

    fn query(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        if self.rows.len() > 12 {
            return self.free();
        }
        let batch = [0, 1, 5000][self.random.below(3)];
        let (sql, len) = text("SELECT a, b FROM t");
        let mut rows = null_mut();
        // SAFETY: live text and place.
        let code = unsafe { keel_query(token.db, sql, len, std::ptr::null(), 0, batch, &mut rows, null_mut()) };
        let shared = self.connections[token.connection].shared;
        if shared && batch > 0 {
            assert_eq!(code, SHARED);
        } else {
            assert!(is_ordinary(code), "query: {code}");
        }
        assert_eq!(rows.is_null(), code != 0);
        if code == 0 {
            self.rows.push((rows, token.connection));
        }
    }

    fn next(&mut self) {
        let Some((rows, connection)) = self.random.pick(&self.rows) else { return };
        // SAFETY: no wanted error.
        let code = unsafe { keel_rows_next(rows, null_mut()) };
        let Connection { owners, shared, .. } = self.connections[connection];
        let gone = owners == 0 && code == CLOSED;
        // A rollback ends statements that read: ABORT.
        let ended = matches!(code & 0xff, 4 | 5 | 6 | 9) && code > 0;
        assert!(code == KEEL_ROW || code == KEEL_DONE || gone || ended || (shared && code == SHARED), "next: {code}");
        let mut length = 0;
        // SAFETY: a live place; the table is valid until the next call on the rows.
        let data = unsafe { keel_rows_data(rows, &mut length) };
        assert!(!data.is_null() && length >= 64);
        // SAFETY: as long as it says. All of it is read: freed memory would be found.
        let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) };
        std::hint::black_box(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    }

    fn free(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let at = self.random.below(self.rows.len());
        let (rows, _) = self.rows.swap_remove(at);
        keel_rows_free(rows);
        keel_rows_free(rows);
        // SAFETY: a stale token.
        assert_eq!(unsafe { keel_rows_next(rows, null_mut()) }, HANDLE);
    }

    fn transaction(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        let mode = [KEEL_DEFERRED, KEEL_IMMEDIATE, KEEL_EXCLUSIVE][self.random.below(3)];
        // SAFETY: no wanted errors.
        let code = unsafe {
            match self.random.below(4) {
                0 => keel_commit(token.db, null_mut()),
                1 => keel_rollback(token.db, null_mut()),
                _ => keel_begin(token.db, mode, null_mut()),
            }
        };
        let shared = self.connections[token.connection].shared;
        assert!(if shared { code == SHARED } else { is_ordinary(code) }, "transaction: {code}");
    }

    fn look(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        let mut rows = null_mut();
        let mode = [-1, 0, 1, 2, 3][self.random.below(5)];
        // SAFETY: live places.
        unsafe {
            assert_eq!(keel_report(token.db, &mut rows, null_mut()), 0);
            assert!(keel_rows_next(rows, null_mut()) == KEEL_DONE);
            keel_rows_free(rows);
            let code = keel_checkpoint(token.db, mode, null_mut(), null_mut(), null_mut());
            assert!(is_ordinary(code) || code == IN_TRANSACTION, "checkpoint: {code}");
        }
        assert!(keel_open_handles() >= 1);
    }

    fn backup(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        let url = format!("file:{}/copy.db", self.dir.path().display());
        let (url, len) = text(&url);
        let progress: keel_progress = if self.random.below(2) == 0 { Some(calls_in) } else { Some(goes_on) };
        // SAFETY: live text; the callback takes the token.
        let code = unsafe { keel_backup(token.db, url, len, 50, progress, token.db.cast(), null_mut()) };
        // A timeout, or an interrupt that statements still running have kept, ends it too.
        assert!(!CALLED_IN.load(Ordering::Relaxed), "a call from within was not refused");
        assert!(is_ordinary(code) || code == IN_TRANSACTION || code == SHARED, "backup: {code}");
    }

    /// Statements of the program's own on SQLite's handle, stepped once and left, also beyond the close.
    fn statement(&mut self) {
        use rusqlite::ffi;
        // SAFETY: one thread; a statement is finalized once, and close leaves others' statements alone.
        unsafe {
            if self.random.below(2) == 0 {
                let all: Vec<usize> =
                    (0..self.connections.len()).filter(|&at| !self.connections[at].statements.is_empty()).collect();
                let Some(at) = self.random.pick(&all) else { return };
                let statement = self.connections[at].statements.pop().unwrap();
                let code = ffi::sqlite3_step(statement);
                assert!(matches!(code & 0xff, 100 | 101 | 4 | 5 | 6 | 9 | 21), "step: {code}");
                ffi::sqlite3_finalize(statement);
                return;
            }
            let Some(token) = self.random.pick(&self.live) else { return };
            let connection = &mut self.connections[token.connection];
            let raw = keel_sqlite3(token.db);
            assert!(!raw.is_null());
            if connection.statements.len() < 4 {
                let mut statement = null_mut();
                if ffi::sqlite3_prepare_v2(raw, c"SELECT * FROM t".as_ptr(), -1, &mut statement, null_mut()) == 0 {
                    ffi::sqlite3_step(statement);
                    connection.statements.push(statement);
                }
            }
        }
    }

    fn limits(&mut self) {
        let Some(token) = self.random.pick(&self.live) else { return };
        keel_interrupt(token.db);
        assert_eq!(keel_set_timeout(token.db, [0, 0, 1000][self.random.below(3)]), 0);
    }

    fn end(&mut self) {
        while !self.live.is_empty() {
            self.close();
        }
        while !self.rows.is_empty() {
            self.next();
            self.free();
        }
        for statement in self.connections.iter_mut().flat_map(|connection| connection.statements.drain(..)) {
            // SAFETY: not finalized yet.
            unsafe { rusqlite::ffi::sqlite3_finalize(statement) };
        }
        assert_eq!(keel_open_handles(), 0);
    }
}

#[test]
fn on_one_thread_every_answer_is_the_expected_one() {
    let dir = Dir::new("one");
    prepare(&dir);
    let before = descriptors();
    let mut model = Model {
        random: Random::new(),
        dir,
        connections: Vec::new(),
        live: Vec::new(),
        stale: Vec::new(),
        rows: Vec::new(),
        calls: 0,
    };
    let wanted = calls(20_000);
    while model.calls < wanted {
        model.calls += 1;
        model.run();
        // From time to time everything ends, so that the last close happens often.
        if model.random.below(400) == 0 {
            model.end();
        }
    }
    model.end();
    assert_eq!(descriptors(), before);
    is_whole(&model.dir);
}
