//! Checkpoints beside SQLite's own: one background thread for the process, and one connection of its own for each file.
//!
//! SQLite's automatic checkpoint runs in whichever commit crosses the threshold, never empties the file, and gives up at
//! the first reader. What is missing is done here: moving the WAL off the committing thread (`background`), emptying it
//! when nobody writes (`idle`), and keeping it under a cap (`wal_max`). TRUNCATE and RESTART keep every writer out while
//! they wait for readers, so they wait for at most [`PATIENCE`], and only when there is nothing left to move.

use std::ffi::CString;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::events::{self, Event};
use crate::registry::FileId;
use crate::wal_index::WalIndex;
use crate::wal_log::Log;
use crate::watch::{Care, Watch, now};
use crate::{fork, sqlite, wal};

/// Without a commit for so long, the WAL is moved and emptied; in milliseconds.
const IDLE: u64 = 5000;
/// How long a TRUNCATE or RESTART may keep writers out while it waits for readers; in milliseconds.
const PATIENCE: i32 = 20;
/// How long after an attempt that could not finish the next one is made; in milliseconds.
const PAUSE: u64 = 50;
/// So many frames are moved in the committing thread; more are left to the background.
const FEW: i64 = 256;
/// How often a background checkpoint runs after what was written during the one before.
const ROUNDS: u32 = 8;
/// At most one `wal_stalled` in so many milliseconds.
const STALLED_EVERY: u64 = 10_000;

/// A database file whose WAL is taken care of.
pub(crate) struct File {
    id: FileId,
    pub(crate) path: PathBuf,
    vfs: Option<CString>,
    users: Mutex<Vec<Weak<Watch>>>,
    /// Held while the file's connection is used.
    log: Mutex<Option<Log>>,
    /// The same connection's handle, to interrupt it.
    running: Mutex<AtomicPtr<sqlite::sqlite3>>,
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
    wal_max: AtomicI64,
    /// The threshold of the background thread, in frames; 0: none.
    pages: AtomicI64,
    idle: AtomicBool,
}

/// The process's background thread and its files.
struct Checkpointer {
    generation: u32,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    files: Vec<Arc<File>>,
    running: bool,
}

/// Nothing under these locks can panic half-way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// This process's. A forked child has neither the thread nor, perhaps, the locks in a usable state: it gets a new one,
/// and the parent's stays where it is.
fn checkpointer() -> &'static Checkpointer {
    static CURRENT: AtomicPtr<Checkpointer> = AtomicPtr::new(ptr::null_mut());
    loop {
        let current = CURRENT.load(Ordering::Acquire);
        // SAFETY: null, or leaked below.
        if let Some(found) = unsafe { current.as_ref() }
            && found.generation == fork::generation()
        {
            return found;
        }
        let fresh = Box::into_raw(Box::new(Checkpointer {
            generation: fork::generation(),
            inner: Mutex::default(),
            wake: Condvar::new(),
        }));
        if CURRENT.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: nobody has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

/// What a connection wants for its WAL.
pub(crate) struct Wish {
    pub background: bool,
    pub idle: bool,
    pub pages: i64,
    pub wal_max: i64,
    pub refuse: bool,
    /// The VFS that was asked for by name.
    pub vfs: Option<CString>,
}

/// Takes care of the connection's WAL until [`leave`].
pub(crate) fn join(watch: &Arc<Watch>, wish: Wish) {
    let mut inner = locked(&checkpointer().inner);
    let file = match inner.files.iter().find(|file| file.id == watch.database) {
        Some(file) => file.clone(),
        None => {
            let file = Arc::new(File::new(watch, wish.vfs));
            inner.files.push(file.clone());
            file
        }
    };
    locked(&file.users).push(Arc::downgrade(watch));
    drop(inner);
    let smaller = |cell: &AtomicI64, value: i64| {
        let old = cell.load(Ordering::Relaxed);
        if value > 0 && (old == 0 || value < old) {
            cell.store(value, Ordering::Relaxed);
        }
    };
    // The file is one for all: the stricter wish counts.
    smaller(&file.wal_max, wish.wal_max);
    smaller(&file.pages, if wish.background { wish.pages } else { 0 });
    file.idle.fetch_or(wish.idle, Ordering::Relaxed);
    watch.take_care(Care {
        background: wish.background,
        idle: wish.idle,
        pages: wish.pages,
        wal_max: wish.wal_max,
        refuse: wish.refuse,
        file,
    });
}

/// Ends the care for a connection that is about to be closed. With the last one of a file its work is interrupted and
/// its connection closed: the caller's is then the process's last, whose close empties and removes the WAL.
pub(crate) fn leave(watch: &Watch) {
    let Some(care) = watch.care().filter(|_| watch.is_ours()) else { return };
    let file = &care.file;
    let keeper = checkpointer();
    {
        let mut inner = locked(&keeper.inner);
        let mut users = locked(&file.users);
        users.retain(|user| user.upgrade().is_some_and(|user| !ptr::eq(&*user, watch)));
        if !users.is_empty() {
            return;
        }
        inner.files.retain(|other| !Arc::ptr_eq(other, file));
        file.ended.store(true, Ordering::Release);
        keeper.wake.notify_all();
    }
    file.interrupt();
    file.finish(&mut locked(&file.log));
}

/// A connection has committed, and holds no lock any more.
pub(crate) fn committed(care: &Care, index: &WalIndex) {
    let file = &care.file;
    let time = now();
    file.committed_at.store(time, Ordering::Relaxed);
    let left = i64::from(index.frames) - i64::from(index.backfilled);
    let used = index.bytes(index.frames.into());
    if care.leaves(index) && left >= care.pages {
        file.hurry();
    }
    // From half of the cap on, so that it is still kept when a try or two meet a reader.
    if care.wal_max > 0 && used >= care.wal_max / 2 {
        let near = used >= care.wal_max / 4 * 3;
        if left > FEW || used > care.wal_max * 4 {
            file.hurry();
        } else if near || time >= file.not_before.load(Ordering::Relaxed) {
            file.truncate_here(if near { Duration::from_millis(PATIENCE as u64) } else { Duration::ZERO });
        }
    }
    if care.idle && !file.dirty.swap(true, Ordering::AcqRel) {
        file.wake();
    }
}

impl File {
    fn new(watch: &Watch, vfs: Option<CString>) -> File {
        File {
            id: watch.database,
            path: watch.path.clone(),
            vfs,
            users: Mutex::default(),
            log: Mutex::default(),
            running: Mutex::default(),
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
            wal_max: AtomicI64::new(0),
            pages: AtomicI64::new(0),
            idle: AtomicBool::new(false),
        }
    }

    /// Asks the background thread to look at the file as soon as it may.
    pub(crate) fn hurry(&self) {
        if !self.hurry.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        let keeper = checkpointer();
        let mut inner = locked(&keeper.inner);
        if !inner.running {
            inner.running = true;
            if let Err(error) = start(keeper) {
                inner.running = false;
                eprintln!("litekeel: the checkpoint thread for {} does not start: {error}", self.path.display());
                return;
            }
        }
        keeper.wake.notify_all();
    }

    /// When the background thread has work on it, in milliseconds of [`now`].
    fn due(&self) -> Option<u64> {
        if self.has_events.load(Ordering::Acquire) {
            return Some(0);
        }
        let hurried = self.hurry.load(Ordering::Acquire).then(|| self.not_before.load(Ordering::Relaxed));
        let idle = self.committed_at.load(Ordering::Relaxed) + IDLE;
        let idle = idle.max(self.idle_not_before.load(Ordering::Relaxed));
        let idle = self.dirty.load(Ordering::Acquire).then_some(idle);
        hurried.into_iter().chain(idle).min()
    }

    fn interrupt(&self) {
        let running = locked(&self.running);
        let db = running.load(Ordering::Acquire);
        if !db.is_null() {
            // SAFETY: the pointer is cleared under this lock before the connection is closed.
            unsafe { sqlite::sqlite3_interrupt(db) };
        }
    }

    fn finish(&self, log: &mut Option<Log>) {
        locked(&self.running).store(ptr::null_mut(), Ordering::Release);
        *log = None;
    }

    /// The file's connection, opened if need be.
    fn connect<'a>(&self, log: &'a mut Option<Log>) -> Option<&'a Log> {
        if log.is_none() && !self.ended.load(Ordering::Acquire) {
            match Log::open(&self.path, self.id, self.vfs.as_deref()) {
                Ok(opened) => {
                    locked(&self.running).store(opened.raw(), Ordering::Release);
                    *log = Some(opened);
                }
                Err(message) => self.tell(Event::new("checkpoint_failed").text("message", message)),
            }
        }
        log.as_ref()
    }

    /// Empties the WAL in the committing thread, once nobody else is at it.
    fn truncate_here(&self, patience: Duration) {
        let began = Instant::now();
        let mut slot = loop {
            match self.log.try_lock() {
                Ok(slot) => break slot,
                // Near the cap a writer that is faster than the disk has to wait for it.
                Err(_) if began.elapsed() < patience => std::thread::sleep(Duration::from_micros(200)),
                Err(_) => return,
            }
        };
        // TRUNCATE keeps every writer out: moving and syncing are done before it.
        let outcome = self.connect(&mut slot).and_then(|log| {
            self.checkpoint(log, Log::PASSIVE, 0)?;
            self.checkpoint(log, Log::TRUNCATE, 0)
        });
        if outcome.is_some_and(|(frames, _)| frames == 0) {
            self.dirty.store(false, Ordering::Release);
            self.finish(&mut slot);
        } else {
            // A reader is in the way: the background thread goes on trying.
            self.not_before.store(now() + PAUSE, Ordering::Relaxed);
            self.hurry();
        }
        drop(slot);
        if self.has_events.load(Ordering::Acquire) {
            self.wake();
        }
    }

    /// One checkpoint. Frames in the log and in the database; `None` when somebody else is at it, or it failed.
    fn checkpoint(&self, log: &Log, mode: i32, patience: i32) -> Option<(i64, i64)> {
        let began = Instant::now();
        match log.checkpoint(mode, patience) {
            Ok(outcome) => {
                let (frames, done) = outcome?;
                let news = self.moved.swap(done, Ordering::Relaxed) != done;
                if news && (done > 0 || mode == Log::TRUNCATE) {
                    self.tell(wal::checkpointed(mode, frames, done, began.elapsed()));
                }
                Some((frames, done))
            }
            Err(message) => {
                self.tell(Event::new("checkpoint_failed").text("message", message));
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
            let subscribers: Vec<_> = users.iter().map(|watch| watch.subscribers.clone()).collect();
            events.into_iter().for_each(|event| events::tell_users(&subscribers, event, &self.path));
        }
    }

    /// The background thread's look at one file.
    fn work(&self) {
        let time = now();
        let hurried = self.hurry.load(Ordering::Acquire) && self.not_before.load(Ordering::Relaxed) <= time;
        let idle = self.dirty.load(Ordering::Acquire)
            && time >= self.committed_at.load(Ordering::Relaxed) + IDLE
            && time >= self.idle_not_before.load(Ordering::Relaxed);
        if hurried {
            self.hurry.store(false, Ordering::Release);
        }
        if hurried || idle {
            let mut slot = locked(&self.log);
            let again = self.tend(&mut slot, idle);
            // A connection that stays would keep the application from changing the journal mode.
            if !again {
                self.finish(&mut slot);
            }
            drop(slot);
            self.idle_not_before.store(now() + IDLE, Ordering::Relaxed);
            self.not_before.store(now() + PAUSE, Ordering::Relaxed);
            if again {
                self.hurry.store(true, Ordering::Release);
            }
        }
        self.deliver();
    }

    /// Moves the log, and empties it where that is due. Returns whether it has to be tried again soon.
    fn tend(&self, slot: &mut Option<Log>, idle: bool) -> bool {
        let Some(log) = self.connect(slot) else { return false };
        // What is written meanwhile is moved in further rounds, so that little is left for the lock.
        let mut left = i64::MAX;
        let mut index = None;
        for _ in 0..ROUNDS {
            if self.checkpoint(log, Log::PASSIVE, 0).is_none() {
                return false;
            }
            index = log.index();
            let before = left;
            left = index.map_or(0, |index| i64::from(index.frames) - i64::from(index.backfilled));
            if left <= FEW / 8 || left >= before {
                break;
            }
        }
        let Some(index) = index else { return false };
        let frames = i64::from(index.frames);
        let size = index.bytes(frames);
        let (wal_max, pages) = (self.wal_max.load(Ordering::Relaxed), self.pages.load(Ordering::Relaxed));
        let capped = wal_max > 0 && size >= wal_max / 2;
        if left <= FEW && (capped || idle) {
            let patience = if capped && size > wal_max { PATIENCE } else { 0 };
            if self.checkpoint(log, Log::TRUNCATE, patience).is_some_and(|(frames, _)| frames == 0) {
                self.dirty.store(false, Ordering::Release);
                return false;
            }
        } else if left <= FEW && pages > 0 && frames >= 2 * pages {
            // A writer that never pauses would go on appending. This keeps the file's size.
            self.checkpoint(log, Log::RESTART, PATIENCE);
        }
        if capped && size > 4 * wal_max {
            self.stalled(log, wal_max);
        }
        capped
    }

    fn stalled(&self, log: &Log, wal_max: i64) {
        let time = now();
        let last = self.stalled_at.load(Ordering::Relaxed);
        if last != 0 && time - last < STALLED_EVERY {
            return;
        }
        self.stalled_at.store(time, Ordering::Relaxed);
        if let Some(index) = log.index() {
            self.tell(wal::stalled(&index, &self.path, wal_max));
        }
    }
}

fn start(keeper: &'static Checkpointer) -> std::io::Result<()> {
    // The application's signal handlers run on its own threads.
    // SAFETY: plain data, and the mask of this thread, put back below.
    unsafe {
        let mut every: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut every);
        libc::pthread_sigmask(libc::SIG_SETMASK, &every, &mut before);
        let started =
            std::thread::Builder::new().name("litekeel-wal".into()).stack_size(256 * 1024).spawn(|| run(keeper));
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
        started.map(drop)
    }
}

/// The background thread: it sleeps until a file is due, and ends with the last one.
fn run(keeper: &Checkpointer) {
    let mut inner = locked(&keeper.inner);
    loop {
        if inner.files.is_empty() {
            inner.running = false;
            return;
        }
        let next = inner.files.iter().filter_map(|file| Some((file.due()?, file.clone()))).min_by_key(|(due, _)| *due);
        let time = now();
        match next {
            Some((due, file)) if due <= time => {
                drop(inner);
                file.work();
                drop(file);
                inner = locked(&keeper.inner);
            }
            Some((due, file)) => {
                drop(file);
                let rest = Duration::from_millis(due - time);
                inner = keeper
                    .wake
                    .wait_timeout(inner, rest)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(inner, _)| inner);
            }
            None => inner = keeper.wake.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner()),
        }
    }
}
