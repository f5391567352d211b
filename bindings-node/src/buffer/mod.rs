//! The buffer that JavaScript and Rust share: its layout, rows written into cells and groups of texts, UTF-8, the statements of
//! an environment.
//!
//! Must not know: the token that stands for a connection.

mod delivery;
pub(crate) mod environment;
pub(crate) mod layout;
pub(crate) mod row_encoder;
mod texts;
pub(crate) mod utf8;
