//! Litestream's locks are how it works: who finds one in the way is told that it is Litestream's, and not to end it.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/litestream.rs"]
mod litestream;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Dir, Killed, child, open};
use litekeel_core::BusyKind;
use litekeel_core::{Error, sqlite};
use litestream::Daemon;

/// Runs SQL on a database and stays, holding what it holds.
#[test]
fn stays() {
    common::stay_if_child("stays");
}

fn started(mut command: Command, dir: &Dir, sql: &str) -> Killed {
    command.env("ROLE", "stays").env("URL", dir.url("a.db")).env("SQL", sql);
    let mut process = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    process
}

/// As a program of that name with these first arguments; the test's own program is a filter among others to it.
fn called(name: &str, first: &[&str], dir: &Dir, sql: &str) -> Killed {
    let program = dir.file(name);
    if !program.exists() {
        // By another process: a file that is open for writing here would be so in a child of another test.
        let own = std::env::current_exe().unwrap();
        assert!(Command::new("cp").arg(own).arg(&program).status().unwrap().success());
    }
    let mut command = Command::new(program);
    let (task, more) = first.split_at(1);
    command.args(task).args(["stays", "--exact", "--nocapture", "--test-threads=1", "--"]).args(more);
    started(command, dir, sql)
}

fn other(dir: &Dir, sql: &str) -> Killed {
    started(child("stays", &[]), dir, sql)
}

const WRITES: &str = "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)";

fn database(dir: &Dir) {
    let db = open(&dir.url("a.db")).unwrap();
    common::exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
}

fn refused(dir: &Dir, sql: &str) -> Error {
    refused_with(dir, "replication=none", sql)
}

fn refused_with(dir: &Dir, parameters: &str, sql: &str) -> Error {
    let db = open(&dir.url(&format!("a.db?{parameters}&busy_timeout=100"))).unwrap();
    let error = db.exec(sql).unwrap_err();
    assert_eq!(error.code() & 0xff, sqlite::SQLITE_BUSY, "{error}");
    db.close().unwrap();
    error
}

#[test]
fn litestream_with_the_write_lock_is_not_to_be_ended() {
    let dir = Dir::new();
    database(&dir);
    let holder = called("litestream", &["replicate"], &dir, WRITES);
    let (error, pid) = (refused(&dir, "BEGIN IMMEDIATE"), holder.0.id());
    assert!(error.message().contains(&format!("write lock held by Litestream, pid {pid}")), "{error}");
    assert!(error.hint().starts_with("do not end Litestream") && error.hint().contains("busy_timeout"), "{error}");
    // Stopped, it gives nothing back by itself.
    // SAFETY: a plain call for a child of this process.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, libc::SIGSTOP) }, 0);
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    while !state().contains(") T ") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let error = refused(&dir, "BEGIN IMMEDIATE");
    assert_eq!(error.hint(), format!("resume Litestream (kill -CONT {pid}) instead of ending it"), "{error}");
}

#[test]
fn what_follows_a_replica_is_not_to_be_ended() {
    let dir = Dir::new();
    database(&dir);
    let _holder = called("litestream-0.5.17", &["restore", "-f"], &dir, WRITES);
    let error = refused(&dir, "BEGIN IMMEDIATE");
    assert!(error.hint().starts_with("do not end Litestream") && error.hint().contains("role=follower"), "{error}");
}

/// False alarms: the lock of a program that is called otherwise, also where Litestream is a reader beside it.
#[test]
fn others_are_not_taken_for_litestream() {
    let dir = Dir::new();
    database(&dir);
    let _reader = called("litestream", &["replicate"], &dir, "BEGIN; SELECT * FROM t");
    for name in ["litestreamer", ""] {
        let holder = if name.is_empty() { other(&dir, WRITES) } else { called(name, &["replicate"], &dir, WRITES) };
        let error = refused(&dir, "BEGIN IMMEDIATE");
        assert!(error.message().contains(&format!("write lock held by pid {}", holder.0.id())), "{error}");
        assert!(!error.to_string().contains("Litestream"), "{error}");
        assert!(error.hint().starts_with("shorten the other's transaction"), "{error}");
    }
    // Both are in the way of who changes the journal mode: each is named, and the remedy is not Litestream's.
    let _user = other(&dir, "SELECT * FROM t");
    let error = refused(&dir, "PRAGMA journal_mode=delete");
    assert!(
        error.message().contains("by Litestream, pid") && error.hint().contains("when the others are idle"),
        "{error}"
    );
}

/// The real one keeps a lock on the file for as long as it replicates.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn the_real_litestream_is_named_where_it_is_in_the_way() {
    let dir = Dir::new();
    database(&dir);
    let mut daemon = Daemon::start(&dir);
    let error = refused(&dir, "PRAGMA journal_mode=delete");
    assert_eq!(error.busy().unwrap().kind, BusyKind::WalConversion);
    assert!(error.message().contains(&format!("by Litestream, pid {}", daemon.pid())), "{error}");
    assert!(error.hint().contains("litestream stop"), "{error}");
    // What it reads is in no writer's way.
    let db = open(&dir.url("a.db?busy_timeout=5s")).unwrap();
    for n in 0..200 {
        common::exec(&db, &format!("INSERT INTO t VALUES({n})"));
    }
    // Beside another writer, that one is named.
    let _holder = other(&dir, WRITES);
    let error = refused_with(&dir, "replication=auto", "BEGIN IMMEDIATE");
    assert!(!error.to_string().contains("Litestream"), "{error}");
    db.close().unwrap();
    daemon.process.0.kill().unwrap();
}
