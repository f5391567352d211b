//! `litekeel url`, errors with their hints, colours, and the exit status.

mod common;

use common::{Dir, ran};

#[test]
fn every_setting_with_its_origin() {
    let dir = Dir::new();
    let json = dir.litekeel(&["url", "file:data/app.db?busy_timeout=10s&profile=durable", "--json"]).json();
    assert_eq!((json["source"].as_str(), json["exists"].as_bool()), (Some("argument"), Some(false)));
    assert!(json["path"].as_str().unwrap().ends_with("/data/app.db"));
    let row = |name: &str| json["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        (row("busy_timeout")["value"].as_str(), row("busy_timeout")["source"].as_str()),
        (Some("10000"), Some("url"))
    );
    assert_eq!(
        (row("synchronous")["value"].as_str(), row("synchronous")["source"].as_str()),
        (Some("full"), Some("profile"))
    );
    assert!(row("page_size")["value"].is_null());

    let mut command = dir.command(&["url", "--json"]);
    command.env("DATABASE_URL", "sqlite:other.db");
    assert_eq!(ran(command).json()["source"], "env");
    assert_eq!(dir.litekeel(&["url", "--json"]).json()["source"], "default");
    assert!(dir.litekeel(&["url", ":memory:"]).out.contains("in memory"));
    let secret = dir.litekeel(&["url", "file://ada:secret@host/x.db"]);
    assert!(secret.status == 2 && !secret.err.contains("secret"), "{secret:?}");
}

/// The core's own test has every mistake; here it is what the commands add to it.
#[test]
fn no_command_repeats_a_secret() {
    let dir = Dir::new();
    dir.database("a.db", 1);
    for url in [
        // Nobody has this name, ever.
        "libsql://h.invalid?authToken=c4nary&connect_timeout=300ms",
        "postgres://user:c4nary@h/x",
        "postgres://h/x?password=c4nary",
        "jdbc:sqlite:a.db?password=c4nary",
        "file:a.db?password=c4nary",
        "file:a.db?mode=ro&mode=c4nary",
        "file:a.db?_pragma=key(c4nary)",
        "file:a.db#c4nary",
        "a.db?password=c4nary",
        "host=h password=c4nary",
    ] {
        for words in [
            &["url", "--all", url][..],
            &["url", "--json", url],
            &["doctor", url],
            &["who", url],
            &["checkpoint", url],
            &["backup", url, "b.db"],
            &["backup", "a.db", url],
            &["restore", url, "a.db"],
        ] {
            let ran = dir.litekeel(words);
            assert!(!ran.out.contains("c4nary") && !ran.err.contains("c4nary"), "{words:?}: {ran:?}");
        }
        let mut command = dir.command(&["url"]);
        command.env("DATABASE_URL", url);
        let ran = ran(command);
        assert!(!ran.out.contains("c4nary") && !ran.err.contains("c4nary"), "DATABASE_URL={url}: {ran:?}");
        let _ = std::fs::remove_file(dir.file("b.db"));
    }
}

#[test]
fn failures_say_what_to_do_and_set_the_status() {
    let dir = Dir::new();
    for (words, status, word) in [
        (&["url", "file:a.db?_journal_mode=wal"][..], 2, "write journal_mode=wal"),
        (&["doctor", "file://data/x.db"], 2, "file:data/x.db"),
        (&["who", ":memory:"], 2, "name a file"),
        (&["checkpoint", "nope.db"], 3, "nope.db does not exist"),
        (&["checkpoint", "file:a.db?mode=ro"], 3, ""),
        (&["bogus"], 2, "--help"),
        (&["checkpoint", "a.db", "--mode", "bogus"], 2, "truncate"),
    ] {
        let ran = dir.litekeel(words);
        assert!(ran.status == status && ran.err.contains(word) && ran.out.is_empty(), "{words:?}: {ran:?}");
    }
    assert!(!dir.file("a.db").exists() && !dir.file("nope.db").exists());
}

#[test]
fn colours_only_where_they_are_wanted() {
    let dir = Dir::new();
    dir.database("a.db", 1);
    assert!(!dir.litekeel(&["doctor", "a.db"]).out.contains('\x1b'));
    assert!(dir.litekeel(&["doctor", "a.db", "--color", "always"]).out.contains("\x1b[32m"));
    assert!(!dir.litekeel(&["doctor", "a.db", "--color", "never"]).out.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let dir = Dir::new();
    let script = format!("{} url --all a.db | head -1; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_litekeel"));
    let mut command = std::process::Command::new("bash");
    command.arg("-c").arg(script).current_dir(dir.path());
    let ran = ran(command);
    assert!(ran.out.starts_with("url ") && ran.err.is_empty(), "{ran:?}");
}

#[test]
fn a_file_of_the_environment_is_read_when_asked_and_told_of_when_not() {
    let dir = Dir::new();
    dir.database("app.db", 3);
    std::fs::write(dir.file(".env"), "SECRET=x\nDATABASE_URL=\"file:app.db\"\n").unwrap();
    std::fs::write(dir.file("other.env"), "NOTHING=1\n").unwrap();
    let ran = dir.litekeel(&["doctor"]);
    assert!(
        ran.status == 1 && ran.err.contains(".env sets DATABASE_URL") && ran.err.contains("--env-file .env"),
        "{ran:?}"
    );
    for words in [&["doctor", "--env-file", ".env"][..], &["--env-file", ".env", "who"], &["url", "--env-file", ".env"]]
    {
        let ran = dir.litekeel(words);
        assert!(ran.status == 0 && ran.out.contains("app.db") && ran.err.is_empty(), "{ran:?}");
    }
    // What the environment says comes first, and an argument before both; neither is worth a word.
    let mut command = dir.command(&["url", "--env-file", ".env"]);
    command.env("DATABASE_URL", "file:env.db");
    assert!(common::ran(command).out.contains("env.db"));
    let ran = dir.litekeel(&["doctor", "app.db"]);
    assert!(ran.status == 0 && ran.err.is_empty(), "{ran:?}");
    for file in ["other.env", "none.env"] {
        let ran = dir.litekeel(&["doctor", "--env-file", file]);
        assert!(ran.status == 2 && ran.err.contains(file), "{ran:?}");
    }
}
