//! A checkpoint cuts the file before the WAL-index tells that it is done. If it fails there, or its process is killed, and the
//! database grows again, the file lacks pages that were known: that is SQLite's own doing, and nothing is refused for it.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/shim.rs"]
mod shim;

use std::process::Command;

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::sqlite::{SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_TRUNCATE};

const ROWS: &str = "INSERT INTO t(b) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 190) SELECT randomblob(3900) FROM n";

/// In a process of its own: is gone in the fsync of a checkpoint that cuts the file.
#[test]
fn is_interrupted() {
    if !is_child("is_interrupted") {
        return;
    }
    shim::arm(0, false, true);
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "SELECT count(*) FROM t");
    // The first is that of the log.
    shim::arm(2, true, true);
    assert!(db.checkpoint(SQLITE_CHECKPOINT_PASSIVE).is_err());
    println!("\ninterrupted");
    std::process::abort();
}

#[test]
fn what_was_committed_after_it_is_kept() {
    for mode in [SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_TRUNCATE] {
        let dir = Dir::new();
        let size = || std::fs::metadata(dir.file("a.db")).unwrap().len();
        let db = open(&dir.url("a.db?checkpoint=manual&optimize=off")).unwrap();
        exec(&db, "PRAGMA auto_vacuum = full; VACUUM; CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)");
        exec(&db, ROWS);
        db.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        let (whole, rows) = (size(), get(&db, "SELECT count(*) FROM t"));
        exec(&db, "DELETE FROM t WHERE id > 20");
        assert!(db.health().unwrap().is_good());
        let url = dir.url(&format!("a.db?vfs={}&checkpoint=manual&optimize=off&synchronous=normal", shim::NAME));
        let output = child("is_interrupted", &[("URL", &url)]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("\ninterrupted"), "{output:?}");
        assert!(size() < whole / 2, "the file was cut: {} of {whole}", size());

        exec(&db, ROWS);
        assert!(db.health().unwrap().is_good());
        db.checkpoint(mode).unwrap();
        exec(&db, "INSERT INTO t(b) VALUES('last')");
        db.close().unwrap();
        let script = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1]).execute(\"select count(*), max(b) = 'last', \
            (select integrity_check from pragma_integrity_check) from t\").fetchone())";
        let output = Command::new("python3").args(["-c", script]).arg(dir.file("a.db")).output().unwrap();
        assert_eq!(rows, "190");
        assert!(String::from_utf8_lossy(&output.stdout).contains("(211, "), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("'ok'"), "{output:?}");
    }
}
