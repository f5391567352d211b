//! Databases of libSQL servers: the client's calls, on JavaScript's thread or on one of ours.

mod cursor;
mod handle;
mod work;

use std::sync::Arc;

use litekeel_remote::{Endpoint, Remote};
use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::dispatcher::dispatcher_of;
use crate::js::object;
use crate::js::value;
use crate::reader::params::items;
use handle::{external, handle, opened};
use work::Work;

/// So many calls on one database run at a time.
const THREADS: usize = 8;

native_exports! {
    c"openRemote" => open,
    c"remoteSibling" => sibling,
    c"remoteSees" => sees,
    c"remoteCall" => call_now,
    c"remoteAsk" => ask,
    c"remoteInTransaction" => in_transaction,
    c"closeRemote" => close,
    c"openCursor" => cursor::open,
    c"cursorRows" => cursor::rows,
    c"closeCursor" => cursor::close,
}

/// `(url | null, [key, value, …])` → `[[readonly], database, url, name]`, an error as `failure` lists it, or nothing where
/// the URL, or else the environment's DATABASE_URL, does not name a server
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let text = |given| value::utf8(call.env, given).map(|text| String::from_utf8_lossy(&text).into_owned());
    let texts: Vec<_> = items(call.env, call.args[1]).into_iter().filter_map(text).collect();
    let all = || texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let environment = || match all().any(|pair| pair == ("env".to_owned(), "ignore".to_owned())) {
        true => None,
        false => std::env::var("DATABASE_URL").ok(),
    };
    let url = text(call.args[0]).or_else(environment)?;
    if !Remote::is_named_by(&url) {
        return None;
    }
    let options: Vec<_> = all().filter(|(key, _)| !matches!(key.as_str(), "opened_at" | "env")).collect();
    let endpoint = match Endpoint::with(&url, std::env::var("LIBSQL_AUTH_TOKEN").ok(), &options) {
        Ok(endpoint) => endpoint,
        Err(error) => return Some(object::failure(call.env, &error)),
    };
    let readonly = value::number(call.env, f64::from(u8::from(endpoint.read_only)));
    let base = value::string(call.env, endpoint.base.as_bytes());
    let database = external(call.env, Remote::at(endpoint), THREADS)?;
    Some(call.list(&[call.list(&[readonly]), database, base]))
}

/// `(database)` → another connection to it, whose asynchronous calls run in the order in which they were made
unsafe fn sibling(call: &Call) -> Option<sys::napi_value> {
    external(call.env, opened(call, 0)?.sibling(), 1)
}

/// `(database, other)`: reads here see what the other connection has written.
unsafe fn sees(call: &Call) -> Option<sys::napi_value> {
    let (remote, other) = (opened(call, 0)?, opened(call, 1)?);
    remote.sees(&other);
    None
}

/// `(database, work, …)`, as [`Work::from_js`] takes it → its outcome, or an error as `failure` lists it
unsafe fn call_now(call: &Call) -> Option<sys::napi_value> {
    let remote = opened(call, 0)?;
    let (kind, content) = Work::from_js(call, 1)?.run(&remote).to_js(call.env);
    match kind {
        b"type" | b"range" => {
            let message = String::from_utf8_lossy(&value::utf8(call.env, content)?).into_owned();
            if kind == b"type" {
                value::throw_type(call.env, &message);
            } else {
                value::throw_range(call.env, &message);
            }
            None
        }
        _ => Some(content),
    }
}

/// `(dispatcher, database, id, work, …)`: the outcome comes by dispatcher.
unsafe fn ask(call: &Call) -> Option<sys::napi_value> {
    let (dispatcher, handle) = (dispatcher_of(call, 0)?, handle(call, 1)?);
    let mut id = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[2], &mut id) };
    let work = Work::from_js(call, 3)?;
    handle.ask(dispatcher, id, work);
    None
}

unsafe fn in_transaction(call: &Call) -> Option<sys::napi_value> {
    let remote = handle(call, 0)?.locked().clone();
    Some(object::boolean(call.env, remote.is_some_and(|remote| remote.in_transaction())))
}

/// `(database, at once)`: a transaction that is open ends; the server is waited for, up to a second, unless it is to be at
/// once. What another thread runs comes to its end.
unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    let remote = handle(call, 0)?.locked().take();
    if call.flag(1) {
        remote.and_then(Arc::into_inner).into_iter().for_each(Remote::abandon);
    }
    None
}
