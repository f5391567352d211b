//! A connection that inspects creates, writes and removes nothing: the directory is the same afterwards, to the
//! nanosecond.

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::{Connection, Options};

type Listing = BTreeMap<String, (u64, i64, i64, u64)>;

fn listing(dir: &Path) -> Listing {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        (entry.file_name().into_string().unwrap(), (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ino()))
    });
    entries
        .chain([(".".to_owned(), (0, dir.metadata().unwrap().mtime(), dir.metadata().unwrap().mtime_nsec(), 0))])
        .collect()
}

fn inspect(url: &str) -> litekeel_core::Result<std::sync::Arc<Connection>> {
    let mut options = Options::new();
    options.set("inspect", "1")?;
    Connection::open(Some(url), &options)
}

/// Inspects in a process of its own, as a command does, and gives what it saw.
fn look(url: &str) -> String {
    let output = child("the_directory_is_the_same_afterwards", &[("URL", url)]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().find_map(|line| line.strip_prefix("saw ")).unwrap().to_owned()
}

#[test]
fn the_directory_is_the_same_afterwards() {
    if is_child("the_directory_is_the_same_afterwards") {
        let url = std::env::var("URL").unwrap();
        if let Some(name) = url.strip_prefix("crash:") {
            let db = open(name).unwrap();
            exec(&db, "INSERT INTO t VALUES(7)");
            // SAFETY: ends the process as a crash would.
            unsafe { libc::_exit(0) };
        }
        let db = inspect(&url).unwrap();
        assert_eq!(get(&db, "PRAGMA quick_check"), "ok");
        let journal = db.report().row("journal_mode").unwrap().value.clone();
        println!("\nsaw {} rows, {journal}", get(&db, "SELECT count(*) FROM t"));
        db.close().unwrap();
        return;
    }
    for journal in ["wal", "delete", "truncate", "persist"] {
        let dir = Dir::new();
        // What the URL asks for, an inspection does not do: the parameters may stay in it.
        let url = dir.url(&format!("a.db?journal_mode={journal}&mkdir=1"));
        let db = open(&url).unwrap();
        exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        // In use.
        let before = listing(dir.path());
        assert_eq!(look(&url), format!("1 rows, {}", if journal == "wal" { "wal" } else { journal_of(journal) }));
        assert_eq!(listing(dir.path()), before, "{journal}, in use");
        exec(&db, "INSERT INTO t VALUES(2)");
        let before = listing(dir.path());
        look(&url);
        assert_eq!(listing(dir.path()), before, "{journal}, in use, with frames nobody has read");
        // Closed.
        db.close().unwrap();
        let before = listing(dir.path());
        assert!(look(&url).starts_with("2 rows"));
        assert_eq!(listing(dir.path()), before, "{journal}, closed");
        // Left behind by a crash: the rows in the -wal are seen, and not recovered.
        child("the_directory_is_the_same_afterwards", &[("URL", &format!("crash:{url}"))]).output().unwrap();
        let before = listing(dir.path());
        assert!(look(&url).starts_with("3 rows"));
        assert_eq!(listing(dir.path()), before, "{journal}, after a crash");
    }
}

/// Only WAL is written in the file; a rollback journal is a matter of each connection.
fn journal_of(_: &str) -> &'static str {
    "delete"
}

#[test]
fn a_reader_that_does_not_inspect_leaves_traces() {
    // The negative control of the test above.
    let dir = Dir::new();
    let url = dir.url("a.db");
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    let before = listing(dir.path());
    let db = open(&format!("{url}?mode=ro")).unwrap();
    get(&db, "SELECT count(*) FROM t");
    db.close().unwrap();
    assert_ne!(listing(dir.path()), before);
}

#[test]
fn what_cannot_be_seen_without_a_trace_is_refused() {
    let dir = Dir::new();
    let url = dir.url("deep/a.db");
    let error = inspect(&url).unwrap_err();
    assert_eq!(error.code() & 0xff, litekeel_core::sqlite::SQLITE_CANTOPEN, "{error}");
    assert!(!dir.file("deep").exists());

    let url = dir.url("a.db");
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    std::fs::copy(dir.file("a.db"), dir.file("b.db")).unwrap();
    std::fs::copy(dir.file("a.db-wal"), dir.file("b.db-wal")).unwrap();
    let before = listing(dir.path());
    let error = inspect(&dir.url("b.db")).unwrap_err();
    assert!(error.message().contains("b.db-wal") && error.hint().contains("open and close it once"), "{error}");
    assert_eq!(listing(dir.path()), before);
    db.close().unwrap();
}

#[test]
fn a_database_that_is_opened_and_closed_all_the_time_is_seen_whole() {
    const NAME: &str = "a_database_that_is_opened_and_closed_all_the_time_is_seen_whole";
    let url = std::env::var("URL").unwrap_or_default();
    if is_child(NAME) {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
        while std::time::Instant::now() < until {
            let db = open(&url).unwrap();
            for _ in 0..3 {
                exec(&db, "INSERT INTO t VALUES(1, hex(randomblob(300)))");
            }
            db.close().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
        return;
    }
    let dir = Dir::new();
    let url = dir.url("a.db");
    let db = open(&url).unwrap();
    // Large enough that somebody writes while it is read.
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) \
                INSERT INTO t SELECT i, hex(randomblob(300)) FROM n";
    exec(&db, &format!("CREATE TABLE t(a, b); CREATE INDEX i ON t(b); {rows}"));
    db.close().unwrap();
    let mut writer = child(NAME, &[("URL", &url)]).spawn().unwrap();
    let (mut whole, mut again, mut restless) = (0, 0, 0);
    while writer.try_wait().unwrap().is_none() {
        let db = match inspect(&url) {
            Ok(db) => db,
            // It says so, and does not call it damage.
            Err(error) if error.code() == litekeel_core::sqlite::SQLITE_BUSY => {
                restless += 1;
                continue;
            }
            Err(error) => panic!("{error:?}"),
        };
        let check = db.lock().unwrap().sqlite().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        if db.saw_one_state() {
            assert_eq!(check.unwrap(), "ok");
            whole += 1;
        } else {
            again += 1;
        }
        db.close().unwrap();
    }
    println!("{whole} looks whole, {again} to be taken again, {restless} given up");
    assert!(writer.wait().unwrap().success() && whole > 5, "{whole} {again} {restless}");
    // The inspections have not created a file that nobody removes.
    let db = open(&url).unwrap();
    db.close().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
