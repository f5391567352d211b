//! The guard against a second SQLite accuses nobody wrongly: raw handles on our symbols, backup targets, other processes'
//! lock traffic, exec, and overlayfs.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::CString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Dir, exec, get, open};
use litekeel_core::{codes, sqlite};

/// A connection of a host's own, on our copy of SQLite.
struct RawHandle(*mut sqlite::sqlite3);
// SAFETY: used by one thread at a time.
unsafe impl Send for RawHandle {}

impl RawHandle {
    fn open(path: &Path) -> RawHandle {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let mut raw = std::ptr::null_mut();
        // SAFETY: a NUL-terminated path.
        assert_eq!(unsafe { sqlite::sqlite3_open(path.as_ptr(), &mut raw) }, sqlite::SQLITE_OK);
        RawHandle(raw)
    }

    fn exec(&self, sql: &str) -> i32 {
        let sql = CString::new(sql).unwrap();
        // SAFETY: an open handle and a NUL-terminated text.
        unsafe { sqlite::sqlite3_exec(self.0, sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut()) }
    }
}

impl Drop for RawHandle {
    fn drop(&mut self) {
        // SAFETY: opened in `open`, closed once.
        unsafe { sqlite::sqlite3_close(self.0) };
    }
}

/// Opens, and lets a lock stand in the way, but no accusation.
fn opens_without_alarm(url: &str) -> bool {
    match open(url) {
        Ok(db) => {
            db.close().unwrap();
            true
        }
        Err(error) if error.code() & 0xff == sqlite::SQLITE_BUSY => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn raw_handles_and_backup_targets_on_our_symbols_are_ours() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(100000))");
    let raw = RawHandle::open(&dir.file("a.db"));
    assert_eq!(raw.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)"), sqlite::SQLITE_OK);
    for _ in 0..20 {
        assert!(opens_without_alarm(&dir.url("a.db")), "WAL needs no lock to open");
    }
    raw.exec("COMMIT");
    let rollback = RawHandle::open(&dir.file("old.db"));
    rollback.exec("CREATE TABLE t(a); BEGIN EXCLUSIVE");
    assert!(!opens_without_alarm(&dir.url("old.db?busy_timeout=0")), "the lock was not held: nothing was tested");
    drop(rollback);

    let target = RawHandle::open(&dir.file("copy.db"));
    // SAFETY: two open handles; the backup ends before they are closed.
    unsafe {
        let backup = sqlite::sqlite3_backup_init(target.0, c"main".as_ptr(), raw.0, c"main".as_ptr());
        assert_eq!(sqlite::sqlite3_backup_step(backup, 1), sqlite::SQLITE_OK);
        assert!(!opens_without_alarm(&dir.url("copy.db?busy_timeout=0")), "the target is locked");
        sqlite::sqlite3_backup_step(backup, -1);
        assert_eq!(sqlite::sqlite3_backup_finish(backup), sqlite::SQLITE_OK);
    }
    assert!(opens_without_alarm(&dir.url("copy.db")));
    drop((raw, target));
    db.close().unwrap();
}

#[test]
fn takes_and_gives_locks() {
    if !common::is_child("takes_and_gives_locks") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    println!("ready");
    loop {
        exec(&db, "BEGIN IMMEDIATE; UPDATE t SET a = a + 1; COMMIT");
    }
}

/// `OPENS` makes it longer than the default of 150.
#[test]
fn others_lock_traffic_is_not_taken_for_this_process() {
    let dir = Dir::new();
    let url = dir.url("a.db?synchronous=off");
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(0)");
    db.close().unwrap();
    let mut children: Vec<_> = (0..6)
        .map(|_| common::child("takes_and_gives_locks", &[("URL", &url)]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    let (stop, opens) = (AtomicBool::new(false), std::env::var("OPENS").map_or(150, |text| text.parse().unwrap()));
    std::thread::scope(|scope| {
        // This process's own traffic, which the kernel's table shows under its pid.
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let db = open(&url).unwrap();
                    exec(&db, "BEGIN IMMEDIATE; UPDATE t SET a = a + 1; COMMIT");
                    db.close().unwrap();
                }
            });
        }
        for _ in 0..opens {
            open(&url).unwrap().close().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    for child in &mut children {
        assert!(child.try_wait().unwrap().is_none(), "a writer ended early");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// First step: opens, takes a lock and replaces this very process. Second step: the pid is the same, the locks are gone.
#[test]
fn replaces_itself() {
    if !common::is_child("replaces_itself") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    if std::env::var_os("SECOND").is_some() {
        let db = open(&url).unwrap();
        exec(&db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(2); COMMIT");
        db.close().unwrap();
        return;
    }
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); BEGIN IMMEDIATE; INSERT INTO t VALUES(9)");
    let error = common::child("replaces_itself", &[("URL", &url), ("SECOND", "1")]).exec();
    panic!("{error}");
}

#[test]
fn after_exec_the_former_program_is_no_second_copy() {
    let dir = Dir::new();
    let url = dir.url("a.db");
    let output = common::child("replaces_itself", &[("URL", &url)]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let db = open(&url).unwrap();
    assert_eq!(get(&db, "SELECT group_concat(a) FROM t"), "1,2");
    db.close().unwrap();
}

/// Runs inside the overlay.
#[test]
fn uses_an_overlay() {
    if !common::is_child("uses_an_overlay") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    // The file lies in the lower layer: the first write copies it up.
    let db = open(&url).unwrap();
    exec(&db, "INSERT INTO t VALUES(2); BEGIN IMMEDIATE; INSERT INTO t VALUES(3)");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let other = open(&url).unwrap();
                    assert_eq!(get(&other, "SELECT count(*) FROM t"), "2");
                    other.close().unwrap();
                }
            });
        }
    });
    exec(&db, "COMMIT");
    db.close().unwrap();
    if let Some(other) = common::SystemSqlite::open(Path::new(url.trim_start_matches("file:"))) {
        // There too a real one is seen.
        assert_eq!(other.exec(c"SELECT * FROM t; BEGIN IMMEDIATE"), 0);
        assert_eq!(open(&url).unwrap_err().code(), codes::SECOND_SQLITE);
        drop(other);
        open(&url).unwrap().close().unwrap();
    }
    println!("overlay used");
}

#[test]
fn overlayfs_raises_no_alarm() {
    let dir = Dir::new();
    for name in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(dir.file(name)).unwrap();
    }
    let db = open(&dir.url("lower/a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    let script =
        "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged || exit 77; exec \"$@\"";
    let url = dir.url("merged/a.db");
    let child = common::child("uses_an_overlay", &[]);
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script, "sh"]).arg(child.get_program()).args(child.get_args());
    command.env("ROLE", "uses_an_overlay").env("URL", url).current_dir(dir.path());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return common::skip(&format!("unshare: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || text.contains("unshare failed") {
        return common::skip(&format!("an overlay cannot be mounted here: {text}"));
    }
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("overlay used"), "{output:?}");
}
