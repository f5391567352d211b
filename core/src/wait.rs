//! Waiting for a lock: fair by sleeping short and evenly.
//!
//! SQLite's own handler sleeps longer the longer a connection has waited (1…100 ms), so the newest asker wins and the
//! oldest starves. Here everyone polls at the same short, jittered intervals until a monotonic deadline.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sqlite;

/// The waiting state of one connection. It is boxed by the connection and outlives its registration with SQLite.
pub struct Waiting {
    raw: *mut sqlite::sqlite3,
    timeout_ms: AtomicU32,
    /// Milliseconds that the latest wait lasted, for the explanation of BUSY.
    waited_us: AtomicU64,
    began: std::cell::Cell<Option<Instant>>,
}

impl Waiting {
    /// A handler for this connection; nothing is installed yet.
    pub fn new(raw: *mut sqlite::sqlite3, timeout_ms: u32) -> Box<Waiting> {
        Box::new(Waiting {
            raw,
            timeout_ms: AtomicU32::new(timeout_ms),
            waited_us: AtomicU64::new(0),
            began: std::cell::Cell::new(None),
        })
    }

    /// Makes this the connection's busy handler.
    ///
    /// # Safety
    /// `self` stays where it is until the connection is closed or has another handler.
    pub unsafe fn install(&self) -> c_int {
        // SAFETY: `raw` is the open connection this state was made for; the caller keeps `self` alive.
        unsafe { sqlite::sqlite3_busy_handler(self.raw, Some(on_busy), std::ptr::from_ref(self) as *mut c_void) }
    }

    /// Changes the timeout of later waits.
    pub fn set_timeout(&self, ms: u32) {
        self.timeout_ms.store(ms, Ordering::Relaxed);
    }

    /// The timeout.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed).into())
    }

    /// How long the latest wait lasted; zero when the last refusal came without one.
    pub fn take_waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.swap(0, Ordering::Relaxed))
    }
}

unsafe extern "C" fn on_busy(context: *mut c_void, calls: c_int) -> c_int {
    // SAFETY: `install` registered a live `Waiting`, and SQLite calls this on the one thread that uses the connection.
    let waiting = unsafe { &*(context as *const Waiting) };
    if calls == 0 {
        waiting.began.set(Some(Instant::now()));
    }
    let waited = waiting.began.get().map_or(Duration::ZERO, |began| began.elapsed());
    waiting.waited_us.store(waited.as_micros() as u64, Ordering::Relaxed);
    // SAFETY: the connection is open while it calls its busy handler.
    let interrupted = unsafe { sqlite::sqlite3_is_interrupted(waiting.raw) } != 0;
    let timeout = waiting.timeout();
    if interrupted || waited >= timeout || crate::deadline::passed() {
        return 0;
    }
    match calls {
        // A commit on the other side often takes only microseconds more.
        0..4 => std::thread::yield_now(),
        _ => {
            let base = (50u64 << (calls - 4).min(3)).min(400);
            let jitter = u64::from(waited.subsec_nanos()) % (base / 2);
            std::thread::sleep(Duration::from_micros(base + jitter).min(timeout - waited));
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn a_wait_ends_at_the_deadline_and_an_interrupt_ends_it_at_once() {
        let dir = std::env::temp_dir().join(format!("litekeel-wait-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("wait.db");
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("CREATE TABLE t(a); BEGIN IMMEDIATE").unwrap();
        let waiter = Connection::open(&path).unwrap();
        // SAFETY: the handle outlives `waiting`'s use below.
        let waiting = Waiting::new(unsafe { waiter.handle() }, 300);
        // SAFETY: `waiting` lives until the end of the test, the connection is dropped before it.
        unsafe { waiting.install() };
        let began = Instant::now();
        assert!(waiter.execute_batch("BEGIN IMMEDIATE").is_err());
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(900), "{took:?}");
        assert!(waiting.take_waited() >= Duration::from_millis(300));

        waiting.set_timeout(20_000);
        let handle = waiter.get_interrupt_handle();
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            handle.interrupt();
        });
        let began = Instant::now();
        assert!(waiter.execute_batch("BEGIN IMMEDIATE").is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
        interrupter.join().unwrap();
        drop(waiter);
        drop(holder);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
