//! What the main database gets, those attached to the connection get too, however they were attached.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, child, exec, get, is_child, open, skip};
use litekeel_core::Verdict;
use litekeel_core::{Connection, codes, sqlite};

type Way = (&'static str, fn(&Connection, &str));

/// Attaches by each of the ways there are.
fn ways() -> [Way; 4] {
    [
        ("exec", |db, sql| db.exec(sql).unwrap()),
        ("query", |db, sql| drop(db.query(sql, None).unwrap())),
        ("a prepared statement on the raw handle", |db, sql| {
            drop(db.lock().unwrap().sqlite().prepare(sql).unwrap().raw_execute())
        }),
        ("sqlite3_exec", |db, sql| {
            let guard = db.lock().unwrap();
            let sql = std::ffi::CString::new(sql).unwrap();
            let (nobody, nothing) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: the guard's handle and a NUL-terminated text.
            let rc = unsafe { sqlite::sqlite3_exec(guard.raw(), sql.as_ptr(), None, nobody, nothing) };
            assert_eq!(rc, sqlite::SQLITE_OK);
        }),
    ]
}

fn second_database(dir: &Dir) -> String {
    let other = open(&dir.url("b.db")).unwrap();
    exec(&other, "CREATE TABLE b(a)");
    other.close().unwrap();
    dir.file("b.db").display().to_string()
}

const SETTINGS: &str = "synchronous=full&cache_size=-3000&journal_size_limit=70000&mmap_size=65536&secure_delete=on";

#[test]
fn the_settings_follow() {
    for (way, attach) in ways() {
        let dir = Dir::new();
        let path = second_database(&dir);
        let db = open(&dir.url(&format!("a.db?{SETTINGS}"))).unwrap();
        attach(&db, &format!("ATTACH '{path}' AS \"odd \"\" name\""));
        for (key, value) in [
            ("synchronous", "2"),
            ("cache_size", "-3000"),
            ("journal_size_limit", "70000"),
            ("mmap_size", "65536"),
            ("secure_delete", "1"),
        ] {
            assert_eq!(get(&db, &format!("PRAGMA \"odd \"\" name\".{key}")), value, "{way}: {key}");
            assert_eq!(get(&db, &format!("PRAGMA main.{key}")), value, "{way}: main's {key}");
        }
        let report = db.attached().unwrap();
        assert_eq!(report.len(), 1);
        assert_eq!((report[0].name.as_str(), &report[0].path), ("odd \" name", &fs::canonicalize(&path).unwrap()));
        let row = report[0].rows.iter().find(|row| row.name == "synchronous").unwrap();
        assert_eq!((row.value.as_str(), row.wanted.as_str()), ("2", "2"), "{way}");
        exec(&db, "DETACH \"odd \"\" name\"");
        assert_eq!(db.attached().unwrap(), []);
        db.close().unwrap();
    }
}

#[test]
fn what_is_set_for_one_database_stays() {
    let dir = Dir::new();
    let path = second_database(&dir);
    let db = open(&dir.url(&format!("a.db?{SETTINGS}"))).unwrap();
    // Both in one call, before anything of ours runs between them.
    db.lock()
        .unwrap()
        .sqlite()
        .execute_batch(&format!("ATTACH '{path}' AS b; PRAGMA b.synchronous=off; PRAGMA b.cache_size=-77"))
        .unwrap();
    assert_eq!((get(&db, "PRAGMA b.synchronous"), get(&db, "PRAGMA b.cache_size")), ("0".into(), "-77".into()));
    assert_eq!(get(&db, "PRAGMA b.journal_size_limit"), "70000");
    // And what is set later.
    exec(&db, "PRAGMA b.journal_size_limit=5");
    exec(&db, "SELECT 1");
    assert_eq!(get(&db, "PRAGMA b.journal_size_limit"), "5");
    db.close().unwrap();
}

/// Commits to an attached database in one script with its ATTACH, and in a transaction around it.
#[test]
fn commits_durably() {
    if !is_child("commits_durably") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    let path = std::env::var("OTHER").unwrap();
    let guard = db.lock().unwrap();
    let script = format!("ATTACH '{path}' AS b; INSERT INTO b.b VALUES(1); INSERT INTO b.b VALUES(2)");
    eprintln!("MARK one script");
    guard.sqlite().execute_batch(&script).unwrap();
    drop(guard);
    eprintln!("MARK later");
    exec(&db, "INSERT INTO b.b VALUES(2)");
    eprintln!("MARK detached");
    exec(&db, "DETACH b");
    let script = format!("BEGIN; ATTACH '{path}' AS b; INSERT INTO b.b VALUES(4); COMMIT; INSERT INTO b.b VALUES(5)");
    eprintln!("MARK transaction");
    db.lock().unwrap().sqlite().execute_batch(&script).unwrap();
    eprintln!("MARK end");
    db.close().unwrap();
}

#[test]
fn a_durable_connection_syncs_the_commits_of_attached_databases() {
    for (settings, synced) in [("profile=durable", true), ("synchronous=normal", false)] {
        let dir = Dir::new();
        let path = second_database(&dir);
        let child = child("commits_durably", &[]);
        let trace = dir.file("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-e", "trace=fsync,fdatasync,write", "-s", "40", "-o"]).arg(&trace);
        command.arg(child.get_program()).args(child.get_args()).env("ROLE", "commits_durably");
        command.env("URL", dir.url(&format!("a.db?{settings}"))).env("OTHER", &path);
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return skip(&format!("strace: {error}")),
        };
        let trace = fs::read_to_string(&trace).unwrap_or_default();
        if trace.is_empty() {
            return skip("strace may not trace here");
        }
        assert!(output.status.success(), "{output:?}");
        // A new WAL's header is synced in any case.
        for (from, to, header, commits) in
            [("one script", "later", 1, 2), ("later", "detached", 0, 1), ("transaction", "end", 1, 2)]
        {
            let part =
                trace.split(&format!("MARK {from}")).nth(1).unwrap().split(&format!("MARK {to}")).next().unwrap();
            let syncs = part.lines().filter(|line| line.contains("sync(") && line.contains("b.db-wal")).count();
            assert_eq!(syncs, header + if synced { commits } else { 0 }, "{settings}, {from}: {part}");
        }
    }
}

#[test]
fn an_orphan_wal_is_refused_or_set_aside() {
    for (way, attach) in ways() {
        let dir = Dir::new();
        let path = second_database(&dir);
        let kept = open(&dir.url("b.db?persist_wal=1&close_checkpoint=none")).unwrap();
        exec(&kept, "INSERT INTO b VALUES(1)");
        kept.close().unwrap();
        fs::write(&path, b"").unwrap();
        let wal = format!("{path}-wal");
        let bytes = fs::read(&wal).unwrap();
        assert!(!bytes.is_empty());
        let db = open(&dir.url("a.db")).unwrap();
        let error = db.exec(&format!("ATTACH '{path}' AS b")).unwrap_err();
        assert_eq!((error.code(), error.step()), (codes::ORPHAN_WAL, Some("attach")), "{error}");
        assert_eq!(fs::read(&wal).unwrap(), bytes, "it is untouched");
        assert_eq!(db.exec("SELECT * FROM nothing").unwrap_err().code(), 1, "a refusal is told once");
        db.close().unwrap();
        let db = open(&dir.url("a.db?on_orphan_wal=set_aside")).unwrap();
        attach(&db, &format!("ATTACH '{path}' AS b"));
        exec(&db, "CREATE TABLE b.c(a)");
        assert_eq!(orphans(&dir).len(), 1, "{way}");
        assert_eq!(fs::read(&orphans(&dir)[0]).unwrap(), bytes);
        db.close().unwrap();
    }
}

fn orphans(dir: &Dir) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().contains("-wal.orphan-")).collect()
}

#[test]
fn a_host_of_its_own_loses_no_orphan_wal_either() {
    let dir = Dir::new();
    let path = second_database(&dir);
    let kept = open(&dir.url("b.db?persist_wal=1&close_checkpoint=none")).unwrap();
    exec(&kept, "INSERT INTO b VALUES(1)");
    kept.close().unwrap();
    fs::write(&path, b"").unwrap();
    let bytes = fs::read(format!("{path}-wal")).unwrap();
    // SQLite deletes it without a word; what it works on is the same afterwards, but nothing is lost.
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE c(a)").unwrap();
    drop(raw);
    assert_eq!(orphans(&dir).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [bytes]);
}

#[test]
fn hard_links_are_refused_and_read_only_files_are_not() {
    let dir = Dir::new();
    let path = second_database(&dir);
    fs::hard_link(&path, dir.file("link.db")).unwrap();
    let db = open(&dir.url("a.db")).unwrap();
    let error = db.exec(&format!("ATTACH '{path}' AS b")).unwrap_err();
    assert_eq!(error.code(), codes::HARD_LINKS, "{error}");
    db.close().unwrap();
    let allowed = open(&dir.url("a.db?hard_links=1")).unwrap();
    exec(&allowed, &format!("ATTACH '{path}' AS b; INSERT INTO b.b VALUES(1)"));
    allowed.close().unwrap();
    fs::remove_file(dir.file("link.db")).unwrap();
    let again = open(&dir.url("a.db")).unwrap();
    exec(&again, &format!("ATTACH '{path}' AS b; VACUUM INTO '{}'", dir.file("copy.db").display()));
    again.close().unwrap();
}

#[test]
fn its_wal_is_cared_for() {
    let dir = Dir::new();
    let path = second_database(&dir);
    let events = Arc::new(Mutex::new(Vec::new()));
    let db = open(&dir.url("a.db?checkpoint=auto%2Bidle&wal_max=256KiB&wal_autocheckpoint=100000")).unwrap();
    let sink = events.clone();
    db.on_event(Arc::new(move |event| sink.lock().unwrap().push((event.name.as_str(), format!("{event:?}")))));
    exec(&db, &format!("ATTACH '{path}' AS b"));
    for _ in 0..40 {
        exec(&db, "INSERT INTO b.b VALUES(randomblob(40000))");
    }
    let size = || fs::metadata(format!("{path}-wal")).map_or(0, |meta| meta.len());
    assert!(size() < 1024 * 1024, "wal_max does not hold: {} bytes", size());
    let until = Instant::now() + Duration::from_secs(30);
    while size() > 0 {
        assert!(Instant::now() < until, "nobody empties it: {} bytes", size());
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = events.lock().unwrap().iter().any(|(name, text)| *name == "checkpointed" && text.contains("b.db"));
    assert!(told, "{:?}", events.lock().unwrap());
    exec(&db, "INSERT INTO b.b VALUES(1)");
    exec(&db, "DETACH b");
    assert!(!std::path::Path::new(&format!("{path}-wal")).exists(), "detached by the last connection");
    db.close().unwrap();
}

#[test]
fn its_lost_files_are_seen() {
    let dir = Dir::new();
    let path = second_database(&dir);
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, &format!("CREATE TABLE t(a); ATTACH '{path}' AS b; INSERT INTO b.b VALUES('kept')"));
    let health = db.health().unwrap();
    let check = health.checks.iter().find(|check| check.name == "attached").unwrap();
    assert_eq!(check.verdict, Verdict::Good, "{health:?}");
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(format!("{path}{suffix}")).unwrap();
    }
    let health = db.health().unwrap();
    let check = health.checks.iter().find(|check| check.name == "attached").unwrap();
    assert_eq!(check.verdict, Verdict::Bad, "{health:?}");
    assert_eq!(health.latched.as_ref().map(|error| error.name()), Some("KEEL_WAL_UNLINKED"), "{health:?}");
    let error = db.exec("INSERT INTO b.b VALUES(2)").unwrap_err();
    assert_eq!(error.name(), "KEEL_WAL_UNLINKED", "{error}");
    exec(&db, "INSERT INTO t VALUES(1)");
    let report = db.close().unwrap();
    assert!(report.warnings.iter().any(|text| text.contains("b.db-wal.unlinked-")), "{report:?}");
    assert!(report.wal_removed, "the main database is well: {report:?}");
    let again = open(&dir.url("b.db")).unwrap();
    assert_eq!(get(&again, "SELECT count(*) FROM b"), "0");
    again.close().unwrap();
}
