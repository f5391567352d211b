//! The deadline of a call, a host's own hook beside it, and an application's handler when neither is set.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use litekeel_core::Cell;
use litekeel_core::{Connection, Options, sqlite};

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

fn memory() -> Arc<Connection> {
    Connection::open(Some(":memory:"), &Options::new()).unwrap()
}

#[test]
fn the_hook_and_the_deadline_work_side_by_side() {
    let db = memory();
    let asked = Arc::new(AtomicU32::new(0));
    let hook = asked.clone();
    db.set_progress(Some(Arc::new(move || hook.fetch_add(1, Ordering::Relaxed) > 1_000_000_000))).unwrap();
    db.set_timeout(Duration::from_millis(100)).unwrap();
    let began = Instant::now();
    let error = db.query(ENDLESS, None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_INTERRUPT);
    assert!(error.message().contains("100 ms"), "{error}");
    assert!((95..5000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert!(asked.load(Ordering::Relaxed) > 10, "the hook was asked too");
    // Without the timeout the hook decides alone.
    db.set_timeout(Duration::ZERO).unwrap();
    db.set_progress(Some(Arc::new(|| true))).unwrap();
    let error = db.query(ENDLESS, None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_INTERRUPT);
    assert!(!error.message().contains("ms"), "{error}");
    // A hook that panics ends the statement, not the process.
    db.set_progress(Some(Arc::new(|| panic!("a hook")))).unwrap();
    assert_eq!(db.query(ENDLESS, None).unwrap_err().code(), sqlite::SQLITE_INTERRUPT);
    db.set_progress(None).unwrap();
    assert_eq!(db.query("SELECT 1", None).unwrap().table().rows(), 1);
    db.close().unwrap();
}

unsafe extern "C" fn count(calls: *mut c_void) -> c_int {
    // SAFETY: the context is the counter below, which outlives the connection.
    unsafe { &*(calls as *const AtomicU32) }.fetch_add(1, Ordering::Relaxed);
    0
}

#[test]
fn without_either_the_place_is_the_applications() {
    let calls = AtomicU32::new(0);
    let db = memory();
    let context = std::ptr::from_ref(&calls) as *mut c_void;
    // SAFETY: the guard holds the connection, and the counter outlives it.
    unsafe { sqlite::sqlite3_progress_handler(db.lock().unwrap().raw(), 100, Some(count), context) };
    let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT sum(i) FROM n";
    db.set_timeout(Duration::ZERO).unwrap();
    db.query(long, None).unwrap();
    assert!(calls.load(Ordering::Relaxed) > 10);
    db.close().unwrap();
}

unsafe extern "C" fn inside(context: *mut sqlite::sqlite3_context, _: c_int, _: *mut *mut sqlite::sqlite3_value) {
    // SAFETY: the user data is the connection below, which outlives the function.
    unsafe {
        let inner = &*(sqlite::sqlite3_user_data(context) as *const Connection);
        let code = inner.query(ENDLESS, None).map_or_else(|error| error.code(), |_| 0);
        sqlite::sqlite3_result_int(context, code);
    }
}

/// A callback that uses a second connection is part of the call that it was made in.
#[test]
fn a_call_inside_a_call_cannot_outlast_it() {
    let (outer, inner) = (memory(), memory());
    outer.set_timeout(Duration::from_millis(100)).unwrap();
    inner.set_timeout(Duration::from_secs(600)).unwrap();
    // SAFETY: the guard holds the connection; `inner` lives until the end of the test.
    let rc = unsafe {
        sqlite::sqlite3_create_function_v2(
            outer.lock().unwrap().raw(),
            c"inside".as_ptr(),
            0,
            sqlite::SQLITE_UTF8 | sqlite::SQLITE_INNOCUOUS,
            Arc::as_ptr(&inner) as *mut c_void,
            Some(inside),
            None,
            None,
            None,
        )
    };
    assert_eq!(rc, sqlite::SQLITE_OK);
    let began = Instant::now();
    let rows = outer.query("SELECT inside()", None).unwrap();
    assert_eq!(rows.table().cell(0, 0), Cell::Int(sqlite::SQLITE_INTERRUPT.into()));
    assert!(began.elapsed() < Duration::from_secs(10));
    // Afterwards each has its own again.
    assert!(inner.query("SELECT 1", None).is_ok());
    outer.close().unwrap();
    inner.close().unwrap();
}

#[test]
fn a_limit_beyond_the_clock_is_none() {
    let db = memory();
    db.set_timeout(Duration::MAX).unwrap();
    assert_eq!(db.query("SELECT 1", None).unwrap().table().rows(), 1);
    db.close().unwrap();
}

#[test]
fn the_limit_that_is_told_is_the_one_that_ended_the_call() {
    let (outer, inner) = (memory(), memory());
    outer.set_timeout(Duration::from_millis(50)).unwrap();
    inner.set_timeout(Duration::from_secs(60)).unwrap();
    let guard = outer.lock().unwrap();
    let error = inner.query(ENDLESS, None).unwrap_err();
    assert!(error.message().contains("50 ms"), "{error}");
    drop(guard);
    outer.close().unwrap();
    inner.close().unwrap();
}

#[test]
fn a_limit_ends_with_its_call_in_whatever_order_calls_end() {
    let (first, second) = (memory(), memory());
    first.set_timeout(Duration::from_millis(20)).unwrap();
    second.set_timeout(Duration::from_secs(60)).unwrap();
    let one = first.lock().unwrap();
    let other = second.lock().unwrap();
    drop(one);
    std::thread::sleep(Duration::from_millis(30));
    assert!(!litekeel_core::deadline_has_passed());
    drop(other);
    assert!(!litekeel_core::deadline_has_passed());
    first.close().unwrap();
    second.close().unwrap();
}
