//! Reading beside the event loop: threads of our own, each with a connection that only reads what is committed.

pub(crate) mod params;
mod pool;
mod query;

use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use litekeel_core::packed::{Cell, Packed};
use litekeel_core::{Connection, Error};
use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::dispatcher::{Dispatcher, dispatcher_of};
use crate::js::object::{self, Elements};
use crate::js::scope;
use crate::js::value;
use params::Params;
use pool::Pool;

/// Marks externals as the readers of a connection.
const READERS: sys::napi_type_tag = sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: 0x7265_6164_6572_7301 };

/// How long closing waits for reads that have been interrupted.
const PATIENCE: Duration = Duration::from_secs(2);

native_exports! {
    c"openReaders" => open,
    c"read" => read,
    c"cancelRead" => cancel,
    c"closeReaders" => close,
    c"readersLoad" => load,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a running statement looks at now and then.
pub(super) struct Limit {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
}

impl Limit {
    pub(super) fn reached(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// The reading connections of one database.
struct Readers {
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
struct Reader {
    connection: Arc<Connection>,
    /// How many of the extensions it has.
    loaded: usize,
}

type Extension = (CString, Option<CString>);

struct Job {
    id: f64,
    readers: Arc<Readers>,
    sql: String,
    params: Params,
    limit: Arc<Limit>,
    safe_integers: bool,
    dispatcher: Arc<Dispatcher>,
}

/// How a read ended.
pub(crate) enum Answer {
    /// The rows, and whether integers become BigInt.
    Rows(Packed, bool),
    /// The core's or SQLite's error.
    Failed(Error),
    /// The caller's mistake, with better-sqlite3's class and words.
    Refused(Refusal),
    /// The deadline has passed.
    TimedOut,
    /// The connection was closed meanwhile.
    Closed,
}

/// A mistake of the caller.
pub(crate) struct Refusal {
    pub(crate) range: bool,
    pub(crate) message: String,
}

impl Answer {
    /// The dispatcher's kind of message, and its content.
    pub(crate) fn to_js(&self, env: sys::napi_env) -> (&'static [u8], sys::napi_value) {
        match self {
            Answer::Rows(packed, safe) => (b"rows", rows(env, packed, *safe)),
            Answer::Failed(error) => (b"failed", object::failure(env, error)),
            Answer::Refused(refusal) => {
                let kind: &[u8] = if refusal.range { b"range" } else { b"type" };
                (kind, value::string(env, refusal.message.as_bytes()))
            }
            Answer::TimedOut => (b"timeout", value::undefined(env)),
            Answer::Closed => (b"type", value::string(env, b"The database connection is not open")),
        }
    }
}

/// `[names, row, row, …]`, each row an array
pub(crate) fn rows(env: sys::napi_env, packed: &Packed, safe: bool) -> sys::napi_value {
    let table = packed.table();
    let mut out = ptr::null_mut();
    // SAFETY: handles of the open scope; each row has a scope of its own, or a large result would fill this one.
    unsafe {
        sys::napi_create_array_with_length(env, table.rows() + 1, &mut out);
        let names: Vec<_> = (0..table.columns()).map(|column| value::string(env, table.name(column))).collect();
        let elements = Elements::new(env, table.columns().max(1));
        elements.set(env, out, 0, elements.list(env, &names));
        for row in 0..table.rows() {
            let Some(_scope) = scope::Scope::open(env) else { return out };
            let cells: Vec<_> = (0..table.columns()).map(|column| cell(env, table.cell(row, column), safe)).collect();
            elements.set(env, out, row + 1, elements.list(env, &cells));
        }
    }
    out
}

fn cell(env: sys::napi_env, cell: Cell<'_>, safe: bool) -> sys::napi_value {
    let mut out = ptr::null_mut();
    // SAFETY: writes a handle of the open scope; the bytes are copied.
    unsafe {
        match cell {
            Cell::Null => return object::null(env),
            Cell::Int(number) if safe => {
                sys::napi_create_bigint_int64(env, number, &mut out);
            }
            Cell::Int(number) => return value::number(env, number as f64),
            Cell::Float(number) => return value::number(env, number),
            Cell::Text(text) => return value::string(env, text),
            Cell::Blob(blob) => {
                sys::napi_create_buffer_copy(env, blob.len(), blob.as_ptr().cast(), ptr::null_mut(), &mut out);
            }
        }
    }
    out
}

impl Job {
    fn run(&self) -> Answer {
        let reader = match self.readers.take() {
            Ok(Some(reader)) => reader,
            Ok(None) => return Answer::Closed,
            Err(error) => return Answer::Failed(error),
        };
        let answer = query::run(&reader.connection, &self.sql, &self.params, &self.limit, self.safe_integers);
        self.readers.give_back(reader);
        match answer {
            Answer::Failed(_) if self.readers.is_closed() => Answer::Closed,
            Answer::Failed(error) if error.code() & 0xff == litekeel_core::sqlite::SQLITE_INTERRUPT => {
                // A cancelled read has been rejected already; what is sent for it is ignored.
                Answer::TimedOut
            }
            answer => answer,
        }
    }

    fn finish(self, answer: Answer) {
        locked(&self.readers.state).limits.retain(|(id, _)| *id != self.id);
        let id = self.id;
        self.dispatcher.send(Box::new(move |env| {
            let (kind, content) = answer.to_js(env);
            [value::string(env, kind), value::number(env, id), content]
        }));
    }
}

impl Readers {
    fn is_closed(&self) -> bool {
        locked(&self.state).closed
    }

    /// A connection to read with; `None` when the database has been closed.
    fn take(&self) -> Result<Option<Reader>, Error> {
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

    fn give_back(&self, reader: Reader) {
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

    fn close(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        for (_, limit) in &state.limits {
            limit.cancelled.store(true, Ordering::Relaxed);
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

unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the count of `open`; finalised once.
    drop(unsafe { Arc::from_raw(data.cast_const().cast::<Readers>()) });
}

/// `(token)` → readers
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let origin = call.core()?;
    let readers = Arc::new(Readers { origin, state: Mutex::default(), idle: Condvar::new() });
    let mut external = ptr::null_mut();
    let data: *mut c_void = Arc::into_raw(readers).cast_mut().cast();
    // SAFETY: the external owns the count.
    unsafe {
        if sys::napi_create_external(call.env, data, Some(free), ptr::null_mut(), &mut external) != sys::Status::napi_ok
        {
            drop(Arc::from_raw(data.cast_const().cast::<Readers>()));
            return None;
        }
        sys::napi_type_tag_object(call.env, external, &READERS);
    }
    Some(external)
}

fn readers(call: &Call, at: usize) -> Option<Arc<Readers>> {
    let data = call.external(at, &READERS)?.cast_const().cast::<Readers>();
    // SAFETY: the tag says that the external is one of `open`'s, which holds a count while it lives.
    unsafe {
        Arc::increment_strong_count(data);
        Some(Arc::from_raw(data))
    }
}

fn number(call: &Call, at: usize) -> f64 {
    let mut number = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[at], &mut number) };
    number
}

/// `(dispatcher, readers, id, sql, values, names, timeoutMs, safeIntegers)`: `names` are the keys of a plain object whose
/// values follow the positional ones, null when there is none; a timeout of 0 is none. The answer comes by dispatcher.
unsafe fn read(call: &Call) -> Option<sys::napi_value> {
    let (dispatcher, readers) = (dispatcher_of(call, 0)?, readers(call, 1)?);
    let id = number(call, 2);
    let sql = String::from_utf8_lossy(&value::utf8(call.env, call.args[3])?).into_owned();
    let params = Params::from_js(call.env, call.args[4], call.args[5])?;
    let timeout = number(call, 6);
    let deadline = (timeout > 0.0).then(|| Instant::now() + Duration::from_secs_f64(timeout / 1000.0));
    let limit = Arc::new(Limit { cancelled: AtomicBool::new(false), deadline });
    locked(&readers.state).limits.push((id, limit.clone()));
    let job = Job { id, readers, sql, params, limit, safe_integers: call.flag(7), dispatcher: dispatcher.clone() };
    dispatcher.keep::<Pool>().submit(job);
    None
}

/// `(readers, id)`: the statement stops within milliseconds.
unsafe fn cancel(call: &Call) -> Option<sys::napi_value> {
    let (readers, id) = (readers(call, 0)?, number(call, 1));
    for (_, limit) in locked(&readers.state).limits.iter().filter(|(other, _)| *other == id) {
        limit.cancelled.store(true, Ordering::Relaxed);
    }
    None
}

/// `(readers)`: interrupts the reads, waits for them, closes the connections.
unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    readers(call, 0)?.close();
    None
}

/// `(readers, path, entryPoint | undefined)`: every one of them loads the extension before it next reads.
unsafe fn load(call: &Call) -> Option<sys::napi_value> {
    let readers = readers(call, 0)?;
    let extension = (call.text(1)?, call.optional_text(2)?);
    locked(&readers.state).extensions.push(extension);
    None
}
