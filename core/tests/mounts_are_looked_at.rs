//! Mounts that make two files of one, or hide what others write. Each is made for real in a mount namespace of the test's
//! own, which needs root.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::CString;
use std::fs;
use std::path::Path;

use common::{Dir, child, exec, get, is_child, open, skip};
use litekeel_core::resolve;
use litekeel_core::{HazardLevel, Options, codes, hazards};

fn mount(source: &str, target: &Path, kind: &str, flags: u64, data: &str) -> bool {
    let text = |text: &str| CString::new(text).unwrap();
    let (source, target, kind, data) = (text(source), text(target.to_str().unwrap()), text(kind), text(data));
    // SAFETY: NUL-terminated texts.
    unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags as libc::c_ulong, data.as_ptr().cast()) == 0
    }
}

/// Runs one of the functions below in a process with mounts of its own.
fn in_own_mounts(test: &str) {
    let output = child(test, &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if text.contains("NO MOUNTS") {
        return skip("this process may not mount anything");
    }
    assert!(output.status.success() && text.contains("DONE"), "{text}");
}

/// Whether mounts can be made that nobody else sees.
fn separate() -> bool {
    // SAFETY: no arguments but flags.
    let may = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0
        && mount("none", Path::new("/"), "", libc::MS_REC | libc::MS_PRIVATE, "");
    if !may {
        println!("NO MOUNTS");
    }
    may
}

#[test]
fn a_file_that_is_mounted_alone_is_refused() {
    in_own_mounts("mounted_alone");
}

#[test]
fn mounted_alone() {
    if !is_child("mounted_alone") || !separate() {
        return;
    }
    let dir = Dir::new();
    for name in ["srv", "data", "whole"] {
        fs::create_dir(dir.file(name)).unwrap();
    }
    let db = open(&dir.url("srv/a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    fs::write(dir.file("data/a.db"), "").unwrap();
    assert!(mount(dir.file("srv/a.db").to_str().unwrap(), &dir.file("data/a.db"), "", libc::MS_BIND, ""));
    let error = open(&dir.url("data/a.db")).unwrap_err();
    assert_eq!(error.code(), codes::HARD_LINKS, "{error}");
    assert!(error.hint().contains("mount the directory"), "{error}");
    let reader = open(&dir.url("data/a.db?mode=ro")).unwrap();
    assert!(reader.report().warnings.iter().any(|warning| warning.contains("mounted alone")));
    reader.close().unwrap();
    let settings = resolve(Some(&dir.url("data/a.db")), &Options::new()).unwrap().settings;
    let found = hazards(&dir.file("data/a.db"), &settings);
    assert!(found.iter().any(|finding| finding.check == "links" && finding.level == HazardLevel::Problem));
    open(&dir.url("data/a.db?hard_links=1")).unwrap().close().unwrap();

    // By ATTACH as well, before anything is read, where nobody has said that it may be.
    let attach = format!("ATTACH '{}' AS b", dir.file("data/a.db").display());
    let main = open(&dir.url("main.db")).unwrap();
    let error = main.exec(&attach).unwrap_err();
    assert_eq!(error.code(), codes::HARD_LINKS, "{error}");
    assert!(error.hint().contains("mount the directory"), "{error}");
    exec(&main, &format!("ATTACH '{}' AS b; DETACH b", dir.file("srv/a.db").display()));
    main.close().unwrap();
    let allowed = open(&dir.url("main.db?hard_links=1")).unwrap();
    exec(&allowed, &attach);
    allowed.close().unwrap();

    // Mounted while it is open: whoever has it open by its own name can be told.
    let db = open(&dir.url("srv/a.db")).unwrap();
    let health = db.health().unwrap();
    let check = health.checks.iter().find(|check| check.name == "names").unwrap();
    assert!(check.note.contains("mounted a second time") && check.note.contains("data/a.db"), "{health:?}");
    let settings = resolve(Some(&dir.url("srv/a.db")), &Options::new()).unwrap().settings;
    let found = hazards(&dir.file("srv/a.db"), &settings);
    assert!(found.iter().any(|finding| finding.check == "links" && finding.level == HazardLevel::Problem));
    db.close().unwrap();

    // The control, which is why: each side has its own -wal, and what one acknowledges the other does not see.
    let db = open(&dir.url("srv/a.db")).unwrap();
    exec(&db, "INSERT INTO t VALUES(2)");
    let url = dir.url("data/a.db?hard_links=1");
    let output = child("counts_rows", &[("URL", &url)]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 rows"), "it sees the other's rows: the guard may go: {text}");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "2");
    db.close().unwrap();

    // No alarm about the directory mounted, nor about the file itself, whose name it is.
    assert!(mount(dir.file("srv").to_str().unwrap(), &dir.file("whole"), "", libc::MS_BIND, ""));
    for name in ["srv/b.db", "whole/b.db"] {
        let db = open(&dir.url(name)).unwrap();
        assert!(db.report().warnings.is_empty(), "{:?}", db.report().warnings);
        assert!(db.health().unwrap().is_good(), "{:?}", db.health());
        db.close().unwrap();
    }
    println!("DONE");
}

#[test]
fn a_reader_on_overlayfs_maps_nothing() {
    in_own_mounts("on_overlayfs");
}

#[test]
fn on_overlayfs() {
    if !is_child("on_overlayfs") || !separate() {
        return;
    }
    let dir = Dir::new();
    let layers = dir.file("layers");
    fs::create_dir(&layers).unwrap();
    assert!(mount("layers", &layers, "tmpfs", 0, ""));
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(layers.join(name)).unwrap();
    }
    for name in ["a.db", "b.db"] {
        let db = open(&dir.url(&format!("layers/lower/{name}?journal_mode=delete"))).unwrap();
        exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        db.close().unwrap();
    }
    let options = ["lower", "upper", "work"].map(|name| format!("{name}dir={}", layers.join(name).display())).join(",");
    if !mount("overlay", &layers.join("merged"), "overlay", 0, &options) {
        println!("NO MOUNTS");
        return;
    }
    let read = |name: &str, more: &str| {
        open(&dir.url(&format!("layers/merged/{name}?mode=ro&profile=read-heavy{more}"))).unwrap()
    };
    // A process of its own writes, as another container's would: the file is copied up.
    let write = |name: &str| {
        let url = dir.url(&format!("layers/merged/{name}?journal_mode=delete"));
        let output = child("writes_one_row", &[("URL", &url)]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let db = read("a.db", "");
    assert_eq!(db.report().row("mmap_size").unwrap().value, "0");
    assert!(db.report().warnings.iter().any(|warning| warning.contains("overlayfs")), "{:?}", db.report().warnings);
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "1");
    write("a.db");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "2");
    db.close().unwrap();

    // The control: through a mapping the row is never seen.
    let db = read("b.db", "");
    exec(&db, "PRAGMA mmap_size=1000000");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "1");
    write("b.db");
    let seen = get(&db, "SELECT count(*) FROM t");
    println!("through the mapping: {seen} of 2 rows");
    assert_eq!(seen, "1", "this kernel's overlayfs shows it: the guard may go");
    db.close().unwrap();

    // Nothing is forced, nor warned about, where no mapping was asked for, and for those who write.
    let db = open(&dir.url("layers/merged/a.db?mode=ro")).unwrap();
    assert!(db.report().warnings.is_empty(), "{:?}", db.report().warnings);
    db.close().unwrap();
    let db = open(&dir.url("layers/merged/a.db?profile=read-heavy")).unwrap();
    assert_ne!(db.report().row("mmap_size").unwrap().value, "0");
    db.close().unwrap();
    println!("DONE");
}

#[test]
fn a_snapshot_with_a_wal_is_told_to_be_copied() {
    in_own_mounts("read_only_snapshot");
}

#[test]
fn read_only_snapshot() {
    if !is_child("read_only_snapshot") || !separate() {
        return;
    }
    let dir = Dir::new();
    let snapshot = dir.file("snapshot");
    fs::create_dir(&snapshot).unwrap();
    assert!(mount("snapshot", &snapshot, "tmpfs", 0, ""));
    let db = open(&dir.url("a.db?checkpoint=manual")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    // As a snapshot of the disk takes them: the -shm is no part of it.
    for name in ["a.db", "a.db-wal"] {
        fs::copy(dir.file(name), snapshot.join(name)).unwrap();
    }
    db.close().unwrap();
    fs::copy(dir.file("a.db"), snapshot.join("b.db")).unwrap();
    let remounted = mount("snapshot", &snapshot, "", libc::MS_REMOUNT | libc::MS_RDONLY, "");
    assert!(remounted);
    for query in ["?mode=ro", "", "?mode=rw"] {
        let error = open(&dir.url(&format!("snapshot/a.db{query}"))).unwrap_err().to_string();
        for part in ["mounted read-only", "a.db", "copy the database and its -wal together"] {
            assert!(error.contains(part), "{query}: {part:?} is missing in: {error}");
        }
        assert!(!error.contains("chown"), "{error}");
    }
    // No permission is what is missing.
    let error = open(&dir.url("snapshot/new.db")).unwrap_err().to_string();
    assert!(error.contains("mounted read-only") && error.contains("remount"), "{error}");
    assert!(!error.contains("permission"), "{error}");
    // What is said works.
    for name in ["a.db", "a.db-wal"] {
        fs::copy(snapshot.join(name), dir.file(&format!("copy-{name}"))).unwrap();
    }
    fs::rename(dir.file("copy-a.db"), dir.file("copy.db")).unwrap();
    fs::rename(dir.file("copy-a.db-wal"), dir.file("copy.db-wal")).unwrap();
    let copy = open(&dir.url("copy.db")).unwrap();
    assert_eq!(get(&copy, "SELECT a FROM t"), "1");
    copy.close().unwrap();
    // Without a -wal.
    let error = open(&dir.url("snapshot/b.db?mode=ro")).unwrap_err().to_string();
    assert!(error.contains("mounted read-only") && error.contains("immutable=1"), "{error}");
    open(&dir.url("snapshot/b.db?immutable=1")).unwrap().close().unwrap();
    println!("DONE");
}

#[test]
fn counts_rows() {
    if is_child("counts_rows") {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        println!("{} rows", get(&db, "SELECT count(*) FROM t"));
        db.close().unwrap();
    }
}

#[test]
fn writes_one_row() {
    if is_child("writes_one_row") {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        exec(&db, "INSERT INTO t VALUES(2)");
        db.close().unwrap();
    }
}
