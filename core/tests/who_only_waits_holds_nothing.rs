//! Who asks for a lock and does not get it is nobody's holder, however closely it asks: a holder is who has the lock.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, exec, get, open};

use litekeel_core::{Connection, Holder, Options};

/// How often it is asked who holds a lock, while others ask for it all the time.
const LOOKS: u32 = 300;

fn opened_at(url: &str, at: &str) -> Arc<Connection> {
    let mut options = Options::new();
    options.opened_at = Some(at.to_owned());
    Connection::open(Some(url), &options).unwrap()
}

/// Looks while each of `waiters` runs its statement in vain, again and again.
fn while_asking(waiters: &[(&Arc<Connection>, &str)], mut look: impl FnMut()) {
    let done = AtomicBool::new(false);
    let asked: Vec<AtomicU32> = waiters.iter().map(|_| AtomicU32::new(0)).collect();
    std::thread::scope(|scope| {
        for ((waiter, sql), asked) in waiters.iter().zip(&asked) {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // A checkpoint that may not begin is no error.
                    let _ = waiter.exec(sql);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let ended = Ended(&done);
        let mut looks = 0;
        while looks < LOOKS || asked.iter().any(|asked| asked.load(Ordering::Relaxed) < 20) {
            look();
            looks += 1;
        }
        drop(ended);
    });
}

/// Lets the others end where a look fails, too.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn roles(holders: &[Holder]) -> Vec<(&str, Option<&str>)> {
    holders.iter().map(|holder| (holder.role.as_str(), holder.opened_at.as_deref())).collect()
}

#[test]
fn of_writers_who_ask_all_the_time_none_is_named() {
    for mode in ["wal", "delete"] {
        let dir = Dir::new();
        let url = dir.url(&format!("a.db?busy_timeout=0&journal_mode={mode}"));
        let holder = opened_at(&url, "holder");
        exec(&holder, "CREATE TABLE t(a)");
        let waiters = [opened_at(&url, "begins"), opened_at(&url, "inserts")];
        let patient = opened_at(&dir.url(&format!("a.db?busy_timeout=60s&journal_mode={mode}")), "waits");
        let seen = open(&url).unwrap();
        holder.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
        let waits = {
            let patient = patient.clone();
            std::thread::spawn(move || patient.exec("BEGIN IMMEDIATE"))
        };
        while_asking(
            &[(&waiters[0], "BEGIN IMMEDIATE"), (&waiters[1], "INSERT INTO t SELECT value FROM json_each('[1, 2]')")],
            || {
                let holders = seen.holders().unwrap();
                let mut named = roles(&holders);
                // On its way to the write lock a statement reads: one that a busy machine stops there may be named for that.
                named.retain(|holder| *holder != ("reader", Some("inserts")));
                assert_eq!(named, [("writer", Some("holder"))], "{mode}: {holders:?}");
                if mode == "wal" {
                    let pins = seen.pins().unwrap().unwrap().pins;
                    let named = |at: &Option<String>| matches!(at.as_deref(), Some("holder" | "inserts"));
                    assert!(pins.iter().all(|pin| named(&pin.holder.opened_at)), "{pins:?}");
                }
            },
        );
        // Who gets it is named, also for what it runs in the same call.
        holder.exec("COMMIT").unwrap();
        waits.join().unwrap().unwrap();
        assert_eq!(roles(&seen.holders().unwrap()), [("writer", Some("waits"))]);
        patient.exec("ROLLBACK").unwrap();
        let long = "INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0";
        let runs = {
            let patient = patient.clone();
            std::thread::spawn(move || patient.exec(long))
        };
        until("a writer in its statement is named", || roles(&seen.holders().unwrap()) == [("writer", Some("waits"))]);
        patient.interrupt();
        runs.join().unwrap().unwrap_err();
        assert_eq!(seen.holders().unwrap(), []);
    }
}

#[test]
fn a_checkpoint_that_may_not_begin_is_not_the_one_that_runs() {
    let dir = Dir::new();
    let url = dir.url("a.db?busy_timeout=0&wal_autocheckpoint=0");
    let reader = opened_at(&url, "reads");
    exec(&reader, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    exec(&reader, "BEGIN; SELECT * FROM t");
    let (seen, asks) = (open(&url).unwrap(), opened_at(&url, "asks"));
    exec(&seen, "INSERT INTO t VALUES(2)");
    let moves = opened_at(&dir.url("a.db?busy_timeout=60s"), "moves");
    let runs = {
        let moves = moves.clone();
        std::thread::spawn(move || moves.exec("PRAGMA wal_checkpoint(RESTART)"))
    };
    let expected = [("writer", Some("moves")), ("reader", Some("reads"))];
    until("the checkpoint that waits for a reader is named", || roles(&seen.holders().unwrap()) == expected);
    while_asking(&[(&asks, "PRAGMA wal_checkpoint(RESTART)")], || {
        let holders = seen.holders().unwrap();
        assert_eq!(roles(&holders), expected, "{holders:?}");
    });
    reader.exec("ROLLBACK").unwrap();
    runs.join().unwrap().unwrap();
    assert_eq!(seen.holders().unwrap(), []);
}

#[test]
fn a_transaction_of_another_file_or_of_temporary_tables_holds_nothing_of_this_one() {
    let dir = Dir::new();
    let db = opened_at(&dir.url("a.db?attach=any"), "writes elsewhere");
    let seen = open(&dir.url("a.db?busy_timeout=0")).unwrap();
    exec(&db, "CREATE TABLE t(a); CREATE TEMP TABLE own(a)");
    exec(&db, &format!("ATTACH '{}' AS b; CREATE TABLE b.t(a)", dir.file("b.db").display()));
    for table in ["own", "b.t"] {
        db.exec(&format!("BEGIN; INSERT INTO {table} VALUES(1)")).unwrap();
        assert_eq!(seen.holders().unwrap(), [], "{table}");
        seen.exec("INSERT INTO t VALUES(1)").unwrap();
        db.exec("INSERT INTO main.t VALUES(2)").unwrap();
        assert_eq!(roles(&seen.holders().unwrap()), [("writer", Some("writes elsewhere"))], "{table}");
        db.exec("ROLLBACK").unwrap();
    }
    assert_eq!(get(&seen, "SELECT count(*) FROM t"), "2");
}

#[test]
fn a_connection_that_keeps_the_file_for_itself_between_its_statements_is_named() {
    let dir = Dir::new();
    let url = dir.url("a.db?journal_mode=delete&busy_timeout=0");
    let db = opened_at(&url, "keeps it");
    let seen = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    assert_eq!(get(&seen, "SELECT count(*) FROM t"), "0");
    exec(&db, "PRAGMA locking_mode=exclusive; INSERT INTO t VALUES(1)");
    assert_eq!(roles(&seen.holders().unwrap()), [("exclusive", Some("keeps it"))]);
    let error = seen.exec("SELECT * FROM t").unwrap_err();
    assert!(error.message().contains("keeps it"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_of_another_process_on_its_way_to_the_file_is_no_writer() {
    const NAME: &str = "a_reader_of_another_process_on_its_way_to_the_file_is_no_writer";
    if common::is_child(NAME) {
        use std::os::fd::AsRawFd;
        // As SQLite does for a moment before it shares the file.
        let file = std::fs::File::open(std::env::var("FILE").unwrap()).unwrap();
        // SAFETY: plain data, for a descriptor that is open.
        let rc = unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            (lock.l_type, lock.l_start, lock.l_len) = (libc::F_RDLCK as _, 0x4000_0000, 1);
            libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &lock)
        };
        assert_eq!(rc, 0);
        println!("\nholding");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let dir = Dir::new();
    let db = open(&dir.url("a.db?journal_mode=delete")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let file = dir.file("a.db");
    let mut command = common::child(NAME, &[("FILE", file.to_str().unwrap())]);
    let mut process = common::Killed(command.stdout(std::process::Stdio::piped()).spawn().unwrap());
    let out = std::io::BufReader::new(process.0.stdout.take().unwrap());
    assert!(std::io::BufRead::lines(out).any(|line| line.unwrap() == "holding"));
    assert_eq!(roles(&db.holders().unwrap()), [("shared", None)]);
}
