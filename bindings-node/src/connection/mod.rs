//! A connection as JavaScript holds it: its token, its end with the process, the progress handler.
//!
//! Must not know: what is exported through it.

pub(crate) mod at_exit;
pub(crate) mod call;
pub(crate) mod progress_handler;
pub(crate) mod token;

/// What the connections of one JavaScript thread share.
pub(crate) type Environment = crate::buffer::environment::Environment<token::Token>;
