//! SQLite's failure on a connection, as an explained error.

use crate::connection::{Connection, health};
use crate::error::{Error, FailedStep, Result};
use crate::explain;
use crate::explain::FailedCall;
use crate::raw::handle::sqlite_error;
use crate::sqlite;

impl Connection {
    /// The explained error for `rc`, which a call on SQLite's own handle has just returned: see [`Guard::fail`](crate::Guard::fail).
    ///
    /// # Errors
    /// As [`lock`](Connection::lock).
    pub fn explain(&self, rc: i32) -> Result<Error> {
        // How long that call waited: a new call of litekeel's begins without it.
        let waited = self.activity.waited();
        let guard = self.lock()?;
        self.activity.set_waited(waited);
        // SAFETY: the guard keeps the connection open.
        let (code, _) = unsafe { sqlite_error(guard.raw(), rc) };
        Ok(guard.fail(code))
    }

    /// SQLite's failure as an explained error. Failures that are about SQL keep SQLite's sentence.
    ///
    /// `doing` is the step when the call is not a statement of the user's.
    ///
    /// # Safety
    /// `raw` is this connection's handle, and the caller holds its [`Guard`](crate::Guard) (or is its only user).
    pub(crate) unsafe fn fail(&self, raw: *mut sqlite::sqlite3, rc: i32, doing: Option<FailedStep>) -> Error {
        // SAFETY: the caller's promise.
        unsafe { self.fail_of(raw, rc, doing, None) }
    }

    /// The same, with the text of the statement that failed.
    ///
    /// # Safety
    /// As for [`fail`](Connection::fail).
    pub(crate) unsafe fn fail_of(
        &self,
        raw: *mut sqlite::sqlite3,
        rc: i32,
        doing: Option<FailedStep>,
        sql: Option<&[u8]>,
    ) -> Error {
        let named = |error: Error| match doing {
            Some(step) => error.with_step(step),
            None => error,
        };
        // SAFETY: the caller's promise.
        if let Some(error) = unsafe { health::refusal(self, raw, rc) } {
            return named(error);
        }
        let subject = FailedCall {
            activity: Some(&self.activity),
            id: Some(self.id),
            sql,
            ..FailedCall::of(raw, self.path(), self.identity.access)
        };
        let error = explain::explain(&subject, rc);
        named(error)
    }
}
