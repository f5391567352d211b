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

/// How the files go away under the connection, and the code that says so.
type Way = (fn(&Path), &'static str);

const WAYS: [Way; 3] =
    [(unlink_wal, "KEEL_WAL_UNLINKED"), (move_away, "KEEL_DATABASE_MOVED"), (move_over, "KEEL_DATABASE_MOVED")];

#[test]
fn what_only_the_connection_sees_is_copied_by_name_alone() {
    for (what, code) in WAYS {
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

#[test]
fn vacuum_into_is_a_backup_too() {
    for (what, code) in WAYS {
        let dir = Dir::new();
        let connection = database(&dir);
        let raw = rusqlite::Connection::open(dir.file("a.db")).unwrap();
        assert_eq!(raw.query_row("SELECT a FROM t", [], |row| row.get::<_, String>(0)).unwrap(), "mine");
        // The control: a copy of the file at the path.
        for (number, name) in ["", "main", "\"main\"", "/* a */ [Main]"].into_iter().enumerate() {
            exec(&connection, &format!("VACUUM {name} INTO '{}'", dir.file(&format!("{number}.db")).display()));
            raw.execute_batch(&format!("VACUUM {name} INTO '{}'", dir.file(&format!("raw-{number}.db")).display()))
                .unwrap();
        }
        exec(&connection, "ATTACH ':memory:' AS beside; CREATE TABLE beside.t(a); VACUUM");
        what(dir.path());
        for name in ["", "main", "\"MAIN\""] {
            let sql = format!("VACUUM {name} INTO '{}'", dir.file("copy.db").display());
            let error = connection.exec(&sql).unwrap_err();
            assert_eq!(error.name(), code, "{error}");
            assert!(error.hint().contains("unsafe=1"), "{error:?}");
            // A connection that litekeel has not opened: SQLite's own word for it.
            let error = raw.execute_batch(&sql).unwrap_err();
            assert_eq!(error.sqlite_error().unwrap().extended_code, rusqlite::ffi::SQLITE_READONLY_DBMOVED, "{error}");
            assert_eq!(fs::metadata(dir.file("copy.db")).map_or(0, |meta| meta.len()), 0);
        }
        // Another database of the connection is what it was.
        exec(&connection, &format!("VACUUM beside INTO '{}'", dir.file("beside.db").display()));
        let _ = connection.close();
        drop(raw);
    }
}

/// A backup that has read a part of a source finds it much smaller at its next step, which is so the last one.
#[test]
fn a_source_that_gets_small_in_the_middle_is_looked_at_before_its_end() {
    for (empties, code) in [(false, "KEEL_WAL_UNLINKED"), (true, "SQLITE_NOTADB")] {
        for overwrite in [false, true] {
            let dir = Dir::new();
            let journal = if empties { "&journal_mode=delete" } else { "" };
            let connection = open(&dir.url(&format!("a.db?checkpoint=manual{journal}"))).unwrap();
            exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(800000))");
            if overwrite {
                let before = open(&dir.url("copy.db")).unwrap();
                exec(&before, "CREATE TABLE t(a); INSERT INTO t VALUES('before')");
                before.close().unwrap();
            }
            let options = BackupOptions { pages: 50, overwrite, ..BackupOptions::default() };
            let mut steps = 0;
            let copied = connection.backup_with(&dir.url("copy.db"), options, |_, _| {
                steps += 1;
                if steps == 1 && empties {
                    // By another process: a close in this one would drop the locks.
                    let mut shell = std::process::Command::new("sh");
                    assert!(shell.args(["-c", ": > a.db"]).current_dir(dir.path()).status().unwrap().success());
                } else if steps == 1 {
                    let other = open(&dir.url("a.db?checkpoint=manual")).unwrap();
                    exec(&other, "DELETE FROM t; VACUUM");
                    unlink_wal(dir.path());
                    let _ = other.close();
                }
                false
            });
            let error = copied.unwrap_err();
            assert_eq!((error.name(), error.step()), (code, Some("backup")), "{overwrite}: {error}");
            assert_eq!(dir.file("copy.db").exists(), overwrite);
            if overwrite {
                let copy = open(&dir.url("copy.db?mode=ro")).unwrap();
                assert_eq!(get(&copy, "SELECT a FROM t"), "before");
                copy.close().unwrap();
            }
            let _ = connection.close();
        }
    }
}

/// The same without anything amiss: the source gets small, and the copy is of that.
#[test]
fn a_source_that_gets_small_in_the_middle_is_copied() {
    for pages in [1, 50, 0] {
        let dir = Dir::new();
        let connection = open(&dir.url("a.db")).unwrap();
        exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(800000))");
        let options = BackupOptions { pages, ..BackupOptions::default() };
        let mut steps = 0;
        let report = connection.backup_with(&dir.url("copy.db"), options, |_, _| {
            steps += 1;
            if steps == 1 {
                let other = open(&dir.url("a.db?busy_timeout=5s")).unwrap();
                exec(&other, "DELETE FROM t; INSERT INTO t VALUES('small'); VACUUM");
                other.close().unwrap();
            }
            false
        });
        let report = report.unwrap();
        assert_eq!(report.pages, 2, "{report:?}");
        // Nothing of the backup is left on its source.
        exec(&connection, "INSERT INTO t VALUES('later')");
        assert!(connection.close().unwrap().wal_removed);
    }
}

#[test]
fn what_goes_away_in_the_middle_is_no_copy() {
    for (what, code) in [(unlink_wal as fn(&Path), "KEEL_WAL_UNLINKED"), (move_over, "KEEL_DATABASE_MOVED")] {
        for overwrite in [false, true] {
            for pages in [1, 0, -1] {
                let dir = Dir::new();
                let connection = database(&dir);
                exec(
                    &connection,
                    "INSERT INTO t SELECT zeroblob(4000) FROM (VALUES(1), (2), (3), (4), (5), (6), (7), (8))",
                );
                let before = open(&dir.url("copy.db")).unwrap();
                exec(&before, "CREATE TABLE t(a); INSERT INTO t VALUES('before')");
                before.close().unwrap();
                if !overwrite {
                    fs::remove_file(dir.file("copy.db")).unwrap();
                }
                let options = || BackupOptions { pages, overwrite, ..BackupOptions::default() };
                let mut lost = false;
                let copied = connection.backup_with(&dir.url("copy.db"), options(), |_, _| {
                    if !lost {
                        lost = true;
                        what(dir.path());
                    }
                    false
                });
                assert_eq!(copied.unwrap_err().name(), code, "{overwrite} {pages}");
                // What was there is as it was; what was not there is not.
                assert_eq!(dir.file("copy.db").exists(), overwrite);
                if overwrite {
                    let copy = open(&dir.url("copy.db?mode=ro")).unwrap();
                    assert_eq!(get(&copy, "SELECT a FROM t"), "before");
                    copy.close().unwrap();
                }
                let _ = connection.close();
            }
        }
    }
}
