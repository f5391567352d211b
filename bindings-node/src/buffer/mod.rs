//! The buffer that JavaScript and Rust share: its layout, rows written into cells, UTF-8, the statements of an environment.
//!
//! Must not know: the token that stands for a connection.

pub(crate) mod environment;
pub(crate) mod layout;
pub(crate) mod row_encoder;
pub(crate) mod utf8;
