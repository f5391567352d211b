//! The product: one shared object that carries the C ABI, SQLite and (feature `node`) N-API.
pub use litekeel_ffi as ffi;
#[cfg(feature = "node")]
pub use litekeel_node as node;

/// Runs when the object is loaded, before a host can use SQLite's own symbols: its databases are guarded without any call
/// of litekeel's.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static GUARD_RAW_USERS: extern "C" fn() = litekeel_ffi::guard_raw_users;
