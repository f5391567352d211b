//! What a call through the buffer hands over to JavaScript: rows' texts and extras, or a failure.

use std::ptr;

use napi::sys;

use super::environment::Environment;
use super::layout::{self, field, status};
use super::row_encoder::{self, Chunk};
use super::texts::Texts;
use crate::js::object::Elements;
use crate::js::value;

/// From so many groups of texts on, one call with all of them as strings takes less time than JavaScript's reading each.
const MANY_GROUPS: usize = 4;

impl<Owner> Environment<Owner> {
    /// Reports that a value could not be bound.
    #[cold]
    pub(crate) fn unbound(&self, rc: i32) {
        self.buffer.set(field::STATUS, status::UNBOUND);
        self.buffer.set(field::ROWS, rc);
    }

    /// Reports a failure: nothing but it is handed over.
    #[cold]
    pub(crate) fn fail(&self, failure: sys::napi_value) {
        self.buffer.set(field::STATUS, status::FAILED);
        self.buffer.set(field::ROWS, 0);
        self.buffer.set(field::WIDE, 0);
        self.buffer.set(field::FAILURE, 0);
        self.hand_over(&[failure]);
    }

    /// Hands over rows' texts and extras, and a failure that came after them; the first group of Latin-1 texts is the
    /// result. `None`: JavaScript threw, since its stack or memory is full. To be called when the rows are in the buffer,
    /// and nothing else runs before they are read.
    #[inline]
    pub(crate) fn deliver(&self, chunk: &mut Chunk, failure: Option<sys::napi_value>) -> Option<sys::napi_value> {
        self.buffer.set(field::WIDE, chunk.wide.parts().0.len() as i32);
        if !chunk.wide.all().is_empty() {
            self.buffer.put_wide(chunk.wide.all());
        }
        if let Some(failure) = failure {
            self.buffer.set(field::FAILURE, chunk.extras.len() as i32);
            chunk.extras.push(failure);
        }
        if chunk.extras.is_empty() {
            self.buffer.set(field::EXTRAS, 0);
        } else {
            self.hand_over(&chunk.extras);
        }
        let (first, others) = chunk.latin.parts();
        self.buffer.set(field::GROUPS, 0);
        if !others.is_empty() {
            if chunk.latin.others() >= MANY_GROUPS && !self.receiver.get().is_null() {
                self.send(&chunk.latin, &mut chunk.strings)?;
            } else {
                self.buffer.put_latin(others);
            }
        }
        Some(if first.is_empty() { ptr::null_mut() } else { row_encoder::latin(self.env, first) })
    }

    /// Calls the function that takes groups of texts with all of them but the first.
    fn send(&self, texts: &Texts<u8>, strings: &mut Vec<sys::napi_value>) -> Option<()> {
        strings.clear();
        for group in texts.each_other() {
            let string = row_encoder::latin(self.env, group);
            if string.is_null() {
                value::throw_type(self.env, "JavaScript could not make a string");
                return None;
            }
            strings.push(string);
        }
        let (mut function, mut nobody, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the reference is strong; the values are handles of the running call. The function is `lib/`'s, and only
        // keeps what it is given.
        let status = unsafe {
            sys::napi_get_reference_value(self.env, self.receiver.get(), &mut function);
            sys::napi_get_undefined(self.env, &mut nobody);
            sys::napi_call_function(self.env, nobody, function, strings.len(), strings.as_ptr(), &mut result)
        };
        self.buffer.set(field::GROUPS, strings.len() as i32);
        (status == sys::Status::napi_ok).then_some(())
    }

    /// Lets groups of texts be given to the function that is the argument of the running call.
    ///
    /// # Safety
    /// `info` belongs to the running call.
    pub(crate) unsafe fn receive(&self, info: sys::napi_callback_info) {
        let (mut count, mut function, mut kept) = (1, ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller's promise; a missing argument is undefined, which cannot be referred to.
        unsafe {
            let (env, none) = (self.env, ptr::null_mut());
            sys::napi_get_cb_info(env, info, &mut count, &mut function, none, none.cast());
            if sys::napi_create_reference(env, function, 1, &mut kept) == sys::Status::napi_ok {
                self.receiver.set(kept);
            }
        }
    }

    fn hand_over(&self, extras: &[sys::napi_value]) {
        let mut list = ptr::null_mut();
        // SAFETY: the reference is strong; the values are handles of the running call.
        unsafe {
            sys::napi_get_reference_value(self.env, self.extras, &mut list);
        }
        let elements = Elements::own(layout::KEPT_EXTRAS);
        for (at, extra) in extras.iter().enumerate() {
            elements.set(self.env, list, at, *extra);
        }
        self.buffer.set(field::EXTRAS, extras.len() as i32);
    }
}
