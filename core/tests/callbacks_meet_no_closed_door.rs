//! Whatever SQLite or litekeel calls back may call in: it is answered or refused, and never waits for itself.

mod common;

use std::ffi::c_void;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Dir, exec, open};
use litekeel_core::{Connection, sqlite};

/// Fails when `body` is not done in time: a call that waits for itself waits for ever.
fn in_time(body: impl FnOnce() + Send + 'static) {
    let (done, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if told.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("a call still waits after 20 s");
    }
    thread.join().unwrap();
}

struct Hook {
    connection: Arc<Connection>,
    codes: Mutex<Vec<i32>>,
}

unsafe extern "C" fn on_rollback(context: *mut c_void) {
    // SAFETY: the test's hook, which outlives the connection.
    let hook = unsafe { &*context.cast::<Hook>() };
    let mut codes = hook.codes.lock().unwrap();
    codes.push(hook.connection.exec("SELECT 1").map_or_else(|error| error.code(), |()| 0));
    codes.push(hook.connection.close().map_or_else(|error| error.code(), |_| 0));
}

#[test]
fn a_callback_of_the_close_itself_is_refused_and_waits_for_nobody() {
    in_time(|| {
        let dir = Dir::new();
        let connection = open(&dir.url("a.db")).unwrap();
        exec(&connection, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)");
        let hook = Box::new(Hook { connection: connection.clone(), codes: Mutex::default() });
        // SAFETY: the hook lives until after close.
        unsafe {
            let context = std::ptr::from_ref(&*hook).cast_mut().cast();
            sqlite::sqlite3_rollback_hook(connection.lock().unwrap().raw(), Some(on_rollback), context);
        }
        assert!(connection.close().unwrap().rolled_back);
        assert_eq!(*hook.codes.lock().unwrap(), [sqlite::SQLITE_MISUSE; 2]);
    });
}

#[test]
fn an_event_of_the_close_is_delivered_when_nothing_is_locked() {
    in_time(|| {
        let dir = Dir::new();
        let connection = open(&dir.url("a.db")).unwrap();
        exec(
            &connection,
            "CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1),(2),(3); SELECT * FROM t",
        );
        let codes = Arc::new(Mutex::new(Vec::new()));
        let (sink, inner) = (codes.clone(), Arc::downgrade(&connection));
        connection.on_event(Arc::new(move |event| {
            let code = inner.upgrade().unwrap().exec("SELECT 1").unwrap_err().code();
            sink.lock().unwrap().push((event.name.as_str(), code));
        }));
        // The next write transaction, which is that of `PRAGMA optimize` at close, looks at the files again.
        std::fs::rename(dir.file("a.db"), dir.file("b.db")).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        connection.close().unwrap();
        assert_eq!(*codes.lock().unwrap(), [("unhealthy", litekeel_core::codes::CLOSED)]);
    });
}

/// What a function of the application's does inside a statement; taken at its first call.
type Inside = Mutex<Option<Box<dyn FnOnce() + Send>>>;

unsafe extern "C" fn run_inside(context: *mut sqlite::sqlite3_context, _: i32, _: *mut *mut sqlite::sqlite3_value) {
    // SAFETY: the function's own context, and the test's closure, which outlives the connection.
    unsafe {
        let inside = &*sqlite::sqlite3_user_data(context).cast::<Inside>();
        if let Some(act) = inside.lock().unwrap().take() {
            act();
        }
        sqlite::sqlite3_result_int(context, 1);
    }
}

/// Makes `inside()` a function of the connection, which does that once.
fn function(connection: &Connection, act: impl FnOnce() + Send + 'static) -> Box<Inside> {
    let inside: Box<Inside> = Box::new(Mutex::new(Some(Box::new(act))));
    // SAFETY: the closure lives as long as the caller keeps it.
    unsafe {
        let context = std::ptr::from_ref(&*inside).cast_mut().cast();
        let raw = connection.lock().unwrap().raw();
        let (name, utf8) = (c"inside".as_ptr(), sqlite::SQLITE_UTF8);
        let rc = sqlite::sqlite3_create_function_v2(raw, name, 0, utf8, context, Some(run_inside), None, None, None);
        assert_eq!(rc, sqlite::SQLITE_OK);
    }
    inside
}

#[test]
fn rows_freed_in_a_callback_keep_no_read_transaction_open() {
    let dir = Dir::new();
    let connection = open(&dir.url("a.db")).unwrap();
    exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3)");
    let (_, stream) = connection.stream("SELECT a FROM t", None, 1).unwrap();
    let inside = function(&connection, move || drop(stream));
    exec(&connection, "SELECT inside()");
    assert!(inside.lock().unwrap().is_none());
    // Nothing is read any more: it may get another owner, and the WAL can be emptied.
    connection.retain().unwrap().close().unwrap();
    assert_eq!(connection.checkpoint(sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap(), (0, 0));
    assert!(connection.close().unwrap().wal_removed);
}

#[test]
fn an_owner_released_in_a_callback_leaves_when_the_call_is_over() {
    let dir = Dir::new();
    let connection = open(&dir.url("a.db")).unwrap();
    let other = connection.retain().unwrap();
    let inside = function(&connection, move || other.release());
    exec(&connection, "SELECT inside()");
    assert!(inside.lock().unwrap().is_none());
    let report = connection.close().unwrap();
    assert_eq!((report.owners_left, report.wal_removed), (0, true));
}

#[test]
fn who_asks_for_the_shared_connection_inside_it_gets_no_second_one() {
    let dir = Dir::new();
    let url = dir.url("a.db?share=1");
    let connection = open(&url).unwrap();
    let (told, code) = mpsc::channel();
    let again = url.clone();
    let inside = function(&connection, move || {
        told.send(open(&again).map_or_else(|error| error.code(), |_| 0)).unwrap();
    });
    exec(&connection, "SELECT inside()");
    assert_eq!(code.recv().unwrap(), sqlite::SQLITE_MISUSE);
    assert!(Arc::ptr_eq(&open(&url).unwrap(), &connection));
    assert_eq!(connection.close().unwrap().owners_left, 1);
    assert!(connection.close().unwrap().wal_removed && inside.lock().unwrap().is_none());
}
