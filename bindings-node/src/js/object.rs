//! Reports of the core as JavaScript objects.

use std::ffi::CStr;
use std::ptr;
use std::time::Duration;

use litekeel_core::Error;
use litekeel_core::error::Holder;
use napi::sys;

use crate::js::value;

/// An object that is being filled.
pub(crate) struct Object {
    env: sys::napi_env,
    value: sys::napi_value,
}

impl Object {
    pub(crate) fn new(env: sys::napi_env) -> Object {
        let mut object = ptr::null_mut();
        // SAFETY: writes a handle of the open scope.
        unsafe { sys::napi_create_object(env, &mut object) };
        Object { env, value: object }
    }

    pub(crate) fn set(self, name: &CStr, field: sys::napi_value) -> Object {
        // SAFETY: handles of the open scope; the name is NUL-terminated.
        unsafe { sys::napi_set_named_property(self.env, self.value, name.as_ptr(), field) };
        self
    }

    /// A field whose name is only known at run time.
    pub(crate) fn set_named(self, name: &str, field: sys::napi_value) -> Object {
        // SAFETY: handles of the open scope.
        unsafe { sys::napi_set_property(self.env, self.value, value::string(self.env, name.as_bytes()), field) };
        self
    }

    pub(crate) fn text(self, name: &CStr, text: &str) -> Object {
        let field = value::string(self.env, text.as_bytes());
        self.set(name, field)
    }

    /// Null when there is none.
    pub(crate) fn maybe(self, name: &CStr, text: Option<&str>) -> Object {
        let field = text.map_or_else(|| null(self.env), |text| value::string(self.env, text.as_bytes()));
        self.set(name, field)
    }

    pub(crate) fn number(self, name: &CStr, number: f64) -> Object {
        let field = value::number(self.env, number);
        self.set(name, field)
    }

    /// Milliseconds; null when unknown.
    pub(crate) fn duration(self, name: &CStr, duration: Option<Duration>) -> Object {
        let field = duration.map_or_else(|| null(self.env), |time| value::number(self.env, time.as_millis() as f64));
        self.set(name, field)
    }

    pub(crate) fn flag(self, name: &CStr, flag: bool) -> Object {
        let field = boolean(self.env, flag);
        self.set(name, field)
    }

    pub(crate) fn finish(self) -> sys::napi_value {
        self.value
    }
}

pub(crate) fn null(env: sys::napi_env) -> sys::napi_value {
    let mut null = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_get_null(env, &mut null) };
    null
}

pub(crate) fn boolean(env: sys::napi_env, flag: bool) -> sys::napi_value {
    let mut boolean = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_get_boolean(env, flag, &mut boolean) };
    boolean
}

/// Who holds a lock.
pub(crate) fn holder(env: sys::napi_env, holder: &Holder) -> Object {
    Object::new(env)
        .number(c"pid", f64::from(holder.pid))
        .text(c"role", holder.role)
        .text(c"command", &holder.command)
        .text(c"state", holder.state)
        .duration(c"sinceMs", holder.since)
        .maybe(c"sql", holder.sql.as_deref())
        .maybe(c"openedAt", holder.opened_at.as_deref())
}

/// `[code, name, message, hint, path, step]`; what is not known is empty. For BUSY also `[kind, waited ms, holders]`.
pub(crate) fn failure(env: sys::napi_env, error: &Error) -> sys::napi_value {
    let path = error.path().map(|path| path.to_string_lossy()).unwrap_or_default();
    let texts = [error.name(), error.message(), error.hint(), &path, error.step().unwrap_or_default()];
    let mut items = vec![value::number(env, f64::from(error.code()))];
    items.extend(texts.map(|text| value::string(env, text.as_bytes())));
    if let Some(busy) = error.busy() {
        let holders: Vec<_> = busy.holders.iter().map(|one| holder(env, one).finish()).collect();
        let kind = value::string(env, busy.kind.as_str().as_bytes());
        let waited = value::number(env, busy.waited.as_millis() as f64);
        items.push(list(env, &[kind, waited, list(env, &holders)]));
    }
    list(env, &items)
}

pub(crate) fn list(env: sys::napi_env, items: &[sys::napi_value]) -> sys::napi_value {
    let mut list = ptr::null_mut();
    // SAFETY: handles of the open scope.
    unsafe {
        sys::napi_create_array_with_length(env, items.len(), &mut list);
        for (at, item) in items.iter().enumerate() {
            sys::napi_set_element(env, list, at as u32, *item);
        }
    }
    list
}
