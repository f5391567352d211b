//! Who gives back the read locks that are only [kept](crate::vfs::kept_read_lock), for whom they stand in the way, and when
//! they have not been used: a thread, which is there while something is kept, and a little longer.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use crate::platform::clock::now_ns;
use crate::platform::file_id::FileId;
use crate::platform::fork::ForkMutex;
use crate::platform::signals::without_signals;
use crate::vfs::kept_read_lock::KeptReadLock;
use crate::vfs::switches::{FIRM_OVER_FORKS, careless};
use crate::vfs::{file_state, firm_reads};

struct Keeper {
    entries: Vec<Arc<KeptReadLock>>,
    thread: Option<Thread>,
}

/// What the thread looks after.
pub(crate) static KEEPER: ForkMutex<KeeperList> =
    ForkMutex::new(KeeperList(Keeper { entries: Vec::new(), thread: None }));

/// Opaque outside of this file.
pub(crate) struct KeeperList(Keeper);

/// How many there are, so that nobody asks for the list in vain.
static ENLISTED: AtomicUsize = AtomicUsize::new(0);
/// The thread stays for a while when nothing is kept: reads come in bursts, and making one costs more than a burst saves.
const LINGER: Duration = Duration::from_millis(50);

/// While it lives, every lock of a reader's that this process holds on the file is one of a read that goes on, and none of
/// them hides another process's.
pub(crate) struct NothingKept(());

/// Gives back what is kept of the file, until the look is over.
pub(crate) fn look_without(database: FileId) -> NothingKept {
    firm_reads::halt();
    if let Some(file) = file_state::known(database) {
        file.firm_reads.soften();
    }
    for entry in KEEPER.lock().0.entries.iter().filter(|entry| entry.database == database) {
        entry.give_back();
    }
    NothingKept(())
}

impl Drop for NothingKept {
    fn drop(&mut self) {
        firm_reads::resume();
    }
}

/// Another connection of this process wants slots for itself alone: what is kept of them is given back.
pub(crate) fn take_away(database: FileId, slot: c_int, slots: c_int) {
    if ENLISTED.load(Ordering::Acquire) == 0 {
        return;
    }
    for entry in KEEPER.lock().0.entries.iter().filter(|entry| entry.database == database) {
        entry.leave_slots(slot, slots);
    }
}

/// Whether the thread looks after it, which it does after this call unless the system has no thread for it.
pub(super) fn enlist(lock: &Arc<KeptReadLock>) -> bool {
    let mut list = KEEPER.lock();
    let list = &mut list.0;
    if list.thread.is_none() {
        let started = without_signals(|| {
            std::thread::Builder::new().name("litekeel-lock".into()).stack_size(128 * 1024).spawn(run)
        });
        let Ok(started) = started else { return false };
        list.thread = Some(started.thread().clone());
    }
    if !lock.enlisted.swap(true, Ordering::SeqCst) {
        let first = list.entries.is_empty();
        list.entries.push(lock.clone());
        ENLISTED.store(list.entries.len(), Ordering::Release);
        // Else it wakes soon enough by itself.
        if first && let Some(thread) = &list.thread {
            thread.unpark();
        }
    }
    true
}

/// The thread: there while something is kept, and a little longer.
fn run() {
    let mut lingering = false;
    loop {
        let rest = {
            let mut list = KEEPER.lock();
            let list = &mut list.0;
            let now = now_ns();
            let mut next: Option<u64> = None;
            list.entries.retain(|entry| {
                let rest = entry.look(now);
                next = next.into_iter().chain(rest).min();
                rest.is_some()
            });
            ENLISTED.store(list.entries.len(), Ordering::Release);
            if next.is_none() && lingering {
                list.thread = None;
                return;
            }
            lingering = next.is_none();
            next.map_or(LINGER, Duration::from_nanos)
        };
        std::thread::park_timeout(rest);
    }
}

/// Before a fork: nothing is kept until [`after_fork`], and no lock is the open file's, which the child shares: it would have
/// it for as long as it lives.
pub(crate) fn before_fork() {
    firm_reads::halt();
    if !careless(FIRM_OVER_FORKS) {
        file_state::each(|file| file.firm_reads.soften());
    }
    for entry in &KEEPER.lock().0.entries {
        entry.give_back();
    }
}

/// In the parent.
pub(crate) fn after_fork() {
    firm_reads::resume();
}

/// A forked child has no such thread, and nothing of its parent's.
pub(crate) fn in_child() {
    let mut list = KEEPER.lock();
    for entry in std::mem::take(&mut list.0.entries) {
        entry.enlisted.store(false, Ordering::SeqCst);
    }
    list.0.thread = None;
    ENLISTED.store(0, Ordering::Release);
    firm_reads::in_child();
}
