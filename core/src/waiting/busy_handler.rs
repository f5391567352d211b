//! BusyHandler for a lock: fair by sleeping short and evenly.
//!
//! SQLite's own handler sleeps longer the longer a connection has waited (1…100 ms), so the newest asker wins and the
//! oldest starves. Here everyone polls at the same short, jittered intervals until a monotonic deadline; and of the
//! writers of one process only the first in `writer_queue`. How long one goes on while others wait: `turns`.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::events::{Event, EventName, Subscribers};
use crate::locks::holders;
use crate::platform::file_id::FileId;
use crate::registry;
use crate::registry::activity::Activity;
use crate::sqlite;
use crate::waiting::deadline;
use crate::waiting::pause::pause;
use crate::waiting::place::Place;
use crate::waiting::turns::{Next, Pace, Turn};
use crate::waiting::writer_queue::LockNeed;

/// A wait of this length is told to the subscribers as `busy_wait`.
const REPORT_AFTER: Duration = Duration::from_millis(100);

/// How long a statement that may need no lock of this file (it may write a temporary table, or an attached database)
/// stands in the queue before it asks.
const UNCERTAIN_WAIT: Duration = Duration::from_millis(2);

/// How long a connection that leaves the lock to others sleeps before it looks whether it was interrupted.
const REST_POLL: Duration = Duration::from_millis(20);

/// The waiting state of one connection. It is boxed by the connection and outlives its registration with SQLite.
pub struct BusyHandler {
    raw: *mut sqlite::sqlite3,
    timeout_ms: AtomicU32,
    pub(crate) activity: Arc<Activity>,
    queue: Option<Place>,
    /// When the running statement began to wait.
    began: Cell<Option<Instant>>,
    /// It has waited before its first step, so the first call of the handler is not its beginning.
    before_first_step: Cell<bool>,
    /// Attempts since it is its turn.
    attempts: Cell<u32>,
    /// An interrupt ended the latest wait.
    interrupted: Cell<bool>,
    /// The call has run a statement that writes.
    wrote: Cell<bool>,
    /// The latest wait ended in a refusal.
    refused: Cell<bool>,
    pace: Pace,
    /// The longest wait of the call, and who was found in the way.
    longest: Cell<Duration>,
    holders_seen: RefCell<Option<String>>,
}

impl BusyHandler {
    /// A handler for this connection; nothing is installed yet.
    pub fn new(raw: *mut sqlite::sqlite3, timeout_ms: u32) -> Box<BusyHandler> {
        Box::new(BusyHandler {
            raw,
            timeout_ms: AtomicU32::new(timeout_ms),
            activity: Arc::new(Activity::new()),
            queue: None,
            began: Cell::new(None),
            before_first_step: Cell::new(false),
            attempts: Cell::new(0),
            interrupted: Cell::new(false),
            wrote: Cell::new(false),
            refused: Cell::new(false),
            pace: Pace::default(),
            longest: Cell::new(Duration::ZERO),
            holders_seen: RefCell::new(None),
        })
    }

    /// Lets the connection queue with the others of this process, and tell its subscribers of long waits.
    pub(crate) fn attach_queue(&mut self, file: FileId, path: PathBuf, id: u64, subscribers: Arc<Subscribers>) {
        self.queue = Some(Place::new(file, path, id, subscribers));
    }

    /// Makes this the connection's busy handler.
    ///
    /// # Safety
    /// `self` stays where it is until the connection is closed or has another handler.
    pub unsafe fn install(&self) -> c_int {
        // SAFETY: `raw` is the open connection this state was made for; the caller keeps `self` alive.
        unsafe { sqlite::sqlite3_busy_handler(self.raw, Some(busy_callback), std::ptr::from_ref(self) as *mut c_void) }
    }

    /// Changes the timeout of later waits.
    pub fn set_timeout(&self, ms: u32) {
        self.timeout_ms.store(ms, Ordering::Relaxed);
    }

    /// The timeout.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed).into())
    }

    /// How long the wait lasted that ended in the latest refusal; zero when that came without one, or was taken before.
    pub fn take_waited(&self) -> Duration {
        let waited = self.activity.waited();
        self.activity.set_waited(Duration::ZERO);
        waited
    }

    /// Whether an interrupt, not the timeout, ended the latest wait.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// A call begins: nothing of an earlier one counts any more.
    pub(crate) fn begin_call(&self) {
        self.activity.set_waited(Duration::ZERO);
        self.interrupted.set(false);
        self.begin_statement();
        self.wrote.set(false);
        self.refused.set(false);
        self.longest.set(Duration::ZERO);
    }

    /// A call ends in this transaction (`SQLITE_TXN_*`). Gives the ticket up, wakes the next, and returns what
    /// is to be told of a long wait.
    pub(crate) fn end_call(&self, transaction: i32) -> Option<Event> {
        if let Some(queue) = &self.queue
            && transaction != sqlite::SQLITE_TXN_WRITE
        {
            let wakes =
                !queue.counted.replace(false) || self.pace.gives_back(&queue.writers.turns, queue.id) == Next::Wakes;
            match queue.ticket.take() {
                Some(number) => queue.writers.leave(number, wakes),
                None if self.wrote.get() && wakes => queue.writers.wake_first(),
                None => {}
            }
        }
        let longest = self.longest.take();
        if longest < REPORT_AFTER {
            return None;
        }
        Some(
            Event::new(EventName::BusyWait)
                .int("waited_ms", longest.as_millis() as i64)
                .text("outcome", if self.refused.get() { "refused" } else { "granted" })
                .text("holders", self.holders_seen.take().unwrap_or_default()),
        )
    }

    /// A statement is about to take its first step.
    pub(crate) fn begin_statement(&self) {
        self.before_first_step.set(false);
    }

    /// It is one that writes. Who comes while others of this process wait for the
    /// file stands in the queue behind them, instead of asking at the moment at which it happens to be free.
    pub(crate) fn queue_before_write(&self, need: LockNeed) {
        let Some(queue) = &self.queue else { return };
        // The lock may be given back, and the next rung for, before this call ends.
        self.wrote.set(true);
        if !queue.counted.replace(true) {
            queue.writers.turns.begins_writing();
        }
        if !queue.writers.turns.is_contended()
            || self.timeout().is_zero()
            || self.transaction() != sqlite::SQLITE_TXN_NONE
        {
            return;
        }
        let now = Instant::now();
        self.pace.asks(now);
        match queue.writers.turns.wants_turn(queue.id, now) {
            Turn::GoesOn => return,
            Turn::Rests(rest) => self.rest(queue, now, rest),
            Turn::Queues => {}
        }
        if !queue.is_crowded() {
            return;
        }
        queue.leave();
        if queue.writers.is_empty() {
            return;
        }
        let began = Instant::now();
        self.began.set(Some(began));
        self.before_first_step.set(true);
        self.attempts.set(0);
        self.activity.waiting();
        let number = queue.enter();
        let patience = match need {
            LockNeed::Certain => self.timeout(),
            LockNeed::Possible => UNCERTAIN_WAIT.min(self.timeout()),
        };
        // An interrupt that came before would be forgotten by the first step.
        let stale = self.is_interrupted();
        queue.writers.wait(number, began + patience, Duration::ZERO, || !stale && self.is_given_up());
        self.interrupted.set(!stale && self.is_interrupted());
        self.longest.set(self.longest.get().max(began.elapsed()));
        self.activity.retrying();
        self.pace.asks_again();
        queue.writers.mark_polling(number, need);
    }

    /// Leaves the lock to other processes for a moment.
    fn rest(&self, queue: &Place, began: Instant, rest: Duration) {
        queue.leave();
        let rest = rest.min(self.timeout());
        self.activity.waiting();
        let stale = self.is_interrupted();
        while began.elapsed() < rest && (stale || !self.is_given_up()) {
            std::thread::sleep(rest.saturating_sub(began.elapsed()).min(REST_POLL));
        }
        self.longest.set(self.longest.get().max(began.elapsed()));
        self.activity.retrying();
    }

    fn transaction(&self) -> i32 {
        // SAFETY: the connection is open, and this thread drives it.
        unsafe { sqlite::sqlite3_txn_state(self.raw, std::ptr::null()) }
    }

    fn is_interrupted(&self) -> bool {
        // SAFETY: the connection is open while it runs a statement or is about to.
        unsafe { sqlite::sqlite3_is_interrupted(self.raw) != 0 }
    }

    fn is_given_up(&self) -> bool {
        self.is_interrupted() || deadline::gives_up()
    }

    /// Whether a statement that writes is running: readers do not queue behind writers.
    fn wants_to_write(&self) -> bool {
        // SAFETY: the connection is open, and this thread drives it.
        unsafe {
            let mut statement = sqlite::sqlite3_next_stmt(self.raw, std::ptr::null_mut());
            while !statement.is_null() {
                if sqlite::sqlite3_stmt_busy(statement) != 0 && sqlite::sqlite3_stmt_readonly(statement) == 0 {
                    return true;
                }
                statement = sqlite::sqlite3_next_stmt(self.raw, statement);
            }
        }
        false
    }

    /// The file is locked: waits until it is worth asking again, or returns false to give up.
    fn on_busy(&self, first: bool) -> bool {
        if first && !self.before_first_step.replace(false) {
            self.began.set(Some(Instant::now()));
            self.attempts.set(0);
            self.interrupted.set(false);
        }
        let began = self.began.get().unwrap_or_else(Instant::now);
        let waited = began.elapsed();
        self.longest.set(self.longest.get().max(waited));
        self.refused.set(false);
        let timeout = self.timeout();
        let interrupted = self.interrupted.get() || self.is_given_up();
        if interrupted || waited >= timeout || self.waits_for_itself() {
            self.interrupted.set(interrupted);
            self.refused.set(true);
            self.activity.set_waited(waited);
            self.activity.refused();
            if let Some(queue) = &self.queue {
                queue.leave();
            }
            return false;
        }
        self.activity.waiting();
        self.record_holders(waited);
        let attempt = self.attempts.get();
        self.attempts.set(attempt.saturating_add(1));
        let pause = pause(attempt, waited).min(timeout - waited);
        match self.queue.as_ref().filter(|queue| queue.ticket.get().is_some() || self.may_queue()) {
            Some(queue) => {
                let number = queue.enter();
                queue.writers.turns.refused(queue.writers.len(), Instant::now());
                if pause.is_zero() {
                    std::thread::yield_now();
                }
                queue.writers.wait(number, began + timeout, pause, || self.is_given_up());
                let need = if queue.counted.get() { LockNeed::Certain } else { LockNeed::Possible };
                queue.writers.mark_polling(number, need);
            }
            None if pause.is_zero() => std::thread::yield_now(),
            None => std::thread::sleep(pause),
        }
        self.activity.retrying();
        self.pace.asks_again();
        true
    }

    /// Who holds a lock already must not stand behind others: they may wait for that lock.
    fn may_queue(&self) -> bool {
        self.transaction() == sqlite::SQLITE_TXN_NONE && self.wants_to_write()
    }

    /// Whether a transaction that only this thread can end holds the lock, and its host said so.
    fn waits_for_itself(&self) -> bool {
        Activity::any_marked()
            && self.queue.as_ref().is_some_and(|queue| registry::is_blocked_by_this_thread(queue.file, queue.id))
    }

    /// Finds out who is in the way, once in a long wait that somebody wants to hear of: later it may be gone.
    fn record_holders(&self, waited: Duration) {
        let Some(queue) = &self.queue else { return };
        if waited < REPORT_AFTER || self.holders_seen.borrow().is_some() || !queue.subscribers.has_subscribers() {
            return;
        }
        let names = holders::blocking(&queue.path, Some(queue.id)).unwrap_or_default();
        let names: Vec<_> = names.iter().take(4).map(holders::describe).collect();
        self.holders_seen.replace(Some(names.join("; ")));
    }
}

unsafe extern "C" fn busy_callback(context: *mut c_void, calls: c_int) -> c_int {
    // SAFETY: `install` registered a live `BusyHandler`, and SQLite calls this on the one thread that uses the connection.
    let waiting = unsafe { &*(context as *const BusyHandler) };
    c_int::from(waiting.on_busy(calls == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn a_wait_ends_at_the_deadline_and_an_interrupt_ends_it_at_once() {
        let own = tempfile::tempdir().unwrap();
        let dir = own.path();
        let path = dir.join("wait.db");
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("CREATE TABLE t(a); BEGIN IMMEDIATE").unwrap();
        let waiter = Connection::open(&path).unwrap();
        // SAFETY: the handle outlives `waiting`'s use below.
        let waiting = BusyHandler::new(unsafe { waiter.handle() }, 300);
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
    }
}
