//! Waiting for the write lock: in the order of arrival, until a monotonic deadline, ended by an interrupt; a thread
//! never waits behind itself.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, open};
use litekeel_core::BusyKind;
use litekeel_core::Cell;
use litekeel_core::{Connection, Options, sqlite};
use litekeel_core::{Event, EventValue};

fn created(dir: &Dir, query: &str) -> (String, Arc<Connection>) {
    let url = dir.url(&format!("a.db?{query}"));
    let db = open(&url).unwrap();
    db.exec("CREATE TABLE IF NOT EXISTS t(a)").unwrap();
    (url, db)
}

/// What a call took.
fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = call();
    (result, began.elapsed())
}

/// Waits until so many threads of this process wait for the lock; each has had time to take its place.
fn settle() {
    std::thread::sleep(Duration::from_millis(60));
}

#[test]
fn the_threads_of_a_process_get_the_lock_in_the_order_in_which_they_came() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=20s");
    holder.exec("BEGIN IMMEDIATE").unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let db = open(&url).unwrap();
            let order = order.clone();
            let (tell, asks) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                tell.send(()).unwrap();
                db.exec("BEGIN IMMEDIATE").unwrap();
                order.lock().unwrap().push(number);
                db.exec("INSERT INTO t VALUES(1); COMMIT").unwrap();
                db.close().unwrap();
            });
            // On a busy machine a thread may start late.
            asks.recv().unwrap();
            settle();
            thread
        })
        .collect();
    assert!(order.lock().unwrap().is_empty());
    holder.exec("COMMIT").unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
    holder.close().unwrap();
}

#[test]
fn a_newcomer_does_not_overtake_and_who_commits_goes_to_the_end() {
    let dir = Dir::new();
    let (url, first) = created(&dir, "busy_timeout=20s");
    let done = Arc::new(AtomicBool::new(false));
    first.exec("BEGIN IMMEDIATE").unwrap();
    let waiter = {
        let (db, done) = (open(&url).unwrap(), done.clone());
        std::thread::spawn(move || {
            db.exec("BEGIN IMMEDIATE").unwrap();
            done.store(true, Ordering::SeqCst);
            db.exec("COMMIT").unwrap();
            db.close().unwrap();
        })
    };
    settle();
    // The one who has the lock asks for it again at once: the other one waits and is next, however late it wakes up.
    first.exec("COMMIT").unwrap();
    first.exec("BEGIN IMMEDIATE").unwrap();
    assert!(done.load(Ordering::SeqCst), "the waiter was overtaken");
    first.exec("COMMIT").unwrap();
    waiter.join().unwrap();
    first.close().unwrap();
}

#[test]
fn a_timeout_is_kept_to_a_tenth_of_a_second_alone_and_in_line() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=400");
    holder.exec("BEGIN IMMEDIATE").unwrap();
    // A machine that is busy with something else may wake a thread late; not every time.
    let mut latest = Vec::new();
    for _ in 0..3 {
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let db = open(&url).unwrap();
                std::thread::spawn(move || {
                    let (result, took) = timed(|| db.exec("BEGIN IMMEDIATE"));
                    db.close().unwrap();
                    (result.unwrap_err(), took)
                })
            })
            .collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for (error, took) in &ended {
            let busy = error.busy().unwrap();
            assert_eq!(busy.kind, BusyKind::Timeout, "{error}");
            assert!(busy.waited >= Duration::from_millis(400) && busy.waited <= *took, "{:?} of {took:?}", busy.waited);
            assert!(
                error.message().contains(&format!("SQLITE_BUSY, waited {} ms", busy.waited.as_millis())),
                "{error}"
            );
        }
        latest.push(ended.into_iter().map(|(_, took)| took).max().unwrap());
    }
    assert!(latest.iter().any(|took| *took < Duration::from_millis(500)), "{latest:?}");
    holder.exec("COMMIT").unwrap();
    holder.close().unwrap();
}

#[test]
fn an_interrupt_ends_a_wait_at_the_head_of_the_line_and_behind_it() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=20s");
    holder.exec("BEGIN IMMEDIATE").unwrap();
    let (head, behind) = (open(&url).unwrap(), open(&url).unwrap());
    let waits = |db: &Arc<Connection>| {
        let db = db.clone();
        let thread = std::thread::spawn(move || timed(|| db.exec("BEGIN IMMEDIATE")));
        settle();
        thread
    };
    let threads = (waits(&head), waits(&behind));
    for (db, thread) in [(&behind, threads.1), (&head, threads.0)] {
        db.interrupt();
        let (ended, took) = timed(|| thread.join().unwrap());
        let error = ended.0.unwrap_err();
        assert_eq!(error.code(), sqlite::SQLITE_INTERRUPT, "{error}");
        assert!(error.message().contains("write lock held"), "{error}");
        assert!(took < Duration::from_millis(200), "{took:?}");
    }
    holder.exec("COMMIT").unwrap();
    // What was interrupted is over: both get the lock now.
    for db in [&head, &behind] {
        db.exec("BEGIN IMMEDIATE; COMMIT").unwrap();
        db.close().unwrap();
    }
    holder.close().unwrap();
}

#[test]
fn one_thread_with_two_connections_times_out_and_is_told_that_it_waits_for_itself() {
    let dir = Dir::new();
    let (url, first) = created(&dir, "busy_timeout=300");
    let second = open(&url).unwrap();
    first.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
    for sql in ["BEGIN IMMEDIATE", "INSERT INTO t VALUES(2)"] {
        let (result, took) = timed(|| second.exec(sql));
        let error = result.unwrap_err();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(600), "{took:?}");
        assert_eq!(error.busy().unwrap().kind, BusyKind::Timeout);
        assert!(error.message().contains("of this very thread"), "{error}");
    }
    // Marked as a transaction that goes on while the thread does something else, it is not waited for at all.
    first.set_async_transaction(true);
    let (result, took) = timed(|| second.exec("BEGIN IMMEDIATE"));
    let error = result.unwrap_err();
    assert!(took < Duration::from_millis(100), "{took:?}");
    assert_eq!(error.busy().unwrap().kind, BusyKind::OwnAsyncTransaction, "{error}");
    // Another thread may wait for it.
    let (result, took) =
        std::thread::scope(|scope| scope.spawn(|| timed(|| second.exec("BEGIN IMMEDIATE"))).join().unwrap());
    assert_eq!(result.unwrap_err().busy().unwrap().kind, BusyKind::Timeout);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    first.set_async_transaction(false);
    first.exec("COMMIT").unwrap();
    second.exec("INSERT INTO t VALUES(2)").unwrap();
    first.close().unwrap();
    second.close().unwrap();
}

/// Without a WAL a reader stands in a writer's way, with one it does not, whatever the URL asked for.
#[test]
fn a_marked_reader_is_told_by_the_journal_that_is_in_use() {
    for journal in ["delete", "wal"] {
        let dir = Dir::new();
        let (url, first) = created(&dir, "busy_timeout=300&journal_mode=wal");
        let second = open(&url).unwrap();
        if journal == "delete" {
            second.close().unwrap();
            first.exec("PRAGMA journal_mode=delete").unwrap();
        }
        let second = if journal == "delete" {
            open(&url.replace("journal_mode=wal", "journal_mode=delete")).unwrap()
        } else {
            open(&url).unwrap()
        };
        first.exec("BEGIN").unwrap();
        first.exec("SELECT count(*) FROM t").unwrap();
        first.set_async_transaction(true);
        let (result, took) = timed(|| second.exec("INSERT INTO t VALUES(2)"));
        if journal == "delete" {
            let error = result.unwrap_err();
            assert!(took < Duration::from_millis(200), "{took:?}");
            assert_eq!(error.busy().unwrap().kind, BusyKind::OwnAsyncTransaction, "{error}");
        } else {
            result.unwrap();
        }
        first.set_async_transaction(false);
        first.exec("COMMIT").unwrap();
        second.exec("INSERT INTO t VALUES(3)").unwrap();
        first.close().unwrap();
        second.close().unwrap();
    }
}

#[test]
fn an_upgrade_is_refused_at_once_and_carries_no_older_wait() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=5000");
    let db = open(&url).unwrap();
    holder.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
    // It waits, and gets the lock.
    let waiter = {
        let db = db.clone();
        std::thread::spawn(move || timed(|| db.exec("BEGIN IMMEDIATE; COMMIT")))
    };
    std::thread::sleep(Duration::from_millis(150));
    holder.exec("COMMIT").unwrap();
    let (waited, took) = waiter.join().unwrap();
    waited.unwrap();
    assert!(took >= Duration::from_millis(50));
    // Now it reads, another one writes, and it wants to write as well.
    holder.exec("BEGIN IMMEDIATE").unwrap();
    let (result, took) = timed(|| db.exec("BEGIN; SELECT * FROM t; INSERT INTO t VALUES(2)"));
    let error = result.unwrap_err();
    assert_eq!(
        (error.busy().unwrap().kind, error.busy().unwrap().waited),
        (BusyKind::Upgrade, Duration::ZERO),
        "{error}"
    );
    assert!(took < Duration::from_millis(100), "{took:?}");
    holder.exec("INSERT INTO t VALUES(3); COMMIT").unwrap();
    let error = db.exec("INSERT INTO t VALUES(2)").unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(
        (error.busy().unwrap().kind, error.busy().unwrap().waited),
        (BusyKind::Upgrade, Duration::ZERO),
        "{error}"
    );
    db.exec("ROLLBACK").unwrap();
    db.close().unwrap();
    holder.close().unwrap();
}

#[test]
fn a_reader_does_not_stand_in_line_and_a_temporary_table_hardly() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=5000");
    let db = open(&url).unwrap();
    db.exec("CREATE TEMP TABLE own(a)").unwrap();
    holder.exec("BEGIN IMMEDIATE").unwrap();
    let waiter = {
        let db = open(&url).unwrap();
        std::thread::spawn(move || {
            db.exec("BEGIN IMMEDIATE; COMMIT").unwrap();
            db.close().unwrap();
        })
    };
    settle();
    for sql in ["SELECT * FROM t", "INSERT INTO own VALUES(1)"] {
        let (result, took) = timed(|| db.exec(sql));
        result.unwrap();
        assert!(took < Duration::from_millis(100), "{sql}: {took:?}");
    }
    holder.exec("COMMIT").unwrap();
    waiter.join().unwrap();
    db.close().unwrap();
    holder.close().unwrap();
}

#[test]
fn a_rollback_journals_commit_does_not_wait_behind_those_who_wait_for_it() {
    let dir = Dir::new();
    let (url, writer) = created(&dir, "busy_timeout=5000&journal_mode=delete");
    let reader = open(&url).unwrap();
    reader.exec("BEGIN; SELECT * FROM t").unwrap();
    writer.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)").unwrap();
    let next = {
        let db = open(&url).unwrap();
        std::thread::spawn(move || {
            db.exec("INSERT INTO t VALUES(2)").unwrap();
            db.close().unwrap();
        })
    };
    settle();
    // The commit has to wait for the reader; the next writer, first in line, waits for the commit.
    let commit = std::thread::spawn(move || {
        let (result, took) = timed(|| writer.exec("COMMIT"));
        writer.close().unwrap();
        (result, took)
    });
    settle();
    reader.exec("COMMIT").unwrap();
    let (result, took) = commit.join().unwrap();
    result.unwrap();
    assert!(took < Duration::from_secs(2), "{took:?}");
    next.join().unwrap();
    reader.close().unwrap();
}

#[test]
fn the_pragma_answers_the_timeout_in_force_and_leaves_fair_waiting_in_place() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=700");
    let db = open(&url).unwrap();
    let ask = |sql: &str| {
        let rows = db.query(sql, None).unwrap();
        let table = rows.table();
        assert_eq!((table.columns(), table.rows(), table.name(0)), (1, 1, b"timeout".as_slice()));
        match table.cell(0, 0) {
            Cell::Int(ms) => ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask("PRAGMA busy_timeout"), 700);
    assert_eq!(ask("PRAGMA busy_timeout = 250"), 250);
    db.exec("SELECT 1; PRAGMA busy_timeout = 350; SELECT 2").unwrap();
    assert_eq!(ask("PRAGMA main.busy_timeout"), 350);
    holder.exec("BEGIN IMMEDIATE").unwrap();
    let (result, took) = timed(|| db.exec("BEGIN IMMEDIATE"));
    // Only our handler knows how long it waited.
    let waited = result.unwrap_err().busy().unwrap().waited;
    assert!(waited >= Duration::from_millis(350) && took < Duration::from_millis(450), "{waited:?} of {took:?}");
    holder.exec("COMMIT").unwrap();
    db.close().unwrap();
    holder.close().unwrap();
}

#[test]
fn a_long_wait_is_told_with_its_outcome_and_who_was_in_the_way() {
    let dir = Dir::new();
    let (url, holder) = created(&dir, "busy_timeout=400");
    let db = Connection::open(Some(&url), &Options::new()).unwrap();
    let heard = Arc::new(Mutex::new(Vec::<Event>::new()));
    let sink = heard.clone();
    db.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.clone())));
    db.exec("INSERT INTO t VALUES(1)").unwrap();
    assert!(heard.lock().unwrap().is_empty());
    holder.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(2)").unwrap();
    db.exec("BEGIN IMMEDIATE").unwrap_err();
    let waiter = std::thread::spawn(move || {
        db.exec("BEGIN IMMEDIATE; COMMIT").unwrap();
        db.close().unwrap();
    });
    std::thread::sleep(Duration::from_millis(200));
    holder.exec("COMMIT").unwrap();
    waiter.join().unwrap();
    let heard = heard.lock().unwrap();
    let waits: Vec<_> = heard.iter().filter(|event| event.name.as_str() == "busy_wait").collect();
    assert_eq!(waits.len(), 2, "{heard:?}");
    for (event, outcome) in waits.iter().zip(["refused", "granted"]) {
        assert_eq!(event.get("outcome"), Some(&EventValue::Text(outcome.into())));
        assert!(matches!(event.get("waited_ms"), Some(EventValue::Int(100..))), "{event:?}");
        let Some(EventValue::Text(holders)) = event.get("holders") else { panic!("{event:?}") };
        assert!(holders.contains("INSERT INTO t VALUES(2)"), "{holders}");
    }
    holder.close().unwrap();
}
