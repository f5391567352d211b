//! The opaque types of C: each pointer is a token, see [`handles`](crate::handles).

/// A connection, or rather a handle for one: handles are counted, and the last one that ends closes the connection.
pub struct keel_db(());

/// The databases of one directory, one for each tenant.
pub struct keel_databases(());

/// An error, owned by the caller.
pub struct keel_error(());

/// A set of options for keel_open_with.
pub struct keel_options(());

/// A packed result. Whole results are immutable and readable from any thread; one that is read in batches belongs to
/// one thread at a time.
pub struct keel_rows(());
