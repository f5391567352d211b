//! What lies in the place of one of SQLite's files and is not a file is refused, and keeps nobody waiting.

mod common;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Dir, Killed, child, exec, is_child, open};
use litekeel_core::{Connection, Options};

fn fifo(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a NUL-terminated name.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

#[test]
fn opens_what_it_is_told() {
    if !is_child("opens_what_it_is_told") {
        return;
    }
    let mut options = Options::new();
    options.inspect = std::env::var("INSPECT").is_ok();
    let outcome = Connection::open(Some(&std::env::var("URL").unwrap()), &options);
    let outcome = outcome.and_then(|db| {
        if let Ok(later) = std::env::var("LATER") {
            fifo(Path::new(&later));
        }
        if let Ok(sql) = std::env::var("SQL") {
            db.exec(&sql)?;
        }
        db.close()
    });
    match outcome {
        Ok(_) => println!("OPENED"),
        Err(error) => println!("REFUSED {} {error}", error.name()),
    }
}

/// What a process of its own is told, within a time that only a hanging one needs.
fn told(envs: &[(&str, &str)]) -> String {
    let mut process =
        Killed(child("opens_what_it_is_told", envs).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let began = Instant::now();
    while process.0.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(30) {
            return "HANGS".to_owned();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = std::io::read_to_string(process.0.stdout.take().unwrap()).unwrap();
    output.lines().find(|line| line.contains("OPENED") || line.contains("REFUSED")).unwrap_or_default().to_owned()
}

#[test]
fn every_place_and_every_kind_is_refused() {
    type Make = fn(&Path);
    let kinds: [(&str, Make); 3] = [
        ("a FIFO", fifo),
        ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
        ("a directory", |path| fs::create_dir(path).unwrap()),
    ];
    for (kind, make) in kinds {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            for exists in [true, false] {
                let dir = Dir::new();
                if exists && !suffix.is_empty() {
                    let db = open(&dir.url("a.db")).unwrap();
                    exec(&db, "CREATE TABLE t(a)");
                    db.close().unwrap();
                }
                make(&dir.file(&format!("a.db{suffix}")));
                let url = dir.url("a.db");
                for (query, inspect) in [("", false), ("?mode=ro", false), ("?journal_mode=delete", false), ("", true)]
                {
                    let url = format!("{url}{query}");
                    let mut envs = vec![("URL", url.as_str())];
                    envs.extend(inspect.then_some(("INSPECT", "1")));
                    let text = told(&envs);
                    assert!(
                        text.contains("KEEL_NOT_A_FILE")
                            && text.contains(kind)
                            && text.contains(&format!("a.db{suffix} is")),
                        "{kind} as a.db{suffix}{query}: {text:?}"
                    );
                }
            }
        }
    }
    assert!(told(&[("URL", "file:/dev/null")]).contains("KEEL_NOT_A_FILE"));
}

/// Behind the look before the open: what is attached, and what comes in the place of a file later.
#[test]
fn an_attached_one_too() {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let dir = Dir::new();
        let db = open(&dir.url("b.db")).unwrap();
        exec(&db, "CREATE TABLE t(a)");
        db.close().unwrap();
        if suffix.is_empty() {
            fs::remove_file(dir.file("b.db")).unwrap();
        }
        fifo(&dir.file(&format!("b.db{suffix}")));
        let sql = format!("ATTACH '{}' AS b; INSERT INTO b.t VALUES(1)", dir.file("b.db").display());
        let text = told(&[("URL", &dir.url("a.db")), ("SQL", &sql)]);
        assert!(text.contains("REFUSED"), "b.db{suffix}: {text:?}");
    }
}

/// Behind every look: while the connection is open, somebody puts one where SQLite looks next.
#[test]
fn one_that_comes_later_too() {
    for (query, suffix, sql) in [
        ("?journal_mode=delete", "-journal", "SELECT * FROM t"),
        ("?mode=ro", "-journal", "SELECT * FROM t"),
        ("?journal_mode=delete", "-journal", "CREATE TABLE u(a)"),
        ("?journal_mode=delete", "-wal", "PRAGMA journal_mode=wal; CREATE TABLE u(a)"),
        ("?journal_mode=delete", "-shm", "PRAGMA journal_mode=wal; CREATE TABLE u(a)"),
    ] {
        let dir = Dir::new();
        let db = open(&dir.url("a.db?journal_mode=delete")).unwrap();
        exec(&db, "CREATE TABLE t(a)");
        db.close().unwrap();
        let later = dir.file(&format!("a.db{suffix}")).display().to_string();
        let text = told(&[("URL", &dir.url(&format!("a.db{query}"))), ("LATER", &later), ("SQL", sql)]);
        assert!(text.contains("REFUSED"), "{suffix}, {sql}: {text:?}");
    }
}

/// No false alarm: what SQLite opens itself that is not a file, and a file that is one.
#[test]
fn files_directories_and_randomness_are_opened() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?journal_mode=delete&synchronous=full")).unwrap();
    // A commit that makes the directory durable, and random numbers.
    exec(
        &db,
        "CREATE TABLE t(a); INSERT INTO t VALUES(random()), (randomblob(9)); CREATE TEMP TABLE x AS SELECT * FROM t",
    );
    db.close().unwrap();
}
