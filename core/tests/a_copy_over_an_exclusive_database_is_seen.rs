//! In exclusive locking mode no lock tells of a checkpoint, and where the mode was set before the first read there is no WAL-index
//! either: a backup that is copied over the database is seen all the same, and nothing that SQLite does is taken for one.
#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::{Dir, copy_backup_over, copy_file, exec, get, open, without_the_guard};
use litekeel_core::Connection;
use litekeel_core::sqlite::{SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_TRUNCATE};

/// Neither moves a row or an entry of the index to another page.
const UPDATE: &str =
    "UPDATE t SET who = substr(who, 1, 50) || 'vv' || hex(randomblob(4)) WHERE id IN (5, 400, 900, 1500)";
/// Of neighbours of those rows.
const NEXT: &str = "UPDATE t SET who = substr(who, 1, 50) || 'ww' || hex(randomblob(4)) WHERE id IN (6, 401, 901)";
/// From the first read on, without a WAL-index; or later, beside one.
const WAYS: [(&str, &str); 2] = [("&locking_mode=exclusive", ""), ("", "PRAGMA locking_mode=exclusive")];

/// Many pages, an index, and all of it in the file, of which a backup is made.
fn database(dir: &Dir, (url, sql): (&str, &str)) -> Arc<Connection> {
    let rest = "checkpoint=manual&optimize=off&synchronous=off&wal_autocheckpoint=0";
    let connection = open(&dir.url(&format!("a.db?{rest}{url}"))).unwrap();
    exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); CREATE INDEX i ON t(who)");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t(who)";
    exec(&connection, &format!("{rows} SELECT 's' || hex(randomblob(29)) || 'z' FROM n"));
    connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    exec(&connection, sql);
    exec(&connection, "UPDATE t SET who = who WHERE id = 1");
    connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE).unwrap();
    copy_file(dir, "a.db", "backup.db");
    connection
}

fn other(dir: &Dir, sql: &str) -> String {
    let code = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())";
    let output = Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).arg(sql).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn whatever_comes_next() {
    for way in WAYS {
        for pending in [false, true] {
            for next in ["health", "checkpoint", "pragma", "write", "normal", "close"] {
                let dir = Dir::new();
                let connection = database(&dir, way);
                exec(&connection, UPDATE);
                connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE).unwrap();
                if pending {
                    exec(&connection, "UPDATE t SET who = who WHERE id = 1900");
                }
                copy_backup_over(&dir);
                let what = format!("{way:?}, pending {pending}, {next}");
                match next {
                    "health" => assert!(!connection.health().unwrap().is_good(), "{what}"),
                    "checkpoint" => drop(connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE)),
                    "pragma" => drop(connection.exec("PRAGMA wal_checkpoint")),
                    // Where all is in the file, it is the next log's beginning that finds out.
                    "write" => drop((0..3).map(|_| connection.exec(NEXT)).collect::<Vec<_>>()),
                    "normal" => {
                        let _ = (connection.exec("PRAGMA locking_mode=normal"), connection.exec("SELECT 1 FROM t"));
                        let _ = (connection.exec(NEXT), connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
                    }
                    _ => {}
                }
                connection.close().unwrap();
                assert_eq!(other(&dir, "PRAGMA integrity_check"), "[('ok',)]", "{what}");
                assert_eq!(other(&dir, "SELECT count(*) FROM t WHERE who LIKE '%z'"), "[(2000,)]", "{what}");
            }
        }
    }
}

#[test]
fn without_the_guard_it_destroys_the_database() {
    without_the_guard("without_the_guard_it_destroys_the_database", || {
        WAYS.into_iter().all(|way| {
            let dir = Dir::new();
            let connection = database(&dir, way);
            exec(&connection, UPDATE);
            connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE).unwrap();
            copy_backup_over(&dir);
            let _ = (connection.exec(NEXT), connection.close());
            other(&dir, "PRAGMA integrity_check") != "[('ok',)]"
        })
    });
}

/// Statements of every kind in both modes, the way from one to the other and back, checkpoints that are interrupted, and a file
/// that is only touched.
#[test]
fn nothing_that_sqlite_does_is_taken_for_a_copy() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(u64::from(std::process::id()));
    eprintln!("SEED={seed}");
    let mut state = seed | 1;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    const SQL: [&str; 12] = [
        UPDATE,
        NEXT,
        "INSERT INTO t(who) SELECT 'x' || hex(randomblob(30)) FROM t LIMIT 300",
        "BEGIN; UPDATE t SET who = who || 'y'; ROLLBACK",
        "DELETE FROM t WHERE id > 2000; VACUUM",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA locking_mode=exclusive",
        "PRAGMA locking_mode=normal; SELECT 1 FROM t",
        "PRAGMA journal_mode=delete",
        "PRAGMA journal_mode=wal",
        "SELECT count(*) FROM t",
    ];
    for way in WAYS {
        let dir = Dir::new();
        let connection = database(&dir, way);
        exec(&connection, "PRAGMA cache_size=10");
        for step in 0..120 {
            let sql = SQL[below(SQL.len())];
            exec(&connection, sql);
            match below(6) {
                0 => {
                    // A sign of the time alone.
                    assert!(Command::new("touch").arg(dir.file("a.db")).status().unwrap().success());
                }
                1 => {
                    // Another thread ends some of it, somewhere.
                    let guard = connection.lock().unwrap();
                    let handle = guard.sqlite().get_interrupt_handle();
                    let ends = std::thread::spawn(move || (0..200).for_each(|_| handle.interrupt()));
                    for sql in ["UPDATE t SET who = who || 'y'", "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint"] {
                        let _ = guard.sqlite().execute_batch(sql);
                    }
                    ends.join().unwrap();
                }
                _ => {}
            }
            let health = connection.health().unwrap();
            assert!(health.is_good(), "SEED={seed}, {way:?}, step {step} ({sql}): {health:?}");
        }
        exec(&connection, UPDATE);
        let rows = get(&connection, "SELECT count(*) FROM t");
        connection.close().unwrap();
        assert_eq!(other(&dir, "PRAGMA integrity_check"), "[('ok',)]");
        assert_eq!(other(&dir, "SELECT count(*) FROM t"), format!("[({rows},)]"));
    }
}
