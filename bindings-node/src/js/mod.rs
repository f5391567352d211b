//! JavaScript's values and objects.
//!
//! Must not know: anything of ours but the core's error.

pub(crate) mod object;
pub(crate) mod value;
