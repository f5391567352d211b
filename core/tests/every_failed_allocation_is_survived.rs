//! Every allocation of SQLite's fails, in turn, through open, migrate, write, query and close: nobody crashes, the failure
//! is reported, no memory stays behind, and the next try works.

mod common;

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use common::{Dir, get, open};
use litekeel_core::{Error, sqlite};

/// How many allocations still succeed; below 0: no limit.
static LEFT: AtomicI64 = AtomicI64::new(-1);
static FAILED: AtomicBool = AtomicBool::new(false);
/// Bytes that SQLite holds. It is counted here: SQLite's own statistics are compiled out.
static HELD: AtomicI64 = AtomicI64::new(0);

const HEAD: usize = 16;

fn refused() -> bool {
    let refuse = LEFT.load(Ordering::Relaxed) == 0;
    if LEFT.load(Ordering::Relaxed) > 0 {
        LEFT.fetch_sub(1, Ordering::Relaxed);
    }
    if refuse {
        FAILED.store(true, Ordering::Relaxed);
    }
    refuse
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size + HEAD, HEAD).unwrap()
}

unsafe extern "C" fn x_malloc(size: c_int) -> *mut c_void {
    if refused() {
        return ptr::null_mut();
    }
    // SAFETY: the size is not zero with its head, which remembers it for `x_size`.
    unsafe {
        let block = alloc(layout(size as usize));
        block.cast::<usize>().write(size as usize);
        HELD.fetch_add(size.into(), Ordering::Relaxed);
        block.add(HEAD).cast()
    }
}

unsafe extern "C" fn x_size(block: *mut c_void) -> c_int {
    // SAFETY: a block of `x_malloc`, or null.
    if block.is_null() { 0 } else { unsafe { block.cast::<u8>().sub(HEAD).cast::<usize>().read() as c_int } }
}

unsafe extern "C" fn x_free(block: *mut c_void) {
    // SAFETY: a block of `x_malloc`.
    unsafe {
        let size = x_size(block);
        HELD.fetch_sub(size.into(), Ordering::Relaxed);
        dealloc(block.cast::<u8>().sub(HEAD), layout(size as usize));
    }
}

unsafe extern "C" fn x_realloc(block: *mut c_void, size: c_int) -> *mut c_void {
    if refused() {
        return ptr::null_mut();
    }
    // SAFETY: a block of `x_malloc`; the head moves with it.
    unsafe {
        let old = x_size(block);
        let block = realloc(block.cast::<u8>().sub(HEAD), layout(old as usize), size as usize + HEAD);
        block.cast::<usize>().write(size as usize);
        HELD.fetch_add(i64::from(size - old), Ordering::Relaxed);
        block.add(HEAD).cast()
    }
}

unsafe extern "C" fn x_roundup(size: c_int) -> c_int {
    (size + 7) & !7
}

unsafe extern "C" fn x_init(_: *mut c_void) -> c_int {
    sqlite::SQLITE_OK
}

unsafe extern "C" fn x_shutdown(_: *mut c_void) {}

fn work(dir: &Dir) -> Result<(), Error> {
    let db = open(&dir.url("a.db?checkpoint=auto&busy_timeout=0"))?;
    let outcome = (|| {
        db.exec("DROP TABLE IF EXISTS t; CREATE TABLE t(n INTEGER PRIMARY KEY, body TEXT); CREATE INDEX i ON t(body)")?;
        db.exec_atomic("INSERT INTO t(body) VALUES (hex(randomblob(2000))), ('b')")?;
        db.query("SELECT body, count(*) OVER () FROM t ORDER BY body DESC LIMIT 5", None)?;
        db.checkpoint(sqlite::SQLITE_CHECKPOINT_PASSIVE).map(drop)
    })();
    let closed = db.close().map(drop);
    outcome.and(closed)
}

#[test]
fn from_open_to_close() {
    let methods = sqlite::sqlite3_mem_methods {
        xMalloc: Some(x_malloc),
        xFree: Some(x_free),
        xRealloc: Some(x_realloc),
        xSize: Some(x_size),
        xRoundup: Some(x_roundup),
        xInit: Some(x_init),
        xShutdown: Some(x_shutdown),
        pAppData: ptr::null_mut(),
    };
    // SAFETY: before SQLite is used in this process; it copies the table.
    let rc = unsafe { sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MALLOC, &raw const methods) };
    assert_eq!(rc, sqlite::SQLITE_OK);

    let dir = Dir::new();
    work(&dir).unwrap();
    work(&dir).unwrap();
    // What SQLite keeps for good (the list of VFSes, the page cache's shared part) is there now.
    let kept = HELD.load(Ordering::Relaxed);
    let mut reported = 0;
    for n in 0.. {
        FAILED.store(false, Ordering::Relaxed);
        LEFT.store(n, Ordering::Relaxed);
        let outcome = work(&dir);
        LEFT.store(-1, Ordering::Relaxed);
        let held = HELD.load(Ordering::Relaxed);
        assert!(held <= kept, "allocation {n}: {} bytes stayed behind ({outcome:?})", held - kept);
        if !FAILED.load(Ordering::Relaxed) {
            outcome.unwrap();
            println!("{n} allocations, {reported} failures were reported");
            break;
        }
        if let Err(error) = outcome {
            reported += 1;
            assert!(!error.message().is_empty(), "allocation {n}: {error:?}");
        }
        // The next try works: nothing is left in the way.
        if n % 16 == 0 {
            work(&dir).unwrap_or_else(|error| panic!("after allocation {n}: {error}"));
        }
    }
    assert!(reported > 100, "only {reported} failures: the fault does not reach SQLite");
    let db = open(&dir.url("a.db?profile=test")).unwrap();
    assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
    db.close().unwrap();
}
