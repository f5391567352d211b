//! What open + verify + close costs, against a bare `sqlite3_open_v2` with the same pragmas and `sqlite3_close`.
//!
//! The two alternate within every round, so that a busy machine slows both alike; the figure is the median
//! ratio. Processor time is that of all threads, and leaves out what others do on the machine.

use std::ffi::CString;
use std::hint::black_box;
use std::ptr;

use litekeel_core::{Connection, Options, sqlite};

const ROUNDS: usize = 400;

/// The production profile by hand, with the first read that every program makes.
const PRAGMAS: &str = "SELECT count(*) FROM sqlite_schema; PRAGMA journal_mode=wal; PRAGMA synchronous=1; \
    PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=1000; PRAGMA cache_size=-64000; PRAGMA mmap_size=0; \
    PRAGMA temp_store=0; PRAGMA foreign_keys=1;";

/// Time, and processor time of the process, in microseconds.
#[derive(Clone, Copy)]
struct Clock {
    wall: f64,
    processor: f64,
}

impl Clock {
    fn now() -> Clock {
        let read = |clock| {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: writes the struct; both clocks exist.
            unsafe { libc::clock_gettime(clock, &mut time) };
            time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
        };
        Clock { wall: read(libc::CLOCK_MONOTONIC), processor: read(libc::CLOCK_PROCESS_CPUTIME_ID) }
    }

    fn elapsed(self) -> Clock {
        let now = Clock::now();
        Clock { wall: now.wall - self.wall, processor: now.processor - self.processor }
    }
}

fn bare(path: &CString, pragmas: &CString) -> Clock {
    let began = Clock::now();
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

fn tuned(url: &str, options: &Options) -> Clock {
    let began = Clock::now();
    let db = Connection::open(Some(url), options).expect("open");
    black_box(db.close().expect("close"));
    began.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("a.db");
    let url = format!("file:{}", path.display());
    let options = Options::new();
    let db = Connection::open(Some(&url), &options).expect("open");
    db.lock().unwrap().sqlite().execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)").expect("schema");
    db.close().expect("close");
    let name = CString::new(path.to_str().expect("a UTF-8 path")).unwrap();
    let pragmas = CString::new(PRAGMAS).unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Who goes first alternates too.
        if round % 2 == 0 {
            ours.push(tuned(&url, &options));
            theirs.push(bare(&name, &pragmas));
        } else {
            theirs.push(bare(&name, &pragmas));
            ours.push(tuned(&url, &options));
        }
    }
    for (what, figure) in
        [("time", (|clock: &Clock| clock.wall) as fn(&Clock) -> f64), ("processor time", |clock| clock.processor)]
    {
        let of = |clocks: &[Clock]| median(clocks.iter().map(figure).collect());
        let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| figure(ours) / figure(theirs)).collect();
        println!(
            "{what}: open + verify + close {:.0} µs, bare open + pragmas + close {:.0} µs, median ratio {:.2} ({ROUNDS} rounds)",
            of(&ours),
            of(&theirs),
            median(ratios)
        );
    }
}
