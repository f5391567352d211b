//! Keeping the other owners out while what hangs on a handle is taken down.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use crate::connection::close;
use crate::connection::guard::After;
use crate::connection::{Connection, State, errors};
use crate::error::Result;
use crate::platform::threads::this_thread;
use crate::waiting::deadline;

/// Nobody else uses the connection while it lives. Unlike a [`Guard`](crate::Guard) it says nothing about the connection's
/// state.
pub struct TeardownLock<'a> {
    connection: &'a Connection,
    /// None inside a call of this very thread, which keeps the others out already.
    state: Option<MutexGuard<'a, State>>,
    /// After `state`, as in a guard: what was let go of meanwhile ends with this, since there may be no further call.
    _after: Option<After<'a>>,
}

impl Connection {
    /// Keeps other owners' calls out, whatever state the connection is in: closed, being shut down or after a panic too.
    /// For finalizing statements and the like, which a closed connection still needs. Inside a call of this very thread
    /// it is part of that call.
    ///
    /// `None` in a child of the process that opened the connection, and when a call of another owner has not ended after
    /// `patience`; without patience it is waited for.
    pub fn lock_for_teardown(&self, patience: Option<Duration>) -> Option<TeardownLock<'_>> {
        if self.is_forked() {
            return None;
        }
        if self.is_used_by_this_thread() {
            return Some(TeardownLock { connection: self, state: None, _after: None });
        }
        let state = match patience {
            None => self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
            Some(patience) => self.state_within(patience)?,
        };
        self.activity.set_user(this_thread());
        Some(TeardownLock { connection: self, state: Some(state), _after: Some(After(self)) })
    }

    /// Ends the use of an owner that is gone without closing. The last one's is ended by the drop, which warns.
    pub fn abandon(&self) {
        let others = |owners: usize| (owners > 1).then(|| owners - 1);
        let _ = self.owners.fetch_update(Ordering::AcqRel, Ordering::Acquire, others);
    }

    /// As [`abandon`](Connection::abandon), for a host whose object will not come to be dropped: the last owner's use is ended
    /// here, with the warning of a drop.
    pub fn abandon_undropped(&self) {
        if self.owners.load(Ordering::Acquire) > 1 {
            self.abandon();
        } else {
            close::end_undropped(self);
        }
    }

    /// The state, as soon as no other owner's call uses it. Who may be told to give up meanwhile does not sleep in the mutex's own
    /// queue, from which nothing but the mutex wakes a thread.
    #[inline]
    pub(super) fn state_for_call(&self) -> Result<MutexGuard<'_, State>> {
        self.awaited.let_one_go_first();
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(_)) => Err(errors::panicked()),
            Err(TryLockError::WouldBlock) => self.wait_for_state(),
        }
    }

    /// As [`state_for_call`](Connection::state_for_call), for a close: neither a limit nor its thread's end keeps it from giving
    /// up its owner's part. Handles end with their close, and finalizers come once: nobody else would.
    pub(super) fn state_for_close(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| errors::panicked())
    }

    #[cold]
    fn wait_for_state(&self) -> Result<MutexGuard<'_, State>> {
        if !deadline::may_give_up() {
            return self.state.lock().map_err(|_| errors::panicked());
        }
        let mut waiter = self.awaited.enter();
        loop {
            match self.state.try_lock() {
                Ok(state) => return Ok(state),
                Err(TryLockError::Poisoned(_)) => return Err(errors::panicked()),
                Err(TryLockError::WouldBlock) if deadline::gives_up() => return Err(errors::gave_up_waiting()),
                Err(TryLockError::WouldBlock) => waiter.sleep(),
            }
        }
    }

    fn state_within(&self, patience: Duration) -> Option<MutexGuard<'_, State>> {
        let began = Instant::now();
        loop {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if began.elapsed() >= patience => return None,
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for TeardownLock<'_> {
    fn drop(&mut self) {
        if let Some(state) = &mut self.state {
            state.streams.get_mut().end(&self.connection.deferred.take_streams());
            // Before the lock is given back, which the fields' own drop does.
            self.connection.activity.set_user(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Connection, Options};

    #[test]
    fn what_is_let_go_of_meanwhile_ends_with_the_hold() {
        let db = Connection::open(Some(":memory:"), &Options::new()).unwrap();
        db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3)").unwrap();
        let (_, stream) = db.stream("SELECT a FROM t", None, 1).unwrap();
        {
            let _hold = db.lock_for_teardown(None).unwrap();
            // A finalizer that runs here.
            drop(stream);
        }
        db.exec("DROP TABLE t").expect("no statement reads it any more");
        let second = db.retain().unwrap();
        {
            let _hold = db.lock_for_teardown(None).unwrap();
            second.release();
            db.release();
        }
        assert!(db.lock().is_err(), "its last owner has left");
    }

    #[test]
    fn a_hold_keeps_others_out_and_is_part_of_ones_own_call() {
        let db = Connection::open(Some(":memory:"), &Options::new()).unwrap();
        let soon = Some(Duration::from_millis(5));
        {
            let _call = db.lock().unwrap();
            assert!(db.lock_for_teardown(soon).is_some());
            assert!(std::thread::scope(|scope| scope.spawn(|| db.lock_for_teardown(soon).is_none()).join().unwrap()));
        }
        {
            let _hold = db.lock_for_teardown(None).unwrap();
            assert!(db.lock().is_err(), "a call inside would wait for itself");
            assert!(std::thread::scope(|scope| scope.spawn(|| db.lock_for_teardown(soon).is_none()).join().unwrap()));
        }
        db.abandon();
        assert_eq!(db.close().unwrap().owners_left, 0, "the only owner has not left");
        assert!(db.lock_for_teardown(soon).is_some());
    }
}
