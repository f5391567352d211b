//! Names of files, of tables in a database that is only examined, other processes' command lines and parameters may hold
//! what a terminal obeys: none of it reaches one. JSON means the same as before. A full disk ends no command by a panic.

mod common;

use std::fs::OpenOptions;
use std::process::Stdio;

use common::{Dir, Ran, ran};

/// Clears the screen, sets the title, colours, by C1 too; turns the direction of writing; rings; ends a line.
const EVIL: &str = "\x1b[2J\x1b]0;t\x07\u{9b}31m\u{202e}\x7f\nx";
const ENCODED: &str = "%1b[2J%1b]0;t%07%c2%9b31m%e2%80%ae%7f%0ax";

fn is_clean(text: &str) -> bool {
    text.chars().all(|c| {
        c == '\n'
            || !(c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}'..='\u{200f}'))
    })
}

fn clean(words: &[&str], ran: &Ran) {
    assert!(is_clean(&ran.out) && is_clean(&ran.err), "{words:?}: {ran:?}");
}

#[test]
fn in_no_output_of_no_command() {
    let dir = Dir::new();
    let name = format!("{EVIL}.db");
    let db = dir.open(&format!("{ENCODED}.db?foreign_keys=0"));
    let quoted = |name: &str| format!("\"{name}\"");
    let table = quoted(&format!("child{EVIL}"));
    let sql =
        format!("CREATE TABLE t(a); CREATE TABLE {table}(p REFERENCES \"gone{EVIL}\"); INSERT INTO {table} VALUES(1)");
    db.lock().unwrap().sqlite().execute_batch(&sql).unwrap();
    db.close().unwrap();
    assert!(dir.file(&name).exists());
    // Damaged so that the complaint has a name of the schema in it.
    std::fs::copy(dir.file(&name), dir.file("plain.db")).unwrap();
    std::fs::write(dir.file(&format!("not{EVIL}.db")), "text ".repeat(200)).unwrap();

    let url = format!("file:{ENCODED}.db");
    let encoded_not = format!("file:not{ENCODED}.db");
    let (missing, query) = (format!("file:no{ENCODED}/x.db"), format!("file:a.db?{ENCODED}=1"));
    let (value, raw) = (format!("file:a.db?mode={ENCODED}"), format!("file:{EVIL}.db"));
    let copy = format!("file:copy{ENCODED}.db");
    let option = format!("--{EVIL}");
    let mut printed_something_of_it = 0;
    for words in [
        &["doctor", url.as_str(), "--full"][..],
        &["doctor", "plain.db", "--full"],
        &["doctor", &missing],
        &["doctor", &encoded_not],
        &["doctor", &query],
        &["doctor", &value],
        &["doctor", &raw],
        &["doctor", &option],
        &["who", &url],
        &["who", &missing],
        &["url", &url],
        &["url", &query],
        &["checkpoint", &url],
        &["checkpoint", &missing],
        &["backup", &url, &copy],
        &["backup", &url, &copy],
        &["restore", &copy, &url],
        &["restore", &encoded_not, "new.db"],
        &["watch", &url, "--count", "1"],
        &["watch", &url, "--interval", EVIL],
        &[EVIL],
    ] {
        let ran = dir.litekeel(words);
        clean(words, &ran);
        printed_something_of_it += usize::from((ran.out + &ran.err).contains("\\x1b[2J"));
        // In colour there are our own sequences, and only those.
        let mut coloured = words.to_vec();
        coloured.extend(["--color", "always"]);
        let ran = dir.litekeel(&coloured);
        let without = |text: &str| {
            let mut text = text.to_owned();
            for code in ["0", "1", "2", "31", "32", "33", "36"] {
                text = text.replace(&format!("\x1b[{code}m"), "");
            }
            text
        };
        clean(&coloured, &Ran { status: ran.status, out: without(&ran.out), err: without(&ran.err) });
    }
    assert!(printed_something_of_it > 12, "written out instead: {printed_something_of_it}");
    // JSON: as it was, for who reads it.
    for words in [&["doctor", url.as_str(), "--full", "--json"][..], &["url", &url, "--json"], &["who", &url, "--json"]]
    {
        let ran = dir.litekeel(words);
        clean(words, &ran);
        assert!(ran.json()["path"].as_str().unwrap().ends_with(&name), "{ran:?}");
    }
}

#[test]
fn a_command_line_of_another_process() {
    common::hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 1);
    let url = format!("file:{}/a.db", dir.path().display());
    // A holder whose arguments hold it: the test program takes what it does not know for a filter.
    let holder = common::Holder::start_with("a_command_line_of_another_process", &url, "BEGIN IMMEDIATE", &[EVIL]);
    for words in
        [&["who", "a.db"][..], &["doctor", "a.db"], &["watch", "a.db", "--count", "1"], &["checkpoint", "a.db"]]
    {
        let ran = dir.litekeel(words);
        clean(words, &ran);
    }
    drop(holder);
}

/// The table shows the whole command line to who asks for it; a sentence, which gets around, none of the arguments.
#[test]
fn a_sentence_holds_no_argument_of_another_process() {
    common::hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 1);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "a_sentence_holds_no_argument_of_another_process";
    // A short name, so that the arguments are not cut off anyway; the secret comes first of them.
    let program = dir.file("app");
    let copied = std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
    assert!(copied.success());
    let start = |sql: &str| common::Holder::start_as(&program, me, &url, sql, &["password=c4nary"]);
    let reader = start("BEGIN; SELECT * FROM t");
    let writer = start("INSERT INTO t VALUES(1, 2); BEGIN IMMEDIATE");
    for words in
        [&["doctor", "a.db"][..], &["checkpoint", "a.db"], &["watch", "a.db", "--count", "3", "--interval", "60ms"]]
    {
        let ran = dir.litekeel(words);
        let sentences: Vec<_> =
            ran.out.lines().filter(|line| line.contains("pid ") && !line.trim_start().starts_with("pid  ")).collect();
        assert!(!sentences.is_empty() && sentences.iter().all(|line| !line.contains("c4nary")), "{ran:?}");
    }
    assert!(dir.litekeel(&["who", "a.db"]).out.contains("password=c4nary"));
    drop((reader, writer));
}

/// The URL of another database, or a password, that went to the wrong place of the command line.
#[test]
fn what_is_wrong_with_the_command_line_is_not_repeated() {
    let dir = Dir::new();
    for words in [
        &["doctor", "a.db", "postgres://user:c4nary@h/x"][..],
        &["doctor", "--password=c4nary"],
        &["doctor", "--c4nary"],
        &["doctor", "-c4nary"],
        &["doctor", "--color=c4nary"],
        &["c4nary"],
        &["libsql://h?authToken=c4nary"],
        &["backup", "a.db", "b.db", "c4nary"],
        &["backup", "a.db", "b.db", "--pages", "c4nary"],
        &["backup", "a.db", "b.db", "--pause=c4nary"],
        &["watch", "a.db", "--interval", "c4nary"],
        &["completions", "c4nary"],
        &["explain", "c4nary"],
        &["doctor", "libsql://h?authToken=c4nary&busy_timeout=1s"],
        &["doctor", "c4nary://h"],
        &["url", "file:a.db?c4nary=1"],
    ] {
        let ran = dir.litekeel(words);
        assert!(ran.status == 2 && !ran.err.is_empty(), "{ran:?}");
        assert!(!format!("{}{}", ran.out, ran.err).contains("c4nary"), "{words:?}: {ran:?}");
    }
    // What helps is said.
    for (words, part) in [
        (&["docter", "a.db"][..], "'doctor'"),
        (&["doctor", "--jsn"], "'--json'"),
        (&["backup", "a", "b", "--pages", "7x"], "'7x'"),
        (&["backup", "a", "b", "--pause", "5"], "5ms"),
        (&["explain", "SQLITE_BUSSY"], "SQLITE_BUSSY"),
    ] {
        let ran = dir.litekeel(words);
        assert!(ran.status == 2 && ran.err.contains(part), "{ran:?}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return eprintln!("SKIPPED: no /dev/full") };
    let dir = Dir::new();
    dir.database("a.db", 10);
    for words in [
        &["doctor", "a.db"][..],
        &["doctor", "a.db", "--json"],
        &["who", "a.db"],
        &["url", "a.db"],
        &["checkpoint", "a.db"],
        &["backup", "a.db", "b.db"],
        &["watch", "a.db", "--interval", "10ms"],
        &["watch", "a.db", "--interval", "10ms", "--json"],
        &["--help"],
        &["--version"],
        &["restore", "a.db", "c.db"],
        &["explain", "SQLITE_BUSY"],
        &["explain", "--json", "SQLITE_BUSY"],
        &["completions", "bash"],
        &["man"],
    ] {
        let mut command = dir.command(words);
        let output =
            command.stdin(Stdio::null()).stdout(full.try_clone().unwrap()).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{words:?}: {err}");
        assert!(err.contains("standard output cannot be written") && !err.contains("panicked"), "{words:?}: {err}");
        // And nowhere to complain either.
        let mut command = dir.command(&["doctor", "none.db"]);
        command.stdout(full.try_clone().unwrap()).stderr(full.try_clone().unwrap());
        assert_eq!(command.status().unwrap().code(), Some(3));
    }
    let fine = ran(dir.command(&["doctor", "a.db"]));
    assert_eq!(fine.status, 0, "{fine:?}");
}
