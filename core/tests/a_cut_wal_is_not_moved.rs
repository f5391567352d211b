//! A `-wal` that was cut or overwritten in place, which keeps its inode, is moved into no database either: what lies behind
//! the hole would go over pages that it does not belong to.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use common::{Dir, exec, get, open, without_the_guard};

/// Rows enough for an index with pages of its own, safely in the database; and some in the WAL alone.
fn database(dir: &Dir) -> std::sync::Arc<litekeel_core::Connection> {
    let url = dir.url("a.db?optimize=close");
    let connection = open(&url).unwrap();
    exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); CREATE INDEX i ON t(who)");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t(who)";
    exec(&connection, &format!("{rows} SELECT 's' || hex(randomblob(30)) FROM n"));
    connection.close().unwrap();
    let connection = open(&url).unwrap();
    assert_eq!(get(&connection, "SELECT count(*) FROM t"), "3000");
    for _ in 0..80 {
        exec(&connection, "INSERT INTO t(who) VALUES('n' || hex(randomblob(30)))");
    }
    connection
}

/// The ways of spoiling it: each keeps the file and its name.
const KINDS: [&str; 4] = ["emptied", "cut", "overwritten", "older"];

fn spoil(dir: &Dir, kind: &str) {
    let wal = OpenOptions::new().read(true).write(true).open(dir.file("a.db-wal")).unwrap();
    // Another process: closing it here would drop no lock of the WAL's, but the rule is one for all files of a database.
    let length = wal.metadata().unwrap().len();
    match kind {
        "emptied" => wal.set_len(0).unwrap(),
        "cut" => wal.set_len(length / 2).unwrap(),
        "overwritten" => wal.write_all_at(&vec![0x5a; length as usize], 0).unwrap(),
        // Of the same length, with another log's salts.
        _ => wal.write_all_at(&[1, 2, 3, 4, 5, 6, 7, 8], 16).unwrap(),
    }
}

/// What somebody else finds: the integrity, and how many of the rows that were in the database.
fn found(dir: &Dir) -> String {
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nok = c.execute('pragma integrity_check(1)').fetchone()[0]\nprint(ok, c.execute(\"select count(*) from t where who like 's%'\").fetchone()[0])";
    let output = std::process::Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_wal_that_was_cut_or_overwritten_in_place_is_not_moved() {
    for kind in KINDS {
        for end in ["close", "write", "checkpoint", "drop"] {
            let dir = Dir::new();
            let connection = database(&dir);
            spoil(&dir, kind);
            match end {
                // The look at the files comes once a second.
                "write" => (0..30).for_each(|_| {
                    let _ = connection.exec("INSERT INTO t(who) VALUES('m')");
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }),
                "checkpoint" => drop(connection.exec("PRAGMA wal_checkpoint(TRUNCATE)")),
                _ => {}
            }
            if end == "drop" {
                drop(connection);
            } else {
                let report = connection.close().unwrap();
                assert!(!report.optimized && !report.warnings.is_empty(), "{kind}, {end}: {report:?}");
            }
            // A later opener sees the log end where it was cut, and the database as the last checkpoint left it.
            if kind != "cut" {
                assert_eq!(found(&dir), "ok 3000", "{kind}, {end}");
            }
        }
    }
}

/// A small hole amid many frames, which is there only after somebody has written behind the cut.
#[test]
fn a_hole_of_a_few_frames_is_found() {
    for spoiled in [true, false] {
        let dir = Dir::new();
        let connection = open(&dir.url("a.db?checkpoint=manual&optimize=off&synchronous=off")).unwrap();
        exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); CREATE INDEX i ON t(who)");
        connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        let insert = |count: u32| {
            // A second after the last look the next one may find the file too short.
            (0..count).for_each(|_| drop(connection.exec("INSERT INTO t(who) VALUES('n' || hex(randomblob(30)))")));
        };
        insert(400);
        let wal = OpenOptions::new().write(true).open(dir.file("a.db-wal")).unwrap();
        let length = wal.metadata().unwrap().len();
        assert!(length > 800 * 4120, "{length}");
        if spoiled {
            // No frame that is looked at by turns.
            wal.set_len(length - 4 * 4120).unwrap();
        }
        insert(30);
        let moved = connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_PASSIVE);
        assert_eq!(moved.is_err(), spoiled, "{moved:?}");
        connection.close().unwrap();
    }
}

#[test]
fn without_the_guard_it_destroys_the_database() {
    without_the_guard("without_the_guard_it_destroys_the_database", || {
        let dir = Dir::new();
        let connection = database(&dir);
        spoil(&dir, "cut");
        for _ in 0..20 {
            let _ = connection.exec("INSERT INTO t(who) VALUES('m' || hex(randomblob(30)))");
        }
        let _ = connection.close();
        found(&dir) != "ok 3000"
    });
}

/// Another process writes, restarts and truncates the log all the time, while this one looks.
#[test]
fn a_log_that_begins_anew_is_taken_for_no_spoiled_one() {
    let dir = Dir::new();
    let connection = database(&dir);
    let code = "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)\nend = time.time() + 3\nn = 0\nwhile time.time() < end:\n  c.execute(\"insert into t(who) values('o')\")\n  n += 1\n  if n % 3 == 0: c.execute('pragma wal_checkpoint(%s)' % ('truncate' if n % 2 else 'restart')).fetchall()\nprint(n)";
    let mut other = std::process::Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).spawn().unwrap();
    let mut looks = 0;
    while other.try_wait().unwrap().is_none() {
        let health = connection.health().unwrap();
        assert!(health.latched.is_none(), "{health:?}");
        let _ = connection.exec("PRAGMA wal_checkpoint(PASSIVE)");
        looks += 1;
    }
    assert!(looks > 10, "{looks}");
    exec(&connection, "INSERT INTO t(who) VALUES('mine')");
    assert_eq!(get(&connection, "SELECT count(*) FROM t WHERE who = 'mine'"), "1");
    assert!(connection.close().unwrap().wal_removed);
    assert!(fs::metadata(dir.file("a.db-wal")).is_err());
}
