//! The WAL is moved and emptied when nobody writes, off the committing thread where that is asked for, and kept under its
//! cap; whoever keeps it from that is named, and nobody waits for it.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/reader.rs"]
mod reader;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::{Connection, sqlite};
use litekeel_core::{Event, EventValue};
use reader::{Reader, read_until_killed};

type Heard = Arc<Mutex<Vec<(Event, std::thread::ThreadId)>>>;

fn listen(connection: &Connection) -> Heard {
    let heard = Heard::default();
    let sink = heard.clone();
    connection.on_event(Arc::new(move |event| {
        sink.lock().unwrap().push((event.clone(), std::thread::current().id()));
    }));
    heard
}

fn named(heard: &Heard, name: &str) -> Vec<Event> {
    heard
        .lock()
        .unwrap()
        .iter()
        .filter(|(event, _)| event.name.as_str() == name)
        .map(|(event, _)| event.clone())
        .collect()
}

fn text(value: &str) -> Option<EventValue> {
    Some(EventValue::Text(value.to_owned()))
}

fn until(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < patience, "{what} did not come in {patience:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How often a machine that is busy with other work keeps somebody for long who asks it for a little: a thread that writes one
/// page to the disk, again and again. What nothing of ours has to do with is not held against us.
struct Meter(Arc<AtomicBool>, std::thread::JoinHandle<usize>);

/// A commit, or a round of the meter, that takes longer has been held up.
const SLOW: Duration = Duration::from_millis(50);

impl Meter {
    fn start(path: std::path::PathBuf) -> Meter {
        let done = Arc::new(AtomicBool::new(false));
        let ended = done.clone();
        let run = move || {
            let file = std::fs::File::create(path).unwrap();
            let mut slow = 0;
            while !ended.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(Duration::from_millis(5));
                std::os::unix::fs::FileExt::write_all_at(&file, &[7; 4096], 0).unwrap();
                file.sync_data().unwrap();
                // Not even half as long: a checkpoint asks for more than a page.
                slow += usize::from(began.elapsed() > SLOW / 2);
            }
            slow
        };
        Meter(done, std::thread::spawn(run))
    }

    /// How many of its rounds were slow.
    fn end(self) -> usize {
        self.0.store(true, Ordering::Relaxed);
        self.1.join().unwrap()
    }
}

fn size(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

#[test]
fn after_five_quiet_seconds_it_is_empty() {
    let dir = Dir::new();
    let connection = open(&dir.url("idle.db")).unwrap();
    let heard = listen(&connection);
    exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let wal = dir.file("idle.db-wal");
    assert!(size(&wal) > 0);
    std::thread::sleep(Duration::from_secs(4));
    assert!(size(&wal) > 0, "a commit was less than five seconds ago");
    until(Duration::from_secs(8), "the idle checkpoint", || size(&wal) == 0);
    until(Duration::from_secs(1), "its event", || {
        named(&heard, "checkpointed").iter().any(|event| event.get("mode") == text("truncate").as_ref())
    });
    assert!(heard.lock().unwrap().iter().all(|(_, thread)| *thread != std::thread::current().id()));
    // Its connection is gone again: with another one the journal could not be changed.
    assert_eq!(get(&connection, "PRAGMA journal_mode=delete"), "delete");
    assert_eq!(get(&connection, "PRAGMA journal_mode=wal"), "wal");
    exec(&connection, "INSERT INTO t VALUES(2)");
    let report = connection.close().unwrap();
    assert!(report.wal_removed, "{report:?}");
}

#[test]
fn in_the_background_no_commit_checkpoints() {
    let dir = Dir::new();
    let url = dir.url("back.db?checkpoint=background&wal_autocheckpoint=100");
    let connection = open(&url).unwrap();
    let heard = listen(&connection);
    // SQLite's own setting is as it was asked for, and its own hook is still the application's to replace.
    assert_eq!(get(&connection, "PRAGMA wal_autocheckpoint"), "100");
    exec(&connection, "CREATE TABLE t(a)");
    for _ in 0..400 {
        exec(&connection, "INSERT INTO t VALUES(randomblob(3000))");
    }
    until(Duration::from_secs(3), "a checkpoint", || {
        named(&heard, "checkpointed").iter().any(|event| event.get("mode") == text("passive").as_ref())
    });
    assert!(heard.lock().unwrap().iter().all(|(_, thread)| *thread != std::thread::current().id()));
    assert_eq!(get(&connection, "PRAGMA wal_autocheckpoint"), "100");
    // One that is asked for is not left to the background.
    exec(&connection, "INSERT INTO t VALUES(randomblob(3000))");
    until(Duration::from_secs(3), "a checkpoint without a rival", || {
        get(&connection, "PRAGMA wal_checkpoint(TRUNCATE)") == "0"
    });
    connection.close().unwrap();
}

#[test]
fn a_commit_at_the_threshold_leaves_the_wal_to_the_background() {
    let dir = Dir::new();
    let counts: Vec<i64> = ["auto", "background"]
        .iter()
        .map(|mode| {
            let connection = open(&dir.url(&format!("{mode}.db?checkpoint={mode}&wal_autocheckpoint=1"))).unwrap();
            let guard = connection.lock().unwrap();
            guard.sqlite().execute_batch("CREATE TABLE t(a)").unwrap();
            // Right behind the commit: nothing but the committing thread can have moved it.
            let mut moved = 0;
            for n in 0..20 {
                guard.sqlite().execute("INSERT INTO t VALUES(?)", [n]).unwrap();
                let (mut log, mut done) = (0, 0);
                // SAFETY: the guard's handle.
                unsafe {
                    sqlite::sqlite3_wal_checkpoint_v2(
                        guard.raw(),
                        c"main".as_ptr(),
                        sqlite::SQLITE_CHECKPOINT_NOOP,
                        &mut log,
                        &mut done,
                    );
                }
                moved += i64::from(log == done);
            }
            drop(guard);
            connection.close().unwrap();
            moved
        })
        .collect();
    assert_eq!(counts[0], 20, "SQLite's own checkpoint moves every commit");
    assert!(counts[1] < 20, "the background thread's cannot have been in time for each: {counts:?}");
}

#[test]
fn a_checkpoint_that_is_asked_for_is_not_left_to_the_background() {
    let dir = Dir::new();
    for round in 0..10 {
        let connection = open(&dir.url("asked.db?checkpoint=background&wal_autocheckpoint=100")).unwrap();
        exec(&connection, "CREATE TABLE IF NOT EXISTS t(a)");
        let guard = connection.lock().unwrap();
        // One commit far over the threshold.
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)";
        guard.sqlite().execute_batch(&format!("{rows} INSERT INTO t SELECT randomblob(3000) FROM n")).unwrap();
        drop(guard);
        if round % 2 == 0 {
            // BUSY only while the background is really at it.
            until(Duration::from_secs(2), "a checkpoint", || {
                connection.checkpoint(sqlite::SQLITE_CHECKPOINT_PASSIVE).is_ok()
            });
        }
        let report = connection.close().unwrap();
        assert!(report.wal_removed && report.checkpoint.is_none_or(|done| !done.busy), "{report:?}");
    }
}

#[test]
fn an_application_may_have_its_own_hook_and_threshold() {
    unsafe extern "C" fn hook(
        count: *mut std::ffi::c_void,
        _: *mut sqlite::sqlite3,
        _: *const std::ffi::c_char,
        _: i32,
    ) -> i32 {
        // SAFETY: the counter below.
        unsafe { *count.cast::<i32>() += 1 };
        0
    }
    let dir = Dir::new();
    let connection = open(&dir.url("hook.db?wal_max=64KiB")).unwrap();
    exec(&connection, "CREATE TABLE t(a); PRAGMA wal_autocheckpoint=7");
    assert_eq!(get(&connection, "PRAGMA wal_autocheckpoint"), "7");
    let mut calls = 0;
    {
        let guard = connection.lock().unwrap();
        // SAFETY: the counter outlives the connection's use.
        unsafe { sqlite::sqlite3_wal_hook(guard.raw(), Some(hook), (&raw mut calls).cast()) };
    }
    for _ in 0..100 {
        exec(&connection, "INSERT INTO t VALUES(randomblob(3000))");
        assert!(size(&dir.file("hook.db-wal")) <= 64 * 1024 + 5 * 4120);
    }
    assert_eq!(calls, 100);
    connection.close().unwrap();
}

#[test]
fn over_a_reader_it_names_him_and_recovers_when_he_is_gone() {
    const NAME: &str = "over_a_reader_it_names_him_and_recovers_when_he_is_gone";
    if is_child(NAME) {
        read_until_killed();
    }
    let long = std::env::var_os("LITEKEEL_LONG").is_some();
    let (max, seconds) = if long { (16 << 20, 60) } else { (4 << 20, 3) };
    let dir = Dir::new();
    let url = dir.url(&format!("cap.db?wal_max={max}"));
    let writer = open(&url).unwrap();
    let heard = listen(&writer);
    exec(&writer, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    let meter = Meter::start(dir.file("page"));
    let wal = dir.file("cap.db-wal");
    let mut commits = 0;
    let mut slowest = Vec::new();
    let mut write = |until: &dyn Fn() -> bool, cap: Option<u64>| {
        while !until() {
            let began = Instant::now();
            // A table that stays small: what grows is the log.
            exec(&writer, "INSERT OR REPLACE INTO t VALUES(abs(random()) % 500, randomblob(3000))");
            commits += 1;
            slowest.push((began.elapsed(), began));
            if let Some(cap) = cap {
                let bytes = size(&wal);
                assert!(bytes <= cap, "{bytes} bytes after {commits} commits");
            }
            if long {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    };
    // Readers that come and go, so that there is always one: writers wait for them near the cap.
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (url, done) = (url.clone(), done.clone());
            std::thread::spawn(move || {
                let connection = open(&url).unwrap();
                while !done.load(Ordering::Relaxed) {
                    exec(&connection, "BEGIN");
                    get(&connection, "SELECT count(*) FROM t");
                    std::thread::sleep(Duration::from_millis(2));
                    exec(&connection, "COMMIT");
                }
                connection.close().unwrap();
            })
        })
        .collect();
    let began = Instant::now();
    write(&|| began.elapsed() > Duration::from_secs(seconds / 3), Some(2 * max));
    done.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert!(named(&heard, "wal_stalled").is_empty());

    let reader = Reader::start(NAME, &url);
    let frame = writer.pins().unwrap().unwrap().pins[0].frame;
    write(&|| !named(&heard, "wal_stalled").is_empty(), None);
    let event = named(&heard, "wal_stalled").remove(0);
    assert_eq!(event.get("pid"), Some(&EventValue::Int(reader.pid().into())), "{event:?}");
    assert_eq!(event.get("frame"), Some(&EventValue::Int(frame)), "{event:?}");
    let Some(EventValue::Text(pins)) = event.get("pins") else { panic!("{event:?}") };
    assert!(pins.contains(&format!("pid {} (", reader.pid())) && pins.contains("cannot be recycled"), "{pins}");
    let Some(EventValue::Int(bytes)) = event.get("bytes") else { panic!("{event:?}") };
    assert!(*bytes as u64 > 4 * max);
    // It says so once, not at every commit.
    let began = Instant::now();
    write(&|| began.elapsed() > Duration::from_millis(500), None);
    assert_eq!(named(&heard, "wal_stalled").len(), 1);

    drop(reader);
    let began = Instant::now();
    write(&|| size(&wal) < max || began.elapsed() > Duration::from_secs(60), None);
    let recovered = began.elapsed();
    assert!(size(&wal) < max, "the reader is gone for a minute");
    assert!(recovered < Duration::from_secs(5) || !long, "{recovered:?}");
    let began = Instant::now();
    write(&|| began.elapsed() > Duration::from_secs(seconds / 3), Some(max));

    slowest.sort();
    let checkpoints = named(&heard, "checkpointed");
    let longest = |mode: &str| {
        let took = checkpoints.iter().filter(|event| event.get("mode") == text(mode).as_ref()).map(|event| {
            let Some(EventValue::Int(took)) = event.get("took_us") else { panic!("{event:?}") };
            *took
        });
        took.max().unwrap_or(0)
    };
    eprintln!(
        "{commits} commits, slowest {:?}, p99.9 {:?}; recovered after {recovered:?}; longest truncate {} µs, passive {} µs",
        slowest[slowest.len() - 1].0,
        slowest[slowest.len() - 1 - slowest.len() / 1000].0,
        longest("truncate"),
        longest("passive"),
    );
    // A busy machine makes a single one slow; the long test is for a quiet one.
    let slow = slowest.iter().filter(|(took, _)| *took > SLOW).count();
    let machine = meter.end();
    assert!(
        slow.saturating_sub(machine) * 1000 <= slowest.len(),
        "{slow} of {} commits took over 50 ms, and {machine} rounds of the meter half of it",
        slowest.len()
    );
    if long {
        assert!(longest("truncate") < 50_000, "a TRUNCATE keeps every writer out");
    }
    assert_eq!(get(&writer, "PRAGMA integrity_check"), "ok");
    writer.close().unwrap();
}

#[test]
fn at_four_times_the_cap_writers_are_refused_when_that_is_asked_for() {
    let dir = Dir::new();
    let url = dir.url("full.db?wal_max=256KiB&wal_max_action=error");
    let writer = open(&url).unwrap();
    let mut options = litekeel_core::Options::new();
    options.set("opened_at", "reports.js:7").unwrap();
    let reader = Connection::open(Some(&url), &options).unwrap();
    exec(&writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    exec(&reader, "BEGIN");
    get(&reader, "SELECT count(*) FROM t");
    let heard = listen(&writer);
    let mut written = 1;
    let error = loop {
        match writer.exec("INSERT INTO t VALUES(randomblob(3000))") {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 2000, "nobody refuses");
    };
    assert_eq!(error.name(), "KEEL_WAL_FULL", "{error}");
    assert!(error.hint().contains("reader"), "{error}");
    assert_eq!(error.sqlite_code(), sqlite::SQLITE_FULL);
    // A host that drives the raw handle is refused too, and reading goes on.
    {
        let guard = writer.lock().unwrap();
        let rc = guard.sqlite().execute_batch("BEGIN IMMEDIATE").unwrap_err();
        assert_eq!(rc.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    }
    assert_eq!(get(&writer, "SELECT count(*) FROM t"), written.to_string());
    until(Duration::from_secs(2), "the event", || !named(&heard, "wal_stalled").is_empty());
    let event = named(&heard, "wal_stalled").remove(0);
    assert_eq!(event.get("pid"), Some(&EventValue::Int(std::process::id().into())));
    assert_eq!(event.get("opened_at"), text("reports.js:7").as_ref(), "{event:?}");
    exec(&reader, "COMMIT");
    until(Duration::from_secs(5), "room", || writer.exec("INSERT INTO t VALUES(0)").is_ok());
    reader.close().unwrap();
    let report = writer.close().unwrap();
    assert!(report.wal_removed, "{report:?}");
}

#[test]
fn the_thread_ends_with_the_last_connection_and_holds_up_no_exit() {
    const NAME: &str = "the_thread_ends_with_the_last_connection_and_holds_up_no_exit";
    if is_child(NAME) {
        let connection = open(&std::env::var("URL").unwrap()).unwrap();
        exec(&connection, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
        let threads = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
            tasks
                .filter(|task| {
                    std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "litekeel-wal")
                })
                .count()
        };
        until(Duration::from_secs(2), "the thread", || threads() == 1);
        if std::env::var_os("CLOSE").is_some() {
            connection.close().unwrap();
            until(Duration::from_secs(2), "the thread's end", || threads() == 0);
            // The next one gets a new thread.
            let connection = open(&std::env::var("URL").unwrap()).unwrap();
            exec(&connection, "INSERT INTO t VALUES(1)");
            until(Duration::from_secs(2), "the thread", || threads() == 1);
            connection.close().unwrap();
        } else {
            std::mem::forget(connection);
        }
        return;
    }
    for close in [true, false] {
        let dir = Dir::new();
        let url = dir.url("end.db");
        let mut process = child(NAME, &[("URL", &url)]);
        if close {
            process.env("CLOSE", "1");
        }
        let began = Instant::now();
        let output = process.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert!(!dir.file("end.db-wal").exists());
    }
}

#[test]
fn a_forked_child_gets_a_thread_of_its_own() {
    let dir = Dir::new();
    let parent = open(&dir.url("parent.db?wal_max=64KiB")).unwrap();
    exec(&parent, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let url = dir.url("child.db?wal_max=64KiB");
    // SAFETY: the child only runs this library, and leaves by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let good = std::panic::catch_unwind(|| {
            let connection = open(&url).unwrap();
            exec(&connection, "CREATE TABLE t(a)");
            for _ in 0..100 {
                exec(&connection, "INSERT INTO t VALUES(randomblob(3000))");
            }
            connection.close().unwrap().wal_removed
        });
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(if good.unwrap_or(false) { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: our own child.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!(status, 0);
    for _ in 0..100 {
        exec(&parent, "INSERT INTO t VALUES(randomblob(3000))");
        assert!(size(&dir.file("parent.db-wal")) <= 64 * 1024 + 5 * 4120);
    }
    parent.close().unwrap();
}
