//! SQL into statements, and what is asked about them.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::rc::Rc;

use litekeel_core::{Error, Guard, Prepared, skip_space, sqlite};
use napi::sys;

use super::kind;
use super::running_call::Statement;
use super::sql::{SqlCall, with_sql};
use crate::buffer::environment::Slot;
use crate::buffer::layout::field;
use crate::connection::Environment;
use crate::connection::token::Token;
use crate::js::failure::statement_failure;
use crate::js::object;
use crate::js::scope;
use crate::js::value;

/// `(token, sql, from, persistent)`: the fields of the header describe the statement; its number is −1 if there is none.
pub(super) unsafe extern "C" fn shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by N-API.
    unsafe {
        with_sql(env, info, |&SqlCall { environment, call, token, sql }| {
            let from = call.int(2).max(0) as usize;
            let flags = if call.flag(3) { sqlite::SQLITE_PREPARE_PERSISTENT } else { 0 };
            token.with_guard(|guard| {
                // The connection is open; the text ends with NUL.
                match compile(env, token, sql, from, flags) {
                    Ok(Some(compiled)) => describe(environment, token, compiled),
                    Ok(None) => {
                        environment.buffer.set(field::STATEMENT, -1);
                        environment.buffer.set(field::FAILURE, -1);
                    }
                    Err(failure) if !scope::exception_pending(env) => {
                        environment.fail(failure.listed(env, token, guard, None));
                    }
                    Err(_) => {}
                }
                ptr::null_mut()
            })
        })
    }
}

pub(super) struct Compiled {
    pub(super) statement: Prepared,
    pub(super) kind: kind::Kind,
    /// Where the next statement begins; `None` when only blanks follow.
    pub(super) next: Option<usize>,
}

/// Why there is no statement.
pub(super) enum Failure {
    /// SQLite's code.
    Sqlite(c_int),
    /// It was not compiled.
    Refused(Error),
}

impl Failure {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Failure::Sqlite(sqlite::SQLITE_OK))
    }

    /// As [`statement_failure`] lists it.
    pub(super) fn listed(
        &self,
        env: sys::napi_env,
        token: &Token,
        guard: Option<&Guard<'_>>,
        sql: Option<&[u8]>,
    ) -> sys::napi_value {
        match self {
            Failure::Sqlite(rc) => statement_failure(env, token.db(), guard, *rc, sql),
            Failure::Refused(error) if guard.is_some() => object::failure(env, error),
            Failure::Refused(error) => {
                // As better-sqlite3's errors are: without a hint of its own.
                let text = format!("{} ({})", error.message(), error.hint());
                object::list(env, &[value::number(env, f64::from(error.code())), value::string(env, text.as_bytes())])
            }
        }
    }
}

/// Compiles the statement that begins at `from`. `None`: only blanks and comments.
///
/// # Safety
/// The token's connection is open; `sql` ends with its only NUL.
pub(super) unsafe fn compile(
    env: sys::napi_env,
    token: &Rc<Token>,
    sql: &[u8],
    from: usize,
    flags: u32,
) -> Result<Option<Compiled>, Failure> {
    let mut from = from.min(sql.len() - 1);
    if from > 0 {
        // Between the statements of a script; a single statement keeps the source it was given.
        from += sql[from..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b';')).unwrap_or(0);
    }
    // SAFETY: the token's connection is open, and this thread's.
    unsafe { token.kept_keys.before_compiling(token.db(), &sql[from..sql.len() - 1]) }.map_err(Failure::Refused)?;
    let mut handle = ptr::null_mut();
    let mut tail: *const c_char = ptr::null();
    // SAFETY: the text is NUL-terminated and outlives the call.
    unsafe {
        let start = sql.as_ptr().cast::<c_char>();
        let length = (sql.len() - from) as c_int;
        let rc = sqlite::sqlite3_prepare_v3(token.db(), start.add(from), length, flags, &mut handle, &mut tail);
        // Preparing may call a virtual table's factory.
        let statement = Prepared::new(handle);
        if rc != sqlite::SQLITE_OK || (token.may_call_js.get() && scope::exception_pending(env)) {
            return Err(Failure::Sqlite(rc));
        }
        let Some(statement) = statement else { return Ok(None) };
        let consumed = tail.offset_from(start) as usize;
        let rest = &sql[consumed..sql.len() - 1];
        let next = if rest.is_empty() || skip_space(rest).is_empty() { None } else { Some(consumed) };
        Ok(Some(Compiled { statement, kind: kind::of(&sql[from..consumed]), next }))
    }
}

/// Registers the statement and describes it in the header.
unsafe fn describe(environment: &Environment, token: &Rc<Token>, compiled: Compiled) {
    let Compiled { statement, kind, next } = compiled;
    let handle = statement.raw();
    // SAFETY: live.
    unsafe {
        let columns = sqlite::sqlite3_column_count(handle);
        let parameters = sqlite::sqlite3_bind_parameter_count(handle);
        let named = (1..=parameters).any(|at| !sqlite::sqlite3_bind_parameter_name(handle, at).is_null());
        let slot = Slot { statement, token: Rc::as_ptr(token), generation: 0, columns, shape: -1, reprepared: 0 };
        let (number, generation) = environment.add(slot);
        let buffer = environment.buffer;
        buffer.set(field::STATEMENT, number as i32);
        buffer.set(field::GENERATION, generation);
        buffer.set(field::COLUMN_COUNT, columns);
        buffer.set(field::READONLY, i32::from(sqlite::sqlite3_stmt_readonly(handle) != 0));
        buffer.set(field::PARAMETER_COUNT, parameters);
        buffer.set(field::NAMED, i32::from(named));
        buffer.set(field::KIND, kind as i32);
        buffer.set(field::NEXT, next.map_or(-1, |next| next as i32));
        buffer.set(field::FAILURE, -1);
    }
}

/// A copy of a text of SQLite's; `null` for none.
unsafe fn text(env: sys::napi_env, text: *const c_char) -> sys::napi_value {
    // SAFETY: null or NUL-terminated (callers).
    unsafe {
        if text.is_null() {
            let mut null = ptr::null_mut();
            sys::napi_get_null(env, &mut null);
            return null;
        }
        value::string(env, CStr::from_ptr(text).to_bytes())
    }
}

/// The parameters' names without their first character, `null` for anonymous ones.
pub(super) unsafe fn parameter_names(statement: &Statement<'_>) -> sys::napi_value {
    let (env, handle) = (statement.environment.env, statement.handle);
    // SAFETY: live; a name is at least its prefix long.
    unsafe {
        let names: Vec<_> = (1..=sqlite::sqlite3_bind_parameter_count(handle))
            .map(|at| {
                let name = sqlite::sqlite3_bind_parameter_name(handle, at);
                text(env, if name.is_null() { name } else { name.add(1) })
            })
            .collect();
        object::list(env, &names)
    }
}

/// `[name, column, table, database, type]` of each column
pub(super) unsafe fn columns(statement: &Statement<'_>) -> sys::napi_value {
    let (env, handle) = (statement.environment.env, statement.handle);
    // SAFETY: live; the texts are copied before the statement is touched again.
    unsafe {
        let list: Vec<_> = (0..sqlite::sqlite3_column_count(handle))
            .map(|at| {
                let parts = [
                    sqlite::sqlite3_column_name(handle, at),
                    sqlite::sqlite3_column_origin_name(handle, at),
                    sqlite::sqlite3_column_table_name(handle, at),
                    sqlite::sqlite3_column_database_name(handle, at),
                    sqlite::sqlite3_column_decltype(handle, at),
                ];
                object::list(env, &parts.map(|part| text(env, part)))
            })
            .collect();
        object::list(env, &list)
    }
}

/// The SQL with the bound values
pub(super) unsafe fn expanded(statement: &Statement<'_>) -> sys::napi_value {
    let handle = statement.handle;
    // SAFETY: live; the expanded text is SQLite's memory, copied and then freed.
    unsafe {
        let expanded = sqlite::sqlite3_expanded_sql(handle);
        let out =
            text(statement.environment.env, if expanded.is_null() { sqlite::sqlite3_sql(handle) } else { expanded });
        sqlite::sqlite3_free(expanded.cast());
        out
    }
}
