//! What is left open is told, with where it was opened; under `profile=test` it fails the process. And the library itself
//! leaves nothing behind.
#![cfg(unix)]

mod common;

use std::sync::{Arc, Mutex};

use common::{Dir, child, exec, is_child};
use litekeel_core::EventValue;
use litekeel_core::{Connection, Error, Options, assert_no_leaks, codes, open_handles, subscribe_to_events};

fn open(url: &str) -> Result<Arc<Connection>, Error> {
    let mut options = Options::new();
    options.set("opened_at", "main.c:12")?;
    Connection::open(Some(url), &options)
}

#[test]
fn ends_with_a_connection() {
    if !is_child("ends_with_a_connection") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
    match std::env::var("HOW").unwrap().as_str() {
        "open" => std::process::exit(0),
        "dropped" => drop(db),
        "closed" => _ = db.close().unwrap(),
        other => panic!("{other}"),
    }
    std::process::exit(0);
}

#[test]
fn a_connection_left_at_exit_is_a_warning_and_in_tests_a_failure() {
    let dir = Dir::new();
    for profile in ["production", "read-heavy", "write-heavy", "durable", "test"] {
        for (how, says) in [("open", "open at exit (closed now)"), ("dropped", "dropped without close"), ("closed", "")]
        {
            let url = dir.url(&format!("{profile}.db?profile={profile}"));
            let output = child("ends_with_a_connection", &[("URL", &url), ("HOW", how)]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            let fails = profile == "test" && how != "closed";
            assert_eq!(output.status.code(), Some(i32::from(fails)), "{profile}, {how}: {text}");
            assert_eq!(text.contains("litekeel:"), how != "closed", "{profile}, {how}: {text}");
            assert!(text.contains(says) && (says.is_empty() || text.contains("opened at main.c:12")), "{text}");
            assert!(!dir.file(&format!("{profile}.db-wal")).exists(), "{profile}, {how}");
        }
    }
}

#[test]
fn looks_for_leaks() {
    if !is_child("looks_for_leaks") {
        return;
    }
    assert_no_leaks().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    subscribe_to_events(Arc::new(move |event| {
        if event.name.as_str() == "leak" {
            sink.lock().unwrap().push(event.clone());
        }
    }));
    let url = std::env::var("URL").unwrap();
    let (first, second) = (open(&url).unwrap(), open(":memory:").unwrap());
    let open_now = open_handles();
    assert_eq!(open_now.iter().map(|handle| handle.opened_at.as_str()).collect::<Vec<_>>(), ["main.c:12"; 2]);
    let error = assert_no_leaks().unwrap_err();
    assert_eq!(error.code(), codes::LEAK);
    for part in ["2 connection(s)", "a.db", ":memory:", "opened at main.c:12", " s ago"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    first.close().unwrap();
    drop(second);
    let leak = heard.lock().unwrap().pop().expect("a drop without close is told");
    assert_eq!(leak.get("database"), Some(&EventValue::Text(":memory:".into())));
    assert_eq!(leak.get("opened_at"), Some(&EventValue::Text("main.c:12".into())));
    // A drop that was warned of is no leak any more; in tests it stays one.
    assert_no_leaks().unwrap();
    drop(open(&format!("{url}?profile=test")).unwrap());
    assert!(assert_no_leaks().unwrap_err().message().contains("1 dropped without close"));
    println!("looked");
}

#[test]
fn leaks_are_found_on_demand() {
    // The last of them makes the process fail at its end, too.
    let output = child("looks_for_leaks", &[("URL", &Dir::new().url("a.db"))]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && text.contains("looked") && text.contains("1 passed"), "{output:?}");
}

#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// In a process of its own, so that nothing else moves the figures.
#[test]
#[cfg(target_os = "linux")]
fn opens_and_closes() {
    if !is_child("opens_and_closes") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    let round = |number: usize| {
        // Of every kind: with a sibling, with an owner more, dropped by mistake, refused.
        let db = Connection::open(Some(&url), &Options::new()).unwrap();
        db.exec("INSERT INTO t VALUES(1); DELETE FROM t").unwrap();
        match number % 10 {
            1 => _ = db.sibling().unwrap().close().unwrap(),
            2 => _ = db.retain().unwrap().close().unwrap(),
            3 => assert!(db.exec("SELECT nonsense").is_err()),
            4 => assert!(Connection::open(Some(&format!("{url}&nonsense=1")), &Options::new()).is_err()),
            _ => {}
        }
        db.close().unwrap();
    };
    let db = Connection::open(Some(&url), &Options::new()).unwrap();
    db.exec("CREATE TABLE t(a)").unwrap();
    db.close().unwrap();
    (0..1000).for_each(round);
    let (files, memory) = (descriptors(), resident());
    let rounds = if std::env::var_os("LITEKEEL_LONG").is_some() { 100_000 } else { 10_000 };
    (0..rounds).for_each(round);
    let grown = resident().saturating_sub(memory);
    println!("{rounds} opened and closed: {} descriptors, {} KiB more", descriptors() - files, grown >> 10);
    assert_eq!(descriptors(), files);
    assert!(grown < 2 << 20, "{grown} bytes");
    assert_no_leaks().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_connections_leave_nothing() {
    let output = child("opens_and_closes", &[("URL", &Dir::new().url("a.db?synchronous=off"))]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success() && text.contains("opened and closed"), "{output:?}");
}
