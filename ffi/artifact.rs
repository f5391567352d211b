//! The product: one shared object that carries the C ABI, SQLite and (feature `node`) N-API.
pub use litekeel_ffi as ffi;
#[cfg(feature = "node")]
pub use litekeel_node as node;
