//! A backup copied over the open database is seen even where it has the same first page and the same size: whoever only updates
//! rows changes neither, and the change counter stands still in WAL mode.
#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::{Dir, child, copy_backup_over, copy_file, exec, get, is_child, open, without_the_guard};
use litekeel_core::Connection;
use litekeel_core::sqlite::{SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART, SQLITE_CHECKPOINT_TRUNCATE};

/// Neither moves a row or an entry of the index to another page.
const UPDATE: &str =
    "UPDATE t SET who = substr(who, 1, 50) || 'vv' || hex(randomblob(4)) WHERE id IN (5, 400, 900, 1500)";
const OTHERS: &str = "UPDATE t SET who = substr(who, 1, 50) || 'ww' || hex(randomblob(4)) WHERE id IN (700, 1900)";

/// Many pages, an index, and all of it in the file.
fn database(dir: &Dir) -> Arc<Connection> {
    let connection = open(&dir.url("a.db?checkpoint=manual&optimize=off&synchronous=off")).unwrap();
    exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); CREATE INDEX i ON t(who)");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t(who)";
    exec(&connection, &format!("{rows} SELECT 's' || hex(randomblob(29)) || 'z' FROM n"));
    connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    copy_file(dir, "a.db", "backup.db");
    connection
}

/// SQL in a process of its own, with SQLite itself; the last statement's rows.
fn other(dir: &Dir, sql: &[&str]) -> String {
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)\n\
        c.execute('pragma wal_autocheckpoint=0')\nfor line in sys.argv[2:]: rows = c.execute(line).fetchall()\nprint(rows)";
    let output = Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).args(sql).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What is at the path is the backup, whole, for whoever opens it next.
fn is_the_backup(dir: &Dir, what: &str) {
    assert_eq!(other(dir, &["PRAGMA integrity_check"]), "[('ok',)]", "{what}");
    assert_eq!(other(dir, &["SELECT count(*) FROM t WHERE who LIKE '%z'"]), "[(2000,)]", "{what}");
}

/// The connection finds out before it moves anything, whatever it does next.
fn is_refused(dir: &Dir, connection: &Connection, next: &str, what: &str) {
    match next {
        "health" => assert!(!connection.health().unwrap().is_good(), "{what}"),
        "checkpoint" => drop(connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE)),
        "pragma" => drop(connection.exec("PRAGMA wal_checkpoint(TRUNCATE)")),
        "write" => drop((0..3).map(|_| connection.exec(OTHERS)).collect::<Vec<_>>()),
        _ => {}
    }
    connection.close().unwrap();
    is_the_backup(dir, &format!("{what}, {next}"));
}

#[test]
fn after_any_checkpoint_of_ours() {
    for mode in [SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART, SQLITE_CHECKPOINT_TRUNCATE] {
        for pending in [false, true].into_iter().filter(|pending| !pending || mode != SQLITE_CHECKPOINT_RESTART) {
            for next in ["health", "checkpoint", "pragma", "write", "close"] {
                let dir = Dir::new();
                let connection = database(&dir);
                exec(&connection, UPDATE);
                connection.checkpoint(mode).unwrap();
                if pending {
                    exec(&connection, OTHERS);
                }
                copy_backup_over(&dir);
                // Where all is in the file, it is the next log's beginning that finds out.
                is_refused(&dir, &connection, next, &format!("mode {mode}, pending {pending}"));
            }
        }
    }
}

#[test]
fn after_a_checkpoint_of_another_process() {
    for next in ["health", "checkpoint", "write", "close"] {
        let dir = Dir::new();
        let connection = database(&dir);
        exec(&connection, "SELECT * FROM t");
        assert!(other(&dir, &[UPDATE, "PRAGMA wal_checkpoint(PASSIVE)"]).starts_with("[(0,"));
        copy_backup_over(&dir);
        is_refused(&dir, &connection, next, "another's checkpoint");
    }
}

/// After a crash the WAL-index says that a checkpoint of everything has begun, until the next one.
#[test]
fn while_a_checkpoint_may_be_at_work() {
    const NAME: &str = "while_a_checkpoint_may_be_at_work";
    if is_child(NAME) {
        let connection = open(&std::env::var("URL").unwrap()).unwrap();
        exec(&connection, OTHERS);
        std::process::abort();
    }
    for next in ["health", "checkpoint", "pragma", "close"] {
        let dir = Dir::new();
        let connection = database(&dir);
        exec(&connection, UPDATE);
        connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        connection.close().unwrap();
        let url = dir.url("a.db?checkpoint=manual&optimize=off&synchronous=off");
        assert!(!child(NAME, &[("URL", &url)]).output().unwrap().status.success());
        let connection = open(&url).unwrap();
        assert_eq!(get(&connection, "SELECT count(*) FROM t WHERE who LIKE '%ww%'"), "2");
        // Pages all over the file are what is known of it.
        copy_backup_over(&dir);
        // Another state of the last page.
        let script = "import sys\nf = open(sys.argv[1], 'r+b'); f.seek(-8, 2); f.write(b'otherone')";
        assert!(Command::new("python3").args(["-c", script]).arg(dir.file("a.db")).status().unwrap().success());
        match next {
            "health" => assert!(!connection.health().unwrap().is_good()),
            "checkpoint" => drop(connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE)),
            "pragma" => drop(connection.exec("PRAGMA wal_checkpoint(TRUNCATE)")),
            _ => {}
        }
        connection.close().unwrap();
        assert_eq!(other(&dir, &["SELECT count(*) FROM t WHERE who LIKE '%ww%'"]), "[(0,)]", "{next}");
    }
}

/// It has the pages that were moved last, and nobody has looked since another process moved them.
#[test]
fn a_database_that_is_not_in_wal_mode_is_another_one() {
    let dir = Dir::new();
    let connection = database(&dir);
    exec(&connection, "SELECT * FROM t");
    assert!(other(&dir, &[UPDATE, "PRAGMA wal_checkpoint(PASSIVE)"]).starts_with("[(0,"));
    copy_file(&dir, "a.db", "backup.db");
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('pragma journal_mode=delete')";
    assert!(Command::new("python3").args(["-c", script]).arg(dir.file("backup.db")).status().unwrap().success());
    copy_file(&dir, "backup.db", "a.db");
    assert!(!connection.health().unwrap().is_good());
    connection.close().unwrap();
    assert_eq!(other(&dir, &["PRAGMA integrity_check"]), "[('ok',)]");
}

#[test]
fn without_the_guard_it_destroys_the_database() {
    without_the_guard("without_the_guard_it_destroys_the_database", || {
        let dir = Dir::new();
        let connection = database(&dir);
        exec(&connection, UPDATE);
        connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        copy_backup_over(&dir);
        // Neighbours of rows that the backup has otherwise.
        let _ = (connection.exec(&OTHERS.replace("700, 1900", "6, 401, 901")), connection.close());
        other(&dir, &["PRAGMA integrity_check"]) != "[('ok',)]"
    });
}

/// Another process writes to the same pages, shrinks and enlarges the file, pins frames, checkpoints in every way, is killed
/// anywhere, and opens it in other ways, while this one looks.
#[test]
fn nothing_that_sqlite_does_is_taken_for_a_copy() {
    let dir = Dir::new();
    let connection = database(&dir);
    let code = "import sqlite3, sys, random, os\nrandom.seed(int(sys.argv[2]))\n\
        def new():\n  c = sqlite3.connect(sys.argv[1], timeout=0.1, isolation_level=None)\n  \
          c.execute('pragma synchronous=off'); c.execute('pragma wal_autocheckpoint=%d' % random.choice((0, 5, 50))); return c\n\
        c, r = new(), new()\n\
        for n in range(40):\n  k = random.randrange(8)\n  try:\n    \
          if k < 3: c.execute(\"update t set who = 'x' || hex(randomblob(30)) where id % ? = 7\", (random.choice((50, 400)),))\n    \
          elif k == 3: c.execute('pragma wal_checkpoint(%s)' % random.choice(('passive', 'full', 'restart', 'truncate'))).fetchall()\n    \
          elif k == 4: c.execute(\"insert into t(who) select 'x' || hex(randomblob(30)) from t limit 300\")\n    \
          elif k == 5: c.execute('delete from t where id > 2000'); c.execute('vacuum')\n    \
          elif k == 6 and not r.in_transaction: r.execute('begin'); r.execute('select * from t').fetchone()\n    \
          elif r.in_transaction: r.execute('commit')\n  \
          except sqlite3.OperationalError as e: assert 'locked' in str(e), e\n\
        if random.random() < 0.7: os.kill(os.getpid(), 9)";
    let mut looks = 0;
    for seed in 0..2 {
        let mut other =
            Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).arg(seed.to_string()).spawn().unwrap();
        while other.try_wait().unwrap().is_none() {
            let health = connection.health().unwrap();
            assert!(health.latched.is_none(), "seed {seed}, look {looks}: {health:?}");
            let _ = connection.exec("PRAGMA wal_checkpoint(PASSIVE)");
            let _ = connection.exec("UPDATE t SET who = 'm' || hex(randomblob(30)) WHERE id = 77");
            looks += 1;
        }
        assert_ne!(other.wait().unwrap().code(), Some(1), "seed {seed}");
    }
    assert!(looks > 3, "{looks}");
    exec(&connection, "UPDATE t SET who = 'mine' WHERE id = 1");
    assert!(connection.close().unwrap().wal_removed);
    assert_eq!(other(&dir, &["PRAGMA integrity_check"]), "[('ok',)]");
}

/// What the file was like while it had a WAL says nothing of it after it had none.
#[test]
fn a_file_that_had_no_wal_meanwhile_may_be_what_it_likes() {
    let dir = Dir::new();
    let connection = database(&dir);
    connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    for _ in 0..3 {
        assert_eq!(get(&connection, "PRAGMA journal_mode=delete"), "delete");
        exec(&connection, UPDATE);
        exec(&connection, "CREATE TABLE IF NOT EXISTS more(a); INSERT INTO more VALUES(zeroblob(10000))");
        assert_eq!(get(&connection, "PRAGMA journal_mode=wal"), "wal");
        let health = connection.health().unwrap();
        assert!(health.is_good() && health.latched.is_none(), "{health:?}");
        exec(&connection, OTHERS);
        connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    }
    connection.close().unwrap();
    assert_eq!(other(&dir, &["PRAGMA integrity_check"]), "[('ok',)]");
}
