//! Python's sqlite3 in the process: litekeel does not open the file beside it.
#![cfg(target_os = "linux")]

mod object;

use std::path::Path;
use std::process::Command;

#[test]
fn pythons_sqlite_beside_ours_is_refused() {
    let dir = object::scratch("python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/second_copy.py");
    match Command::new("python3").args(["-c", "import sqlite3"]).status() {
        Ok(status) if status.success() => {}
        _ => {
            assert!(std::env::var_os("CI").is_none(), "python3 with its sqlite3 is missing: apt-get install python3");
            eprintln!("SKIPPED: there is no python3 with its sqlite3");
            return;
        }
    }
    let output = Command::new("python3").arg(script).arg(object::shared()).current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(dir).unwrap();
}
