//! A connection as the end of the process sees it.

use std::time::Duration;

use crate::connection::Connection;
use crate::connection::close::{ReportReader, close_locked};
use crate::locks::holders;
use crate::registry::{Doing, OpenConnection};
use crate::sqlite;

impl OpenConnection for Connection {
    fn doing(&self) -> Doing {
        let Ok(state) = self.state.try_lock() else { return Doing::Running };
        if state.closed.is_some() {
            return Doing::Nothing;
        }
        // SAFETY: the connection is open, and its lock is held.
        let state = unsafe { sqlite::sqlite3_txn_state(state.raw.0, std::ptr::null()) };
        if state == sqlite::SQLITE_TXN_WRITE { Doing::Writing } else { Doing::Nothing }
    }

    fn is_write_locked_here(&self) -> bool {
        self.path().is_some_and(|path| holders::write_locked_here(path).unwrap_or(true))
    }

    fn interrupt_call(&self) {
        self.interrupt();
    }

    fn close_at_exit(&self, patience: Duration) -> bool {
        let began = std::time::Instant::now();
        loop {
            if let Ok(state) = self.state.try_lock() {
                close_locked(self, state, ReportReader::Nobody);
                return true;
            }
            if began.elapsed() >= patience {
                return false;
            }
            self.interrupt();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
