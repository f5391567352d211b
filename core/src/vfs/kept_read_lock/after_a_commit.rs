//! What stays of a read lock after a commit: the next one moves the mark, for which SQLite locks the same byte exclusively.
//!
//! Nothing is protected by it, so nothing beside it has to be firm: SQLite's books have let go of the lock, and whatever the
//! connection does next asks the kernel. It spares a call, and no more; it would be in the way of other processes, so it
//! is for a process that is alone.

use super::*;

impl KeptReadLock {
    /// The reader asks for the writer's lock.
    pub(in crate::vfs) fn writes(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// Whether it has, in the read that ends; told once.
    pub(in crate::vfs) fn take_wrote(&self) -> bool {
        let wrote = self.wrote.load(Ordering::Relaxed);
        if wrote {
            self.wrote.store(false, Ordering::Relaxed);
        }
        wrote
    }

    /// The reader ends a transaction that has written: whether the byte of its read lock stays locked when SQLite's books let go
    /// of it, for the next one, which moves the mark and so locks the same byte exclusively. It protects no read. Only where
    /// commits follow each other closely, and where `is_alone` says that no other process uses the database.
    pub(in crate::vfs) fn follows_closely(&self, is_alone: impl FnOnce() -> bool) -> bool {
        if !self.allowed.load(Ordering::Relaxed) {
            return false;
        }
        let now = self.latest();
        let close =
            self.in_a_row.load(Ordering::Relaxed) >= self.has_to_follow() || careless(FOR_LONG | AFTER_EVERY_READ);
        if close && now.saturating_sub(self.looked_alone.load(Ordering::Relaxed)) >= LOOK_EVERY {
            self.looked_alone.store(now, Ordering::Relaxed);
            self.alone.store(is_alone(), Ordering::Relaxed);
        }
        close && self.alone.load(Ordering::Relaxed)
    }

    /// Books have let go of the lock of this slot, and its byte is still locked: somebody looks after it from now on, or it is
    /// given up.
    pub(in crate::vfs) fn leave_byte(self: &Arc<Self>, file: *mut sqlite::sqlite3_file, slot: c_int, enlist: Enlist) {
        self.kept.store(false, Ordering::Relaxed);
        self.file.store(file, Ordering::Relaxed);
        self.state.swap(KEPT | BYTE_ALONE | slot as u32, Ordering::SeqCst);
        let looked_after = self.enlisted.load(Ordering::SeqCst) || enlist(self);
        if (!looked_after || is_halted())
            && let Some(kept) = self.take_back()
        {
            self.release(kept);
        }
    }

    /// The reader asks for this slot for itself alone: whether its byte has stayed locked since a commit, and is the reader's
    /// own again. It then becomes the exclusive lock, or is to be given [up](KeptReadLock::give_up). Anything else that is kept
    /// goes back.
    pub(in crate::vfs) fn becomes_exclusive(&self, slot: c_int) -> bool {
        let kept = KEPT | BYTE_ALONE | slot as u32;
        let own = self.state.load(Ordering::Relaxed) == kept
            && self.state.compare_exchange(kept, FREE, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !own {
            self.give_back();
        }
        own
    }

    /// For the reader: the byte of this slot is unlocked, unless somebody of this process has it now.
    pub(in crate::vfs) fn give_up(&self, slot: c_int) {
        self.release(KEPT | BYTE_ALONE | slot as u32);
    }
}
