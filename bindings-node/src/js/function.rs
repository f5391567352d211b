//! Functions of JavaScript's that SQLite calls, and references to what has to stay.

use std::ptr;

use napi::sys;

use super::scope::{exception_pending, is_here};
use super::value::undefined;

/// A function of JavaScript's that SQLite calls. It is held weakly, and its anchor strongly: `lib/` keeps the function
/// for as long as both the anchor and the connection are there. Held strongly it would keep for ever what it refers to,
/// which as a rule is its connection.
pub(crate) struct Function {
    anchor: sys::napi_ref,
    function: sys::napi_ref,
}

impl Function {
    /// Of `[anchor, function]`.
    pub(crate) fn of(env: sys::napi_env, pair: sys::napi_value) -> Option<Function> {
        let (mut anchor, mut function) = (ptr::null_mut(), ptr::null_mut());
        let (mut kind, mut is_list, mut weak) = (0, false, ptr::null_mut());
        // SAFETY: handles of the running call; anything but such a list is refused by one of the questions, the first of
        // which throws nothing.
        unsafe {
            if sys::napi_is_array(env, pair, &mut is_list) != sys::Status::napi_ok
                || !is_list
                || sys::napi_get_element(env, pair, 0, &mut anchor) != sys::Status::napi_ok
                || sys::napi_get_element(env, pair, 1, &mut function) != sys::Status::napi_ok
                || sys::napi_typeof(env, function, &mut kind) != sys::Status::napi_ok
                || kind != sys::ValueType::napi_function
            {
                return None;
            }
            let anchor = reference(env, anchor)?;
            if sys::napi_create_reference(env, function, 0, &mut weak) != sys::Status::napi_ok {
                release(env, anchor);
                return None;
            }
            Some(Function { anchor, function: weak })
        }
    }

    /// Calls it with `this` undefined. `None`: it threw, the environment is going, or the connection that it was
    /// registered on has been collected.
    pub(crate) fn call(&self, env: sys::napi_env, args: &[sys::napi_value]) -> Option<sys::napi_value> {
        let function = self.get(env)?;
        let mut result = ptr::null_mut();
        // SAFETY: `args` are handles of the open scope.
        unsafe {
            let status = sys::napi_call_function(env, undefined(env), function, args.len(), args.as_ptr(), &mut result);
            (status == sys::Status::napi_ok && !exception_pending(env)).then_some(result)
        }
    }

    /// The function, unless it has been collected with its connection.
    fn get(&self, env: sys::napi_env) -> Option<sys::napi_value> {
        let mut function = ptr::null_mut();
        // SAFETY: the reference lives as long as its registration.
        let status = unsafe { sys::napi_get_reference_value(env, self.function, &mut function) };
        (status == sys::Status::napi_ok && !function.is_null()).then_some(function)
    }

    /// Whether it has been collected with its connection.
    pub(crate) fn is_gone(&self, env: sys::napi_env) -> bool {
        self.get(env).is_none()
    }

    /// Gives the references back.
    pub(crate) fn release(&self, env: sys::napi_env) {
        release(env, self.function);
        release(env, self.anchor);
    }
}

/// A strong reference to an object.
pub(crate) fn reference(env: sys::napi_env, value: sys::napi_value) -> Option<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: `value` is a handle of the running call.
    let status = unsafe { sys::napi_create_reference(env, value, 1, &mut reference) };
    (status == sys::Status::napi_ok).then_some(reference)
}

/// Gives a reference back.
pub(crate) fn release(env: sys::napi_env, reference: sys::napi_ref) {
    // In another thread, that of the last owner who closed, it is left to the end of its environment.
    if !reference.is_null() && !crate::js::exiting::exiting() && is_here(env) {
        // SAFETY: made in the same environment, released once by its owner's `Drop`. During teardown
        // the call merely reports a status.
        unsafe { sys::napi_delete_reference(env, reference) };
    }
}
