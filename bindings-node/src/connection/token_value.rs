//! The JavaScript value that stands for a connection.

use std::rc::Rc;
use std::sync::Arc;

use litekeel_core::Announced;
use litekeel_core::Connection;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::token::{Environment, Token};
use crate::connection::{at_exit, progress_handler};
use crate::js::external::External;

/// Makes the value, whose connection closes at the latest when it is collected.
///
/// # Safety
/// `db` is open (the handle of `tuned`, if given), belongs to the calling JavaScript thread, and nobody else closes it.
/// `announced` names one that is not the core's.
pub(crate) unsafe fn connection_token(
    environment: &Rc<Environment>,
    db: *mut sqlite::sqlite3,
    tuned: Option<Arc<Connection>>,
    announced: Option<Announced>,
) -> Option<sys::napi_value> {
    if let Some(connection) = &tuned {
        connection.guard_objects(true);
    }
    let token = Token::new(environment, db, tuned, announced);
    at_exit::remember(&token);
    progress_handler::install(environment.env, &token);
    External::<Token>::make(environment.env, token)
}
