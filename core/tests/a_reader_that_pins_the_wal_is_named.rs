//! Who keeps the WAL from being recycled, and at which frame: from the kernel's table and SQLite's own shared memory.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/reader.rs"]
mod reader;

use common::{Dir, exec, get, is_child, open};
use litekeel_core::sqlite::SQLITE_CHECKPOINT_PASSIVE;
use reader::{Reader, read_until_killed};

#[test]
fn a_stopped_process_is_named_with_its_frame() {
    const NAME: &str = "a_stopped_process_is_named_with_its_frame";
    if is_child(NAME) {
        read_until_killed();
    }
    let dir = Dir::new();
    let url = dir.url("pin.db?wal_autocheckpoint=0&checkpoint=manual");
    let writer = open(&url).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let before = writer.wal_status().unwrap().unwrap();
    assert!(before.frames > 0 && before.checkpointed == 0, "{before:?}");
    let reader = Reader::start(NAME, &url);
    for n in 0..50 {
        exec(&writer, &format!("INSERT INTO t VALUES({n})"));
    }
    reader.stop();
    let files = std::fs::metadata(dir.file("pin.db-wal")).unwrap().len() as i64;

    let pins = writer.pins().unwrap().unwrap();
    let pin = &pins.pins[0];
    assert_eq!(
        (pin.holder.pid, pin.holder.role.as_str(), pin.frame),
        (reader.pid(), "reader", before.frames),
        "{pins:?}"
    );
    assert!(pin.holder.command.contains(NAME), "{pins:?}");
    assert_eq!(pin.frames, pins.status.frames - before.frames);
    assert_eq!(pin.bytes, pin.frames * (pins.status.page_size + 24));
    assert_eq!(pins.status.bytes, files);
    // The kernel needs a moment to stop it.
    let mut state = pin.holder.state.as_str();
    for _ in 0..200 {
        if state == "stopped" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        state = writer.pins().unwrap().unwrap().pins[0].holder.state.as_str();
    }
    assert_eq!(state, "stopped");
    // A checkpoint stops at exactly that frame.
    let (log, done) = writer.checkpoint(SQLITE_CHECKPOINT_PASSIVE).unwrap();
    assert_eq!((log, done), (pins.status.frames, pin.frame));
    assert!(writer.pins().unwrap().unwrap().pins[0].since.unwrap() > std::time::Duration::ZERO);
    drop(reader);
    let (log, done) = writer.checkpoint(SQLITE_CHECKPOINT_PASSIVE).unwrap();
    assert_eq!(log, done);
    writer.close().unwrap();
}

#[test]
fn connections_of_this_process_are_told_apart_by_their_frames() {
    let dir = Dir::new();
    let url = dir.url("own.db?checkpoint=manual");
    let writer = open(&url).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let open_at = |place: &str| {
        let mut options = litekeel_core::Options::new();
        options.set("opened_at", place).unwrap();
        litekeel_core::Connection::open(Some(&url), &options).unwrap()
    };
    let mut frames = Vec::new();
    let readers: Vec<_> = ["early.js:1", "late.js:2"]
        .iter()
        .map(|place| {
            let reader = open_at(place);
            exec(&reader, "BEGIN");
            get(&reader, &format!("SELECT count(*) FROM t /* {place} */"));
            frames.push(writer.wal_status().unwrap().unwrap().frames);
            exec(&writer, "INSERT INTO t VALUES(2)");
            std::thread::sleep(std::time::Duration::from_millis(60));
            reader
        })
        .collect();
    let pins = writer.pins().unwrap().unwrap().pins;
    assert_eq!(pins.len(), 2, "{pins:?}");
    for (pin, (place, frame)) in pins.iter().zip([("early.js:1", frames[0]), ("late.js:2", frames[1])]) {
        assert_eq!((pin.frame, pin.holder.pid), (frame, std::process::id()), "{pins:?}");
        assert_eq!(pin.holder.opened_at.as_deref(), Some(place));
        assert!(pin.since.unwrap() >= std::time::Duration::from_millis(50), "{pins:?}");
        // Which of its statements holds it is not kept between calls of rusqlite's; the text shows while it runs.
        assert!(pin.describe().contains(place), "{}", pin.describe());
    }
    readers.iter().for_each(|reader| drop(reader.close().unwrap()));
    assert!(writer.pins().unwrap().unwrap().pins.is_empty());
    // A statement that stands on a row is named with its text.
    let reader = open_at("stream.js:3");
    let (_, stream) = reader.stream("SELECT a FROM t", None, 1).unwrap();
    let pins = writer.pins().unwrap().unwrap().pins;
    assert_eq!(pins[0].holder.sql.as_deref(), Some("SELECT a FROM t"), "{pins:?}");
    drop(stream);
    reader.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn looking_changes_nothing() {
    let dir = Dir::new();
    let url = dir.url("look.db?wal_autocheckpoint=0&checkpoint=manual");
    let writer = open(&url).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let listing = || -> Vec<_> {
        let mut all: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name(), entry.metadata().unwrap().len(), entry.metadata().unwrap().modified().unwrap())
            })
            .collect();
        all.sort();
        all
    };
    let (files, status) = (listing(), writer.wal_status().unwrap().unwrap());
    // The same from a reader, and in the middle of a transaction.
    let reader = open(&dir.url("look.db?mode=ro")).unwrap();
    assert_eq!(reader.wal_status().unwrap(), Some(status));
    exec(&reader, "BEGIN");
    get(&reader, "SELECT count(*) FROM t");
    assert_eq!(reader.wal_status().unwrap(), Some(status));
    exec(&reader, "COMMIT");
    assert_eq!(listing(), files);
    reader.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn a_database_without_a_shared_wal_has_none() {
    let dir = Dir::new();
    for rest in ["d.db?journal_mode=delete", "e.db?locking_mode=exclusive"] {
        let connection = open(&dir.url(rest)).unwrap();
        exec(&connection, "CREATE TABLE t(a)");
        assert_eq!(connection.wal_status().unwrap(), None, "{rest}");
        assert_eq!(connection.pins().unwrap(), None, "{rest}");
        connection.close().unwrap();
    }
    assert!(!dir.file("d.db-shm").exists() && !dir.file("e.db-shm").exists());
    let memory = open(":memory:").unwrap();
    assert_eq!(memory.wal_status().unwrap(), None);
    memory.close().unwrap();
}
