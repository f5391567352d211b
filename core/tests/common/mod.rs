//! What the tests of open and close share.
#![allow(dead_code)]

pub mod random;

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use litekeel_core::{Connection, Error, Options};

/// A directory of one test, gone when the test is. Its name was never used before: a process that was killed leaves its
/// directory behind, and its number comes again.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Dir {
        // Some tests look into it as another user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        Dir(tempfile::Builder::new().prefix("litekeel-").permissions(mode).tempdir().unwrap())
    }
    pub fn path(&self) -> &Path {
        self.0.path()
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
    pub fn url(&self, rest: &str) -> String {
        format!("file:{}/{rest}", self.path().display())
    }
}

pub fn open(url: &str) -> Result<Arc<Connection>, Error> {
    if std::env::var_os("KEEP_EAGERLY").is_some() {
        // Where read locks are kept, after every read: else few suites read often enough.
        // SAFETY: the log may grow, and is a test's.
        unsafe { litekeel_core::keep_read_locks_carelessly(32) };
    }
    Connection::open(Some(url), &Options::new())
}

pub fn exec(connection: &Connection, sql: &str) {
    connection.lock().unwrap().sqlite().execute_batch(sql).unwrap();
}

pub fn get(connection: &Connection, sql: &str) -> String {
    let guard = connection.lock().unwrap();
    guard
        .sqlite()
        .query_row(sql, [], |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
        })
        .unwrap()
}

/// Runs one test function of this binary in a process of its own, with `ROLE` set for it.
pub fn child(test: &str, envs: &[(&str, &str)]) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("ROLE", test);
    command.envs(envs.iter().copied());
    command
}

/// In the child of this name: runs the SQL of its environment on the database there and stays, holding what it holds.
pub fn stay_if_child(test: &str) {
    if is_child(test) {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        exec(&db, &std::env::var("SQL").unwrap());
        println!("\nholding");
        std::io::Write::flush(&mut std::io::stdout()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

/// As [`child`], for a user who may not look where this binary lies: runs a copy of it in a directory that every user may
/// search. It is copied by a process of its own: a file that is open for writing here would be so in a child that another
/// test starts now, and such a file cannot be run.
pub fn public_child(dir: &Dir, test: &str, envs: &[(&str, &str)]) -> std::process::Command {
    let copy = dir.file("test-binary");
    if !copy.exists() {
        let binary = std::env::current_exe().unwrap();
        assert!(std::process::Command::new("cp").arg(binary).arg(&copy).status().unwrap().success());
    }
    let mut command = std::process::Command::new(copy);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("ROLE", test);
    command.envs(envs.iter().copied()).current_dir("/");
    command
}

/// A process that does not outlive its test, stopped or not.
pub struct Killed(pub std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this process was started by [`child`] for that test.
pub fn is_child(test: &str) -> bool {
    std::env::var("ROLE").is_ok_and(|role| role == test)
}

/// The WAL guard's negative control, in a process of its own: without the guard `loses` has to lose data, and says whether.
pub fn without_the_guard(test: &str, loses: impl FnOnce() -> bool) {
    if is_child(test) {
        // SAFETY: the files of this process are this test's.
        unsafe { litekeel_core::turn_wal_guard_off(true) };
        println!("lost: {}", loses());
        return;
    }
    let output = child(test, &[]).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("lost: true"), "{output:?}");
}

/// Says loudly that something was not tested; in CI that is a failure.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// The system's libsqlite3, loaded beside ours with symbols of its own.
pub struct SystemSqlite {
    library: *mut c_void,
    db: *mut c_void,
}

// SAFETY: the handle is serialised by that library's own mutex.
unsafe impl Send for SystemSqlite {}
// SAFETY: as above.
unsafe impl Sync for SystemSqlite {}

impl SystemSqlite {
    pub fn open(path: &std::path::Path) -> Option<SystemSqlite> {
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
            Some(SystemSqlite { library, db })
        }
    }

    pub fn exec(&self, sql: &std::ffi::CStr) -> c_int {
        // SAFETY: as in `open`; the handle is open.
        unsafe {
            let exec: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void, *mut c_void, *mut c_void) -> c_int =
                std::mem::transmute(libc::dlsym(self.library, c"sqlite3_exec".as_ptr()));
            let none = std::ptr::null_mut();
            exec(self.db, sql.as_ptr(), none, none, none)
        }
    }
}

impl Drop for SystemSqlite {
    fn drop(&mut self) {
        // SAFETY: as in `open`; nobody uses the handle any more.
        unsafe {
            let close: unsafe extern "C" fn(*mut c_void) -> c_int =
                std::mem::transmute(libc::dlsym(self.library, c"sqlite3_close".as_ptr()));
            close(self.db);
        }
    }
}

/// Another program's use of the database, a process of its own each time, with an SQLite of its own; what it printed, or why it
/// failed.
pub fn other_program(db: &Path, sql: &str) -> Result<String, String> {
    use std::process::Command;
    let python = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)\n\
        for row in c.execute(sys.argv[2]): print('|'.join(map(str, row)))\nc.close()";
    let shell = Command::new("sqlite3").arg("-cmd").arg(".timeout 5000").arg(db).arg(sql).output();
    let done =
        shell.unwrap_or_else(|_| Command::new("python3").args(["-c", python]).arg(db).arg(sql).output().unwrap());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() && done.stderr.is_empty() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

/// By `cp`, which opens none of the files in this process.
pub fn copy_file(dir: &Dir, from: &str, to: &str) {
    let done = std::process::Command::new("cp").arg(dir.file(from)).arg(dir.file(to)).status().unwrap();
    assert!(done.success());
}

/// `backup.db` over `a.db`; neither the size nor the beginning tells that it is another.
pub fn copy_backup_over(dir: &Dir) {
    let begins = |name: &str| {
        let output = std::process::Command::new("head").args(["-c", "100"]).arg(dir.file(name)).output().unwrap();
        (output.stdout, std::fs::metadata(dir.file(name)).unwrap().len())
    };
    assert_eq!(begins("a.db"), begins("backup.db"));
    copy_file(dir, "backup.db", "a.db");
}
