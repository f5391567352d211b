//! Objects of Rust that JavaScript holds: externals, each with a tag that tells its kind from every other, another addon's too.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use napi::sys;

/// A type whose objects JavaScript may hold.
pub(crate) trait Held: Sized {
    /// `Rc` where one thread has them, `Arc` where several do.
    type Pointer: Counted<Self>;
    /// Another kind has another one.
    const TAG: sys::napi_type_tag;
}

/// The tag with this number; 64 bits that another addon has only by chance, and 64 of the kind.
pub(crate) const fn tag(kind: u64) -> sys::napi_type_tag {
    sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: kind }
}

/// A pointer that counts who has the object.
///
/// # Safety
/// `give` gives one count away as a pointer to the object; `take` takes one that was given, and `share` makes another one of
/// an object of which one is given away.
pub(crate) unsafe trait Counted<T>: Sized {
    fn give(self) -> *const T;
    /// # Safety
    /// `object` comes from `give`, and this count is taken once.
    unsafe fn take(object: *const T) -> Self;
    /// # Safety
    /// `object` comes from `give`, and that count is not taken during the call.
    unsafe fn share(object: *const T) -> Self;
}

// SAFETY: the functions of `Rc`, which keep these promises.
unsafe impl<T> Counted<T> for Rc<T> {
    fn give(self) -> *const T {
        Rc::into_raw(self)
    }

    unsafe fn take(object: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Rc::from_raw(object) }
    }

    unsafe fn share(object: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Rc::increment_strong_count(object);
            Rc::from_raw(object)
        }
    }
}

// SAFETY: as for `Rc`.
unsafe impl<T> Counted<T> for Arc<T> {
    fn give(self) -> *const T {
        Arc::into_raw(self)
    }

    unsafe fn take(object: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Arc::from_raw(object) }
    }

    unsafe fn share(object: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Arc::increment_strong_count(object);
            Arc::from_raw(object)
        }
    }
}

/// The values of JavaScript that stand for objects of one kind. Each has one count, which its finalizer gives back.
pub(crate) struct External<T: Held>(PhantomData<T>);

impl<T: Held> External<T> {
    /// A value for the object; `None` when there can be none, and the object is let go of.
    pub(crate) fn make(env: sys::napi_env, object: T::Pointer) -> Option<sys::napi_value> {
        let object = object.give();
        let mut value = ptr::null_mut();
        // SAFETY: the external has the count from its making on; where it was not made, the count is taken back.
        unsafe {
            let data = object.cast_mut().cast();
            if sys::napi_create_external(env, data, Some(Self::free), ptr::null_mut(), &mut value)
                != sys::Status::napi_ok
            {
                drop(T::Pointer::take(object));
                return None;
            }
            sys::napi_type_tag_object(env, value, &T::TAG);
        }
        Some(value)
    }

    /// The object that a value stands for; `None` for every other value.
    pub(crate) fn of(env: sys::napi_env, value: sys::napi_value) -> Option<T::Pointer> {
        let (mut ours, mut data) = (false, ptr::null_mut());
        // SAFETY: the tag is checked before the pointer is believed; it says that `make` made the external, which has a count
        // while it lives, and it lives as long as the running call.
        unsafe {
            sys::napi_check_object_type_tag(env, value, &T::TAG, &mut ours);
            if ours {
                sys::napi_get_value_external(env, value, &mut data);
            }
            (!data.is_null()).then(|| T::Pointer::share(data.cast_const().cast()))
        }
    }

    unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
        // SAFETY: the count of `make`; finalized once.
        drop(unsafe { T::Pointer::take(data.cast_const().cast()) });
    }
}
