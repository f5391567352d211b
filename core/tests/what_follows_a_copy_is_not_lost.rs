//! A connection that refuses to write, because another database was copied over its own, takes nothing from those who work
//! with the copy since.
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::{Dir, exec, open};
use litekeel_core::Connection;
use litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE;

/// A database with more pages than its backup has, all of it in the file.
fn database(dir: &Dir) -> Arc<Connection> {
    let connection = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES('old')");
    connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    copy(dir, "a.db", "backup.db");
    exec(&connection, "CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(100000)); INSERT INTO t VALUES('new')");
    connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    connection
}

fn copy(dir: &Dir, from: &str, to: &str) {
    assert!(Command::new("cp").arg(dir.file(from)).arg(dir.file(to)).status().unwrap().success());
}

/// Another program with the database open: one line of SQL, one line of answer.
struct Other(Child, BufReader<std::process::ChildStdout>);

impl Other {
    fn start(dir: &Dir) -> Other {
        let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            c.execute('PRAGMA wal_autocheckpoint=0')\n\
            for line in sys.stdin:\n  try: print(c.execute(line).fetchall(), flush=True)\n  \
            except Exception as error: print(error, flush=True)\nc.close()";
        let mut child = Command::new("python3")
            .args(["-c", code])
            .arg(dir.file("a.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Other(child, answers)
    }

    fn ask(&mut self, sql: &str) -> String {
        writeln!(self.0.stdin.as_mut().unwrap(), "{sql}").unwrap();
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

fn ask(dir: &Dir, sql: &str) -> String {
    let mut other = Other::start(dir);
    let answer = other.ask(sql);
    other.end();
    answer
}

/// Refused, since somebody has copied the backup over it.
fn refused(dir: &Dir, connection: &Connection) {
    copy(dir, "backup.db", "a.db");
    assert_eq!(connection.exec("INSERT INTO t VALUES('late')").unwrap_err().name(), "KEEL_DATABASE_MOVED");
}

#[test]
fn what_others_commit_to_the_copy_stays() {
    for stays in [false, true] {
        for pending in [false, true] {
            let dir = Dir::new();
            let connection = database(&dir);
            if pending {
                exec(&connection, "INSERT INTO t VALUES('pending'); CREATE TABLE more(a)");
                copy(&dir, "backup.db", "a.db");
                assert!(!connection.health().unwrap().is_good());
            } else {
                refused(&dir, &connection);
            }
            let mut other = Other::start(&dir);
            if !pending {
                assert_eq!(other.ask("INSERT INTO t VALUES('theirs')"), "[]");
            }
            if stays {
                connection.close().unwrap();
                if pending {
                    assert_eq!(other.ask("INSERT INTO t VALUES('theirs')"), "[]");
                }
                assert_eq!(other.ask("SELECT group_concat(a) FROM t"), "[('old,theirs',)]", "pending: {pending}");
                other.end();
            } else {
                other.end();
                connection.close().unwrap();
                if pending {
                    assert_eq!(ask(&dir, "INSERT INTO t VALUES('theirs')"), "[]");
                }
            }
            let found = ask(&dir, "SELECT group_concat(a) FROM t");
            assert_eq!(found, "[('old,theirs',)]", "the other one stays: {stays}, pending: {pending}");
            assert_eq!(ask(&dir, "PRAGMA integrity_check"), "[('ok',)]");
        }
    }
}

/// The refused connection stays open, and so the log that does not fit the copy would stay in use.
#[test]
fn another_process_s_checkpoint_moves_nothing_of_the_old_log() {
    for finds in ["health", "checkpoint", "write"] {
        let dir = Dir::new();
        let connection = database(&dir);
        exec(&connection, "INSERT INTO t VALUES('pending'); CREATE TABLE more(a)");
        copy(&dir, "backup.db", "a.db");
        if finds == "health" {
            assert!(!connection.health().unwrap().is_good());
        } else if finds == "checkpoint" {
            assert!(connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).is_err());
        } else {
            assert!(connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).is_err());
            assert!(connection.exec("INSERT INTO t VALUES('late')").is_err());
        }
        for sql in ["SELECT 1", "PRAGMA wal_checkpoint(TRUNCATE)", "INSERT INTO t VALUES('theirs')"] {
            ask(&dir, sql);
        }
        assert_eq!(ask(&dir, "SELECT group_concat(a) FROM t"), "[('old,theirs',)]", "{finds}");
        assert_eq!(ask(&dir, "PRAGMA integrity_check"), "[('ok',)]", "{finds}");
        let report = connection.close().unwrap();
        assert!(report.warnings.iter().any(|text| text.contains("a.db-wal.overwritten-")), "{report:?}");
        assert_eq!(ask(&dir, "SELECT group_concat(a) FROM t"), "[('old,theirs',)]", "{finds}");
    }
}

/// Another file has got the database's name, and the connection that refuses to write to the old one stays open: the log that
/// lies beside the new one is the old one's.
#[test]
fn what_replaces_the_database_gets_nothing_of_the_old_log() {
    for (renamed, finds, siblings) in
        [(false, "write", 1), (false, "checkpoint", 0), (true, "health", 1), (true, "health", 0)]
    {
        let context = format!("renamed: {renamed}, {finds}, {siblings} more");
        let dir = Dir::new();
        let connection = database(&dir);
        let more: Vec<_> = (0..siblings).map(|_| open(&dir.url("a.db?checkpoint=manual")).unwrap()).collect();
        exec(&connection, "INSERT INTO t VALUES('pending'); CREATE TABLE more(a)");
        more.iter().for_each(|other| assert_eq!(common::get(other, "SELECT count(*) FROM t"), "3"));
        assert!(connection.health().unwrap().is_good());
        if renamed {
            std::fs::rename(dir.file("a.db"), dir.file("before.db")).unwrap();
        }
        std::fs::rename(dir.file("backup.db"), dir.file("a.db")).unwrap();
        let found = match finds {
            "health" => connection.health().unwrap().latched,
            // Statements look once a second.
            "write" => (0..3000).find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                connection.exec("UPDATE t SET a='new' WHERE a='new'").err()
            }),
            _ => connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE).err(),
        };
        assert_eq!(found.map(|error| error.name()), Some("KEEL_DATABASE_MOVED"), "{context}");
        // What it has committed is still there for it, and for nobody else.
        for own in more.iter().chain([&connection]) {
            assert_eq!(common::get(own, "SELECT group_concat(a) FROM t"), "old,new,pending", "{context}");
            assert_eq!(common::get(own, "PRAGMA integrity_check"), "ok", "{context}");
        }
        let comes_and_goes = || {
            for sql in ["SELECT 1", "PRAGMA wal_checkpoint(TRUNCATE)", "INSERT INTO t VALUES('theirs')"] {
                ask(&dir, sql);
            }
        };
        let mut stays;
        if siblings == 0 {
            comes_and_goes();
            assert_eq!(common::get(&connection, "SELECT group_concat(a) FROM t"), "old,new,pending", "{context}");
            stays = Other::start(&dir);
            assert_eq!(stays.ask("INSERT INTO t VALUES('more')"), "[]", "{context}");
        } else {
            // Somebody who works with the log that lies there: this process is told, instead of reading a mixture.
            stays = Other::start(&dir);
            assert_eq!(stays.ask("INSERT INTO t VALUES('more')"), "[]", "{context}");
            let error = connection.exec("SELECT * FROM t").unwrap_err();
            assert_eq!(error.name(), "KEEL_DATABASE_MOVED", "{context}: {error}");
            comes_and_goes();
        }
        let report = connection.close().unwrap();
        drop(more);
        assert!(report.warnings.iter().any(|text| text.contains("a.db-wal.replaced-")), "{context}: {report:?}");
        let found = if siblings == 0 { "[('old,theirs,more',)]" } else { "[('old,more,theirs',)]" };
        assert_eq!(stays.ask("SELECT group_concat(a) FROM t"), found, "{context}");
        stays.end();
        assert_eq!(ask(&dir, "SELECT group_concat(a) FROM t"), found, "{context}");
        assert_eq!(ask(&dir, "PRAGMA integrity_check"), "[('ok',)]", "{context}");
        if renamed {
            let before = open(&dir.url("before.db")).unwrap();
            assert_eq!(common::get(&before, "SELECT group_concat(a) FROM t"), "old,new,pending", "{context}");
            assert_eq!(common::get(&before, "PRAGMA integrity_check"), "ok", "{context}");
            before.close().unwrap();
        }
    }
}

/// The same beside a process that works with the old file and its log: nothing is taken from it, and what the old one has got
/// by another name stays.
#[test]
fn a_replaced_database_that_others_use_is_left_alone() {
    let dir = Dir::new();
    let connection = database(&dir);
    exec(&connection, "INSERT INTO t VALUES('pending')");
    let mut other = Other::start(&dir);
    assert!(other.ask("SELECT count(*) FROM t").contains("3"));
    std::fs::rename(dir.file("a.db"), dir.file("before.db")).unwrap();
    std::fs::rename(dir.file("backup.db"), dir.file("a.db")).unwrap();
    assert!(!connection.health().unwrap().is_good());
    assert!(connection.exec("INSERT INTO t VALUES('late')").is_err());
    assert_eq!(other.ask("SELECT group_concat(a) FROM t"), "[('old,new,pending',)]");
    assert_eq!(common::get(&connection, "SELECT group_concat(a) FROM t"), "old,new,pending");
    other.end();
    connection.close().unwrap();
}

/// It had pages of the old database in its memory.
#[test]
fn who_was_there_before_the_copy_works_with_the_copy() {
    for pending in [false, true] {
        let dir = Dir::new();
        let connection = database(&dir);
        if pending {
            exec(&connection, "INSERT INTO t VALUES('pending')");
        }
        let mut other = Other::start(&dir);
        assert!(other.ask("SELECT count(*), (SELECT count(*) FROM big) FROM t").contains(", 1)"));
        copy(&dir, "backup.db", "a.db");
        assert!(!connection.health().unwrap().is_good());
        connection.close().unwrap();
        assert_eq!(other.ask("SELECT group_concat(a) FROM t"), "[('old',)]", "pending: {pending}");
        assert_eq!(other.ask("INSERT INTO t VALUES('theirs')"), "[]");
        other.end();
        assert_eq!(ask(&dir, "SELECT group_concat(a) FROM t"), "[('old,theirs',)]", "pending: {pending}");
        assert_eq!(ask(&dir, "PRAGMA integrity_check"), "[('ok',)]");
    }
}
