//! One copy of SQLite, whatever else is linked or loaded: by other names first, by plain SQLite calls, from two hosts.
#![cfg(target_os = "linux")]

mod object;

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A directory with SQLite's headers under `litekeel/`, as they are installed.
fn headers(dir: &Path) -> PathBuf {
    let at = run(&mut Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sqlite-include")));
    let include = dir.join("include");
    std::fs::create_dir_all(&include).unwrap();
    std::os::unix::fs::symlink(at.trim(), include.join("litekeel")).unwrap();
    include
}

/// Compiles with these sources and flags before litekeel in the order of linking.
fn compile(dir: &Path, output: &str, flags: &[&str], names: &[&str], before: &[&Path]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let soname = dir.join("liblitekeel.so.0");
    if !soname.exists() {
        std::os::unix::fs::symlink(object::shared(), &soname).unwrap();
    }
    let program = dir.join(output);
    run(Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-I"])
        .arg(root.join("include"))
        .arg("-I")
        .arg(dir.join("include"))
        .args(flags)
        .arg("-o")
        .arg(&program)
        .args(names.iter().map(|name| root.join("tests/c").join(name)))
        .args(before)
        .arg(object::shared())
        .arg(format!("-Wl,-rpath,{}", dir.display())));
    program
}

#[test]
fn another_sqlite_first_in_the_order_of_linking_is_passed_over() {
    let dir = object::scratch("foreign-first");
    headers(&dir);
    let fake = dir.join("libsqlite3.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/fake_sqlite3.c");
    run(Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&fake).arg(source));
    let program = compile(&dir, "foreign_first", &[], &["foreign_first.c"], &[&fake]);
    run(Command::new(program).current_dir(&dir));
    // Its plain calls on our handle would crash.
    let program = compile(&dir, "foreign_calls", &[], &["foreign_calls.c"], &[&fake]);
    let output = Command::new(program).current_dir(&dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.matches("keel_sqlite3 returns NULL").count(), 1, "{said}");
    assert!(said.contains("libsqlite3.so") && said.contains("-lsqlite3"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn plain_sqlite_calls_are_on_the_same_copy() {
    let dir = object::scratch("plain");
    headers(&dir);
    let program = compile(&dir, "plain_sqlite", &["-Werror"], &["plain_sqlite.c"], &[]);
    run(Command::new(program).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn two_hosts_in_one_process_share_it() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("SKIPPED: python3 is not installed");
        return;
    }
    let dir = object::scratch("two-hosts");
    let host = compile(&dir, "libhost.so", &["-shared", "-fPIC"], &["host.c"], &[]);
    // The C library asks for the soname, Python for a path: both lead to one file.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/two_hosts.py");
    let said = run(Command::new("python3").arg(script).arg(object::shared()).arg(host).current_dir(&dir));
    assert_eq!(said.trim(), "one copy, two hosts");
    std::fs::remove_dir_all(dir).unwrap();
}
