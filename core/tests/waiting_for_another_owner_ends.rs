//! A call that waits for another owner's on the same connection ends with its thread's limit, and with its thread.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::get;
use litekeel_core::{CallLimit, Connection, Options, end_waits_when, limit_calls, sqlite};

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// Runs `during` while another thread is in a call that does not end by itself; returns whether that call was still going on.
fn beside_a_call(db: &Arc<Connection>, during: impl FnOnce()) -> bool {
    let ended = Arc::new(AtomicBool::new(false));
    let runs = {
        let (db, ended) = (db.clone(), ended.clone());
        std::thread::spawn(move || {
            assert_eq!(db.exec(ENDLESS).unwrap_err().code() & 0xff, sqlite::SQLITE_INTERRUPT);
            ended.store(true, Ordering::Release);
        })
    };
    // Ends it where the other one waits without end, so that the test fails instead of hanging.
    let (done, over) = std::sync::mpsc::channel::<()>();
    let watch = {
        let db = db.clone();
        std::thread::spawn(move || {
            let _ = over.recv_timeout(Duration::from_secs(60));
            while !ended.load(Ordering::Acquire) {
                db.interrupt();
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    while db.lock_for_teardown(Some(Duration::ZERO)).is_some() {
        std::thread::yield_now();
    }
    during();
    let goes_on = !runs.is_finished();
    drop(done);
    runs.join().unwrap();
    watch.join().unwrap();
    goes_on
}

fn open() -> Arc<Connection> {
    let db = Connection::open(Some(":memory:"), &Options::new()).unwrap();
    db.exec("CREATE TABLE t(a)").unwrap();
    db
}

#[test]
fn a_call_ends_with_its_limit() {
    let db = open();
    let goes_on = beside_a_call(&db, || {
        let _limit = limit_calls(Duration::from_millis(50));
        let began = Instant::now();
        let error = db.exec("INSERT INTO t VALUES(1)").unwrap_err();
        assert!(began.elapsed() >= Duration::from_millis(50));
        assert_eq!(error.code(), sqlite::SQLITE_INTERRUPT, "{error}");
        assert!(
            error.message().contains("its timeout of 50 ms") && error.message().contains("another owner"),
            "{error}"
        );
    });
    assert!(goes_on);
    db.exec("INSERT INTO t VALUES(2)").unwrap();
    assert_eq!(get(&db, "SELECT group_concat(a) FROM t"), "2");
    assert_eq!(db.close().unwrap().owners_left, 0);
}

#[test]
fn a_call_ends_with_its_thread() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    let db = open();
    let goes_on = beside_a_call(&db, || {
        let waiter = db.clone();
        let waits = std::thread::spawn(move || {
            end_waits_when(|| ENDS.load(Ordering::Relaxed));
            waiter.exec("INSERT INTO t VALUES(1)").unwrap_err()
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waits.is_finished(), "nobody has ended it yet");
        ENDS.store(true, Ordering::Relaxed);
        let error = waits.join().unwrap();
        assert_eq!(error.code(), sqlite::SQLITE_INTERRUPT, "{error}");
        assert!(error.message().contains("with its thread"), "{error}");
    });
    assert!(goes_on);
    db.close().unwrap();
}

/// Nobody else gives up the part of a thread that ends, nor that of a handle that ends with its close.
#[test]
fn a_close_ends_neither_with_its_thread_nor_with_its_limit() {
    let ends = || {
        end_waits_when(|| true);
        None
    };
    let is_late = || {
        let limit = limit_calls(Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(2));
        Some(limit)
    };
    let close = |db: &Connection| assert_eq!(db.close().unwrap().owners_left, 1);
    for begin in [ends as fn() -> Option<CallLimit>, is_late] {
        for end in [close as fn(&Connection), Connection::release] {
            let db = open();
            let second = db.retain().unwrap();
            let closes = std::sync::Mutex::new(None);
            let goes_on = beside_a_call(&db, || {
                let thread = std::thread::spawn(move || {
                    let _limit = begin();
                    end(&second);
                });
                std::thread::sleep(Duration::from_millis(50));
                assert!(!thread.is_finished());
                *closes.lock().unwrap() = Some(thread);
            });
            assert!(goes_on);
            closes.into_inner().unwrap().unwrap().join().unwrap();
            assert_eq!(db.close().unwrap().owners_left, 0);
        }
    }
}

/// Nor does anybody else end what was being read: it would keep its read transaction until the connection is closed.
#[test]
fn rows_end_where_the_wait_for_them_ends() {
    for asks_for_more in [false, true] {
        let db = open();
        db.exec("INSERT INTO t VALUES(1), (2), (3)").unwrap();
        let (_, mut rows) = db.stream("SELECT a FROM t", None, 1).unwrap();
        let goes_on = beside_a_call(&db, || {
            let _limit = limit_calls(Duration::from_millis(1));
            std::thread::sleep(Duration::from_millis(2));
            if asks_for_more {
                assert_eq!(rows.next_batch().unwrap_err().code(), sqlite::SQLITE_INTERRUPT);
            }
            drop(rows);
        });
        assert!(goes_on);
        db.exec("DROP TABLE t").expect("no statement reads it any more");
        db.close().unwrap();
    }
}

#[test]
fn who_has_no_limit_or_a_long_one_waits() {
    let db = open();
    for limit in [None, Some(Duration::from_secs(600))] {
        let waits = std::sync::Mutex::new(None);
        let goes_on = beside_a_call(&db, || {
            let waiter = db.clone();
            let thread = std::thread::spawn(move || {
                let _limit = limit.map(limit_calls);
                waiter.exec("INSERT INTO t VALUES(1)")
            });
            std::thread::sleep(Duration::from_millis(50));
            assert!(!thread.is_finished());
            *waits.lock().unwrap() = Some(thread);
        });
        assert!(goes_on);
        waits.into_inner().unwrap().unwrap().join().unwrap().unwrap();
    }
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "2");
    db.close().unwrap();
}

/// Who makes one call after the other leaves the connection free for a few microseconds at a time.
#[test]
fn who_waits_is_not_passed_again_and_again() {
    const WAITS: u32 = 20;
    const CALLS: u32 = 50 * WAITS;
    let db = open();
    let (calls, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let busy = {
        let (db, calls, done) = (db.clone(), calls.clone(), done.clone());
        std::thread::spawn(move || {
            let sql = ENDLESS.replace("FROM n)", "FROM n LIMIT 5000)");
            while calls.load(Ordering::Relaxed) < CALLS && !done.load(Ordering::Acquire) {
                db.exec(&sql).unwrap();
                calls.fetch_add(1, Ordering::Release);
            }
        })
    };
    for _ in 0..WAITS {
        // Until the other one has come to its next call.
        let before = calls.load(Ordering::Acquire);
        while calls.load(Ordering::Acquire) == before && before < CALLS {
            std::thread::yield_now();
        }
        let _limit = limit_calls(Duration::from_secs(600));
        db.exec("INSERT INTO t VALUES(1)").unwrap();
    }
    done.store(true, Ordering::Release);
    busy.join().unwrap();
    let calls = calls.load(Ordering::Relaxed);
    assert!(calls < CALLS, "{calls} calls went first");
    db.close().unwrap();
}
