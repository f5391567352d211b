//! Reports of the core as JavaScript objects.

use std::ffi::CStr;
use std::ptr;
use std::time::Duration;

use litekeel_core::Error;
use litekeel_core::Holder;
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
        define(self.env, self.value, name, field);
        self
    }

    /// A field whose name is only known at run time.
    pub(crate) fn set_named(self, name: &str, field: sys::napi_value) -> Object {
        define_key(self.env, self.value, ptr::null(), value::string(self.env, name.as_bytes()), field);
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
        .text(c"role", holder.role.as_str())
        .text(c"command", &holder.command)
        .text(c"state", holder.state.as_str())
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

/// Makes `field` the object's own, as a literal has it: assigned, it could end in a setter that somebody gave to all objects.
pub(crate) fn define(env: sys::napi_env, object: sys::napi_value, name: &CStr, field: sys::napi_value) {
    define_key(env, object, name.as_ptr(), ptr::null_mut(), field);
}

/// As `define`, by a name in UTF-8 or one of JavaScript's.
fn define_key(
    env: sys::napi_env,
    object: sys::napi_value,
    utf8name: *const std::ffi::c_char,
    name: sys::napi_value,
    field: sys::napi_value,
) {
    // JavaScript had no room for the value.
    if field.is_null() {
        return;
    }
    let property = sys::napi_property_descriptor {
        utf8name,
        name,
        method: None,
        getter: None,
        setter: None,
        value: field,
        attributes: sys::PropertyAttributes::writable
            | sys::PropertyAttributes::enumerable
            | sys::PropertyAttributes::configurable,
        data: ptr::null_mut(),
    };
    // SAFETY: handles of the open scope; one of the two names is given, the one in UTF-8 NUL-terminated.
    unsafe { sys::napi_define_properties(env, object, 1, &property) };
}

/// Sets elements of lists, after one look at what arrays inherit. Valid until JavaScript runs again.
#[derive(Clone, Copy)]
pub(crate) struct Elements {
    /// So many were looked at, and none of them is inherited.
    plain: usize,
}

impl Elements {
    /// Looks at the first `count`.
    pub(crate) fn new(env: sys::napi_env, count: usize) -> Elements {
        let (mut empty, mut inherited) = (ptr::null_mut(), false);
        // SAFETY: handles of the open scope.
        unsafe {
            sys::napi_create_array(env, &mut empty);
            let plain = (0..count).take_while(|at| {
                sys::napi_has_element(env, empty, *at as u32, &mut inherited);
                !inherited
            });
            Elements { plain: plain.count() }
        }
    }

    /// For a list that has its first `count` of its own already.
    pub(crate) fn own(count: usize) -> Elements {
        Elements { plain: count }
    }

    /// Makes `item` an element of the list's own; beyond those that were looked at, at the price of a look.
    pub(crate) fn set(self, env: sys::napi_env, list: sys::napi_value, at: usize, item: sys::napi_value) {
        let mut inherited = false;
        // SAFETY: handles of the open scope.
        unsafe {
            if at >= self.plain {
                sys::napi_has_element(env, list, at as u32, &mut inherited);
            }
            if inherited {
                let mut name = ptr::null_mut();
                sys::napi_coerce_to_string(env, value::number(env, at as f64), &mut name);
                define_key(env, list, ptr::null(), name, item);
            } else {
                sys::napi_set_element(env, list, at as u32, item);
            }
        }
    }

    /// An array of the items.
    pub(crate) fn list(self, env: sys::napi_env, items: &[sys::napi_value]) -> sys::napi_value {
        let mut list = ptr::null_mut();
        // SAFETY: writes a handle of the open scope.
        unsafe { sys::napi_create_array_with_length(env, items.len(), &mut list) };
        for (at, item) in items.iter().enumerate() {
            self.set(env, list, at, *item);
        }
        list
    }
}

/// An array of the items.
pub(crate) fn list(env: sys::napi_env, items: &[sys::napi_value]) -> sys::napi_value {
    Elements::own(0).list(env, items)
}
