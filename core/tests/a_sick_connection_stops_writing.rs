//! Lost locks and lost files are seen, and the connection refuses to write; nothing else is taken for them.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, Killed, child, exec, get, is_child, open, without_the_guard};
use litekeel_core::{Connection, Options};
use litekeel_core::{Health, Verdict};

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

/// An ordinary user of the database, opening and closing: the last one, as far as the locks tell. How many rows it finds.
fn visit(dir: &Dir) -> String {
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nprint(c.execute('SELECT count(*) FROM t').fetchone()[0])";
    let output = std::process::Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_descriptor_closed_by_anybody_takes_no_lock_that_lasts() {
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
        assert_eq!(visit(&dir), "1");
        assert!(dir.file("a.db-wal").exists(), "the visitor took itself for the last one");
        exec(&connection, "INSERT INTO t VALUES(2)");
        assert_eq!(visit(&dir), "2");
        well(&connection, "after");
        let report = connection.close().unwrap();
        assert!(report.wal_removed, "{report:?}");
    }
}

#[test]
fn a_transaction_that_lost_its_lock_is_not_committed() {
    for looks in [true, false] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db?busy_timeout=0");
        let events = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = events.clone();
        connection.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.name.as_str())));
        exec(&connection, "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)");
        drop(fs::File::open(dir.file("a.db-shm")).unwrap());
        let error = if looks {
            let health = connection.health().unwrap();
            assert_eq!(verdict(&health, "locks"), Verdict::Bad, "{health:?}");
            connection.exec("COMMIT").unwrap_err()
        } else {
            // The commit sees to it by itself where the transaction has been open for a while.
            std::thread::sleep(Duration::from_millis(150));
            connection.exec("COMMIT").unwrap_err()
        };
        assert_eq!(error.name(), "KEEL_LOCKS_LOST", "{error}");
        let _ = connection.exec("ROLLBACK");
        let health = connection.health().unwrap();
        assert_eq!(health.latched.as_ref().map(|error| error.name()), Some("KEEL_LOCKS_LOST"), "{health:?}");
        assert_eq!(connection.exec("INSERT INTO t VALUES(2)").unwrap_err().name(), "KEEL_LOCKS_LOST");
        assert_eq!(get(&connection, "SELECT count(*) FROM t"), "1");
        assert_eq!(*events.lock().unwrap(), ["unhealthy"]);
        // It is the process's state: a second connection would share it.
        let second = open(&dir.url("a.db")).unwrap();
        assert_eq!(second.exec("INSERT INTO t VALUES(3)").unwrap_err().name(), "KEEL_LOCKS_LOST");
        second.close().unwrap();
        connection.close().unwrap();
        let again = database(&dir, "a.db");
        well(&again, "reopened");
        again.close().unwrap();
    }
}

#[test]
fn without_the_guard_what_is_written_after_that_is_lost() {
    without_the_guard("without_the_guard_what_is_written_after_that_is_lost", || {
        let dir = Dir::new();
        let connection = database(&dir, "a.db");
        for suffix in ["", "-shm"] {
            drop(fs::File::open(dir.file(&format!("a.db{suffix}"))).unwrap());
        }
        assert_eq!(visit(&dir), "1");
        assert!(!dir.file("a.db-wal").exists(), "the visitor took itself for the last one");
        // SQLite acknowledges it, and nobody will ever see it.
        exec(&connection, "INSERT INTO t VALUES(2)");
        assert_eq!(visit(&dir), "1", "the row is in a file without a name");
        true
    });
}

#[test]
fn what_an_unlinked_wal_holds_is_kept_and_said() {
    for others_write in [false, true] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db");
        connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        exec(&connection, "INSERT INTO t VALUES('kept')");
        fs::remove_file(dir.file("a.db-wal")).unwrap();
        fs::remove_file(dir.file("a.db-shm")).unwrap();
        if others_write {
            let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('INSERT INTO t VALUES(9)'); c.commit()";
            let done = std::process::Command::new("python3").args(["-c", code]).arg(dir.file("a.db")).status().unwrap();
            assert!(done.success());
        }
        let events = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = events.clone();
        connection.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.clone())));
        let report = connection.close().unwrap();
        assert!(!report.optimized && report.checkpoint.is_none() && !report.wal_removed, "{report:?}");
        let events = events.lock().unwrap();
        let event =
            events.iter().find(|event| event.name.as_str() == "wal_set_aside").unwrap_or_else(|| panic!("{events:?}"));
        let text = |field: &str| match event.get(field) {
            Some(litekeel_core::EventValue::Text(text)) => text.clone(),
            other => panic!("{field}: {other:?}"),
        };
        let kept = text("wal");
        assert!(report.why.contains(&kept) && report.warnings.iter().any(|text| text.contains(&kept)), "{report:?}");
        let bytes = fs::read(&kept).unwrap();
        assert!(bytes.windows(4).any(|part| part == b"kept"));
        let copy = text("copy");
        assert_eq!(copy.is_empty(), others_write, "a copy fits only what nobody has changed: {event:?}");
        if !copy.is_empty() {
            let copied = open(&format!("file:{copy}?mode=rw")).unwrap();
            assert_eq!(get(&copied, "SELECT group_concat(a) FROM t"), "1,kept");
            assert_eq!(get(&copied, "PRAGMA integrity_check"), "ok");
            copied.close().unwrap();
        }
        // The original is as the others left it.
        assert_eq!(visit(&dir), if others_write { "2" } else { "1" });
    }
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

/// `mv restored.db app.db`: the log of the old database is not left for the new one to be recovered from.
#[test]
fn a_database_moved_over_the_open_one_gets_nothing_of_its_log() {
    for looks in [true, false] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db?checkpoint=manual");
        connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        copy_over(&dir.file("a.db"), &dir.file("backup.db"));
        exec(&connection, "CREATE TABLE u(a); INSERT INTO t VALUES('late')");
        fs::rename(dir.file("backup.db"), dir.file("a.db")).unwrap();
        if looks {
            assert!(!connection.health().unwrap().is_good());
        }
        let report = connection.close().unwrap();
        let kept = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().contains("a.db-wal.replaced-")).collect();
        assert_eq!(kept.len(), 1, "{report:?}");
        assert!(report.why.contains(kept[0].to_str().unwrap()), "{report:?}");
        assert!(fs::read(&kept[0]).unwrap().windows(4).any(|part| part == b"late"));
        assert_eq!(rows(&dir), "1");
        assert_eq!(visit(&dir), "1");
    }
}

/// Somebody has opened the new file already, and works with the WAL that lies beside it: it is left alone.
#[test]
fn a_wal_that_the_new_database_is_used_with_is_left() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db?checkpoint=manual");
    copy_over(&dir.file("a.db"), &dir.file("backup.db"));
    fs::rename(dir.file("backup.db"), dir.file("a.db")).unwrap();
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('SELECT count(*) FROM sqlite_master').fetchall()\nprint('read', flush=True)\nsys.stdin.read()";
    let mut other = std::process::Command::new("python3")
        .args(["-c", code])
        .arg(dir.file("a.db"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert_eq!(line, "read\n");
    connection.close().unwrap();
    assert!(fs::metadata(dir.file("a.db-wal")).unwrap().len() > 0);
    drop(other.stdin.take());
    other.wait().unwrap();
}

/// Copies a file over another one, which stays the same file, in a process of its own.
fn copy_over(from: &std::path::Path, to: &std::path::Path) {
    assert!(std::process::Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// How many rows the database at the path has, whatever lies beside it.
fn rows(dir: &Dir) -> String {
    let again = open(&dir.url("a.db?mode=rw")).unwrap();
    let rows = get(&again, "SELECT group_concat(a) FROM t");
    assert_eq!(get(&again, "PRAGMA integrity_check"), "ok");
    again.close().unwrap();
    rows
}

#[test]
fn a_copy_over_the_open_database_is_seen() {
    for pending in [true, false] {
        let dir = Dir::new();
        let connection = database(&dir, "a.db?checkpoint=manual");
        exec(&connection, "CREATE TABLE big(b)");
        let truncate = || connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        truncate();
        copy_over(&dir.file("a.db"), &dir.file("backup.db"));
        exec(&connection, "INSERT INTO t VALUES(2); CREATE TABLE u(a); INSERT INTO big VALUES(zeroblob(100000))");
        truncate();
        if pending {
            exec(&connection, "INSERT INTO t VALUES('late')");
        }
        well(&connection, "before");
        copy_over(&dir.file("backup.db"), &dir.file("a.db"));
        let health = connection.health().unwrap();
        assert_eq!(verdict(&health, "database_file"), Verdict::Bad, "{health:?}");
        let latched = health.latched.as_ref().unwrap();
        assert!(latched.name() == "KEEL_DATABASE_MOVED" && latched.message().contains("written to"), "{latched}");
        assert_eq!(connection.exec("INSERT INTO t VALUES(3)").unwrap_err().name(), "KEEL_DATABASE_MOVED");
        let report = connection.close().unwrap();
        let kept = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().contains("a.db-wal.overwritten-")).collect();
        assert_eq!(kept.len(), usize::from(pending), "{report:?}");
        for kept in kept {
            assert!(report.why.contains(kept.to_str().unwrap()), "{report:?}");
            assert!(fs::read(kept).unwrap().windows(4).any(|part| part == b"late"));
        }
        // What was copied over it is there, whole, and nothing of what was there before.
        assert_eq!(rows(&dir), "1");
    }
}

/// Commits since the latest look take nothing from it, as in a program that is always writing: the file has not changed by
/// them.
#[test]
fn a_copy_over_the_database_right_after_a_commit_is_seen() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db?checkpoint=manual");
    let truncate = || connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    truncate();
    copy_over(&dir.file("a.db"), &dir.file("backup.db"));
    exec(&connection, "CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(100000))");
    connection.close().unwrap();
    let connection = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    exec(&connection, "INSERT INTO t VALUES(2)");
    well(&connection, "after the first commit of the log");
    exec(&connection, "INSERT INTO t VALUES(3)");
    copy_over(&dir.file("backup.db"), &dir.file("a.db"));
    let health = connection.health().unwrap();
    assert_eq!(verdict(&health, "database_file"), Verdict::Bad, "{health:?}");
    assert_eq!(connection.exec("INSERT INTO t VALUES(4)").unwrap_err().name(), "KEEL_DATABASE_MOVED");
    connection.close().unwrap();
    assert_eq!(rows(&dir), "1");
}

/// Nobody has looked since the checkpoint that moved everything: the first commit of the new log finds out.
#[test]
fn a_copy_over_the_database_after_an_idle_checkpoint_is_seen() {
    for mode in [litekeel_core::sqlite::SQLITE_CHECKPOINT_PASSIVE, litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE] {
        for tuned in [true, false] {
            let dir = Dir::new();
            let connection = database(&dir, "a.db?checkpoint=manual");
            connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
            copy_over(&dir.file("a.db"), &dir.file("backup.db"));
            let plain = rusqlite::Connection::open(dir.file("a.db")).unwrap();
            plain.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA busy_timeout=5000").unwrap();
            let write = |sql: &str| match tuned {
                true => connection.exec(sql).map_err(|error| error.to_string()),
                false => plain.execute_batch(sql).map_err(|error| error.to_string()),
            };
            write("CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(100000)); INSERT INTO t VALUES(2)").unwrap();
            connection.checkpoint(mode).unwrap();
            write("INSERT INTO t VALUES(3)").unwrap();
            connection.checkpoint(mode).unwrap();
            copy_over(&dir.file("backup.db"), &dir.file("a.db"));
            // As large as before, so that its size tells nothing.
            fs::File::options().write(true).open(dir.file("a.db")).unwrap().set_len(200_000).unwrap();
            let error = write("INSERT INTO t VALUES(4)").unwrap_err();
            assert!(error.contains("written to") || error.contains("readonly"), "{error}");
            drop(plain);
            connection.close().unwrap();
            assert_eq!(rows(&dir), "1");
        }
    }
}

/// A process that only reads closes last, after the one that noticed has gone: it does not move the old log over the copy.
#[test]
fn a_reader_that_closes_last_moves_nothing_over_a_copy() {
    const NAME: &str = "a_reader_that_closes_last_moves_nothing_over_a_copy";
    if let Ok(path) = std::env::var("DATABASE_OF_WRITER") {
        let writer = open(&path).unwrap();
        exec(&writer, "CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(100000)); INSERT INTO t VALUES(2)");
        println!("written");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        assert!(!writer.health().unwrap().is_good());
        writer.close().unwrap();
        return;
    }
    let dir = Dir::new();
    let first = database(&dir, "a.db");
    first.close().unwrap();
    copy_over(&dir.file("a.db"), &dir.file("backup.db"));
    let first = database(&dir, "a.db");
    first.close().unwrap();
    let first = database(&dir, "a.db");
    exec(&first, "CREATE TABLE more(a)");
    first.close().unwrap();
    let reader = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    assert_eq!(get(&reader, "SELECT count(*) FROM t"), "3");
    let url = dir.url("a.db?checkpoint=manual");
    let mut writer = child(NAME, &[("DATABASE_OF_WRITER", url.as_str())])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = std::io::BufReader::new(writer.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("written") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the writer ended");
    }
    assert_eq!(get(&reader, "SELECT count(*) FROM t"), "4");
    copy_over(&dir.file("backup.db"), &dir.file("a.db"));
    writer.stdin.take().unwrap();
    assert!(writer.wait().unwrap().success());
    reader.close().unwrap();
    assert_eq!(rows(&dir), "1");
}

#[test]
fn a_file_that_was_only_touched_is_no_copy() {
    let dir = Dir::new();
    let connection = database(&dir, "a.db?checkpoint=manual");
    connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    well(&connection, "before");
    for command in [&["touch"][..], &["touch", "-d", "2001-01-01"], &["chmod", "640"], &["chown", "0:0"]] {
        let done = std::process::Command::new(command[0]).args(&command[1..]).arg(dir.file("a.db")).output().unwrap();
        assert!(done.status.success() || command[0] == "chown", "{done:?}");
        let health = connection.health().unwrap();
        assert!(health.is_good() && health.latched.is_none(), "{command:?}: {health:?}");
        exec(&connection, "INSERT INTO t VALUES(2)");
    }
    // The WAL-index has moved on: what the file is now is what counts.
    connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_PASSIVE).unwrap();
    well(&connection, "after a checkpoint");
    connection.close().unwrap();
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
        let over = std::env::var("OVER").unwrap();
        while !std::path::Path::new(&over).exists() {
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
    let mut children: Vec<_> = (0..3)
        .map(|_| child(NAME, &[("URL", &url), ("OVER", dir.file("over").to_str().unwrap())]).spawn().unwrap())
        .map(Killed)
        .collect();
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
    let until = Instant::now() + Duration::from_secs(if long { 30 } else { 2 });
    while looks <= 50 || Instant::now() < until {
        let health = connection.health().unwrap();
        assert!(health.is_good(), "after {looks} looks: {health:?}");
        exec(&connection, "INSERT INTO t VALUES(1)");
        looks += 1;
    }
    done.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    std::fs::write(dir.file("over"), "").unwrap();
    children.iter_mut().for_each(|child| assert!(child.0.wait().unwrap().success()));
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
    // The thread that looks after the log may be at it.
    let truncate = || connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE);
    let done = (0..2000).any(|_| {
        let busy = truncate().is_err_and(|error| error.name() == "SQLITE_BUSY");
        if busy {
            std::thread::sleep(Duration::from_millis(5));
        }
        !busy
    });
    assert!(done, "{:?}", truncate());
    exec(&connection, "INSERT INTO t VALUES(2)");
    let pages = get(&connection, "PRAGMA page_count");
    exec(&connection, &format!("PRAGMA max_page_count={pages}"));
    let error = connection.exec(fills).unwrap_err();
    assert_eq!(error.name(), "SQLITE_FULL", "{error}");
    connection.close().unwrap();
}

/// The system gives the inode of a deleted file to the next one as soon as the last descriptor is closed: what was found of the
/// one must not be believed of the other.
#[test]
fn a_new_file_in_the_inode_of_a_lost_one_is_well() {
    let dir = Dir::new();
    let lost = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let losers: Vec<_> = (0..3)
            .map(|thread| {
                let dir = &dir;
                scope.spawn(move || {
                    for number in 0..30 {
                        let name = format!("lost-{thread}-{number}.db");
                        let connection = database(dir, &name);
                        exec(&connection, "INSERT INTO t VALUES(zeroblob(500000))");
                        connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
                        std::fs::remove_file(dir.file(&name)).unwrap();
                        assert!(!connection.health().unwrap().is_good());
                        connection.close().unwrap();
                    }
                })
            })
            .collect();
        for thread in 0..3 {
            let (dir, lost) = (&dir, &lost);
            scope.spawn(move || {
                for number in 0.. {
                    if lost.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("new-{thread}-{number}.db");
                    let connection = open(&dir.url(&name)).unwrap();
                    exec(&connection, "CREATE TABLE t(a)");
                    assert!(connection.health().unwrap().is_good(), "{:?}", connection.health());
                    connection.close().unwrap();
                    std::fs::remove_file(dir.file(&name)).unwrap();
                }
            });
        }
        let results: Vec<_> = losers.into_iter().map(|thread| thread.join()).collect();
        lost.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
}
