//! One owner of the lock at a time, whoever takes it away: by a VFS that keeps books of its calls.

use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use super::*;
use crate::vfs::switches::keep_read_locks_carelessly;

const SLOT: c_int = 3;

/// What the VFS knows of one connection.
#[derive(Default)]
struct Books {
    held: AtomicI64,
    at_work: AtomicBool,
    wrong: AtomicU64,
}

impl Books {
    fn expect(&self, right: bool) {
        self.wrong.fetch_add(u64::from(!right), Ordering::SeqCst);
    }

    fn call(&self, change: i64) {
        self.expect(!self.at_work.swap(true, Ordering::SeqCst));
        let before = self.held.fetch_add(change, Ordering::SeqCst);
        self.expect(before == i64::from(change < 0));
        std::hint::spin_loop();
        self.at_work.store(false, Ordering::SeqCst);
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite::sqlite3_file, _: c_int, _: c_int, flags: c_int) -> c_int {
    // SAFETY: the tests below give it their books as the file.
    let books = unsafe { &*file.cast::<Books>() };
    books.call(if flags & sqlite::SQLITE_SHM_LOCK != 0 { 1 } else { -1 });
    sqlite::SQLITE_OK
}

/// Each of the tests below keeps every processor busy.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn one_at_a_time() -> std::sync::MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a thread does that wants the lock away from its reader.
type Takes = fn(&Arc<KeptReadLock>);

/// Repeats `once`, while others take the lock away, until so many were taken or something was wrong: both numbers. On a busy
/// machine fewer are taken within a minute. `once` says whether the lock had been taken from it.
fn contended(
    times: u64,
    takes: &[Takes],
    mut once: impl FnMut(&Arc<KeptReadLock>, &Books, *mut sqlite::sqlite3_file) -> bool,
) -> (u64, u64) {
    let id = FileId { dev: u64::MAX, ino: u64::MAX };
    let lock = KeptReadLock::new(id, Arc::default());
    lock.is_of(shm_lock);
    lock.allow(true);
    let (books, over, mut taken) = (Books::default(), AtomicBool::new(false), 0);
    let file = (&raw const books).cast_mut().cast::<sqlite::sqlite3_file>();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for take in takes {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    take(&lock);
                }
            });
        }
        while taken < times && books.wrong.load(Ordering::SeqCst) == 0 && began.elapsed() <= Duration::from_secs(60) {
            taken += u64::from(once(&lock, &books, file));
        }
        over.store(true, Ordering::Relaxed);
    });
    lock.give_back();
    books.expect(books.held.load(Ordering::SeqCst) == 0);
    (taken, books.wrong.into_inner())
}

/// Reads, and others that take the lock away.
fn taken_away(times: u64, takes: &[Takes]) -> (u64, u64) {
    // SAFETY: no file is concerned.
    unsafe { keep_read_locks_carelessly(NOT_FIRM | FOR_LONG) };
    let mut kept = false;
    contended(times, takes, |lock, books, file| {
        let begins = !lock.begin(SLOT);
        let taken = begins && kept;
        if begins {
            books.call(1);
        }
        // The read: nobody else's call, and the lock is there.
        for _ in 0..3 {
            books.expect(books.held.load(Ordering::SeqCst) == 1);
        }
        kept = lock.end(file, SLOT, (0, 0), |_| true);
        if !kept {
            books.call(-1);
        }
        taken
    })
}

/// The same after commits: the books have nobody, and who gives the byte up takes it and gives it back.
fn bytes_taken_away(times: u64, takes: &[Takes]) -> (u64, u64) {
    contended(times, takes, |lock, books, file| {
        lock.leave_byte(file, SLOT, |_| true);
        std::thread::yield_now();
        let taken = !lock.becomes_exclusive(SLOT);
        // The transaction: nobody else's call.
        books.call(1);
        books.expect(books.held.load(Ordering::SeqCst) == 1);
        books.call(-1);
        taken
    })
}

#[test]
fn a_byte_that_stays_has_one_owner_at_a_time() {
    let _alone = one_at_a_time();
    let away: [Takes; 2] = [
        |lock| lock.give_back(),
        |lock| {
            lock.look(now_ns() + 1_000_000_000);
        },
    ];
    let (taken, wrong) = bytes_taken_away(100, &away);
    assert!(wrong == 0 && taken > 10, "{taken} taken, {wrong} wrong");
    // Control: who looks first and then acts.
    let hasty: Takes = |lock| {
        let stays = KEPT | BYTE_ALONE | SLOT as u32;
        if lock.state.load(Ordering::SeqCst) == stays {
            lock.release(stays);
            lock.state.store(FREE, Ordering::SeqCst);
        }
    };
    let (taken, wrong) = bytes_taken_away(u64::MAX, &[hasty, hasty]);
    assert!(wrong > 0, "{taken}");
}

#[test]
fn it_has_one_owner_at_a_time() {
    let _alone = one_at_a_time();
    let away: [Takes; 3] = [
        |lock| lock.give_back(),
        |lock| lock.leave_slots(SLOT, 1),
        |lock| {
            lock.look(now_ns() + 1_000_000_000);
        },
    ];
    let (taken, wrong) = taken_away(500, &away);
    assert!(wrong == 0 && taken > 10, "{taken} taken, {wrong} wrong");
    // Control: who looks first and then acts.
    let hasty: Takes = |lock| {
        if lock.state.load(Ordering::SeqCst) == KEPT | SLOT as u32 {
            lock.release(KEPT | SLOT as u32);
            lock.state.store(FREE, Ordering::SeqCst);
        }
    };
    let (taken, wrong) = taken_away(u64::MAX, &[hasty, hasty]);
    assert!(wrong > 0, "{taken}");
}
