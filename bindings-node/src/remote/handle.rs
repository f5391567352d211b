//! A libSQL server's database, as JavaScript holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litekeel_core::{Error, Result};
use litekeel_remote::Remote;
use napi::sys;

use super::pool::Pool;
use crate::connection::call::Call;
use crate::js::external::{self, External, Held};
use crate::js::value;

/// A database, until it is closed, and the threads that ask it.
pub(super) struct Handle {
    remote: Mutex<Option<Arc<Remote>>>,
    pub(super) pool: Pool,
}

impl Handle {
    pub(super) fn locked(&self) -> MutexGuard<'_, Option<Arc<Remote>>> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever forgot to close it, the thread of JavaScript waits for no server.
impl Drop for Handle {
    fn drop(&mut self) {
        // Where a call still runs, its thread ends it.
        if let Some(remote) = self.locked().take().and_then(Arc::into_inner) {
            remote.abandon();
        }
    }
}

impl Held for Handle {
    type Pointer = Arc<Handle>;
    const TAG: sys::napi_type_tag = external::tag(0x7265_6d6f_7465_0001);
}

/// The object of a database; so many threads ask at a time.
pub(super) fn external(env: sys::napi_env, remote: Remote, threads: usize) -> Option<sys::napi_value> {
    let handle = Handle { remote: Mutex::new(Some(Arc::new(remote))), pool: Pool::new(threads) };
    External::<Handle>::make(env, Arc::new(handle))
}

pub(super) fn handle(call: &Call, at: usize) -> Option<Arc<Handle>> {
    External::<Handle>::of(call.env, call.args[at])
}

/// The open database in an argument; throws a TypeError otherwise.
pub(super) fn opened(call: &Call, at: usize) -> Option<Arc<Remote>> {
    let remote = handle(call, at).and_then(|handle| handle.locked().clone());
    if remote.is_none() {
        value::throw_type(call.env, "The database connection is not open");
    }
    remote
}

/// Runs what may panic; a panic is an error.
pub(super) fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Error::new(litekeel_core::codes::PANIC, "internal error (panic) in the libSQL client")))
}
