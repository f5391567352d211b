//! litekeel's N-API binding.
