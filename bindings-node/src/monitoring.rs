//! Looking after a connection: who is in the way, how large the WAL is, whether the file is still the one it was.

use std::ptr;
use std::time::Duration;

use litekeel_core::{Error, Result, latest_handle, strayed, unwatch_signal, watch_signal};
use napi::sys;

use crate::connection::RESCUE;
use crate::connection::call::{Call, native_exports};
use crate::js::object;
use crate::js::object::Object;
use crate::js::value;

native_exports! {
    c"holdersOf" => holders,
    c"healthOf" => health,
    c"requireInPlace" => require_in_place,
    c"walStatusOf" => wal_status,
    c"checkpoint" => checkpoint,
    c"openHandles" => open_handles,
    c"assertNoLeaks" => assert_no_leaks,
    c"latestHandle" => latest,
    c"assertNoLeaksSince" => assert_no_leaks_since,
    c"shutdownOn" => shutdown_on,
    c"shutdownOff" => shutdown_off,
}

fn answer(call: &Call, outcome: Result<sys::napi_value>) -> Option<sys::napi_value> {
    Some(outcome.unwrap_or_else(|error| object::failure(call.env, &error)))
}

/// `(token)` → `[holder, …]` in an object's `list`, null where the system does not tell
unsafe fn holders(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    let Some(found) = connection.holders() else { return Some(object::null(call.env)) };
    let items: Vec<_> = found.iter().map(|holder| object::holder(call.env, holder).finish()).collect();
    Some(Object::new(call.env).set(c"list", call.list(&items)).finish())
}

/// `(token)` → `{ good, checks, latched }`, or an error
unsafe fn health(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    answer(
        call,
        connection.health().map(|health| {
            let checks: Vec<_> = health
                .checks
                .iter()
                .map(|check| {
                    Object::new(call.env)
                        .text(c"name", check.name)
                        .text(c"verdict", check.verdict.as_str())
                        .text(c"note", &check.note)
                        .text(c"hint", &check.hint)
                        .finish()
                })
                .collect();
            Object::new(call.env)
                .flag(c"good", health.is_good())
                .set(c"checks", call.list(&checks))
                .maybe(c"latched", health.latched.as_ref().map(Error::message))
                .finish()
        }),
    )
}

/// `(token, schema)` → undefined, or the error when what the connection sees of that database is not what is at its path
unsafe fn require_in_place(call: &Call) -> Option<sys::napi_value> {
    let token = call.open_token()?;
    let schema = call.text(1)?;
    // SAFETY: an open connection, held during the look.
    let found = token.with_guard(|_| unsafe { strayed(token.db(), &schema) });
    found.unwrap_or_else(Some).map(|error| object::failure(call.env, &error.with_hint(RESCUE)))
}

/// `(token)` → `{ frames, checkpointed, pageSize, bytes, pins }`, null without a WAL, or an error
unsafe fn wal_status(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    let outcome = connection.wal_status().and_then(|status| Ok((status, connection.pins()?)));
    answer(
        call,
        outcome.map(|(status, pins)| {
            let Some(status) = status else { return object::null(call.env) };
            let pins = pins.map_or_else(
                || object::null(call.env),
                |pins| {
                    let items: Vec<_> = pins
                        .pins
                        .iter()
                        .map(|pin| {
                            object::holder(call.env, &pin.holder)
                                .number(c"frame", pin.frame as f64)
                                .number(c"frames", pin.frames as f64)
                                .number(c"bytes", pin.bytes as f64)
                                .duration(c"pinnedMs", pin.since)
                                .finish()
                        })
                        .collect();
                    call.list(&items)
                },
            );
            Object::new(call.env)
                .number(c"frames", status.frames as f64)
                .number(c"checkpointed", status.checkpointed as f64)
                .number(c"pageSize", status.page_size as f64)
                .number(c"bytes", status.bytes as f64)
                .set(c"pins", pins)
                .finish()
        }),
    )
}

/// `(token, mode)` → `{ frames, checkpointed }`, or an error
unsafe fn checkpoint(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    answer(
        call,
        connection.checkpoint(call.int(1)).map(|(frames, done)| {
            Object::new(call.env).number(c"frames", frames as f64).number(c"checkpointed", done as f64).finish()
        }),
    )
}

/// `()` → the open connections of the process
unsafe fn open_handles(call: &Call) -> Option<sys::napi_value> {
    let items: Vec<_> = litekeel_core::open_handles()
        .iter()
        .map(|handle| {
            Object::new(call.env)
                .maybe(c"path", handle.path.as_ref().map(|path| path.to_string_lossy()).as_deref())
                .text(c"openedAt", &handle.opened_at)
                .duration(c"ageMs", Some(handle.age))
                .flag(c"shared", handle.shared)
                .flag(c"tuned", handle.tuned)
                .finish()
        })
        .collect();
    Some(call.list(&items))
}

/// `()` → undefined, or an error that names each open connection
unsafe fn assert_no_leaks(call: &Call) -> Option<sys::napi_value> {
    litekeel_core::assert_no_leaks().err().map(|error| object::failure(call.env, &error))
}

/// `()` → the number of the latest connection
unsafe fn latest(call: &Call) -> Option<sys::napi_value> {
    Some(value::number(call.env, latest_handle() as f64))
}

/// `(number)` → undefined, or an error that names each connection that this thread has opened since and not closed
unsafe fn assert_no_leaks_since(call: &Call) -> Option<sys::napi_value> {
    let mut earlier = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[0], &mut earlier) };
    litekeel_core::assert_no_leaks_since(earlier as u64).err().map(|error| object::failure(call.env, &error))
}

impl Call {
    /// The core's side of the open connection in the first argument; throws otherwise.
    pub(crate) fn core(&self) -> Option<std::sync::Arc<litekeel_core::Connection>> {
        self.connection()?;
        let core = self.token().and_then(|token| token.core());
        if core.is_none() {
            value::throw_type(self.env, "This needs a connection that was made by open()");
        }
        core
    }
}

/// For how long a shutdown in JavaScript waits for transactions. Their other half needs the event loop, which a signal
/// finds anywhere; a synchronous one takes no longer.
const GRACE: Duration = Duration::from_secs(1);

/// `(signal)` → whether that has changed what the signal does, or an error
unsafe fn shutdown_on(call: &Call) -> Option<sys::napi_value> {
    match watch_signal(call.int(0), GRACE) {
        Ok(changed) => {
            let mut out = ptr::null_mut();
            // SAFETY: writes a handle of the running call.
            unsafe { sys::napi_get_boolean(call.env, changed, &mut out) };
            Some(out)
        }
        Err(error) => Some(object::failure(call.env, &error)),
    }
}

/// `(signal)`: gives it back what it did before `shutdownOn`.
unsafe fn shutdown_off(call: &Call) -> Option<sys::napi_value> {
    unwatch_signal(call.int(0));
    None
}
