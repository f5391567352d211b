//! What a connection is doing, for other threads to read.
//!
//! Only the thread that drives a connection may touch SQLite's handle. So that thread leaves a note here, for a few
//! nanoseconds a statement, and whoever asks who holds a lock reads the note.

use crate::platform::clock::now;
use crate::platform::threads::this_thread;
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::error::{HolderRole, HolderState};
use crate::raw::sql_text;
use crate::sqlite;
use crate::vfs::lock_state::Held;

/// Longer texts of statements are cut where they are kept or shown.
const TEXT: usize = 1000;

/// A statement that writes and has asked for the lock so recently has either not got it, or not been in anybody's way for long.
/// Far longer than asking takes, since a busy machine may let the thread wait in the middle of it.
const ASKING: Duration = Duration::from_millis(100);

/// How many connections are marked by [`Activity::mark_async`]: nearly always none, and nobody has to look for them.
static MARKED: AtomicUsize = AtomicUsize::new(0);

/// The note of one connection.
pub(crate) struct Activity {
    /// The thread that drives the connection, 0 when it rests.
    user: AtomicUsize,
    /// `SQLITE_TXN_*` as it was when the thread last gave the connection back.
    transaction: AtomicI32,
    /// The latest refusal's waiting time in microseconds.
    waited: AtomicU64,
    /// The thread whose transaction goes on while that thread does something else; 0 for none.
    marked: AtomicUsize,
    record: Mutex<Record>,
}

struct Record {
    /// `sqlite3_sql` of the running statement, or null. It may only be read under the lock: the statement's end takes
    /// it out under the same lock before the text is freed.
    running: *const c_char,
    /// The running statement writes.
    writes: bool,
    wait: Wait,
    /// When the running statement began.
    began: Duration,
    /// The transaction that is open between calls: since when it has its lock, its latest statement, its thread.
    since: Duration,
    last: String,
    thread: usize,
}

/// Where a call stands that has found the file locked.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    /// It has not.
    No,
    /// It waits.
    Waits,
    /// It went to ask for the lock again at that time, and may have got it.
    Asked(Duration),
}

// SAFETY: the pointer is read under the lock only, and points to a live text then.
unsafe impl Send for Record {}

/// What a connection is doing at one moment.
pub(crate) struct ActivitySnapshot {
    /// What it holds; `InACall` where that is not known.
    pub role: HolderRole,
    /// `Running` while a call runs, `Idle` between two calls of a transaction.
    pub state: HolderState,
    /// The running statement, or the latest one of the transaction.
    pub sql: Option<String>,
    pub since: Option<Duration>,
    /// It holds that lock, it does not merely run a statement that may.
    pub certain: bool,
    /// The open transaction was last used by the thread that asks.
    pub by_this_thread: bool,
}

/// What ran before a statement that a callback of it runs in between.
pub(crate) struct SuspendedStatement {
    running: *const c_char,
    writes: bool,
    began: Duration,
}

impl Activity {
    pub(crate) fn new() -> Activity {
        Activity {
            user: AtomicUsize::new(0),
            transaction: AtomicI32::new(sqlite::SQLITE_TXN_NONE),
            waited: AtomicU64::new(0),
            marked: AtomicUsize::new(0),
            record: Mutex::new(Record {
                running: std::ptr::null(),
                writes: false,
                wait: Wait::No,
                began: Duration::ZERO,
                since: Duration::ZERO,
                last: String::new(),
                thread: 0,
            }),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // Every field is whole between any two statements under this lock.
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The thread that drives the connection, 0 when it rests.
    pub(crate) fn user(&self) -> usize {
        self.user.load(Ordering::Relaxed)
    }

    pub(crate) fn set_user(&self, thread: usize) {
        self.user.store(thread, Ordering::Relaxed);
    }

    /// Notes that a statement begins.
    ///
    /// # Safety
    /// `sql` is null or a text that lives until [`end`](Activity::end).
    pub(crate) unsafe fn begin(&self, sql: *const c_char, writes: bool) -> SuspendedStatement {
        let mut record = self.record();
        let outer = SuspendedStatement { running: record.running, writes: record.writes, began: record.began };
        (record.running, record.writes, record.began) = (sql, writes, now());
        outer
    }

    /// Notes that the statement of the latest [`begin`](Activity::begin) ends, in which transaction it leaves the
    /// connection (`SQLITE_TXN_*`).
    pub(crate) fn end(&self, outer: &SuspendedStatement, transaction: i32) {
        let mut record = self.record();
        self.keep(&mut record, transaction);
        (record.running, record.writes, record.began) = (outer.running, outer.writes, outer.began);
        record.wait = Wait::No;
    }

    /// Notes the transaction in which a call leaves the connection, whatever it ran.
    pub(crate) fn note_transaction(&self, transaction: i32) {
        if self.transaction.load(Ordering::Relaxed) != transaction {
            let mut record = self.record();
            self.keep(&mut record, transaction);
            record.wait = Wait::No;
        }
    }

    fn keep(&self, record: &mut Record, transaction: i32) {
        if transaction == sqlite::SQLITE_TXN_NONE {
            record.last.clear();
        } else {
            if self.transaction.load(Ordering::Relaxed) != transaction {
                record.since = now();
            }
            record.thread = this_thread();
            if let Some(text) = record.text() {
                record.last = text;
            }
        }
        self.transaction.store(transaction, Ordering::Relaxed);
    }

    /// Notes that the running call waits for a lock.
    pub(crate) fn waiting(&self) {
        self.record().wait = Wait::Waits;
    }

    /// Notes that it asks for the lock once more: whether it gets it, nobody tells.
    pub(crate) fn retrying(&self) {
        self.record().wait = Wait::Asked(now());
    }

    /// Notes that it waits no longer.
    pub(crate) fn refused(&self) {
        self.record().wait = Wait::No;
    }

    /// For how long the latest refusal had been waited for.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }

    pub(crate) fn set_waited(&self, waited: Duration) {
        self.waited.store(waited.as_micros() as u64, Ordering::Relaxed);
    }

    /// The running statement, for the thread that runs it.
    pub(crate) fn running(&self) -> Option<String> {
        self.record().text()
    }

    /// Whether a statement that writes is running, or waits to.
    pub(crate) fn runs_a_write(&self) -> bool {
        let record = self.record();
        record.writes && !record.running.is_null()
    }

    /// Marks the open transaction as one that goes on while its thread, the calling one, does something else.
    pub(crate) fn mark_async(&self, on: bool) {
        let before = self.marked.swap(if on { this_thread() } else { 0 }, Ordering::Relaxed);
        match (before != 0, on) {
            (false, true) => MARKED.fetch_add(1, Ordering::Relaxed),
            (true, false) => MARKED.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// Whether any connection is marked.
    pub(crate) fn any_marked() -> bool {
        MARKED.load(Ordering::Relaxed) != 0
    }

    /// Whether this thread has marked the connection, and its transaction stands in a writer's way.
    pub(crate) fn blocks_this_thread(&self, wal: bool) -> bool {
        let transaction = self.transaction.load(Ordering::Relaxed);
        let blocks = transaction == sqlite::SQLITE_TXN_WRITE || (!wal && transaction == sqlite::SQLITE_TXN_READ);
        blocks && self.marked.load(Ordering::Relaxed) == this_thread()
    }

    /// What the connection is doing; `None` when it holds no lock or only waits for one. `held`: what its file's shim knows of
    /// its locks; without one, what it runs has to tell.
    pub(crate) fn snapshot(&self, held: Option<Held>) -> Option<ActivitySnapshot> {
        let record = self.record();
        let transaction = self.transaction.load(Ordering::Relaxed);
        let in_statement = !record.running.is_null();
        let waits = record.wait == Wait::Waits;
        let asks = transaction == sqlite::SQLITE_TXN_NONE && record.asks();
        let at_work = in_statement && !waits && !asks;
        let role = match held {
            Some(Held::Nothing) => return None,
            // Who asks for the write lock takes a reader's first, and gives it back when it may not have the other.
            Some(Held::Read) => (!asks).then_some(HolderRole::Reader)?,
            Some(Held::Shared) => {
                (!asks && (in_statement || transaction != sqlite::SQLITE_TXN_NONE)).then_some(HolderRole::Reader)?
            }
            Some(Held::Checkpoint) => HolderRole::Checkpointer,
            Some(Held::Recovery) => HolderRole::Recoverer,
            Some(Held::File) if transaction != sqlite::SQLITE_TXN_WRITE && !record.writes => HolderRole::Exclusive,
            Some(Held::Write | Held::File) => HolderRole::Writer,
            None if transaction == sqlite::SQLITE_TXN_WRITE || (at_work && record.writes) => HolderRole::Writer,
            None if transaction == sqlite::SQLITE_TXN_READ || at_work => HolderRole::Reader,
            None if self.user() != 0 && !in_statement && !waits => HolderRole::InACall,
            None => return None,
        };
        let since = match (transaction, record.wait) {
            (sqlite::SQLITE_TXN_NONE, _) if !in_statement => None,
            (sqlite::SQLITE_TXN_NONE, Wait::Asked(at)) => Some(at),
            (sqlite::SQLITE_TXN_NONE, _) => Some(record.began),
            _ => Some(record.since),
        };
        Some(ActivitySnapshot {
            role,
            state: if self.user() != 0 { HolderState::Running } else { HolderState::Idle },
            sql: record.text().or_else(|| (!record.last.is_empty()).then(|| record.last.clone())),
            since: since.map(|since| now().saturating_sub(since)),
            certain: held.is_some() || transaction == sqlite::SQLITE_TXN_WRITE,
            by_this_thread: transaction != sqlite::SQLITE_TXN_NONE && record.thread == this_thread(),
        })
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.mark_async(false);
    }
}

impl Record {
    /// Whether a statement runs that may be about to get the write lock, and has it not yet as far as can be told from here: a
    /// BEGIN is over as soon as it has; others go on.
    fn asks(&self) -> bool {
        if self.running.is_null() || !self.writes {
            return false;
        }
        let since = match self.wait {
            Wait::Waits => return true,
            Wait::Asked(at) => at,
            Wait::No => self.began,
        };
        // SAFETY: under the lock a pointer that is not null points to a live, NUL-terminated text.
        let text = unsafe { CStr::from_ptr(self.running) }.to_bytes();
        sql_text::is_begin(text) || now().saturating_sub(since) < ASKING
    }

    fn text(&self) -> Option<String> {
        if self.running.is_null() {
            return None;
        }
        // SAFETY: under the lock a pointer that is not null points to a live, NUL-terminated text.
        let text = unsafe { CStr::from_ptr(self.running) }.to_bytes();
        let mut shown = String::from_utf8_lossy(&text[..text.len().min(TEXT)]).trim().to_owned();
        if text.len() > TEXT {
            shown.push('…');
        }
        Some(shown)
    }
}

/// The statement that runs on a connection, noted for as long as this lives.
pub struct Execution<'a> {
    activity: &'a Activity,
    db: *mut sqlite::sqlite3,
    outer: SuspendedStatement,
}

impl<'a> Execution<'a> {
    /// # Safety
    /// `statement` is a live statement of the open connection `db`, and stays one until this is dropped. This thread
    /// drives the connection.
    pub(crate) unsafe fn begin(
        activity: &'a Activity,
        db: *mut sqlite::sqlite3,
        statement: *mut sqlite::sqlite3_stmt,
        writes: bool,
    ) -> Execution<'a> {
        // SAFETY: the text lives as long as the statement, and is taken out of the note on drop.
        let outer = unsafe { activity.begin(sqlite::sqlite3_sql(statement), writes) };
        Execution { activity, db, outer }
    }
}

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread drives the open connection.
        let transaction = unsafe { sqlite::sqlite3_txn_state(self.db, std::ptr::null()) };
        self.activity.end(&self.outer, transaction);
    }
}
