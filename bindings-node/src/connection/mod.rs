//! A connection as JavaScript holds it: its token, its end with the process, the progress handler.
//!
//! Must not know: what is exported through it.

pub(crate) mod at_exit;
pub(crate) mod call;
mod open_tokens;
pub(crate) mod progress_handler;
pub(crate) mod token;
pub(crate) mod token_value;

pub(crate) use token::Environment;

/// What to do when the connection does not see what is at its path.
pub(crate) const RESCUE: &str = "to copy what is at the path now, close every connection of this process to it and reopen; to save what only \
                      this connection still sees, copy to a new file with the option { unsafe: true }";
