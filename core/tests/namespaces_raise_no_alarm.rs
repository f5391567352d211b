//! PID namespaces and file systems that number their files alike: what is well is well, and a real second copy is seen.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use common::{Dir, SystemSqlite, child, exec, get, is_child, open, skip};
use litekeel_core::Verdict;
use litekeel_core::{Connection, codes, holders};

fn well(connection: &Connection, what: &str) {
    let health = connection.health().unwrap();
    let good = health.checks.iter().all(|check| check.verdict == Verdict::Good);
    assert!(health.latched.is_none() && good, "{what}: {health:?}");
}

/// Runs one of the functions below under `unshare`; without the right to, says so.
fn unshared(options: &[&str], script: &str, test: &str, url: &str) {
    let child = child(test, &[]);
    let mut command = Command::new("unshare");
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        command.arg("-Ur");
    }
    command.args(options).args(["sh", "-c", script, "sh"]).arg(child.get_program()).args(child.get_args());
    let output = match command.env("ROLE", test).env("URL", url).output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("unshare: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || text.contains("unshare failed") || text.contains("unshare: mount") {
        return skip(&format!("no such namespace can be made here: {text}"));
    }
    assert!(output.status.success() && text.contains("DONE"), "{options:?}: {text}");
}

#[test]
fn a_pid_namespace_of_its_own() {
    for options in [&["-pf"][..], &["-pf", "--mount-proc"]] {
        let dir = Dir::new();
        let outside = open(&dir.url("a.db")).unwrap();
        exec(&outside, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        // Its locks stand before those of the process inside.
        exec(&outside, "BEGIN; SELECT * FROM t");
        unshared(options, "exec \"$@\"", "inside_a_pid_namespace", &dir.url("a.db"));
        exec(&outside, "COMMIT");
        well(&outside, "outside");
        outside.close().unwrap();
    }
}

#[test]
fn inside_a_pid_namespace() {
    if !is_child("inside_a_pid_namespace") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    let path = url.trim_start_matches("file:").to_owned();
    for firm in [true, false] {
        // SAFETY: the files of this process are this test's.
        unsafe { litekeel_core::turn_firm_locks_off(!firm) };
        let db = open(&format!("{url}?busy_timeout=20ms")).unwrap();
        assert_eq!(get(&db, "SELECT count(*) FROM t"), "1");
        well(&db, "opened");
        exec(&db, "BEGIN IMMEDIATE");
        well(&db, "in a transaction");
        let second = open(&format!("{url}?busy_timeout=20ms")).unwrap();
        assert_eq!(second.exec("INSERT INTO t VALUES(2)").unwrap_err().code() & 0xff, 5, "BUSY, and its looks");
        well(&second, "after BUSY");
        exec(&db, "ROLLBACK");
        second.close().unwrap();
        db.close().unwrap();
    }
    match SystemSqlite::open(Path::new(&path)) {
        Some(other) => {
            assert_eq!(other.exec(c"BEGIN; SELECT * FROM t"), 0);
            assert_eq!(open(&url).unwrap_err().code(), codes::SECOND_SQLITE, "a real one is seen");
            drop(other);
            open(&url).unwrap().close().unwrap();
        }
        None => skip("there is no other libsqlite3"),
    }
    println!("DONE");
}

#[test]
fn two_file_systems_that_number_their_files_alike() {
    let dir = Dir::new();
    let script = "mkdir \"$URL/one\" \"$URL/two\" && mount -t tmpfs none \"$URL/one\" && \
        mount -t tmpfs none \"$URL/two\" || exit 77; exec \"$@\"";
    unshared(&["-m"], script, "between_twins", dir.path().to_str().unwrap());
}

#[test]
fn between_twins() {
    if !is_child("between_twins") {
        return;
    }
    let dir = std::env::var("URL").unwrap();
    let (one, two) = (format!("{dir}/one/a.db"), format!("{dir}/two/a.db"));
    for path in [&one, &two] {
        fs::write(path, b"").unwrap();
    }
    assert_eq!(fs::metadata(&one).unwrap().ino(), fs::metadata(&two).unwrap().ino(), "no twins");
    let Some(other) = SystemSqlite::open(Path::new(&one)) else {
        skip("there is no other libsqlite3");
        println!("DONE");
        return;
    };
    assert_eq!(other.exec(c"CREATE TABLE t(a); BEGIN IMMEDIATE; INSERT INTO t VALUES(1)"), 0);
    // The stranger's file has the same number, on another file system.
    let db = open(&format!("file:{two}")).unwrap();
    assert!(db.report().warnings.iter().all(|warning| !warning.contains("another copy")), "{:?}", db.report());
    exec(&db, "CREATE TABLE t(a)");
    well(&db, "beside a stranger");
    assert_eq!(holders(Path::new(&two), None).unwrap(), [], "nobody holds this one");
    assert_eq!(holders(Path::new(&one), None).unwrap().len(), 1, "the stranger holds that one");
    // The real one is refused, though this copy has a file of that number open.
    assert_eq!(open(&format!("file:{one}")).unwrap_err().code(), codes::SECOND_SQLITE);
    drop(other);
    let first = open(&format!("file:{one}")).unwrap();
    exec(&first, "BEGIN IMMEDIATE");
    well(&db, "beside a twin of ours");
    well(&first, "a twin");
    assert_eq!(holders(Path::new(&two), None).unwrap(), []);
    exec(&first, "ROLLBACK");
    first.close().unwrap();
    db.close().unwrap();
    println!("DONE");
}
