//! A database that was deleted or replaced under a process: doctor says which one still works with the old file.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;

use common::{Dir, Holder, hold_if_child};

const HOLDS: &str = "holds_a_database";

#[test]
fn holds_a_database() {
    hold_if_child();
}

/// What doctor says of users, by process.
fn users(dir: &Dir) -> Vec<(String, String)> {
    let ran = dir.litekeel(&["doctor", "a.db", "--json"]);
    let findings = ran.json()["findings"].as_array().unwrap().clone();
    let users = findings.iter().filter(|finding| finding["check"] == "users");
    users.map(|finding| (finding["level"].to_string(), finding["found"].to_string())).collect()
}

fn url(dir: &Dir) -> String {
    format!("file:{}", dir.file("a.db").display())
}

type Way = fn(&Path);

fn replaces(dir: &Path) {
    std::fs::rename(dir.join("other.db"), dir.join("a.db")).unwrap();
}
fn renames_first(dir: &Path) {
    std::fs::rename(dir.join("a.db"), dir.join("before.db")).unwrap();
    replaces(dir);
}
fn removes(dir: &Path) {
    std::fs::remove_file(dir.join("a.db")).unwrap();
}
fn removes_all(dir: &Path) {
    ["", "-wal", "-shm"].iter().for_each(|suffix| std::fs::remove_file(dir.join(format!("a.db{suffix}"))).unwrap());
    std::fs::rename(dir.join("other.db"), dir.join("a.db")).unwrap();
}

#[test]
fn who_has_the_old_file_is_named() {
    for (name, way) in [
        ("replaces", replaces as Way),
        ("renames first", renames_first),
        ("removes", removes),
        ("removes all", removes_all),
    ] {
        let dir = Dir::new();
        dir.database("a.db", 10);
        dir.database("other.db", 10);
        let holder = Holder::start(HOLDS, &url(&dir), "INSERT INTO t(a) VALUES(1)");
        assert_eq!(users(&dir), [], "{name}: nothing is amiss yet");
        way(dir.path());
        let found = users(&dir);
        let named = found.iter().any(|(level, text)| {
            level.contains("problem")
                && text.contains(&format!("pid {}", holder.0.id()))
                && text.contains("had this name")
        });
        assert!(named && found.len() == 1, "{name}: {found:?}");
    }
}

/// Programs that only copy, read or link the files, and those that have the file at the path open.
#[test]
fn nobody_else_is_named() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    let holder = Holder::start(HOLDS, &url(&dir), "INSERT INTO t(a) VALUES(1)");
    let _reads: Vec<_> = ["a.db-wal", "a.db-shm"].map(|name| reads(&dir, name)).into();
    assert_eq!(users(&dir), []);
    // A file of the same name elsewhere.
    std::fs::create_dir(dir.file("else")).unwrap();
    std::fs::copy(dir.file("a.db"), dir.file("else/a.db")).unwrap();
    let _other = reads(&dir, "else/a.db");
    std::fs::remove_file(dir.file("else/a.db")).unwrap();
    assert_eq!(users(&dir), []);
    drop(holder);
}

/// A program that has a file open as a plain file.
fn reads(dir: &Dir, name: &str) -> Holds {
    let file = std::fs::File::open(dir.file(name)).unwrap();
    let mut child = std::process::Command::new("sleep");
    child.arg("120").stdin(file);
    Holds(child.spawn().unwrap())
}

struct Holds(std::process::Child);

impl Drop for Holds {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
