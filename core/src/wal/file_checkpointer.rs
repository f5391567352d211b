//! One database file: when its WAL is due, and what is done then.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

use crate::events::{self, Event, EventName};
use crate::platform::clock::now_ms;
use crate::platform::file_id::FileId;
use crate::platform::path_facts::sidecar;
use crate::platform::threads::locked;
use crate::raw::handle::RawHandle;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::replicated;
use crate::vfs::wal_index::WalIndex;
use crate::vfs::wal_keeper::CheckpointPolicy;
use crate::wal::checkpoint_connection::{CheckpointConnection, Outcome};
use crate::wal::readers;

/// Without a commit for so long, the WAL is moved and emptied; in milliseconds.
const IDLE: u64 = 5000;
/// How long a TRUNCATE or RESTART may keep writers out while it waits for readers; in milliseconds.
const PATIENCE: i32 = 20;
/// How long after an attempt that could not finish the next one is made; in milliseconds.
const PAUSE: u64 = 50;
/// So many frames are moved in the committing thread at a time; more are left to the background.
const INLINE_FRAMES: i64 = 256;
/// So many near the cap, where a writer has to wait for them.
const INLINE_FRAMES_NEAR_CAP: i64 = 1024;
/// How often a background checkpoint runs after what was written during the one before.
const ROUNDS: u32 = 8;
/// At most one `wal_stalled` in so many milliseconds.
const STALLED_EVERY: u64 = 10_000;

/// A database file whose WAL is taken care of.
pub(crate) struct FileCheckpointer {
    pub(super) id: FileId,
    path: PathBuf,
    vfs: Option<CString>,
    /// Lets the background thread look which file is due, on behalf of the file at a path.
    wake_thread: fn(&Path),
    pub(super) users: Mutex<Vec<Weak<FileMonitor>>>,
    /// Held while the file's connection is used.
    log: Mutex<Option<CheckpointConnection>>,
    /// The same connection's handle, to interrupt it.
    running: Mutex<RawHandle>,
    ended: AtomicBool,
    /// When the last commit was, and whether anything was committed since the WAL was emptied.
    committed_at: AtomicU64,
    dirty: AtomicBool,
    hurry: AtomicBool,
    /// Before this, no hurry and no idle look; in milliseconds of [`now`].
    not_before: AtomicU64,
    idle_not_before: AtomicU64,
    /// Waiting to be delivered by the background thread, where no lock is held and no call of SQLite's is under way.
    events: Mutex<Vec<Event>>,
    has_events: AtomicBool,
    /// How far the last checkpoint came.
    moved: AtomicI64,
    stalled_at: AtomicU64,
    /// Until then no committing thread waits for readers: one has outlasted another's patience.
    patient_not_before: AtomicU64,
    backoff: AtomicU64,
    wal_max: AtomicI64,
    /// The threshold of the background thread, in frames; 0: none.
    pages: AtomicI64,
}

impl FileCheckpointer {
    pub(super) fn new(watch: &FileMonitor, vfs: Option<CString>, wake_thread: fn(&Path)) -> FileCheckpointer {
        FileCheckpointer {
            id: watch.database,
            path: watch.path.clone(),
            vfs,
            wake_thread,
            users: Mutex::default(),
            log: Mutex::default(),
            running: Mutex::new(RawHandle(ptr::null_mut())),
            ended: AtomicBool::new(false),
            committed_at: AtomicU64::new(0),
            dirty: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            not_before: AtomicU64::new(0),
            idle_not_before: AtomicU64::new(0),
            events: Mutex::default(),
            has_events: AtomicBool::new(false),
            moved: AtomicI64::new(0),
            stalled_at: AtomicU64::new(0),
            patient_not_before: AtomicU64::new(0),
            backoff: AtomicU64::new(0),
            wal_max: AtomicI64::new(0),
            pages: AtomicI64::new(0),
        }
    }

    /// Asks the background thread to look at the file as soon as it may.
    pub(super) fn make_due(&self) {
        if !self.hurry.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        (self.wake_thread)(&self.path);
    }

    /// When the background thread has work on it, in milliseconds of [`now`].
    pub(super) fn due(&self) -> Option<u64> {
        if self.has_events.load(Ordering::Acquire) {
            return Some(0);
        }
        let hurried = self.hurry.load(Ordering::Acquire).then(|| self.not_before.load(Ordering::Relaxed));
        let idle = self.committed_at.load(Ordering::Relaxed) + IDLE;
        let idle = idle.max(self.idle_not_before.load(Ordering::Relaxed));
        let idle = self.dirty.load(Ordering::Acquire).then_some(idle);
        hurried.into_iter().chain(idle).min()
    }

    /// Nobody uses it any more: its work is interrupted, and its connection closed.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        {
            let running = locked(&self.running);
            if !running.0.is_null() {
                // SAFETY: the pointer is cleared under this lock before the connection is closed.
                unsafe { sqlite::sqlite3_interrupt(running.0) };
            }
        }
        self.disconnect(&mut locked(&self.log));
    }

    /// Takes another connection's wish in. The file is one for all: the stricter wish counts.
    pub(super) fn wish(&self, wal_max: i64, background_pages: i64) {
        let smaller = |cell: &AtomicI64, value: i64| {
            let old = cell.load(Ordering::Relaxed);
            if value > 0 && (old == 0 || value < old) {
                cell.store(value, Ordering::Relaxed);
            }
        };
        smaller(&self.wal_max, wal_max);
        smaller(&self.pages, background_pages);
    }

    /// A connection has committed, and holds no lock any more.
    pub(super) fn after_commit(&self, policy: &CheckpointPolicy, index: &WalIndex) {
        self.committed_at.store(now_ms(), Ordering::Relaxed);
        let left = i64::from(index.frames) - i64::from(index.backfilled);
        if policy.leaves(index) && left >= policy.pages {
            self.make_due();
        }
        if policy.wal_max > 0 {
            self.enforce_cap(policy.wal_max, index.bytes(index.frames.into()), left);
        }
        if policy.idle && !self.dirty.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn disconnect(&self, log: &mut Option<CheckpointConnection>) {
        *locked(&self.running) = RawHandle(ptr::null_mut());
        *log = None;
    }

    /// The file's connection, opened if need be.
    fn connect<'a>(&self, log: &'a mut Option<CheckpointConnection>) -> Option<&'a CheckpointConnection> {
        if log.is_none() && !self.ended.load(Ordering::Acquire) {
            match CheckpointConnection::open(&self.path, self.id, self.vfs.as_deref()) {
                Ok(opened) => {
                    *locked(&self.running) = RawHandle(opened.raw());
                    *log = Some(opened);
                }
                Err(message) => self.tell(Event::new(EventName::CheckpointFailed).text("message", message)),
            }
        }
        log.as_ref()
    }

    /// Keeps the log under its cap, in the thread that has just committed. From half of the cap on, so that it is still
    /// kept when a try or two meet a reader.
    fn enforce_cap(&self, wal_max: i64, used: i64, left: i64) {
        if used < wal_max / 2 {
            return;
        }
        let near = used >= wal_max / 4 * 3;
        let patient = now_ms() >= self.patient_not_before.load(Ordering::Relaxed);
        if used > wal_max * 4 {
            // It tells who is in the way.
            self.make_due();
        }
        if left > if near && patient { INLINE_FRAMES_NEAR_CAP } else { INLINE_FRAMES } {
            self.make_due();
        } else if near || (left >= INLINE_FRAMES / 4 && now_ms() >= self.not_before.load(Ordering::Relaxed)) {
            self.checkpoint_on_commit(wal_max, near);
        }
    }

    /// Moves the log in the committing thread, so that the next writer starts it over; cuts the file when it is over the
    /// cap. Moving and syncing are done before the lock that keeps every writer out is taken.
    ///
    /// Near the cap a writer waits: for the background thread, for a disk that is slower than it, for readers of which
    /// there is always one. Not for one that has outlasted [`PATIENCE`] before.
    fn checkpoint_on_commit(&self, wal_max: i64, near: bool) {
        let began = Instant::now();
        let patience = if near && now_ms() >= self.patient_not_before.load(Ordering::Relaxed) { PATIENCE } else { 0 };
        let mut slot = loop {
            match self.log.try_lock() {
                Ok(slot) => break slot,
                Err(_) if began.elapsed() < Duration::from_millis(patience as u64) => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(_) => return,
            }
        };
        let good = self.connect(&mut slot).is_some_and(|log| {
            let moved = self.checkpoint(log, CheckpointConnection::PASSIVE, 0);
            let large = self.size() > wal_max;
            if !near && !large {
                return moved.is_some_and(|moved| moved.frames == moved.done);
            }
            let mode = if large { CheckpointConnection::TRUNCATE } else { CheckpointConnection::RESTART };
            self.checkpoint(log, mode, patience).is_some_and(|outcome| !outcome.busy)
        });
        self.not_before.store(now_ms() + PAUSE, Ordering::Relaxed);
        if good {
            self.backoff.store(0, Ordering::Relaxed);
            self.disconnect(&mut slot);
        } else {
            if patience > 0 {
                // A reader that stays must not hold everybody up again and again.
                let pause = (2 * self.backoff.load(Ordering::Relaxed)).clamp(PAUSE, IDLE);
                self.backoff.store(pause, Ordering::Relaxed);
                self.patient_not_before.store(now_ms() + pause, Ordering::Relaxed);
            }
            self.make_due();
        }
        drop(slot);
        if self.has_events.load(Ordering::Acquire) {
            self.wake();
        }
    }

    /// The size of the `-wal`.
    fn size(&self) -> i64 {
        std::fs::metadata(sidecar(&self.path, "-wal")).map_or(0, |meta| meta.len() as i64)
    }

    /// One checkpoint; `None` when somebody else is at it, or it failed.
    fn checkpoint(&self, log: &CheckpointConnection, mode: i32, patience: i32) -> Option<Outcome> {
        let began = Instant::now();
        match log.checkpoint(mode, patience) {
            Ok(outcome) => {
                let outcome = outcome?;
                let Outcome { frames, done, .. } = outcome;
                let news = self.moved.swap(done, Ordering::Relaxed) != done;
                if news && (done > 0 || mode == CheckpointConnection::TRUNCATE) {
                    self.tell(readers::checkpointed(mode, frames, done, began.elapsed()));
                }
                Some(outcome)
            }
            Err(message) => {
                self.tell(Event::new(EventName::CheckpointFailed).text("message", message));
                None
            }
        }
    }

    fn tell(&self, event: Event) {
        locked(&self.events).push(event);
        self.has_events.store(true, Ordering::Release);
    }

    fn deliver(&self) {
        self.has_events.store(false, Ordering::Release);
        let events = std::mem::take(&mut *locked(&self.events));
        if !events.is_empty() {
            let users: Vec<_> = locked(&self.users).iter().filter_map(Weak::upgrade).collect();
            let subscribers: Vec<_> = users.iter().map(|watch| watch.subscribers().clone()).collect();
            events.into_iter().for_each(|event| events::tell_users(&subscribers, event, &self.path));
        }
    }

    /// The background thread's look at one file.
    pub(super) fn work(&self) {
        let time = now_ms();
        let hurried = self.hurry.load(Ordering::Acquire) && self.not_before.load(Ordering::Relaxed) <= time;
        let idle = self.dirty.load(Ordering::Acquire)
            && time >= self.committed_at.load(Ordering::Relaxed) + IDLE
            && time >= self.idle_not_before.load(Ordering::Relaxed);
        if hurried {
            self.hurry.store(false, Ordering::Release);
        }
        if hurried || idle {
            let mut slot = locked(&self.log);
            let again = self.run_checkpoints(&mut slot, idle);
            // A connection that stays would keep the application from changing the journal mode.
            if !again {
                self.disconnect(&mut slot);
            }
            drop(slot);
            self.idle_not_before.store(now_ms() + IDLE, Ordering::Relaxed);
            self.not_before.store(now_ms() + PAUSE, Ordering::Relaxed);
            if again {
                self.hurry.store(true, Ordering::Release);
            }
        }
        self.deliver();
    }

    /// Moves the log, and empties it where that is due. Returns whether it has to be tried again soon.
    fn run_checkpoints(&self, slot: &mut Option<CheckpointConnection>, idle: bool) -> bool {
        let users: Vec<_> = locked(&self.users).iter().filter_map(Weak::upgrade).collect();
        if users.iter().any(|watch| replicated::is_replicated(watch)) {
            // Litestream has come, and there is nothing left to do.
            self.dirty.store(false, Ordering::Release);
            return false;
        }
        let Some(log) = self.connect(slot) else { return false };
        // What is written meanwhile is moved in further rounds, so that little is left for the lock.
        let mut left = i64::MAX;
        let mut index = None;
        for _ in 0..ROUNDS {
            if self.checkpoint(log, CheckpointConnection::PASSIVE, 0).is_none() {
                return false;
            }
            index = log.index();
            let before = left;
            left = index.map_or(0, |index| i64::from(index.frames) - i64::from(index.backfilled));
            if left <= INLINE_FRAMES / 8 || left >= before {
                break;
            }
        }
        let Some(index) = index else { return false };
        let frames = i64::from(index.frames);
        let used = index.bytes(frames);
        let (wal_max, pages) = (self.wal_max.load(Ordering::Relaxed), self.pages.load(Ordering::Relaxed));
        let capped = wal_max > 0 && used >= wal_max / 2;
        let large = capped && self.size() > wal_max;
        // A thread that commits does it better: it has nothing left to move when it keeps the others out.
        let committing = now_ms().saturating_sub(self.committed_at.load(Ordering::Relaxed)) < 2 * PAUSE;
        let mine = !committing || used > 4 * wal_max || now_ms() < self.patient_not_before.load(Ordering::Relaxed);
        if left <= INLINE_FRAMES && (idle || (large && mine)) {
            let patience = if large { PATIENCE } else { 0 };
            // Before, so that a commit right after it is not forgotten.
            let dirty = self.dirty.swap(false, Ordering::AcqRel);
            if self.checkpoint(log, CheckpointConnection::TRUNCATE, patience).is_some_and(|outcome| !outcome.busy) {
                return false;
            }
            self.dirty.fetch_or(dirty, Ordering::AcqRel);
        } else if left <= INLINE_FRAMES && ((capped && mine) || (pages > 0 && frames >= 2 * pages)) {
            // Readers that come and go would keep every writer appending. This waits for the ones there are, and those that
            // come meanwhile stand in nobody's way. The file keeps its size.
            self.checkpoint(log, CheckpointConnection::RESTART, PATIENCE);
        }
        if capped && used > 4 * wal_max {
            self.stalled(log, wal_max);
        }
        large || (capped && left > 0)
    }

    fn stalled(&self, log: &CheckpointConnection, wal_max: i64) {
        let time = now_ms();
        let last = self.stalled_at.load(Ordering::Relaxed);
        if last != 0 && time - last < STALLED_EVERY {
            return;
        }
        self.stalled_at.store(time, Ordering::Relaxed);
        if let Some(index) = log.index() {
            self.tell(readers::stalled(&index, &self.path, wal_max));
        }
    }
}
