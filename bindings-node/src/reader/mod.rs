//! Reading beside the event loop: threads of our own, each with a connection that only reads what is committed.

pub(crate) mod answer;
mod connections;
mod job;
mod limit;
pub(crate) mod params;
mod query;

use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::dispatcher::dispatcher_of;
use crate::js::external::External;
use crate::js::value;
use answer::Integers;
use connections::Readers;
use job::{Job, Pool};
use limit::Limit;
use params::Params;

native_exports! {
    c"openReaders" => open,
    c"read" => read,
    c"cancelRead" => cancel,
    c"closeReaders" => close,
    c"readersLoad" => load,
}

/// `(token)` → readers
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let origin = call.core()?;
    External::<Readers>::make(call.env, Arc::new(Readers::new(origin)))
}

fn readers(call: &Call, at: usize) -> Option<Arc<Readers>> {
    External::<Readers>::of(call.env, call.args[at])
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
    let limit = Arc::new(Limit::new(deadline));
    readers.begin(id, limit.clone());
    let integers = Integers::safe(call.flag(7));
    let job = Job { id, readers, sql, params, limit, integers, dispatcher: dispatcher.clone() };
    dispatcher.keep::<Pool>().submit(job);
    None
}

/// `(readers, id)`: the statement stops within milliseconds.
unsafe fn cancel(call: &Call) -> Option<sys::napi_value> {
    let (readers, id) = (readers(call, 0)?, number(call, 1));
    readers.cancel(id);
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
    readers.load((call.text(1)?, call.optional_text(2)?));
    None
}
