//! litekeel's N-API binding.

pub mod extension;
