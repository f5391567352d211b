//! The bytes of typed arrays.

use std::ptr;

use napi::sys;

/// The bytes of a typed array (a Buffer is one). Valid until JavaScript runs again.
pub(crate) struct Bytes {
    data: *const u8,
    length: usize,
    /// Another thread may be changing them: whoever reads them twice has to copy them first.
    pub(crate) shared: bool,
}

impl Bytes {
    /// Never null; for an empty array, of nothing.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        if self.length == 0 { c"".as_ptr().cast() } else { self.data }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// A copy.
    ///
    /// # Safety
    /// JavaScript has not run since `bytes`.
    pub(crate) unsafe fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.length);
        // SAFETY: readable for the length, and there is room for it. Whatever another thread writes meanwhile, what is
        // copied are bytes.
        unsafe {
            ptr::copy_nonoverlapping(self.as_ptr(), copy.as_mut_ptr(), self.length);
            copy.set_len(self.length);
        }
        copy
    }
}

/// The bytes of a typed array of any kind; none for anything else.
pub(crate) fn bytes(env: sys::napi_env, value: sys::napi_value) -> Option<Bytes> {
    let mut is_array = false;
    let (mut kind, mut elements, mut data, mut buffer) = (UNNAMED, 0, ptr::null_mut(), ptr::null_mut());
    // SAFETY: locals receive the answers; a value that is no typed array is refused by the first question.
    unsafe {
        if sys::napi_is_typedarray(env, value, &mut is_array) != sys::Status::napi_ok || !is_array {
            return None;
        }
        let status = sys::napi_get_typedarray_info(
            env,
            value,
            &mut kind,
            &mut elements,
            &mut data,
            &mut buffer,
            ptr::null_mut(),
        );
        if status != sys::Status::napi_ok {
            return None;
        }
        let length = elements.checked_mul(width(kind)?)?;
        let mut is_gone = false;
        if length == 0
            && sys::napi_is_detached_arraybuffer(env, buffer, &mut is_gone) == sys::Status::napi_ok
            && is_gone
        {
            return None;
        }
        let mut is_own = false;
        sys::napi_is_arraybuffer(env, buffer, &mut is_own);
        Some(Bytes { data: data.cast_const().cast(), length: if data.is_null() { 0 } else { length }, shared: !is_own })
    }
}

/// What is left where N-API has no number for the kind of an array that it otherwise describes.
const UNNAMED: sys::napi_typedarray_type = -1;

/// The bytes of one element; none of a kind that is not known, of which a part alone would be stored.
fn width(kind: sys::napi_typedarray_type) -> Option<usize> {
    /// `Float16Array` where N-API names it. Node 24 has the array and no name, for this one alone.
    const FLOAT16: sys::napi_typedarray_type = 11;
    use sys::TypedarrayType as Kind;
    match kind {
        Kind::int8_array | Kind::uint8_array | Kind::uint8_clamped_array => Some(1),
        Kind::int16_array | Kind::uint16_array | FLOAT16 | UNNAMED => Some(2),
        Kind::int32_array | Kind::uint32_array | Kind::float32_array => Some(4),
        Kind::float64_array | Kind::bigint64_array | Kind::biguint64_array => Some(8),
        _ => None,
    }
}
