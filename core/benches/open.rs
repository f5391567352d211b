//! What open + verify + close costs, against a bare `sqlite3_open_v2` with the same pragmas and `sqlite3_close`.
//!
//! The two alternate within every round, so that a busy machine slows both alike; the figure is the median ratio.

use std::ffi::CString;
use std::hint::black_box;
use std::ptr;
use std::time::{Duration, Instant};

use litekeel_core::{Connection, Options, sqlite};

const ROUNDS: usize = 400;

/// The production profile by hand, with the first read that every program makes.
const PRAGMAS: &str = "SELECT count(*) FROM sqlite_schema; PRAGMA journal_mode=wal; PRAGMA synchronous=1; \
    PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=1000; PRAGMA cache_size=-64000; PRAGMA mmap_size=0; \
    PRAGMA temp_store=0; PRAGMA foreign_keys=1;";

fn bare(path: &CString, pragmas: &CString) -> Duration {
    let began = Instant::now();
    // SAFETY: a handle of this function's own, closed at its end.
    unsafe {
        let mut db = ptr::null_mut();
        let flags = sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE | sqlite::SQLITE_OPEN_NOMUTEX;
        assert_eq!(sqlite::sqlite3_open_v2(path.as_ptr(), &mut db, flags, ptr::null()), sqlite::SQLITE_OK);
        sqlite::sqlite3_busy_timeout(db, 5000);
        let rc = sqlite::sqlite3_exec(db, pragmas.as_ptr(), None, ptr::null_mut(), ptr::null_mut());
        assert_eq!(rc, sqlite::SQLITE_OK);
        assert_eq!(sqlite::sqlite3_close(db), sqlite::SQLITE_OK);
    }
    began.elapsed()
}

fn tuned(url: &str, options: &Options) -> Duration {
    let began = Instant::now();
    let db = Connection::open(Some(url), options).expect("open");
    black_box(db.close().expect("close"));
    began.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let path = std::env::temp_dir().join(format!("litekeel-bench-{}.db", std::process::id()));
    let url = format!("file:{}", path.display());
    let options = Options::new();
    let db = Connection::open(Some(&url), &options).expect("open");
    db.lock().unwrap().sqlite().execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)").expect("schema");
    db.close().expect("close");
    let name = CString::new(path.to_str().expect("a UTF-8 path")).unwrap();
    let pragmas = CString::new(PRAGMAS).unwrap();
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Who goes first alternates too.
        let (a, b) = if round % 2 == 0 {
            let a = tuned(&url, &options);
            (a, bare(&name, &pragmas))
        } else {
            let b = bare(&name, &pragmas);
            (tuned(&url, &options), b)
        };
        ours.push(a.as_secs_f64() * 1e6);
        theirs.push(b.as_secs_f64() * 1e6);
        ratios.push(a.as_secs_f64() / b.as_secs_f64());
    }
    let _ = std::fs::remove_file(&path);
    println!(
        "open + verify + close {:.0} µs, bare open + pragmas + close {:.0} µs, median ratio {:.2} ({ROUNDS} rounds)",
        median(ours),
        median(theirs),
        median(ratios)
    );
}
