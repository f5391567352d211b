//! A connection as JavaScript holds it: its token, its end with the process, the progress handler.
//!
//! Must not know: what is exported through it.

pub(crate) mod at_exit;
pub(crate) mod call;
pub(crate) mod progress_handler;
pub(crate) mod token;

/// What the connections of one JavaScript thread share.
pub(crate) type Environment = crate::buffer::environment::Environment<token::Token>;

/// What to do when the connection does not see what is at its path.
pub(crate) const RESCUE: &str = "to copy what is at the path now, close every connection of this process to it and reopen; to save what only \
                      this connection still sees, copy to a new file with the option { unsafe: true }";
