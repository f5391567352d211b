//! No room, no descriptors, a damaged file: SQLite's failure is explained, the connection stays usable, and all is well
//! again once the cause is gone.
#![cfg(target_os = "linux")]

mod common;

use std::io::Write;
use std::process::Command;

use common::{Dir, child, exec, get, is_child, open, skip};
use litekeel_core::{Connection, Error, sqlite};

#[track_caller]
fn told(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
    }
}

/// Inserts until it fails.
fn fill(db: &Connection) -> Error {
    for _ in 0..100_000 {
        if let Err(error) = db.exec("INSERT INTO t VALUES(randomblob(3000))") {
            return error;
        }
    }
    panic!("no shortage came");
}

fn rows(db: &Connection) -> u64 {
    get(db, "SELECT count(*) FROM t").parse().unwrap()
}

/// What every shortage must leave: each acknowledged row, an intact file, and a connection that works.
fn is_whole(db: &Connection, acknowledged: u64) {
    assert_eq!(rows(db), acknowledged);
    assert_eq!(get(db, "PRAGMA integrity_check"), "ok");
    assert!(!db.lock().unwrap().in_transaction());
}

/// In a file system of one megabyte.
#[test]
fn fills_the_disk() {
    if !is_child("fills_the_disk") {
        return;
    }
    let dir = std::env::var("DIR").unwrap();
    std::fs::write(format!("{dir}/ballast"), vec![1; 200_000]).unwrap();
    let db = open(&format!("file:{dir}/a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let error = fill(&db);
    assert_eq!(error.code(), sqlite::SQLITE_FULL, "{error:?}");
    told(&error, &["SQLITE_FULL", "a.db", "KiB free", "free space"]);
    let kept = rows(&db);
    assert!(kept > 10, "{kept} rows");
    is_whole(&db, kept);
    // In a transaction of several statements nothing of it stays.
    let _ = db.exec("BEGIN IMMEDIATE");
    assert_eq!(fill(&db).code(), sqlite::SQLITE_FULL);
    let _ = db.exec("ROLLBACK");
    is_whole(&db, kept);
    // A checkpoint needs room as well, and says so or does without.
    if let Err(error) = db.checkpoint(sqlite::SQLITE_CHECKPOINT_PASSIVE) {
        told(&error, &["SQLITE_FULL", "free"]);
    }
    is_whole(&db, kept);
    std::fs::remove_file(format!("{dir}/ballast")).unwrap();
    for _ in 0..10 {
        exec(&db, "INSERT INTO t VALUES(randomblob(3000))");
    }
    is_whole(&db, kept + 10);
    let report = db.close().unwrap();
    // Database and WAL together still have no room for the pages to move: nothing is lost, and that is said.
    assert!(report.wal_removed || report.why.contains("checkpoint failed (database or disk is full)"), "{report:?}");
    let db = open(&format!("file:{dir}/a.db")).unwrap();
    is_whole(&db, kept + 10);
    db.close().unwrap();
    println!("filled");
}

#[test]
fn a_full_disk() {
    let dir = Dir::new();
    std::fs::create_dir(dir.file("small")).unwrap();
    let role = child("fills_the_disk", &[]);
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs small || exit 77; exec \"$@\"", "sh"]);
    command.arg(role.get_program()).args(role.get_args());
    command.env("ROLE", "fills_the_disk").env("DIR", dir.file("small")).current_dir(dir.path());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("unshare: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || text.contains("unshare failed") {
        return skip(&format!("a small file system cannot be mounted here: {text}"));
    }
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("filled"), "{output:?}");
}

fn limit(resource: libc::__rlimit_resource_t, soft: u64) {
    // SAFETY: plain data; the hard limit stays.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(resource, &mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(resource, &limit), 0);
    }
}

#[test]
fn meets_its_file_size_limit() {
    if !is_child("meets_its_file_size_limit") {
        return;
    }
    // SAFETY: this process is the test's alone. The default would end it; litekeel changes no signal's disposition.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    limit(libc::RLIMIT_FSIZE, 200_000);
    let error = fill(&db);
    assert_eq!((error.code(), error.errno()), (sqlite::SQLITE_IOERR_WRITE, libc::EFBIG), "{error:?}");
    told(&error, &["SQLITE_IOERR_WRITE", "write failed", "File too large", "ulimit -f"]);
    let kept = rows(&db);
    is_whole(&db, kept);
    limit(libc::RLIMIT_FSIZE, u64::MAX);
    exec(&db, "INSERT INTO t VALUES(1)");
    is_whole(&db, kept + 1);
    assert!(db.close().unwrap().wal_removed);
    println!("limited");
}

fn passes(role: &str, url: &str, says: &str) {
    let output = child(role, &[("URL", url)]).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(says), "{output:?}");
}

#[test]
fn a_file_size_limit() {
    passes("meets_its_file_size_limit", &Dir::new().url("a.db"), "limited");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn uses_up_its_descriptors() {
    if !is_child("uses_up_its_descriptors") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    let at_first = descriptors();
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    limit(libc::RLIMIT_NOFILE, 64);
    let before = descriptors();
    // Each number of free descriptors, so that every step of opening meets the shortage.
    for free in 0..6 {
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }
        taken.truncate(taken.len() - free);
        for name in [url.as_str(), &format!("{url}.new")] {
            match open(name) {
                // With a few it may do: the files it needs, not the look around.
                Ok(other) => drop(other.close().unwrap()),
                Err(error) => {
                    assert_eq!(
                        (error.code() & 0xff, error.errno()),
                        (sqlite::SQLITE_CANTOPEN, libc::EMFILE),
                        "{error:?}"
                    );
                    told(&error, &["Too many open files", "ulimit -n"]);
                }
            }
        }
        assert!(free > 0 || open(&url).is_err(), "there was no shortage");
        exec(&db, "INSERT INTO t VALUES(2)");
        assert_eq!(get(&db, "SELECT count(*) FROM t"), (free + 2).to_string());
        drop(taken);
        // SQLite keeps one whose close would drop the locks of the connection that is open, and uses it again.
        assert!(descriptors() <= before + 1, "with {free} free: {} after {before}", descriptors());
    }
    open(&format!("{url}.new")).unwrap().close().unwrap();
    db.close().unwrap();
    assert_eq!(descriptors(), at_first);
    println!("did without");
}

#[test]
fn no_more_descriptors() {
    passes("uses_up_its_descriptors", &Dir::new().url("a.db"), "did without");
}

#[test]
fn the_limit_of_the_database_itself() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); PRAGMA max_page_count=20");
    let error = fill(&db);
    assert_eq!(error.code(), sqlite::SQLITE_FULL);
    told(&error, &["MiB free", "max_page_count"]);
    let kept = rows(&db);
    is_whole(&db, kept);
    exec(&db, "PRAGMA max_page_count=1000; INSERT INTO t VALUES(1)");
    is_whole(&db, kept + 1);
    db.close().unwrap();
    let memory = open(":memory:").unwrap();
    exec(&memory, "CREATE TABLE t(a); PRAGMA max_page_count=20");
    told(&fill(&memory), &[":memory:", "largest size", "max_page_count"]);
    memory.close().unwrap();
}

/// A database that was damaged by `spoil`, on a connection without our hardening.
fn damaged(dir: &Dir, name: &str, sql: &str) {
    let db = rusqlite::Connection::open(dir.file(name)).unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn damage() {
    let dir = Dir::new();
    damaged(
        &dir,
        "page.db",
        "CREATE TABLE t(a); INSERT INTO t SELECT randomblob(900) FROM json_each('[1,2,3,4,5,6,7,8,9]')",
    );
    let mut file = std::fs::OpenOptions::new().write(true).open(dir.file("page.db")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0xfe; 300]).unwrap();
    drop(file);
    let db = open(&dir.url("page.db")).unwrap();
    let error = db.exec("SELECT sum(length(a)) FROM t").unwrap_err();
    assert_eq!(error.code() & 0xff, sqlite::SQLITE_CORRUPT);
    told(&error, &["SQLITE_CORRUPT", "page.db", " bytes", "-wal of", "integrity_check", ".recover", "backup"]);
    db.close().unwrap();

    damaged(
        &dir,
        "index.db",
        "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); INSERT INTO t VALUES(1, 1); PRAGMA writable_schema=on;
         CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name='i'; DELETE FROM sqlite_schema WHERE name='i'",
    );
    damaged(
        &dir,
        "index.db",
        "INSERT INTO t VALUES(2, 2); PRAGMA writable_schema=on; INSERT INTO sqlite_schema SELECT * FROM kept",
    );
    let db = open(&dir.url("index.db")).unwrap();
    let error = db.exec("DELETE FROM t WHERE a = 2").unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_CORRUPT_INDEX, "{error:?}");
    told(&error, &["SQLITE_CORRUPT_INDEX", "index", "REINDEX"]);
    // The advice helps.
    exec(&db, "REINDEX; DELETE FROM t WHERE a = 2");
    assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
    db.close().unwrap();

    damaged(
        &dir,
        "search.db",
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES('one two'); DELETE FROM f_data",
    );
    let db = open(&dir.url("search.db")).unwrap();
    let error = db.exec("SELECT * FROM f WHERE f MATCH 'one'").unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_CORRUPT_VTAB, "{error:?}");
    told(&error, &["SQLITE_CORRUPT_VTAB", "virtual table", "rebuild"]);
    exec(&db, "INSERT INTO f(f) VALUES('rebuild')");
    assert_eq!(get(&db, "SELECT count(*) FROM f WHERE f MATCH 'one'"), "1");
    db.close().unwrap();
}
