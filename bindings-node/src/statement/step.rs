//! Running statements.

use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::bind::{Needed, bind};
use super::running_call::Statement;
use crate::buffer::layout::{self, field, flag, status};
use crate::buffer::row_encoder;
use crate::js::object::Elements;
use crate::js::scope;
use crate::js::value;

/// What one call fetches.
struct Fetch {
    safe_integers: bool,
    names: bool,
    /// How many columns are wanted; 0 for all.
    columns: i32,
}

impl Fetch {
    #[inline(always)]
    fn of(statement: &Statement<'_>) -> Fetch {
        let buffer = statement.environment.buffer;
        let flags = buffer.get(field::FLAGS);
        Fetch {
            safe_integers: flags & flag::SAFE != 0,
            names: flags & flag::NAMES != 0,
            columns: buffer.get(field::COLUMNS),
        }
    }

    /// Looks at the result's columns anew if SQLite has prepared the statement again; how many there are to read.
    #[inline(always)]
    fn describe(&self, statement: &Statement<'_>) -> i32 {
        let environment = statement.environment;
        let (mut columns, mut shape, seen) = environment.described(statement.number);
        // SAFETY: the statement is live.
        let reprepared =
            unsafe { sqlite::sqlite3_stmt_status(statement.handle, sqlite::SQLITE_STMTSTATUS_REPREPARE, 0) };
        if reprepared != seen || (self.names && shape < 0) {
            (columns, shape) = self.describe_anew(statement, reprepared);
        }
        let buffer = environment.buffer;
        buffer.set(field::SHAPE, if self.names { shape } else { -2 - columns });
        buffer.set(field::REPREPARED, reprepared);
        buffer.set(field::COLUMN_COUNT, columns);
        if self.columns > 0 { self.columns.min(columns) } else { columns }
    }

    #[cold]
    fn describe_anew(&self, statement: &Statement<'_>, reprepared: i32) -> (i32, i32) {
        let environment = statement.environment;
        // SAFETY: the statement is live.
        let columns = unsafe { sqlite::sqlite3_column_count(statement.handle) };
        let shape = if self.names { environment.shape(statement.handle, columns) } else { -1 };
        environment.describe(statement.number, columns, shape, reprepared);
        (columns, shape)
    }
}

/// The first row, or none.
pub(super) unsafe fn get(statement: &Statement<'_>) -> sys::napi_value {
    let buffer = statement.environment.buffer;
    let handle = statement.handle;
    buffer.set(field::WIDE, 0);
    buffer.set(field::FAILURE, -1);
    // SAFETY: the statement is live and reset; a row is read before it is reset again.
    unsafe {
        let mut bound = match bind(statement, Needed::Now) {
            Ok(bound) => bound,
            Err(rc) => {
                statement.environment.unbound(rc);
                return ptr::null_mut();
            }
        };
        let inside = sqlite::sqlite3_get_autocommit(statement.db()) == 0;
        let rc = sqlite::sqlite3_step(handle);
        if statement.thrown() {
            sqlite::sqlite3_reset(handle);
            bound.release();
            return ptr::null_mut();
        }
        let mut out = ptr::null_mut();
        if rc == sqlite::SQLITE_ROW {
            let fetch = Fetch::of(statement);
            let columns = fetch.describe(statement);
            let env = statement.environment.env;
            // Resetting commits, and a hook on the commit may use the buffer.
            let may_call_js = statement.token.may_call_js.get();
            let mut chunk = statement.environment.take_chunk(may_call_js);
            let mut aside = vec![0u64; if may_call_js { columns as usize } else { 0 }];
            let cells = if may_call_js { aside.as_mut_ptr() } else { buffer.rows() };
            let made = row_encoder::row(env, handle, columns, fetch.safe_integers, cells, &mut chunk);
            chunk.finish();
            let reset = sqlite::sqlite3_reset(handle);
            if !made || statement.thrown() {
                statement.environment.return_chunk(chunk);
                bound.release();
                return ptr::null_mut();
            }
            if may_call_js {
                fetch.describe(statement);
                ptr::copy_nonoverlapping(aside.as_ptr(), buffer.rows(), aside.len());
                buffer.set(field::WIDE, 0);
                buffer.set(field::FAILURE, -1);
            }
            if reset == sqlite::SQLITE_OK {
                out = statement.environment.deliver(&mut chunk, None).unwrap_or(ptr::null_mut());
                buffer.set(field::STATUS, status::ROW);
                buffer.set(field::ROWS, 1);
            } else {
                // What it changed (`… RETURNING`) could not be committed: the row is not there.
                statement.fail(reset);
                tell_rollback(statement, inside);
            }
            statement.environment.return_chunk(chunk);
        } else {
            buffer.set(field::STATUS, status::DONE);
            let rc = sqlite::sqlite3_reset(handle);
            if rc != sqlite::SQLITE_OK {
                statement.fail(rc);
                tell_rollback(statement, inside);
            }
        }
        bound.release();
        out
    }
}

/// Binds, then fetches the first rows.
pub(super) unsafe fn all(statement: &Statement<'_>) -> sys::napi_value {
    // SAFETY: the statement is live and reset.
    unsafe {
        // The execution may outlive this call, and the caller fetches all of its rows before it does anything else.
        if let Err(rc) = bind(statement, Needed::ForRows) {
            statement.environment.unbound(rc);
            return ptr::null_mut();
        }
        next(statement)
    }
}

/// Fetches more rows: at most `field::LIMIT`, and no more than one chunk. When the results end, and on failure, the
/// statement is reset.
pub(super) unsafe fn next(statement: &Statement<'_>) -> sys::napi_value {
    let environment = statement.environment;
    let buffer = environment.buffer;
    let handle = statement.handle;
    let limit = buffer.get(field::LIMIT).max(1) as usize;
    let keep = environment.keeps_values();
    let fetch = Fetch::of(statement);
    let may_call_js = statement.token.may_call_js.get();
    let mut chunk = environment.take_chunk(may_call_js);
    // JavaScript that SQLite calls may overwrite the buffer, so the rows wait elsewhere.
    let mut aside = if may_call_js { vec![0u64; layout::ROW_CELLS] } else { Vec::new() };
    let cells = if may_call_js { aside.as_mut_ptr() } else { buffer.rows() };
    let (mut rows, mut used, mut columns) = (0, 0, 0);
    // SAFETY: the statement is live; rows are read before the next step; there is room for `columns` more cells.
    unsafe {
        let inside = sqlite::sqlite3_get_autocommit(statement.db()) == 0;
        let mut outcome = status::ROW;
        let mut failure = None;
        loop {
            let rc = sqlite::sqlite3_step(handle);
            if statement.thrown() {
                end(handle, keep);
                environment.return_chunk(chunk);
                return ptr::null_mut();
            }
            if rc != sqlite::SQLITE_ROW {
                outcome = status::DONE;
                let rc = sqlite::sqlite3_reset(handle);
                if rc != sqlite::SQLITE_OK {
                    outcome = status::FAILED;
                    failure = Some(statement.failure(rc));
                }
                if !keep {
                    sqlite::sqlite3_clear_bindings(handle);
                }
                break;
            }
            if rows == 0 {
                columns = fetch.describe(statement) as usize;
            }
            let target = cells.add(used);
            if !row_encoder::row(environment.env, handle, columns as i32, fetch.safe_integers, target, &mut chunk) {
                end(handle, keep);
                environment.return_chunk(chunk);
                return ptr::null_mut();
            }
            rows += 1;
            used += columns;
            if rows == limit || used + columns > layout::ROW_CELLS || !chunk.has_room() {
                break;
            }
        }
        chunk.finish();
        buffer.set(field::STATUS, outcome);
        buffer.set(field::ROWS, rows as i32);
        buffer.set(field::WIDE, 0);
        buffer.set(field::FAILURE, -1);
        if may_call_js {
            if rows > 0 {
                // What callbacks wrote there about other statements.
                fetch.describe(statement);
            }
            ptr::copy_nonoverlapping(aside.as_ptr(), buffer.rows(), used);
        }
        let out = environment.deliver(&mut chunk, failure);
        environment.return_chunk(chunk);
        let Some(out) = out else {
            end(handle, keep);
            return ptr::null_mut();
        };
        if outcome == status::FAILED {
            tell_rollback(statement, inside);
        }
        if outcome == status::ROW && refused_to_share(statement) {
            end(handle, keep);
            return ptr::null_mut();
        }
        out
    }
}

/// Reports that a connection with several owners keeps no statement open between calls.
fn refused_to_share(statement: &Statement<'_>) -> bool {
    let Some(connection) = statement.token.core().filter(|connection| connection.is_shared()) else { return false };
    if let Err(error) = connection.require_sole_owner("iterating") {
        let failure = crate::js::object::failure(statement.environment.env, &error.with_hint("use all()"));
        statement.environment.fail(failure);
    }
    true
}

/// Binds, then fetches all rows in this one call, as a list of lists: the connection may have other users, who come in
/// between two calls. Integers are BigInts with `flag::SAFE`.
pub(super) unsafe fn values(statement: &Statement<'_>) -> sys::napi_value {
    let env = statement.environment.env;
    let buffer = statement.environment.buffer;
    let handle = statement.handle;
    let fetch = Fetch::of(statement);
    let keep = statement.environment.keeps_values();
    buffer.set(field::WIDE, 0);
    buffer.set(field::FAILURE, -1);
    let mut list = ptr::null_mut();
    // SAFETY: the statement is live and reset; a row is read before the next step.
    unsafe {
        if let Err(rc) = bind(statement, Needed::ForRows) {
            statement.environment.unbound(rc);
            return ptr::null_mut();
        }
        let inside = sqlite::sqlite3_get_autocommit(statement.db()) == 0;
        sys::napi_create_array(env, &mut list);
        let mut count = 0;
        loop {
            let rc = sqlite::sqlite3_step(handle);
            let Some(_scope) = scope::Scope::open(env).filter(|_| !statement.thrown()) else { break };
            if rc != sqlite::SQLITE_ROW {
                buffer.set(field::STATUS, status::DONE);
                if rc != sqlite::SQLITE_DONE {
                    statement.fail(rc);
                    end(handle, keep);
                    tell_rollback(statement, inside);
                    return ptr::null_mut();
                }
                break;
            }
            let columns = sqlite::sqlite3_column_count(handle);
            if count == 0 {
                fetch.describe(statement);
            }
            // Anew for each row: a function that SQLite calls may have changed what arrays inherit.
            let elements = Elements::own(0);
            let mut row = ptr::null_mut();
            sys::napi_create_array(env, &mut row);
            for at in 0..columns {
                let cell = value::to_js(env, sqlite::sqlite3_column_value(handle, at), fetch.safe_integers);
                if cell.is_null() {
                    break;
                }
                elements.set(env, row, at as usize, cell);
            }
            elements.set(env, list, count, row);
            count += 1;
        }
        end(handle, keep);
    }
    list
}

/// Runs for the effect. `field::CHANGES` and `field::ROWID` say what it was.
pub(super) unsafe fn run(statement: &Statement<'_>) -> sys::napi_value {
    let buffer = statement.environment.buffer;
    let db = statement.db();
    let safe = buffer.get(field::FLAGS) & flag::SAFE != 0;
    // SAFETY: the statement is live and reset, its connection open.
    unsafe {
        let mut bound = match bind(statement, Needed::Now) {
            Ok(bound) => bound,
            Err(rc) => {
                statement.environment.unbound(rc);
                return ptr::null_mut();
            }
        };
        let before = sqlite::sqlite3_total_changes(db);
        // One step: a statement that writes does all of its work in it, a query stops at its first row.
        if finish(statement) {
            let changed = sqlite::sqlite3_total_changes(db) != before;
            let rowid = sqlite::sqlite3_last_insert_rowid(db);
            buffer.set(field::CHANGES, if changed { sqlite::sqlite3_changes(db) } else { 0 });
            buffer.set_wide(field::ROWID, if safe { rowid as u64 } else { (rowid as f64).to_bits() });
        }
        bound.release();
    }
    ptr::null_mut()
}

/// Runs a statement without parameters or results: transaction control.
pub(super) unsafe fn control(statement: &Statement<'_>) -> sys::napi_value {
    // SAFETY: the statement is live and reset.
    unsafe { finish(statement) };
    ptr::null_mut()
}

/// Steps once and resets; whether it succeeded.
#[inline(always)]
unsafe fn finish(statement: &Statement<'_>) -> bool {
    let handle = statement.handle;
    // SAFETY: the statement is live and reset.
    unsafe {
        let inside = sqlite::sqlite3_get_autocommit(statement.db()) == 0;
        sqlite::sqlite3_step(handle);
        let rc = sqlite::sqlite3_reset(handle);
        if statement.thrown() {
            return false;
        }
        if rc != sqlite::SQLITE_OK {
            statement.fail(rc);
            tell_rollback(statement, inside);
            return false;
        }
        statement.environment.buffer.set(field::STATUS, status::DONE);
        true
    }
}

unsafe fn end(handle: *mut sqlite::sqlite3_stmt, keep: bool) {
    // SAFETY: the statement is live.
    unsafe {
        sqlite::sqlite3_reset(handle);
        if !keep {
            sqlite::sqlite3_clear_bindings(handle);
        }
    }
}

/// A failure may have rolled the transaction back, and with it what statements were prepared for.
#[cold]
fn tell_rollback(statement: &Statement<'_>, inside: bool) {
    // SAFETY: the connection is open during the call.
    let now = unsafe { sqlite::sqlite3_get_autocommit(statement.db()) } == 0;
    statement.environment.buffer.set(field::STALE, i32::from(inside && !now));
}
