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

/// The formatter, where there is one, has nothing to complain of.
fn well_formed(page: &str) {
    let started = Command::new("groff")
        .args(["-ww", "-man", "-Tutf8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut groff) = started else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "groff is missing: scripts/requirements.sh test");
        return;
    };
    groff.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let formatted = groff.wait_with_output().unwrap();
    assert!(!formatted.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&formatted.stderr), "");
}

#[test]
fn a_manual_page_for_each_command() {
    let dir = Dir::new();
    let page = dir.litekeel(&["man"]);
    assert!(page.status == 0 && page.out.contains(".TH LITEKEEL 1") && page.out.contains("EXIT STATUS"), "{page:?}");
    well_formed(&page.out);
    assert_eq!(dir.litekeel(&["man", "man1"]).status, 0);
    for command in COMMANDS {
        let text = std::fs::read_to_string(dir.file(&format!("man1/litekeel-{command}.1"))).unwrap();
        let title =
            format!(".TH LITEKEEL-{} 1 \" \" \"litekeel {}\"", command.to_uppercase(), env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&title) && text.contains("EXIT STATUS") && text.contains(".BR litekeel (1)"), "{text}");
        well_formed(&text);
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
