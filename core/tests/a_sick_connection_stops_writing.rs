//! Lost locks and lost files are seen, and the connection refuses to write; nothing else is taken for them.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::health::{Health, Verdict};
use litekeel_core::{Connection, Options};

fn verdict(health: &Health, name: &str) -> Verdict {
    health.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{health:?}")).verdict
}

fn well(connection: &Connection, what: &str) {
    let health = connection.health().unwrap();
    assert!(health.is_good() && health.checks.iter().all(|check| check.verdict == Verdict::Good), "{what}: {health:?}");
}

fn database(dir: &Dir, rest: &str) -> Arc<Connection> {
    let connection = open(&dir.url(rest)).unwrap();
    exec(&connection, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
    connection
}

/// It refuses to write by that code, goes on reading, and a new connection is well.
fn refuses(connection: &Connection, name: &str, code: &str) {
    let health = connection.health().unwrap();
    assert_eq!(verdict(&health, name), Verdict::Bad, "{health:?}");
    assert_eq!(health.latched.as_ref().unwrap().name(), code, "{health:?}");
    assert!(!health.is_good());
    let error = connection.exec("INSERT INTO t VALUES(2)").unwrap_err();
    assert_eq!(error.name(), code, "{error}");
    assert!(error.hint().contains("reopen"), "{error}");
    assert_eq!(get(connection, "SELECT count(*) FROM t"), "1");
    // A host that drives the raw handle is refused too.
    let guard = connection.lock().unwrap();
    let error = guard.sqlite().execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
}

#[test]
fn a_descriptor_closed_by_anybody_takes_the_locks_and_is_seen() {
    for suffix in ["", "-shm"] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db");
        well(&connection, "before");
        let file = fs::File::open(dir.file(&format!("a.db{suffix}"))).unwrap();
        let health = connection.health().unwrap();
        assert_eq!(verdict(&health, "second_sqlite"), Verdict::Bad, "{health:?}");
        assert!(health.latched.is_none(), "a descriptor alone loses nothing yet");
        exec(&connection, "CREATE TABLE u(a)");
        drop(file);
        let events = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = events.clone();
        connection.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.name)));
        refuses(&connection, "locks", "KEEL_LOCKS_LOST");
        assert_eq!(*events.lock().unwrap(), ["unhealthy"]);
        connection.close().unwrap();
        let again = database(&dir, "a.db");
        well(&again, "reopened");
        again.close().unwrap();
    }
}

#[test]
fn without_the_latch_what_is_written_after_that_can_be_lost() {
    const NAME: &str = "without_the_latch_what_is_written_after_that_can_be_lost";
    if is_child(NAME) {
        // An ordinary user of the database, opening and closing: the last one, as far as the locks tell.
        let connection = rusqlite::Connection::open(std::env::var("DB").unwrap()).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        println!("rows={rows}");
        connection.close().unwrap();
        return;
    }
    // How many rows another process finds.
    let visit = |dir: &Dir| {
        let path = dir.file("a.db");
        let output = child(NAME, &[("DB", path.to_str().unwrap())]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split("rows=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned()
    };
    let dir = Dir::new();
    let connection = database(&dir, "a.db");
    for suffix in ["", "-shm"] {
        drop(fs::File::open(dir.file(&format!("a.db{suffix}"))).unwrap());
    }
    assert_eq!(visit(&dir), "1");
    assert!(!dir.file("a.db-wal").exists(), "the visitor took itself for the last one");
    // SQLite acknowledges it, and nobody will ever see it. (The first second after a commit nothing looks.)
    exec(&connection, "INSERT INTO t VALUES(2)");
    assert_eq!(visit(&dir), "1", "the row is in a file without a name");
    // The look finds it, and no further row is lost.
    let health = connection.health().unwrap();
    assert_eq!(health.latched.unwrap().name(), "KEEL_WAL_UNLINKED");
    assert_eq!(connection.exec("INSERT INTO t VALUES(3)").unwrap_err().name(), "KEEL_WAL_UNLINKED");
    connection.close().unwrap();
}

#[test]
fn a_database_deleted_or_replaced_while_open_is_seen() {
    for replaced in [false, true] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db");
        fs::rename(dir.file("a.db"), dir.file("moved.db")).unwrap();
        if replaced {
            fs::write(dir.file("a.db"), b"").unwrap();
        }
        refuses(&connection, "database_file", "KEEL_DATABASE_MOVED");
        connection.close().unwrap();
    }
}

#[test]
fn a_writer_finds_out_by_itself_within_a_second_or_so() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db");
    fs::remove_file(dir.file("a.db-wal")).unwrap();
    let began = Instant::now();
    let error = loop {
        match connection.exec("INSERT INTO t VALUES(2)") {
            Ok(()) => assert!(began.elapsed() < Duration::from_secs(3), "nobody looks"),
            Err(error) => break error,
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(error.name(), "KEEL_WAL_UNLINKED", "{error}");
    connection.close().unwrap();
}

#[test]
fn every_ordinary_way_of_using_a_database_is_well() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db");
    let other = database(&dir, "b.db");
    let sibling = connection.sibling().unwrap();
    exec(&connection, &format!("ATTACH '{}' AS b", dir.file("b.db").display()));
    exec(&connection, "INSERT INTO b.t VALUES(2)");
    well(&connection, "with an attached database");
    well(&other, "attached elsewhere");
    exec(&sibling, "BEGIN");
    get(&sibling, "SELECT count(*) FROM t");
    well(&sibling, "in a read transaction");
    exec(&connection, "BEGIN IMMEDIATE");
    well(&connection, "in a write transaction");
    exec(&connection, "ROLLBACK; DETACH b");
    sibling.close().unwrap();
    well(&connection, "after a sibling's close");
    let raw = rusqlite::Connection::open(dir.file("a.db")).unwrap();
    raw.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
    well(&connection, "beside a plain connection of this SQLite");
    drop(raw);
    exec(&connection, "VACUUM");
    well(&connection, "after VACUUM");
    other.close().unwrap();
    assert_eq!(get(&connection, "PRAGMA journal_mode=delete"), "delete");
    well(&connection, "without a WAL");
    exec(&connection, "BEGIN IMMEDIATE");
    well(&connection, "in a transaction without a WAL");
    exec(&connection, "COMMIT");
    assert_eq!(get(&connection, "PRAGMA journal_mode=wal"), "wal");
    exec(&connection, "INSERT INTO t VALUES(3)");
    well(&connection, "with a new WAL");
    // A shell that forks and executes.
    std::process::Command::new("true").status().unwrap();
    well(&connection, "after a child process");
    connection.close().unwrap();
    for rest in ["c.db?journal_mode=delete", "c.db?locking_mode=exclusive", "a.db?mode=ro", "a.db?immutable=1"] {
        let connection = open(&dir.url(rest)).unwrap();
        well(&connection, rest);
        get(&connection, "SELECT count(*) FROM sqlite_schema");
        well(&connection, rest);
        connection.close().unwrap();
    }
    let mut options = Options::new();
    options.inspect = true;
    let inspected = Connection::open(Some(&dir.url("a.db")), &options).unwrap();
    well(&inspected, "an inspection");
    inspected.close().unwrap();
    let memory = open(":memory:").unwrap();
    assert!(memory.health().unwrap().is_good());
    memory.close().unwrap();
}

#[test]
fn heavy_lock_traffic_raises_no_alarm() {
    const NAME: &str = "heavy_lock_traffic_raises_no_alarm";
    let long = std::env::var_os("LITEKEEL_LONG").is_some();
    if is_child(NAME) {
        let url = std::env::var("URL").unwrap();
        let until = Instant::now() + Duration::from_secs(if long { 30 } else { 2 });
        while Instant::now() < until {
            let connection = open(&url).unwrap();
            for _ in 0..20 {
                exec(&connection, "INSERT INTO t VALUES(1)");
                get(&connection, "SELECT count(*) FROM t");
            }
            connection.close().unwrap();
        }
        return;
    }
    let dir = Dir::new();
    let url = dir.url("a.db?busy_timeout=20s");
    let connection = database(&dir, "a.db?busy_timeout=20s");
    let mut children: Vec<_> = (0..3).map(|_| child(NAME, &[("URL", &url)]).spawn().unwrap()).collect();
    let done = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (url, done) = (url.clone(), done.clone());
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mine = open(&url).unwrap();
                    exec(&mine, "INSERT INTO t VALUES(1)");
                    well(&mine, "beside others");
                    mine.close().unwrap();
                }
            })
        })
        .collect();
    let mut looks = 0;
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let health = connection.health().unwrap();
        assert!(health.is_good(), "after {looks} looks: {health:?}");
        exec(&connection, "INSERT INTO t VALUES(1)");
        looks += 1;
    }
    done.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    assert!(looks > 50, "only {looks} looks");
    assert_eq!(get(&connection, "PRAGMA integrity_check"), "ok");
    connection.close().unwrap();
}

#[test]
fn a_refusal_is_not_blamed_for_a_later_failure() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db?wal_max=64KiB&wal_max_action=error&checkpoint=auto&page_size=4096");
    let reader = open(&dir.url("a.db")).unwrap();
    exec(&reader, "BEGIN; SELECT * FROM t");
    let fills = "INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        SELECT randomblob(4000) FROM n";
    // By the raw handle, whose host asks nobody why.
    let raw = |sql: &str| connection.lock().unwrap().sqlite().execute_batch(sql);
    while raw(fills).is_ok() {}
    exec(&reader, "COMMIT");
    reader.close().unwrap();
    connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    exec(&connection, "INSERT INTO t VALUES(2)");
    let pages = get(&connection, "PRAGMA page_count");
    exec(&connection, &format!("PRAGMA max_page_count={pages}"));
    let error = connection.exec(fills).unwrap_err();
    assert_eq!(error.name(), "SQLITE_FULL", "{error}");
    connection.close().unwrap();
}
