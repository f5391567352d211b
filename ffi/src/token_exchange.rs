//! Tokens that another binding in this object hands to C and takes from it.

use std::ffi::c_void;
use std::sync::Arc;

use litekeel_core::{Connection, Error};

use crate::boundary::connection_of;
use crate::handles::{insert, remove};
use crate::objects::Object;

/// A token for `keel_db *` that its receiver may use but not end: the lender does, before the connection closes.
pub fn lend(connection: &Arc<Connection>) -> u64 {
    insert(Object::Loan(connection.clone())) as usize as u64
}

/// Ends what [`lend`] gave; from now on the token is stale.
pub fn end_loan(token: u64) {
    drop(remove(token as usize as *mut c_void, |object| matches!(object, Object::Loan(_))));
}

/// A token for `keel_db *` that owns the connection, shared from now on, and is ended by `keel_release`.
///
/// # Errors
/// `KEEL_IN_TRANSACTION`, `KEEL_CLOSED`.
pub fn retain(connection: &Arc<Connection>) -> Result<u64, Error> {
    Ok(insert(Object::Db(connection.retain()?)) as usize as u64)
}

/// Another owner of the connection that `token` stands for, shared from now on.
///
/// # Errors
/// `KEEL_HANDLE` for a token that is none or stale; `KEEL_IN_TRANSACTION`, `KEEL_CLOSED`.
pub fn share(token: u64) -> Result<Arc<Connection>, Error> {
    connection_of(token as usize as *mut _)?.retain()
}
