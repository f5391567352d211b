//! `doctor` and `who`: what they find in real files, the shape of their JSON, and the exit status.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{Dir, Holder, hold_if_child};

#[test]
fn a_healthy_database_is_fine() {
    let dir = Dir::new();
    dir.database("a.db", 100);
    let ran = dir.litekeel(&["doctor", "a.db", "--full"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.ends_with("nothing to worry about\n") && !ran.out.contains('\x1b'), "{ran:?}");
    let json = dir.litekeel(&["doctor", "a.db", "--full", "--json"]).json();
    let findings = json["findings"].as_array().unwrap();
    for finding in findings {
        for key in ["check", "level", "found", "remedy"] {
            assert!(finding[key].is_string(), "{finding}");
        }
    }
    for check in [
        "file",
        "directory",
        "file_system",
        "space",
        "owners",
        "wal",
        "settings",
        "journal_mode",
        "pages",
        "content",
        "foreign_keys",
    ] {
        assert!(findings.iter().any(|finding| finding["check"] == check), "{check} in {json}");
    }
    assert!(
        json["settings"].as_array().unwrap().iter().any(|row| row["name"] == "foreign_keys" && row["value"] == "1")
    );
    assert_eq!(json["path"], dir.file("a.db").canonicalize().unwrap().display().to_string());
}

#[test]
fn each_fault_is_found_with_a_remedy() {
    let dir = Dir::new();
    let level_of = |url: &str, check: &str, depth: &str| {
        let ran = dir.litekeel(&["doctor", url, depth, "--json"]);
        let json = ran.json();
        let worst =
            |level: &str| ["fine", "note", "warning", "problem"].iter().position(|name| *name == level).unwrap();
        let of_check: Vec<_> =
            json["findings"].as_array().unwrap().iter().filter(|f| f["check"] == check).cloned().collect();
        let found = of_check
            .iter()
            .max_by_key(|f| worst(f["level"].as_str().unwrap()))
            .unwrap_or_else(|| panic!("{check}: {json}"));
        assert_eq!(ran.status, i32::from(json["level"] == "problem"), "{json}");
        assert!(found["level"] == "fine" || found["level"] == "note" || found["remedy"] != "", "{found}");
        (found["level"].as_str().unwrap().to_owned(), found["found"].as_str().unwrap().to_owned())
    };
    let expect = |url: &str, check: &str, level: &str, word: &str| {
        let (has, text) = level_of(url, check, "--full");
        assert!(has == level && text.contains(word), "{url} {check}: {has}: {text}");
    };

    dir.database("a.db", 50);
    expect("file:a.db?synchronous=off", "settings", "warning", "power loss");
    expect("file:a.db?busy_timeout=10ms", "settings", "warning", "busy_timeout=10 ms");
    expect("file:a.db?page_size=8192", "settings", "problem", "the file has 4096");
    expect("file:a.db?busy_timeout=10s", "settings", "note", "busy_timeout=10s instead of 5s");
    expect("file:nope.db", "file", "problem", "does not exist");
    expect("file:no/where.db", "file", "problem", "first missing directory");
    expect("file:.", "file", "problem", "is a directory");

    dir.database("d.db?journal_mode=delete", 10);
    expect("d.db", "journal_mode", "note", "journal_mode=delete");

    std::fs::hard_link(dir.file("d.db"), dir.file("e.db")).unwrap();
    expect("d.db", "links", "problem", "2 names");
    std::fs::remove_file(dir.file("e.db")).unwrap();
    std::os::unix::fs::symlink("d.db", dir.file("s.db")).unwrap();
    expect("s.db", "links", "note", "symbolic link");

    std::fs::set_permissions(dir.file("d.db"), std::fs::Permissions::from_mode(0o666)).unwrap();
    expect("d.db", "file", "warning", "every user");

    std::fs::write(dir.file("junk.db"), vec![b'x'; 8192]).unwrap();
    expect("junk.db", "open", "problem", "not a database");

    // A page in the middle overwritten: only reading the content finds it.
    let big = dir.database("big.db", 2000);
    let mut bytes = std::fs::read(&big).unwrap();
    for byte in &mut bytes[4096 * 20..4096 * 21] {
        *byte = 0x55;
    }
    std::fs::write(&big, bytes).unwrap();
    expect("big.db", "content", "problem", "");
    assert_eq!(dir.litekeel(&["doctor", "big.db", "--no-content"]).status, 0);

    // References without their row.
    let db = dir.open("fk.db?foreign_keys=off");
    let sql = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO c VALUES(7),(8)";
    db.lock().unwrap().sqlite().execute_batch(sql).unwrap();
    db.close().unwrap();
    expect("fk.db", "foreign_keys", "problem", "2 rows of c refer to rows of p");

    // Empty space.
    dir.database("hole.db", 50_000);
    let db = dir.open("hole.db");
    db.lock().unwrap().sqlite().execute_batch("DELETE FROM t WHERE a > 10").unwrap();
    db.close().unwrap();
    expect("hole.db", "pages", "note", "are empty");

    std::fs::create_dir(dir.file(".a.db-litestream")).unwrap();
    expect("a.db", "replication", "note", "every checkpoint is left to it");
    assert_eq!(level_of("file:a.db?replication=none", "replication", "--full").0, "warning");
    assert_eq!(level_of("file:a.db?profile=durable", "settings", "--full").0, "fine");
}

#[test]
fn strict_counts_warnings() {
    let dir = Dir::new();
    dir.database("a.db", 1);
    let url = "file:a.db?synchronous=off";
    assert_eq!(dir.litekeel(&["doctor", url]).status, 0);
    assert_eq!(dir.litekeel(&["doctor", url, "--strict"]).status, 1);
}

#[test]
fn who_names_the_writer_the_stopped_and_the_idle() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "who_names_the_writer_the_stopped_and_the_idle";
    let writer = Holder::start(me, &url, "BEGIN IMMEDIATE");
    let idle = Holder::start(me, &url, "SELECT 1");
    let json = dir.litekeel(&["who", "a.db", "--json"]).json();
    let holders = json["holders"].as_array().unwrap();
    assert!(holders.iter().any(|holder| holder["pid"] == writer.0.id() && holder["role"] == "writer"), "{json}");
    assert!(holders.iter().all(|holder| holder["pid"] != idle.0.id()), "{json}");
    let pids: Vec<_> =
        json["users"].as_array().unwrap().iter().map(|user| user["pid"].as_u64().unwrap() as u32).collect();
    assert!(pids.contains(&idle.0.id()) && pids.contains(&writer.0.id()), "{json}");

    writer.signal(libc::SIGSTOP);
    let stopped =
        || dir.litekeel(&["who", "a.db"]).out.lines().any(|line| line.contains("writer") && line.contains("stopped"));
    assert!((0..100).any(|_| stopped()));
    let ran = dir.litekeel(&["doctor", "a.db"]);
    let remedy = format!("kill -CONT {}", writer.0.id());
    assert!(
        ran.status == 1 && ran.out.contains("holds the write lock and has been stopped") && ran.out.contains(&remedy),
        "{ran:?}"
    );
    let text = dir.litekeel(&["who", "a.db"]).out;
    assert!(text.lines().any(|line| line.contains("idle") && line.contains(&idle.0.id().to_string())), "{text}");
    // A closed database has nobody.
    drop((writer, idle));
    let ran = dir.litekeel(&["who", "a.db"]);
    assert!(ran.status == 0 && ran.out.contains("no other process"), "{ran:?}");
}

#[test]
fn checkpoint_finishes_or_says_who_is_in_the_way() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "checkpoint_finishes_or_says_who_is_in_the_way";
    let reader = Holder::start(me, &url, "BEGIN; SELECT count(*) FROM t");
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2)");
    let ran = dir.litekeel(&["checkpoint", "a.db"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("not finished") && ran.out.contains(&reader.0.id().to_string()), "{ran:?}");
    drop(reader);
    let json = dir.litekeel(&["checkpoint", "a.db", "--json"]);
    assert_eq!((json.status, &json.json()["complete"]), (0, &true.into()), "{json:?}");
    assert_eq!(json.json()["wal_bytes_after"], 0);
    drop(writer);
    // The writer was killed; the last connection of all removes the -wal.
    assert_eq!(dir.litekeel(&["checkpoint", "a.db", "--mode", "passive"]).status, 0);
    assert!(!dir.file("a.db-wal").exists());

    dir.database("d.db?journal_mode=delete", 1);
    let ran = dir.litekeel(&["checkpoint", "d.db"]);
    assert!(ran.status == 0 && ran.out.contains("has no WAL"), "{ran:?}");
    let json = dir.litekeel(&["doctor", "d.db", "--json"]).json();
    assert!(
        json["settings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["name"] == "journal_mode" && row["value"] == "delete")
    );
}
