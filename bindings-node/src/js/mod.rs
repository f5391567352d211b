//! JavaScript's values and objects.
//!
//! Must not know: anything of ours but the core's error.

pub(crate) mod bytes;
pub(crate) mod exiting;
pub(crate) mod external;
pub(crate) mod failure;
pub(crate) mod function;
pub(crate) mod object;
pub(crate) mod scope;
pub(crate) mod value;
