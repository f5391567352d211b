//! From any thread to JavaScript's: one threadsafe function for each environment, which calls `lib/`'s dispatcher.
//!
//! It holds the event loop only while `lib/` waits for an answer. When the environment ends, sending stops first: after
//! that Node frees what a send would touch.

use std::any::Any;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex};

use litekeel_core::{Event, EventValue};
use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::connection::token::Attachment;
use crate::js::external::{self, External, Held};
use crate::js::object::Object;
use crate::js::scope::Scope;
use crate::js::value;

native_exports! {
    c"openCourier" => open,
    c"holdLoop" => keep_loop_alive,
    c"subscribe" => subscribe,
    c"unsubscribe" => unsubscribe,
}

/// What is sent: it makes the arguments of `dispatch` on JavaScript's thread, `(kind, id, content)`.
pub(crate) type Message = Box<dyn FnOnce(sys::napi_env) -> [sys::napi_value; 3] + Send>;

/// What has to end with the environment, before Node takes it down.
pub(crate) trait EndsWithEnvironment: Any + Send + Sync {
    /// Ends it; on JavaScript's thread.
    fn end(&self);
}

struct Function(sys::napi_threadsafe_function);
// SAFETY: the functions that take it may be called from any thread.
unsafe impl Send for Function {}

/// The way into one environment.
pub(crate) struct Dispatcher {
    /// None once the environment ends.
    function: Mutex<Option<Function>>,
    /// What its users keep here until the environment ends, one of each type.
    kept: Mutex<Vec<Arc<dyn EndsWithEnvironment>>>,
}

impl Held for Dispatcher {
    type Pointer = Arc<Dispatcher>;
    const TAG: sys::napi_type_tag = external::tag(0x636f_7572_6965_7201);
}

impl Dispatcher {
    /// The one object of this kind that lives as long as the environment; made when it is first asked for.
    pub(crate) fn keep<T: EndsWithEnvironment + Default>(&self) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let of_type = kept.iter().find_map(|one| {
            let one: Arc<dyn Any + Send + Sync> = one.clone();
            one.downcast().ok()
        });
        of_type.unwrap_or_else(|| {
            let new = Arc::new(T::default());
            kept.push(new.clone());
            new
        })
    }

    /// Sends, or drops the message when the environment is ending.
    pub(crate) fn send(&self, message: Message) {
        let function = self.function.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(function) = &*function {
            let data = Box::into_raw(Box::new(message));
            // SAFETY: alive while the lock is held: teardown takes it first. `deliver` owns the box if it was queued.
            unsafe {
                let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
                if sys::napi_call_threadsafe_function(function.0, data.cast(), mode) != sys::Status::napi_ok {
                    drop(Box::from_raw(data));
                }
            }
        }
    }
}

/// `(dispatch)` → dispatcher
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let dispatch = call.function(0)?;
    let dispatcher = Arc::new(Dispatcher { function: Mutex::new(None), kept: Mutex::default() });
    // SAFETY: handles of the running call; the clean-up hook owns one count.
    unsafe {
        let mut function = ptr::null_mut();
        let name = value::string(call.env, b"litekeel");
        let status = sys::napi_create_threadsafe_function(
            call.env,
            dispatch,
            ptr::null_mut(),
            name,
            0,
            1,
            ptr::null_mut(),
            None,
            ptr::null_mut(),
            Some(deliver),
            &mut function,
        );
        if status != sys::Status::napi_ok {
            value::throw_type(call.env, "litekeel: the environment takes no messages from other threads");
            return None;
        }
        sys::napi_unref_threadsafe_function(call.env, function);
        if let Ok(mut slot) = dispatcher.function.lock() {
            *slot = Some(Function(function));
        }
        // After the threadsafe function, so that it runs before that one's own.
        sys::napi_add_env_cleanup_hook(call.env, Some(end), Arc::into_raw(dispatcher.clone()).cast_mut().cast());
        External::<Dispatcher>::make(call.env, dispatcher)
    }
}

unsafe extern "C" fn end(data: *mut c_void) {
    // SAFETY: the count of `open`; the hook runs once.
    let dispatcher = unsafe { Arc::from_raw(data.cast_const().cast::<Dispatcher>()) };
    dispatcher.function.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    let kept = std::mem::take(&mut *dispatcher.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    kept.iter().for_each(|one| one.end());
}

/// The dispatcher in the argument `at`.
pub(crate) fn dispatcher_of(call: &Call, at: usize) -> Option<Arc<Dispatcher>> {
    External::<Dispatcher>::of(call.env, call.args[at])
}

/// `(dispatcher, hold)`: whether a message is awaited, so that the process must not end.
unsafe fn keep_loop_alive(call: &Call) -> Option<sys::napi_value> {
    let dispatcher = dispatcher_of(call, 0)?;
    let function = dispatcher.function.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(function) = &*function {
        // SAFETY: alive while the lock is held; this is its JavaScript thread.
        unsafe {
            if call.flag(1) {
                sys::napi_ref_threadsafe_function(call.env, function.0);
            } else {
                sys::napi_unref_threadsafe_function(call.env, function.0);
            }
        }
    }
    None
}

/// Calls `dispatch(kind, id, …)` on JavaScript's thread.
unsafe extern "C" fn deliver(env: sys::napi_env, dispatch: sys::napi_value, _: *mut c_void, data: *mut c_void) {
    // SAFETY: the box of `send`, delivered once; a null environment means that it is being torn down.
    let message = unsafe { Box::from_raw(data.cast::<Message>()) };
    if env.is_null() || dispatch.is_null() {
        return;
    }
    let Some(_scope) = Scope::open(env) else { return };
    let arguments = message(env);
    let mut result = ptr::null_mut();
    // SAFETY: handles of the open scope. What the dispatcher throws is pending when this returns, and Node reports it.
    unsafe {
        sys::napi_call_function(env, value::undefined(env), dispatch, arguments.len(), arguments.as_ptr(), &mut result)
    };
}

/// An event for the listeners of a connection.
fn event_message(id: f64, event: Event) -> Message {
    Box::new(move |env| [value::string(env, b"event"), value::number(env, id), object_of(env, &event)])
}

/// `{ name, field: value, … }`; field names as the core has them.
fn object_of(env: sys::napi_env, event: &Event) -> sys::napi_value {
    let mut object = Object::new(env).text(c"name", event.name.as_str());
    for (field, content) in &event.fields {
        let content = match content {
            EventValue::Int(number) => value::number(env, *number as f64),
            EventValue::Text(text) => value::string(env, text.as_bytes()),
        };
        // The event itself has a name.
        object = object.set_named(if *field == "name" { "schema" } else { field }, content);
    }
    object.finish()
}

/// A subscription ends with its connection.
struct Subscription {
    connection: Arc<litekeel_core::Connection>,
    id: u64,
}

impl Attachment for Subscription {
    fn release(&self) {
        self.connection.off_event(self.id);
    }
}

/// `(token, dispatcher, id)`: sends the connection's events, of any thread, to `dispatch('event', id, event)`.
unsafe fn subscribe(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    let (token, dispatcher) = (call.token()?, dispatcher_of(call, 1)?);
    let mut number = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[2], &mut number) };
    let id = connection.on_event(Arc::new(move |event| dispatcher.send(event_message(number, event.clone()))));
    token.attach_instead(std::rc::Rc::new(Subscription { connection, id }));
    None
}

/// `(token)`
unsafe fn unsubscribe(call: &Call) -> Option<sys::napi_value> {
    call.connection()?;
    call.token()?.end_attachments::<Subscription>();
    None
}
