//! A BUSY error names the holder: a stopped process, another connection of this process, or a reader that wants to write.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use common::{Dir, Killed, child, exec, is_child, open};
use litekeel_core::BusyKind;
use litekeel_core::{Connection, Error, sqlite};

/// Runs a statement on the raw handle and explains its failure as every host does.
fn failure(db: &Connection, sql: &std::ffi::CStr) -> Error {
    let guard = db.lock().unwrap();
    // SAFETY: the guard's handle, used while the guard lives.
    unsafe {
        let rc = sqlite::sqlite3_exec(guard.raw(), sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(rc & 0xff, sqlite::SQLITE_BUSY);
        guard.fail(rc)
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
        let mut process = Killed(child(NAME, &[("URL", &url)]).stdout(Stdio::piped()).spawn().unwrap());
        let holder = &mut process.0;
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "holding"));

        let error = failure(&db, c"BEGIN IMMEDIATE");
        let busy = error.busy().unwrap();
        assert_eq!((busy.holders.len(), busy.holders[0].pid), (1, holder.id()), "{error}");
        assert_ne!(busy.holders[0].state.as_str(), "stopped");

        // SAFETY: our own child.
        unsafe { libc::kill(holder.id() as i32, libc::SIGSTOP) };
        while db.holders().unwrap().iter().any(|found| found.state.as_str() != "stopped") {
            std::thread::yield_now();
        }
        let error = failure(&db, c"BEGIN IMMEDIATE");
        let busy = error.busy().unwrap();
        assert_eq!(busy.kind, BusyKind::Timeout);
        assert!(busy.holders[0].command.contains(NAME), "{error}");
        assert!(error.message().contains(&format!("pid {}", holder.id())), "{error}");
        // Its arguments are no business of whoever reads the message.
        assert!(!error.to_string().contains(NAME) && error.message().contains("busy_names"), "{error}");
        assert!(error.message().contains("stopped by a signal"), "{error}");
        // For how long is not known, and not said.
        assert_eq!(db.holders().unwrap()[0].since, None);
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
        (holder.pid, holder.role.as_str(), holder.opened_at.as_deref()),
        (std::process::id(), "writer", Some("jobs.rs:7"))
    );

    exec(&second, "BEGIN; SELECT * FROM t");
    let error = failure(&second, c"INSERT INTO t VALUES(1)");
    assert_eq!(error.busy().unwrap().kind, BusyKind::Upgrade, "{error}");
    assert!(error.hint().contains("BEGIN IMMEDIATE"));
}

/// One holder, for a connection to whose file another one asks.
fn holder_of(db: &Connection) -> litekeel_core::Holder {
    let error = db.exec("BEGIN IMMEDIATE").unwrap_err();
    let mut holders = error.busy().unwrap().holders.clone();
    assert_eq!(holders.len(), 1, "{error}");
    let holder = holders.remove(0);
    if let Some(sql) = &holder.sql {
        assert!(error.message().contains(sql.as_str()), "{error}");
    }
    holder
}

#[test]
fn a_connection_of_this_process_is_named_with_its_statement_its_age_and_its_place() {
    let dir = Dir::new();
    let mut options = litekeel_core::Options::new();
    options.opened_at = Some("jobs.rs:7".to_owned());
    let url = dir.url("a.db?busy_timeout=30");
    let first = Connection::open(Some(&url), &options).unwrap();
    let second = open(&url).unwrap();
    first.exec("CREATE TABLE t(a)").unwrap();
    second.exec("CREATE TABLE own(a)").unwrap();

    // Between two calls of a transaction.
    first.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let holder = holder_of(&second);
    assert_eq!((holder.role.as_str(), holder.state.as_str()), ("writer", "idle"));
    assert_eq!(holder.sql.as_deref(), Some("INSERT INTO t VALUES(1)"));
    assert_eq!(holder.opened_at.as_deref(), Some("jobs.rs:7"));
    let age = holder.since.unwrap();
    assert!(age >= std::time::Duration::from_millis(190) && age < std::time::Duration::from_secs(20), "{age:?}");
    first.exec("COMMIT").unwrap();
    assert_eq!(second.holders().unwrap(), []);

    // In the middle of a statement, on another thread; nobody but that thread touches SQLite's handle meanwhile.
    let long =
        "INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0";
    let runs = {
        let first = first.clone();
        std::thread::spawn(move || first.exec(long).unwrap_err())
    };
    while second.holders().unwrap().is_empty() {
        std::thread::yield_now();
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    let holder = holder_of(&second);
    assert_eq!((holder.role.as_str(), holder.state.as_str(), holder.sql.as_deref()), ("writer", "running", Some(long)));
    assert!(holder.since.unwrap() >= std::time::Duration::from_millis(50), "{holder:?}");
    // Who only waits holds nothing.
    let waits = {
        let third = open(&dir.url("a.db?busy_timeout=20s")).unwrap();
        let waiter = third.clone();
        (std::thread::spawn(move || waiter.exec("BEGIN IMMEDIATE; ROLLBACK")), third)
    };
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(second.holders().unwrap().len(), 1, "{:?}", second.holders());
    }
    first.interrupt();
    assert_eq!(runs.join().unwrap().code() & 0xff, sqlite::SQLITE_INTERRUPT);
    waits.0.join().unwrap().unwrap();
    for db in [first, second, waits.1] {
        db.close().unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_raw_handle_of_this_process_is_seen_without_being_touched() {
    let dir = Dir::new();
    let url = dir.url("a.db?busy_timeout=30");
    let (first, second) = (open(&url).unwrap(), open(&url).unwrap());
    let raw = first.lock().unwrap().raw();
    let run = |sql: &std::ffi::CStr| {
        // SAFETY: nobody else uses `first`.
        let rc = unsafe { sqlite::sqlite3_exec(raw, sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut()) };
        assert_eq!(rc, sqlite::SQLITE_OK);
    };
    run(c"BEGIN IMMEDIATE");
    let holder = holder_of(&second);
    assert_eq!((holder.pid, holder.role.as_str(), holder.sql), (std::process::id(), "writer", None));
    run(c"ROLLBACK");
    assert_eq!(second.holders().unwrap(), []);
    first.close().unwrap();
    second.close().unwrap();
}

#[test]
fn a_transaction_that_a_thread_left_behind_is_not_the_next_threads() {
    let dir = Dir::new();
    let holder = open(&dir.url("a.db")).unwrap();
    exec(&holder, "CREATE TABLE t(a)");
    // The next thread gets the memory of the one before.
    for _ in 0..4 {
        let left = holder.clone();
        std::thread::spawn(move || {
            left.exec("BEGIN IMMEDIATE").unwrap();
            left.set_async_transaction(true);
        })
        .join()
        .unwrap();
        let url = dir.url("a.db?busy_timeout=60");
        let error = std::thread::spawn(move || {
            let waiter = open(&url).unwrap();
            let error = waiter.exec("BEGIN IMMEDIATE").unwrap_err();
            waiter.close().unwrap();
            error
        });
        let error = error.join().unwrap();
        assert_eq!(error.busy().unwrap().kind, BusyKind::Timeout, "{error}");
        assert!(!error.message().contains("this very thread"), "{error}");
        holder.set_async_transaction(false);
        exec(&holder, "ROLLBACK");
    }
    holder.close().unwrap();
}

#[test]
fn a_wait_that_the_deadline_or_an_interrupt_ends_still_names_the_holder() {
    let dir = Dir::new();
    let holder = open(&dir.url("a.db")).unwrap();
    exec(&holder, "CREATE TABLE t(a)");
    holder.exec("BEGIN IMMEDIATE").unwrap();
    holder.exec("INSERT INTO t VALUES(1)").unwrap();
    let waiter = open(&dir.url("a.db")).unwrap();
    waiter.set_timeout(std::time::Duration::from_millis(60)).unwrap();
    let late = waiter.exec("INSERT INTO t VALUES(2)").unwrap_err();
    assert!(late.message().contains("60 ms"), "{late}");
    waiter.set_timeout(std::time::Duration::ZERO).unwrap();
    let other = waiter.clone();
    let interrupter = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        other.interrupt();
    });
    let interrupted = waiter.exec("INSERT INTO t VALUES(2)").unwrap_err();
    interrupter.join().unwrap();
    for error in [late, interrupted] {
        assert_eq!(error.name(), "SQLITE_INTERRUPT", "{error}");
        assert_eq!(error.path(), Some(&*dir.file("a.db")));
        assert!(error.message().contains("INSERT INTO t VALUES(1)"), "{error}");
    }
    holder.exec("COMMIT").unwrap();
    waiter.close().unwrap();
    holder.close().unwrap();
}
