//! The connections that read one database.

use std::ffi::CString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use litekeel_core::{Connection, Error};
use napi::sys;

use super::limit::Limit;
use super::query;
use crate::js::external::{self, Held};

/// How long closing waits for reads that have been interrupted.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The reading connections of one database.
pub(super) struct Readers {
    origin: Arc<Connection>,
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    connections: Vec<Reader>,
    /// What each of them has to load: paths with their entry points.
    extensions: Vec<Extension>,
    /// Of every read that has no answer yet.
    limits: Vec<(f64, Arc<Limit>)>,
    /// Connections that are in use.
    busy: usize,
}

/// A connection that only reads.
pub(super) struct Reader {
    pub(super) connection: Arc<Connection>,
    /// How many of the extensions it has.
    loaded: usize,
}

/// Its path and its entry point.
pub(super) type Extension = (CString, Option<CString>);

impl Held for Readers {
    type Pointer = Arc<Readers>;
    const TAG: sys::napi_type_tag = external::tag(0x7265_6164_6572_7301);
}

impl Readers {
    /// Those of a database, which `origin` has open; none of them is there yet.
    pub(super) fn new(origin: Arc<Connection>) -> Readers {
        Readers { origin, state: Mutex::default(), idle: Condvar::new() }
    }

    /// A read begins that `limit` may end.
    pub(super) fn begin(&self, id: f64, limit: Arc<Limit>) {
        locked(&self.state).limits.push((id, limit));
    }

    /// A read has its answer.
    pub(super) fn end(&self, id: f64) {
        locked(&self.state).limits.retain(|(other, _)| *other != id);
    }

    /// The read's statement stops within milliseconds.
    pub(super) fn cancel(&self, id: f64) {
        locked(&self.state).limits.iter().filter(|(other, _)| *other == id).for_each(|(_, limit)| limit.cancel());
    }

    /// Every one of them loads the extension before it next reads.
    pub(super) fn load(&self, extension: Extension) {
        locked(&self.state).extensions.push(extension);
    }

    pub(super) fn is_closed(&self) -> bool {
        locked(&self.state).closed
    }

    /// A connection to read with; `None` when the database has been closed.
    pub(super) fn take(&self) -> Result<Option<Reader>, Error> {
        let mut state = locked(&self.state);
        if state.closed {
            return Ok(None);
        }
        state.busy += 1;
        let kept = state.connections.pop();
        let extensions = state.extensions.clone();
        drop(state);
        let ready = || {
            let mut reader = match kept {
                Some(reader) => reader,
                None => Reader { connection: query::open(&self.origin)?, loaded: 0 },
            };
            for (path, entry) in &extensions[reader.loaded..] {
                if let Err(error) = query::load(&reader.connection, path, entry.as_deref()) {
                    let _ = reader.connection.close();
                    return Err(error);
                }
                reader.loaded += 1;
            }
            Ok(Some(reader))
        };
        ready().inspect_err(|_| self.rest())
    }

    fn rest(&self) {
        locked(&self.state).busy -= 1;
        self.idle.notify_all();
    }

    pub(super) fn give_back(&self, reader: Reader) {
        let mut state = locked(&self.state);
        if state.closed {
            drop(state);
            // It reads only: there is nothing that its report could tell.
            let _ = reader.connection.close();
        } else {
            state.connections.push(reader);
            drop(state);
        }
        self.rest();
    }

    pub(super) fn close(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        for (_, limit) in &state.limits {
            limit.cancel();
        }
        let began = Instant::now();
        while state.busy > 0 && began.elapsed() < PATIENCE {
            let waited = self.idle.wait_timeout(state, Duration::from_millis(50));
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        let connections = std::mem::take(&mut state.connections);
        drop(state);
        for reader in connections {
            let _ = reader.connection.close();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for reader in locked(&self.state).connections.drain(..) {
            let _ = reader.connection.close();
        }
    }
}
