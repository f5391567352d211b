//! Holders that a look at the table of locks misses: a process outside this PID namespace, as a container sees the host's;
//! and the idle user of a WAL, who is in nobody's way but theirs who want the whole file.
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Dir, Killed, child, is_child, open};
use litekeel_core::BusyKind;
use litekeel_core::holders;
use litekeel_core::users;

/// A process that runs SQL on a database and then stays.
fn holding(dir: &Dir, sql: &str) -> Killed {
    let mut process =
        Killed(child("stays", &[("URL", &dir.url("a.db")), ("SQL", sql)]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    process
}

#[test]
fn stays() {
    common::stay_if_child("stays");
}

/// In a PID namespace of its own: what it is told, and whom it sees.
#[test]
fn looks() {
    if !is_child("looks") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    let db = open(&format!("{url}?busy_timeout=50")).unwrap();
    let path = std::path::Path::new(url.strip_prefix("file:").unwrap());
    match db.exec("BEGIN IMMEDIATE") {
        Ok(()) => println!("\nheld by nobody"),
        Err(error) => println!("\n{error}"),
    }
    for holder in holders(path, None).unwrap().iter().filter(|holder| holder.pid != std::process::id()) {
        println!("holder {} {} {}", holder.pid, holder.role.as_str(), holder.command);
    }
    for user in users(path).unwrap() {
        println!("user {} {}", user.pid, user.command);
    }
    db.close().unwrap();
}

/// What `looks` prints in a PID namespace of its own; `None` where this system allows none.
fn inside(dir: &Dir) -> Option<String> {
    let program = child("looks", &[]);
    // A user namespace lets others than root do it, where that is allowed.
    for flags in
        [&["--pid", "--fork", "--mount-proc"][..], &["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]]
    {
        let mut command = Command::new("unshare");
        command.args(flags).arg(program.get_program()).args(program.get_args());
        command.env("ROLE", "looks").env("URL", dir.url("a.db"));
        let Ok(output) = command.output() else { return None };
        if output.status.success() {
            return Some(String::from_utf8(output.stdout).unwrap());
        }
    }
    None
}

#[test]
fn a_process_outside_the_pid_namespace_is_told_of() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
    db.close().unwrap();
    // Nobody is there, and nobody is accused.
    let Some(text) = inside(&dir) else { return common::skip("no PID namespace may be made here") };
    assert!(text.contains("held by nobody") && !text.contains("holder") && !text.contains("user"), "{text}");

    let idle = holding(&dir, "INSERT INTO t VALUES(2)");
    let text = inside(&dir).unwrap();
    assert!(text.contains("held by nobody") && text.contains("user 0 outside"), "{text}");
    drop(idle);

    let writer = holding(&dir, "BEGIN IMMEDIATE");
    let text = inside(&dir).unwrap();
    assert!(text.contains("write lock held by somebody outside this PID namespace"), "{text}");
    assert!(text.contains("holder 0 writer outside this PID namespace"), "{text}");
    drop(writer);

    let reader = holding(&dir, "BEGIN; SELECT * FROM t");
    let text = inside(&dir).unwrap();
    assert!(text.contains("held by nobody") && text.contains("holder 0 reader outside"), "{text}");
    drop(reader);
}

#[test]
fn the_idle_user_of_a_wal_is_in_the_way_of_a_conversion_alone() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?busy_timeout=50")).unwrap();
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
    let idle = holding(&dir, "SELECT * FROM t");
    assert_eq!(db.holders().unwrap(), [], "in nobody's way");
    let error = db.exec("PRAGMA journal_mode = delete").unwrap_err();
    let busy = error.busy().unwrap();
    assert_eq!(busy.kind, BusyKind::WalConversion, "{error}");
    let named: Vec<_> = busy.holders.iter().map(|holder| (holder.pid, holder.role.as_str())).collect();
    assert_eq!(named, [(idle.0.id(), "shared")], "{error}");
    drop(idle);
    db.exec("PRAGMA journal_mode = delete").unwrap();
    db.close().unwrap();
}
