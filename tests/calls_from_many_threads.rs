//! Random calls of the C ABI from several threads on the same tokens, ended ones among them: nothing crashes or hangs, and
//! nothing is left at the end.
//!
//! `SEED` repeats a run as far as threads allow, `CALLS` or `LITEKEEL_LONG=1` make it longer.
#![cfg(target_os = "linux")]

mod random;

use std::ptr::null_mut;
use std::sync::Mutex;

use litekeel::ffi::*;
use random::*;

/// The tokens of all threads.
struct Shared(Mutex<Vec<usize>>);

#[test]
fn on_many_threads_nothing_crashes_or_hangs() {
    let dir = Dir::new("many");
    prepare(&dir);
    let (before, seed) = (descriptors(), Random::new().0);
    let tokens = Shared(Mutex::new(Vec::new()));
    let each = calls(16_000) / 4;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (tokens, dir) = (&tokens, &dir);
            scope.spawn(move || hammer(Random((seed ^ (thread << 40)) | 1), tokens, dir, each));
        }
    });
    for db in tokens.0.into_inner().unwrap() {
        keel_release(db as *mut keel_db);
    }
    assert_eq!(keel_open_handles(), 0);
    assert_eq!(descriptors(), before);
    is_whole(&dir);
}

fn hammer(mut random: Random, tokens: &Shared, dir: &Dir, calls: usize) {
    let url = dir.url();
    let mut own: Vec<*mut keel_rows> = Vec::new();
    for _ in 0..calls {
        let known = tokens.0.lock().unwrap().clone();
        let picked = random.pick(&known).map_or(null_mut(), |db| db as *mut keel_db);
        let (mut db, mut rows) = (null_mut(), null_mut());
        let (sql, len) =
            text(["SELECT a FROM t", "INSERT INTO t VALUES(1, 2)", "DELETE FROM t WHERE a = 1"][random.below(3)]);
        // SAFETY: live texts and places; tokens may have been ended by another thread, which is what this is about.
        let code = unsafe {
            match random.below(12) {
                0 if known.len() < 8 => keel_open(text(&url).0, url.len(), &mut db, null_mut()),
                1 if known.len() < 8 => keel_sibling(picked, &mut db, null_mut()),
                2 if known.len() < 8 => keel_retain(picked, &mut db, null_mut()),
                // The token stays in the list for a while: others go on using it.
                0..=3 => keel_close(picked, null_mut()),
                4 => {
                    keel_interrupt(picked);
                    0
                }
                5 => keel_query(picked, sql, len, std::ptr::null(), 0, 1, &mut rows, null_mut()),
                6 => own.pop().map_or(0, |rows| {
                    let code = keel_rows_next(rows, null_mut());
                    keel_rows_free(rows);
                    if code == KEEL_ROW || code == KEEL_DONE { 0 } else { code }
                }),
                7 => keel_checkpoint(picked, 0, null_mut(), null_mut(), null_mut()),
                8 => keel_query(picked, sql, len, std::ptr::null(), 0, 0, &mut rows, null_mut()),
                _ => keel_exec(picked, sql, len, null_mut()),
            }
        };
        assert!(
            is_ordinary(code) || matches!(code, HANDLE | CLOSED | SHARED | IN_TRANSACTION) || code & 0xff == 4,
            "{code}"
        );
        assert!(code != PANIC && code != ERROR, "{code}");
        if !rows.is_null() {
            own.push(rows);
        }
        let mut list = tokens.0.lock().unwrap();
        if !db.is_null() {
            list.push(db as usize);
        } else if code == HANDLE {
            list.retain(|known| *known != picked as usize);
        }
    }
    own.into_iter().for_each(|rows| keel_rows_free(rows));
}
