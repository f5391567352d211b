//! Checkpoints beside SQLite's own: one background thread for the process, and one connection of its own for each file.
//!
//! SQLite's automatic checkpoint runs in whichever commit crosses the threshold, never empties the file, and gives up at
//! the first reader. What is missing is done here: moving the WAL off the committing thread (`background`), emptying it
//! when nobody writes (`idle`), and keeping it under a cap (`wal_max`). TRUNCATE and RESTART keep every writer out while
//! they wait for readers, so they wait for at most 20 ms, and only when there is nothing left to move.

use std::ffi::CString;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::platform::clock::now_ms;
use crate::platform::fork;
use crate::platform::standard_error;
use crate::platform::threads::locked;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::WalIndex;
use crate::vfs::wal_keeper::{CheckpointPolicy, WalCare, WalKeeper};

pub(crate) use super::file_checkpointer::FileCheckpointer;

/// The process's background thread and its files.
struct Checkpointer {
    generation: u32,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    files: Vec<Arc<FileCheckpointer>>,
    running: bool,
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

/// What a connection wants for its WAL, and how the file is opened for it.
#[derive(Clone)]
pub(crate) struct Wish {
    pub policy: CheckpointPolicy,
    /// The VFS that was asked for by name.
    pub vfs: Option<CString>,
}

/// Takes care of the connection's WAL until [`FileMonitor::leave_keeper`].
pub(crate) fn join(watch: &Arc<FileMonitor>, wish: Wish) {
    let mut inner = locked(&checkpointer().inner);
    let file = match inner.files.iter().find(|file| file.id == watch.database) {
        Some(file) => file.clone(),
        None => {
            let file = Arc::new(FileCheckpointer::new(watch, wish.vfs, wake));
            inner.files.push(file.clone());
            file
        }
    };
    locked(&file.users).push(Arc::downgrade(watch));
    drop(inner);
    file.wish(wish.policy.wal_max, if wish.policy.background { wish.policy.pages } else { 0 });
    watch.take_care(WalCare { policy: wish.policy, keeper: file });
}

impl WalKeeper<FileMonitor> for FileCheckpointer {
    fn committed(&self, policy: &CheckpointPolicy, index: &WalIndex) {
        self.after_commit(policy, index);
    }

    fn hurry(&self) {
        self.make_due();
    }

    fn leave(self: Arc<Self>, watch: &FileMonitor) {
        let keeper = checkpointer();
        {
            let mut inner = locked(&keeper.inner);
            let mut users = locked(&self.users);
            users.retain(|user| user.upgrade().is_some_and(|user| !ptr::eq(&*user, watch)));
            if !users.is_empty() {
                return;
            }
            inner.files.retain(|other| !Arc::ptr_eq(other, &self));
            keeper.wake.notify_all();
        }
        self.end();
    }
}

/// Lets the background thread look which file is due; starts it if need be, on behalf of the file at `path`.
fn wake(path: &Path) {
    let keeper = checkpointer();
    let mut inner = locked(&keeper.inner);
    if !inner.running {
        inner.running = true;
        if let Err(error) = start(keeper) {
            inner.running = false;
            let path = path.display().to_string();
            standard_error::line(&format!("the checkpoint thread for {path} does not start: {error}"));
            return;
        }
    }
    keeper.wake.notify_all();
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
        let time = now_ms();
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
