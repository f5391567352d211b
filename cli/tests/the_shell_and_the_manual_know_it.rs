//! Completions, manual pages and explanations of codes: complete, and in the form that those who read them take.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::Dir;

const COMMANDS: [&str; 10] =
    ["doctor", "who", "checkpoint", "backup", "restore", "url", "watch", "explain", "completions", "man"];

#[test]
fn completions_for_each_shell() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = dir.litekeel(&["completions", shell]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{shell}");
        for word in COMMANDS.into_iter().chain(["check-timeout", "no-content", "env-file"]) {
            assert!(ran.out.contains(word), "{word} for {shell}");
        }
    }
    assert_eq!(dir.litekeel(&["completions", "tcsh"]).status, 2);
    // What bash makes of it: `litekeel doctor --no-` is completed.
    let script = format!(
        "{}\nCOMP_WORDS=(litekeel doctor --no-); COMP_CWORD=2; _litekeel litekeel --no- doctor; echo \"${{COMPREPLY[*]}}\"",
        dir.litekeel(&["completions", "bash"]).out
    );
    let mut bash = Command::new("bash").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let said = String::from_utf8(bash.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said.trim(), "--no-content");
}

#[test]
fn a_manual_page_for_each_command() {
    let dir = Dir::new();
    let page = dir.litekeel(&["man"]);
    assert!(page.status == 0 && page.out.contains(".TH litekeel 1") && page.out.contains("Exit status"), "{page:?}");
    assert_eq!(dir.litekeel(&["man", "man1"]).status, 0);
    for command in COMMANDS {
        let text = std::fs::read_to_string(dir.file(&format!("man1/litekeel-{command}.1"))).unwrap();
        assert!(text.contains(&format!(".TH litekeel-{command} 1")), "{text}");
    }
    let ran = dir.litekeel(&["man", "/dev/null/x"]);
    assert!(ran.status == 3 && ran.err.contains("/dev/null/x"), "{ran:?}");
}

#[test]
fn a_code_by_its_name_and_by_its_number() {
    let dir = Dir::new();
    for (code, words) in [
        ("KEEL_ORPHAN_WAL", ["KEEL_ORPHAN_WAL (-35)", "database is missing or empty", "put the database back"]),
        ("-35", ["KEEL_ORPHAN_WAL (-35)", "database is missing or empty", "put the database back"]),
        ("wal_full", ["KEEL_WAL_FULL (-42)", "wal_max", "find the reader"]),
        ("busy", ["SQLITE_BUSY (5)", "database is locked", "litekeel who"]),
        ("SQLITE_BUSY_SNAPSHOT", ["(517, a kind of SQLITE_BUSY)", "wants to write", "BEGIN IMMEDIATE"]),
    ] {
        let ran = dir.litekeel(&["explain", code]);
        assert!(ran.status == 0 && words.iter().all(|word| ran.out.contains(word)), "{ran:?}");
    }
    let json = dir.litekeel(&["explain", "14", "--json"]).json();
    assert_eq!((&json["name"], &json["code"]), (&"SQLITE_CANTOPEN".into(), &14.into()));
    let ran = dir.litekeel(&["explain", "orphan"]);
    assert!(ran.status == 2 && ran.err.contains("there is KEEL_ORPHAN_WAL"), "{ran:?}");
}
