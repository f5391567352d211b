//! Failures that SQLite's code and message tell of another file, or of another cause, than the one that matters: what is
//! said has to lead the right way.

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use common::{Dir, exec, get, is_child, open, public_child, skip};
use litekeel_core::sqlite;

#[test]
fn prints_its_failure() {
    if !is_child("prints_its_failure") {
        return;
    }
    match open(&std::env::var("URL").unwrap()) {
        Ok(db) => {
            println!("OPENED");
            db.close().unwrap();
        }
        Err(error) => println!("{} {error}", error.name()),
    }
}

#[track_caller]
fn told(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

fn mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_attached_file_is_named_with_what_attach_does() {
    let dir = Dir::new();
    let attach = |name: &str| format!("ATTACH '{}' AS b", dir.file(name).display());
    fs::create_dir(dir.file("d")).unwrap();
    fs::write(dir.file("f"), "x").unwrap();
    for url in [dir.url("a.db"), ":memory:".to_owned()] {
        let db = open(&url).unwrap();
        for (name, parts) in [
            ("none.db", &["none.db: the file does not exist, and ATTACH does not create it", "attach=any"][..]),
            (
                "no/deep/none.db",
                &["no/deep/none.db: the directory", "/no does not exist", "ATTACH creates no directories"],
            ),
            ("f/none.db", &["f is a file, not a directory"]),
            ("d", &["/d: it is a directory, not a file"]),
        ] {
            let error = db.exec(&attach(name)).unwrap_err();
            told(&error.to_string(), parts);
            assert_eq!(error.code() & 0xff, sqlite::SQLITE_CANTOPEN);
            assert_eq!(error.path(), Some(dir.file(name).as_path()), "{error}");
            assert!(!error.to_string().contains("a.db"), "it exists: {error}");
        }
        // ATTACH reads no URLs, and says so.
        let none = dir.file("none.db").display().to_string();
        for url in [format!("file:{none}?mode=rw"), format!("file://{none}")] {
            let error = db.exec(&format!("ATTACH '{url}' AS b")).unwrap_err();
            told(&error.to_string(), &["ATTACH takes a path, and this is a URL", &format!("write ATTACH '{none}'")]);
        }
        db.close().unwrap();
    }
    // Where ATTACH creates, the file that does not exist is no cause.
    let db = open(&dir.url("a.db?attach=any")).unwrap();
    exec(&db, &attach("new.db"));
    exec(&db, "DETACH b");
    told(&db.exec(&attach("no/new.db")).unwrap_err().to_string(), &["the directory", "/no does not exist"]);
    // A later failure is not explained by an earlier one's file.
    fs::write(dir.file("a.db-journal"), "").unwrap();
    let error = db.exec("SELECT * FROM nothing").unwrap_err();
    assert!(!error.to_string().contains("/no"), "{error}");
    db.close().unwrap();
    // What follows ATTACH: the attached file's own journal.
    let db = open(&dir.url("a.db")).unwrap();
    open(&dir.url("c.db?journal_mode=delete")).unwrap().close().unwrap();
    exec(&db, &attach("c.db"));
    fs::create_dir(dir.file("c.db-journal")).unwrap();
    let error = db.exec("CREATE TABLE b.t(a)").unwrap_err();
    told(&error.to_string(), &["c.db-journal is a directory, not a file"]);
    db.close().unwrap();
}

/// A database whose transaction was cut off after some of it had reached the file.
fn cut_off(dir: &Dir, name: &str) {
    let db = open(&dir.url("source.db?journal_mode=delete&cache_size=10&temp_store=file")).unwrap();
    exec(
        &db,
        "CREATE TABLE t(a); BEGIN; INSERT INTO t SELECT randomblob(900) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n)",
    );
    for suffix in ["", "-journal"] {
        fs::copy(dir.file(&format!("source.db{suffix}")), dir.file(&format!("{name}{suffix}"))).unwrap();
    }
    exec(&db, "ROLLBACK");
    db.close().unwrap();
}

#[test]
fn a_journal_that_must_be_rolled_back_first() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return skip("another user is needed, whom root alone can become");
    }
    let (dir, program) = (Dir::new(), Dir::new());
    mode(program.path(), 0o755);
    fs::create_dir(dir.file("shut")).unwrap();
    cut_off(&dir, "shut/a.db");
    mode(dir.path(), 0o755);
    let as_nobody = |url: &str| {
        let mut command = public_child(&program, "prints_its_failure", &[("URL", url)]);
        command.uid(65534).gid(65534);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let advice = ["a.db-journal", "rolled back first", "as a user who may write both", "never delete the journal"];
    for (file, directory) in [(0o666, 0o555), (0o444, 0o555), (0o444, 0o777)] {
        mode(dir.file("shut/a.db"), file);
        mode(dir.file("shut"), directory);
        for query in ["?mode=ro", "", "?mode=rw"] {
            let text = as_nobody(&dir.url(&format!("shut/a.db{query}")));
            told(&text, &advice);
            assert!(!text.contains("with mode="), "one leads to the other and back: {text}");
        }
    }
    // The control: the advice helps, and nothing of it is said where there is nothing to roll back.
    let db = open(&dir.url("shut/a.db?journal_mode=delete")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "0");
    db.close().unwrap();
    mode(dir.file("shut/a.db"), 0o444);
    told(&as_nobody(&dir.url("shut/a.db?mode=ro")), &["OPENED"]);
    told(&as_nobody(&dir.url("shut/a.db")), &["may not be written", "mode=ro"]);
}

#[test]
fn a_format_of_another_sqlite() {
    let dir = Dir::new();
    let with_versions = |name: &str, versions: [u8; 2]| {
        let db = open(&dir.url(&format!("{name}?journal_mode=delete"))).unwrap();
        exec(&db, "CREATE TABLE t(a)");
        db.close().unwrap();
        fs::OpenOptions::new().write(true).open(dir.file(name)).unwrap().write_all_at(&versions, 18).unwrap();
    };
    // May be read, not written.
    with_versions("reads.db", [3, 1]);
    let error = open(&dir.url("reads.db")).unwrap_err();
    told(&error.to_string(), &["SQLITE_READONLY", "write version 3", "VACUUM INTO"]);
    assert!(!error.to_string().contains("query_only"), "{error}");
    let db = open(&dir.url("reads.db?mode=ro")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "0");
    db.close().unwrap();
    let error = open(&dir.url("reads.db?journal_mode=delete")).unwrap_err();
    assert_eq!(error.name(), "KEEL_FILE_NOT_WRITABLE", "{error}");
    told(&error.to_string(), &["write version 3", "VACUUM INTO"]);
    let db = open(&dir.url("reads.db?mode=ro")).unwrap();
    exec(&db, &format!("VACUUM INTO '{}'", dir.file("copy.db").display()));
    db.close().unwrap();
    let copy = open(&dir.url("copy.db")).unwrap();
    exec(&copy, "INSERT INTO t VALUES(1)");
    copy.close().unwrap();
    // May not even be read.
    with_versions("wal2.db", [3, 3]);
    let error = open(&dir.url("wal2.db")).unwrap_err();
    told(&error.to_string(), &["SQLITE_NOTADB", "read version 3", "wal2", "journal_mode=delete"]);
    assert!(!error.to_string().contains("damaged"), "{error}");
    // The connection's own setting is still told apart.
    let db = open(&dir.url("copy.db?query_only=1")).unwrap();
    told(&db.exec("INSERT INTO t VALUES(1)").unwrap_err().to_string(), &["query_only"]);
    db.close().unwrap();
}

/// Files that SQLite takes for no database, and what is said of each.
fn unreadable(dir: &Dir) -> [(&'static str, &'static [&'static str]); 4] {
    fs::write(dir.file("text.db"), "CREATE TABLE t(a);\n".repeat(400)).unwrap();
    fs::write(dir.file("duck.db"), [&b"\x5e\x11\x94\xce\0\x01\x02\x03DUCK"[..], &[7; 8000]].concat()).unwrap();
    // As SQLCipher leaves it with a readable header.
    let db = open(&dir.url("shown.db?journal_mode=delete")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    let file = fs::OpenOptions::new().write(true).open(dir.file("shown.db")).unwrap();
    file.write_all_at(&[0x5a; 64], 32).unwrap();
    let db = open(&dir.url("short.db?journal_mode=delete")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(20000))");
    db.close().unwrap();
    fs::OpenOptions::new().write(true).open(dir.file("short.db")).unwrap().set_len(8192).unwrap();
    [
        ("text.db", &["SQLITE_NOTADB", "an SQL script"]),
        ("duck.db", &["SQLITE_NOTADB", "DuckDB"]),
        ("shown.db", &["(SQLITE_ERROR)", "says 1515870810", "cipher_plaintext_header_size"]),
        ("short.db", &["SQLITE_CORRUPT", "is inconsistent; 8192 bytes"]),
    ]
}

#[test]
fn an_unreadable_file_is_named_by_open_and_by_attach() {
    let dir = Dir::new();
    for (name, parts) in unreadable(&dir) {
        let path = dir.file(name);
        if let Err(error) = open(&dir.url(name)) {
            let text = format!("{error} {}", error.hint());
            told(&text, parts);
            told(&text, &[name]);
            assert_eq!(error.path(), Some(path.as_path()), "{text}");
        } else {
            assert_eq!(name, "short.db", "it opens");
        }
        for url in [dir.url("good.db"), ":memory:".to_owned()] {
            let db = open(&url).unwrap();
            for sql in [
                format!("ATTACH '{}' AS b", path.display()),
                format!("SELECT 1; /* then */ ATTACH '{}' AS b; SELECT 2", path.display()),
            ] {
                let error = db.exec(&sql).unwrap_err();
                let text = format!("{error} {}", error.hint());
                told(&text, parts);
                assert_eq!(error.path(), Some(path.as_path()), "{text}");
                assert!(
                    !text.contains("good.db") && !text.contains("damaged header"),
                    "the main database is well: {text}"
                );
            }
            // It explains nothing that comes later.
            let error = db.exec("SELECT * FROM nothing").unwrap_err();
            assert!(!error.to_string().contains(name), "{error}");
            db.close().unwrap();
        }
    }
}

#[test]
fn a_main_database_that_cannot_be_read_is_named_beside_good_ones() {
    let dir = Dir::new();
    let db = open(&dir.url("other.db?journal_mode=delete")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    let attach = format!("ATTACH '{}' AS b", dir.file("other.db").display());
    let broken = |name: &str| {
        let db = open(&dir.url(&format!("{name}?journal_mode=delete"))).unwrap();
        exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(20000))");
        db
    };
    // Detached in the same call, which closes a good file: the failure is not that one's.
    let db = broken("main.db");
    let file = fs::OpenOptions::new().write(true).open(dir.file("main.db")).unwrap();
    file.write_all_at(&[0xff; 4096], 4096).unwrap();
    // What another process would have done: SQLite reads the pages again.
    file.write_all_at(&[0, 0, 0, 99], 24).unwrap();
    let error = db.exec(&format!("{attach}; DETACH b; SELECT * FROM t")).unwrap_err();
    told(&error.to_string(), &["SQLITE_CORRUPT", "main.db", "the content of the file is inconsistent"]);
    assert_eq!(error.path(), Some(dir.file("main.db").as_path()), "{error}");
    // With both open SQLite does not say which one it was.
    exec(&db, &attach);
    let error = db.exec("SELECT * FROM t").unwrap_err();
    told(&error.to_string(), &["or of one that is attached", "other.db"]);
    // Overwritten while it is attached.
    let other = fs::OpenOptions::new().write(true).open(dir.file("other.db")).unwrap();
    other.write_all_at(&[b'x'; 100], 0).unwrap();
    let error = db.exec("SELECT * FROM b.t").unwrap_err();
    told(
        &error.to_string(),
        &["SQLITE_NOTADB", "other.db: it is not a SQLite 3 database: its first bytes look like text"],
    );
    drop(db.close());
}

#[test]
fn another_encoding_is_no_damage() {
    let dir = Dir::new();
    let db = open(&dir.url("new.db?journal_mode=delete")).unwrap();
    exec(&db, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a)");
    db.close().unwrap();
    let db = open(&dir.url("main.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let error = db.exec(&format!("ATTACH '{}' AS b", dir.file("new.db").display())).unwrap_err();
    assert_eq!(error.message(), "attached databases must use the same text encoding as main database");
    told(error.hint(), &["PRAGMA encoding", ".dump"]);
    db.close().unwrap();
}
