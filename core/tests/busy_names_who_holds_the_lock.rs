//! A BUSY error names the holder: a stopped process, another connection of this process, or a reader that wants to write.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use common::{Dir, child, exec, is_child, open};
use litekeel_core::error::BusyKind;
use litekeel_core::{Connection, Error, sqlite};

/// Runs a statement on the raw handle and explains its failure as every host does.
fn failure(db: &Connection, sql: &std::ffi::CStr) -> Error {
    let guard = db.lock().unwrap();
    // SAFETY: the guard's handle, used while the guard lives.
    unsafe {
        let rc = sqlite::sqlite3_exec(guard.raw(), sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(rc & 0xff, sqlite::SQLITE_BUSY);
        db.fail(guard.raw(), rc, "")
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_writer_is_named_with_its_command() {
    const NAME: &str = "a_stopped_writer_is_named_with_its_command";
    if is_child(NAME) {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        exec(&db, "BEGIN IMMEDIATE");
        println!("\nholding");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    for mode in ["wal", "delete"] {
        let dir = Dir::new();
        let url = dir.url(&format!("a.db?busy_timeout=100&journal_mode={mode}"));
        let db = open(&url).unwrap();
        exec(&db, "CREATE TABLE t(a)");
        let mut holder = child(NAME, &[("URL", &url)]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "holding"));

        let error = failure(&db, c"BEGIN IMMEDIATE");
        let busy = error.busy().unwrap();
        assert_eq!((busy.holders.len(), busy.holders[0].pid), (1, holder.id()), "{error}");
        assert_ne!(busy.holders[0].state, "stopped");

        // SAFETY: our own child.
        unsafe { libc::kill(holder.id() as i32, libc::SIGSTOP) };
        while db.holders().unwrap().iter().any(|found| found.state != "stopped") {
            std::thread::yield_now();
        }
        let error = failure(&db, c"BEGIN IMMEDIATE");
        let busy = error.busy().unwrap();
        assert_eq!(busy.kind, BusyKind::Timeout);
        assert!(busy.holders[0].command.contains(NAME), "{error}");
        assert!(error.message().contains(&format!("pid {}", holder.id())), "{error}");
        assert!(error.message().contains("stopped by a signal"), "{error}");
        holder.kill().unwrap();
        holder.wait().unwrap();
        // Without a holder nobody is accused.
        assert_eq!(db.holders().unwrap(), []);
        exec(&db, "BEGIN IMMEDIATE; ROLLBACK");
    }
}

#[test]
fn another_connection_of_this_process_and_the_upgrade_are_told_apart() {
    let dir = Dir::new();
    let options = |at: &str| {
        let mut options = litekeel_core::Options::new();
        options.opened_at = Some(at.to_owned());
        options
    };
    let url = dir.url("a.db?busy_timeout=50");
    let first = Connection::open(Some(&url), &options("jobs.rs:7")).unwrap();
    let second = Connection::open(Some(&url), &options("web.rs:9")).unwrap();
    exec(&first, "CREATE TABLE t(a); BEGIN IMMEDIATE");
    let error = failure(&second, c"BEGIN IMMEDIATE");
    let holder = &error.busy().unwrap().holders[0];
    assert_eq!(
        (holder.pid, holder.role, holder.opened_at.as_deref()),
        (std::process::id(), "writer", Some("jobs.rs:7"))
    );

    exec(&second, "BEGIN; SELECT * FROM t");
    let error = failure(&second, c"INSERT INTO t VALUES(1)");
    assert_eq!(error.busy().unwrap().kind, BusyKind::Upgrade, "{error}");
    assert!(error.hint().contains("BEGIN IMMEDIATE"));
}
