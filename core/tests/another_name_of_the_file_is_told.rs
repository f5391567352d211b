//! A database that gets another name while it is open is told of: who opens it by that one gets another `-wal`.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, exec, open};
use litekeel_core::Verdict;
use litekeel_core::{Connection, HazardLevel, codes, hazards};

fn names(db: &Connection) -> (Verdict, String, String) {
    let health = db.health().unwrap();
    let check = health.checks.iter().find(|check| check.name == "names").unwrap();
    (check.verdict, check.note.clone(), check.hint.clone())
}

/// The messages of `unhealthy` so far.
fn unhealthy(db: &Connection) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    db.on_event(Arc::new(move |event| {
        if event.name.as_str() == "unhealthy" {
            sink.lock().unwrap().push(format!("{event:?}"));
        }
    }));
    told
}

/// Writes until a statement has looked, which one does once a second.
fn writes_until(db: &Connection, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < until, "no statement has looked");
        exec(db, "INSERT INTO t VALUES(1)");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_link_is_told_by_health_once_by_an_event_and_harms_nothing() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    assert_eq!(names(&db).0, Verdict::Good);
    let told = unhealthy(&db);
    fs::hard_link(dir.file("a.db"), dir.file("b.db")).unwrap();
    let (verdict, note, hint) = names(&db);
    assert_eq!(verdict, Verdict::Bad);
    assert!(note.contains("2 names") && note.contains("a.db"), "{note}");
    assert!(hint.contains("one name"), "{hint}");
    writes_until(&db, || !told.lock().unwrap().is_empty());
    let event = told.lock().unwrap()[0].clone();
    assert!(event.contains("KEEL_HARD_LINKS") && event.contains("2 names"), "{event}");
    assert!(db.health().unwrap().latched.is_none(), "nothing is refused");
    // A second name that is gone again is no matter, and a further one is told of again.
    fs::remove_file(dir.file("b.db")).unwrap();
    assert!(db.health().unwrap().is_good());
    let since = Instant::now();
    writes_until(&db, || since.elapsed() > Duration::from_millis(2500));
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    fs::hard_link(dir.file("a.db"), dir.file("c.db")).unwrap();
    writes_until(&db, || told.lock().unwrap().len() == 2);
    db.close().unwrap();
}

#[test]
fn a_link_that_is_allowed_raises_no_alarm() {
    let dir = Dir::new();
    open(&dir.url("a.db")).unwrap().close().unwrap();
    let allowed = open(&dir.url("a.db?hard_links=1")).unwrap();
    let reader = open(&dir.url("a.db?mode=ro")).unwrap();
    let told = unhealthy(&allowed);
    exec(&allowed, "CREATE TABLE t(a)");
    fs::hard_link(dir.file("a.db"), dir.file("b.db")).unwrap();
    assert!(allowed.health().unwrap().is_good());
    assert!(reader.health().unwrap().is_good());
    let since = Instant::now();
    writes_until(&allowed, || since.elapsed() > Duration::from_millis(2500));
    assert!(told.lock().unwrap().is_empty(), "{told:?}");
    reader.close().unwrap();
    allowed.close().unwrap();
}

#[test]
fn a_link_to_an_attached_file_is_told_too() {
    let dir = Dir::new();
    open(&dir.url("b.db")).unwrap().close().unwrap();
    let attach = format!("ATTACH '{}' AS b; CREATE TABLE IF NOT EXISTS b.t(a)", dir.file("b.db").display());
    let (db, allowed) = (open(&dir.url("a.db")).unwrap(), open(&dir.url("c.db?hard_links=1")).unwrap());
    exec(&db, &attach);
    exec(&allowed, &attach);
    let told = unhealthy(&db);
    fs::hard_link(dir.file("b.db"), dir.file("link.db")).unwrap();
    let health = db.health().unwrap();
    let check = health.checks.iter().find(|check| check.name == "attached").unwrap();
    assert!(check.verdict == Verdict::Bad && check.note.contains("b.db has 2 names"), "{health:?}");
    assert!(allowed.health().unwrap().is_good());
    writes_until_attached(&db, || !told.lock().unwrap().is_empty());
    allowed.close().unwrap();
    db.close().unwrap();
}

fn writes_until_attached(db: &Connection, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < until, "no statement has looked");
        exec(db, "INSERT INTO b.t VALUES(1)");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Its code is the one that opening such a file has.
#[test]
fn opening_by_either_name_is_refused() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    fs::hard_link(dir.file("a.db"), dir.file("b.db")).unwrap();
    for name in ["a.db", "b.db"] {
        assert_eq!(open(&dir.url(name)).unwrap_err().code(), codes::HARD_LINKS, "{name}");
    }
    let settings = litekeel_core::resolve(Some(&dir.url("a.db")), &litekeel_core::Options::new());
    let found = hazards(&dir.file("a.db"), &settings.unwrap().settings);
    assert!(found.iter().any(|hazard| hazard.check == "links" && hazard.level == HazardLevel::Problem));
    db.close().unwrap();
}
