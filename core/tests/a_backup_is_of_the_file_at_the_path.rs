//! Whoever makes a backup believes it to be one of the file at the path. A connection whose files were deleted or replaced
//! sees something else: a copy of that is refused, and made only where it is asked for by name.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Dir, exec, get, open};
use litekeel_core::{BackupOptions, Connection};

/// A database with a row in the `-wal`.
fn database(dir: &Dir) -> Arc<Connection> {
    let connection = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES('mine')");
    connection
}

fn copy(connection: &Connection, url: &str) -> litekeel_core::Result<litekeel_core::BackupReport> {
    connection.backup_with(url, BackupOptions::default(), |_, _| false)
}

fn unlink_wal(dir: &Path) {
    fs::remove_file(dir.join("a.db-wal")).unwrap();
}
fn move_away(dir: &Path) {
    fs::rename(dir.join("a.db"), dir.join("moved.db")).unwrap();
}
fn move_over(dir: &Path) {
    let other = open(&format!("file:{}/other.db?checkpoint=manual", dir.display())).unwrap();
    exec(&other, "CREATE TABLE t(a); INSERT INTO t VALUES('others')");
    other.close().unwrap();
    fs::rename(dir.join("other.db"), dir.join("a.db")).unwrap();
}

#[test]
fn what_only_the_connection_sees_is_copied_by_name_alone() {
    for (what, code) in [
        (unlink_wal as fn(&Path), "KEEL_WAL_UNLINKED"),
        (move_away, "KEEL_DATABASE_MOVED"),
        (move_over, "KEEL_DATABASE_MOVED"),
    ] {
        let dir = Dir::new();
        let connection = database(&dir);
        what(dir.path());
        // Nobody has looked yet, and then somebody has.
        for _ in 0..2 {
            let error = copy(&connection, &dir.url("copy.db")).unwrap_err();
            assert_eq!(error.name(), code, "{error}");
            assert!(error.hint().contains("unsafe=1") && error.step() == Some("backup"), "{error:?}");
            assert!(!dir.file("copy.db").exists());
        }
        let report = copy(&connection, &dir.url("rescue.db?unsafe=1")).unwrap();
        assert!(report.warnings.len() == 1 && report.warnings[0].contains("this connection sees alone"), "{report:?}");
        let _ = connection.close();
        let rescue = open(&dir.url("rescue.db?mode=ro")).unwrap();
        assert_eq!(get(&rescue, "SELECT group_concat(a) FROM t"), "mine");
        rescue.close().unwrap();
    }
}

#[test]
fn an_ordinary_backup_raises_no_alarm() {
    let dir = Dir::new();
    let connection = database(&dir);
    for (number, rest) in ["", "?unsafe=1"].into_iter().enumerate() {
        let report = copy(&connection, &dir.url(&format!("copy-{number}.db{rest}"))).unwrap();
        assert!(report.warnings.is_empty() && report.pages > 0, "{report:?}");
    }
    // A copy over a file that is only touched, and one of a database in memory.
    let touched = fs::OpenOptions::new().append(true).open(dir.file("copy-0.db")).unwrap();
    touched.set_modified(std::time::SystemTime::now()).unwrap();
    let memory = Connection::open(Some(":memory:"), &litekeel_core::Options::new()).unwrap();
    exec(&memory, "CREATE TABLE t(a)");
    assert!(copy(&memory, &dir.url("memory.db")).unwrap().warnings.is_empty());
    memory.close().unwrap();
    connection.close().unwrap();
}
