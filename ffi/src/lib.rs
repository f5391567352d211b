//! litekeel's C ABI.
