//! Each failure to open names the path component, the reason and the remedy. Permission failures run as another user:
//! root may do everything.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;

use common::{Dir, exec, is_child, open, public_child};
use litekeel_core::{Connection, Options, codes, sqlite};

#[test]
fn prints_its_failure() {
    if !is_child("prints_its_failure") {
        return;
    }
    match open(&std::env::var("URL").unwrap()) {
        Ok(db) => {
            println!("OPENED");
            db.report().warnings.iter().for_each(|warning| println!("warning: {warning}"));
            db.close().unwrap();
        }
        Err(error) => println!("{} {error}", error.name()),
    }
}

const NOBODY: u32 = 65534;

/// What an unprivileged user is told.
fn as_user(program: &Dir, user: u32, url: &str) -> String {
    let mut command = public_child(program, "prints_its_failure", &[("URL", url)]);
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(user).gid(user);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn with(key: &str, value: &str) -> Options {
    let mut options = Options::new();
    options.set(key, value).unwrap();
    options
}

fn mode(path: impl AsRef<std::path::Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn told(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn permissions() {
    let (dir, program) = (Dir::new(), Dir::new());
    mode(program.path(), 0o755);
    let as_nobody = |url: &str| as_user(&program, NOBODY, url);
    mode(dir.path(), 0o755);
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    // A file that may only be read; a directory that may not be written; a file that may not be read.
    mode(dir.file("a.db"), 0o444);
    mode(dir.path(), 0o777);
    told(&as_nobody(&dir.url("a.db")), &["KEEL_FILE_NOT_WRITABLE", "mode 0444", "mode=ro"]);
    mode(dir.file("a.db"), 0o666);
    mode(dir.path(), 0o555);
    let text = as_nobody(&dir.url("a.db"));
    told(&text, &["the directory", "may not be written", "mode 0555"]);
    told(&as_nobody(&dir.url("new.db")), &["SQLITE_CANTOPEN", "the directory", "may not be written"]);
    told(&as_nobody(&dir.url("a.db?mode=ro")), &["WAL database", "immutable=1"]);
    told(&as_nobody(&dir.url("a.db?immutable=1")), &["OPENED"]);
    mode(dir.path(), 0o777);
    mode(dir.file("a.db"), 0o000);
    told(&as_nobody(&dir.url("a.db")), &["SQLITE_CANTOPEN", "may not be read", "mode 0000"]);
    // A directory on the way that may not be searched, and one that cannot be created.
    fs::create_dir(dir.file("shut")).unwrap();
    mode(dir.file("shut"), 0o700);
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } == 0 {
        told(&as_nobody(&dir.url("shut/a.db")), &["may not be searched", "mode 0700"]);
    }
    // Not even by its owner, who runs this when root does not.
    mode(dir.path(), 0o555);
    told(&as_nobody(&dir.url("x/y/a.db")), &["KEEL_IO", "cannot be created", "mode 0555"]);
    // The negative control: nothing in the way, nothing refused.
    mode(dir.path(), 0o777);
    told(&as_nobody(&dir.url("x/y/a.db")), &["OPENED"]);
}

#[test]
fn what_a_terminal_obeys_is_written_out() {
    let dir = Dir::new();
    let name = "a%1b[2J%e2%80%ae.db";
    open(&dir.url(name)).unwrap().close().unwrap();
    fs::hard_link(dir.file("a\x1b[2J\u{202e}.db"), dir.file("b.db")).unwrap();
    mode(dir.file("b.db"), 0o666);
    let error = open(&dir.url(name)).unwrap_err();
    let reader = open(&dir.url(&format!("{name}?mode=ro"))).unwrap();
    let warnings = reader.report().warnings.join("; ");
    let findings = litekeel_core::hazards(reader.path().unwrap(), reader.settings().unwrap());
    let findings: Vec<_> = findings.iter().map(|finding| format!("{} {}", finding.found, finding.remedy)).collect();
    for text in [error.to_string(), warnings, findings.join("; ")] {
        told(&text, &["a\\x1b[2J\\u{202e}.db"]);
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text:?}");
    }
    // The path itself is as it is.
    assert!(error.path().unwrap().ends_with("a\x1b[2J\u{202e}.db"));
    reader.close().unwrap();
}

#[test]
fn paths() {
    let dir = Dir::new();
    fs::create_dir(dir.file("d")).unwrap();
    fs::write(dir.file("f"), "x").unwrap();
    let fails = |rest: &str| open(&dir.url(rest)).unwrap_err();
    let error = fails("d");
    assert_eq!(error.code(), codes::NOT_A_FILE, "{error}");
    told(&fails("f/a.db").to_string(), &["is a file, not a directory"]);
    let error = fails("none.db?mode=ro");
    assert_eq!((error.code() & 0xff, error.step()), (sqlite::SQLITE_CANTOPEN, Some("open")));
    told(&error.to_string(), &["the file does not exist", "mode=rwc"]);
    symlink("nowhere/x.db", dir.file("dangling.db")).unwrap();
    told(&fails("dangling.db").to_string(), &["symbolic link to nowhere/x.db"]);
    symlink("loop", dir.file("loop")).unwrap();
    told(&fails("loop/a.db").to_string(), &["leads back to itself"]);
    let nofollow = with("nofollow", "1");
    symlink("f", dir.file("link.db")).unwrap();
    told(&Connection::open(Some(&dir.url("link.db")), &nofollow).unwrap_err().to_string(), &["nofollow"]);
}

#[test]
fn contents() {
    let dir = Dir::new();
    for (name, bytes, what) in [
        ("gz.db", &b"\x1f\x8b\x08\x00and more than sixteen bytes of it"[..], "gzip"),
        ("lfs.db", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("old.db", b"** This file contains an SQLite 2.1 database **", "SQLite 2"),
        ("text.db", b"hello, this is no database at all, sorry", "text"),
    ] {
        fs::write(dir.file(name), bytes.repeat(30)).unwrap();
        let error = open(&dir.url(name)).unwrap_err();
        assert_eq!((error.code(), error.step()), (sqlite::SQLITE_NOTADB, Some("probe")), "{error}");
        told(&error.to_string(), &[what, name]);
        assert_eq!(fs::read(dir.file(name)).unwrap(), bytes.repeat(30), "left as it was");
    }
}

#[test]
fn hard_links_and_file_mode() {
    let dir = Dir::new();
    let private = with("file_mode", "0600");
    let db = Connection::open(Some(&dir.url("a.db")), &private).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        assert_eq!(fs::metadata(dir.file(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    db.close().unwrap();
    fs::hard_link(dir.file("a.db"), dir.file("b.db")).unwrap();
    assert_eq!(open(&dir.url("b.db")).unwrap_err().code(), codes::HARD_LINKS);
    let reader = open(&dir.url("b.db?mode=ro")).unwrap();
    assert!(reader.report().warnings.iter().any(|warning| warning.contains("hard links")));
    reader.close().unwrap();
    open(&dir.url("b.db?hard_links=1")).unwrap().close().unwrap();
}

#[test]
fn a_shared_connection_is_one_and_other_settings_are_a_mismatch() {
    let dir = Dir::new();
    let at = with("opened_at", "main.rs:7");
    let first = Connection::open(Some(&dir.url("a.db?share=1")), &at).unwrap();
    symlink("a.db", dir.file("alias.db")).unwrap();
    let second = open(&dir.url("alias.db?share=1")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    let error = open(&dir.url("a.db?share=1&synchronous=full")).unwrap_err();
    assert_eq!(error.code(), codes::MISMATCH);
    told(&error.to_string(), &["main.rs:7", "synchronous is normal, not full"]);
    assert_eq!(first.close().unwrap().owners_left, 1);
    assert!(second.close().unwrap().wal_removed);
}

#[test]
fn a_backup_that_fails_leaves_neither_file_nor_directories() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    for (query, pages) in [("?vfs=nowhere", 0), ("", 1)] {
        let error = db.backup(&dir.url(&format!("new/deep/b.db{query}")), pages, |_, _| true).unwrap_err();
        assert!(!dir.file("new").exists(), "{error}");
    }
    db.close().unwrap();
}

/// A reader of another user leaves files that the owner may not write: the reader is warned, and the owner is refused at
/// open, not at the first write.
#[test]
fn a_readers_files_that_lock_the_owner_out() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return common::skip("two users are needed, which root alone has");
    }
    let (dir, program) = (Dir::new(), Dir::new());
    mode(program.path(), 0o755);
    let owner = 65533;
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();
    std::os::unix::fs::chown(dir.file("a.db"), Some(owner), Some(owner)).unwrap();
    mode(dir.file("a.db"), 0o644);
    mode(dir.path(), 0o777);
    let text = as_user(&program, NOBODY, &dir.url("a.db?mode=ro"));
    told(&text, &["OPENED", "warning", "-shm", "cannot write", "inspect"]);
    assert!(dir.file("a.db-shm").exists());
    let as_owner = |url: &str| as_user(&program, owner, url);
    told(&as_owner(&dir.url("a.db")), &["KEEL_FILE_NOT_WRITABLE", "a.db-wal", "chown"]);
    // No alarm: without those files, and for a reader who is the owner.
    fs::remove_file(dir.file("a.db-shm")).unwrap();
    fs::remove_file(dir.file("a.db-wal")).unwrap();
    told(&as_owner(&dir.url("a.db")), &["OPENED"]);
    let text = as_owner(&dir.url("a.db?mode=ro"));
    assert!(text.contains("OPENED") && !text.contains("warning"), "{text}");
}

/// SQLite keeps the errno of the last failure of the system; of one that SQLite decides itself it says nothing.
#[test]
fn the_errno_of_an_earlier_failure_is_not_told_again() {
    let dir = Dir::new();
    let writer = open(&dir.url("a.db")).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let fails = |db: &Connection| {
        let attach = format!("ATTACH '{}/none/b.db' AS b", dir.path().display());
        let error = db.exec(&attach).unwrap_err();
        assert_eq!(error.errno(), libc::ENOENT, "{error:?}");
    };
    let reader = open(&dir.url("a.db?mode=ro")).unwrap();
    fails(&reader);
    let refused = reader.exec("INSERT INTO t VALUES(1)").unwrap_err();
    assert_eq!((refused.code() & 0xff, refused.errno()), (sqlite::SQLITE_READONLY, 0), "{refused:?}");
    fails(&writer);
    exec(&writer, "PRAGMA max_page_count=3");
    let full = writer.exec("INSERT INTO t VALUES(zeroblob(100000))").unwrap_err();
    assert_eq!((full.code() & 0xff, full.errno()), (sqlite::SQLITE_FULL, 0), "{full:?}");
    reader.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn a_checkpoint_of_a_reader_is_no_fault_of_the_disk() {
    let dir = Dir::new();
    let writer = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let reader = open(&dir.url("a.db?mode=ro")).unwrap();
    let by_call = reader.checkpoint(sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap_err();
    let by_pragma = reader.exec("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_err();
    for error in [by_call, by_pragma] {
        assert!(error.message().contains("opened with mode=ro"), "{error}");
        assert!(error.hint().contains("a connection that may write"), "{error}");
    }
    assert!(reader.health().unwrap().is_good());
    reader.close().unwrap();
    assert!(writer.close().unwrap().wal_removed);
}
