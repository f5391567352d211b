//! A prepared statement on a connection that this thread holds: compiled or taken from the connection's few kept ones,
//! bound from packed parameters, stepped into packed rows.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};

use super::errors;
use crate::connection::guard::Guard;
use crate::connection::statement_cache::CachedStatement;
use crate::error::{Error, Result};
use crate::packed::{Cell, Encoder, Table};
use crate::raw::prepared::Prepared;
use crate::raw::sql_text;
use crate::registry::activity::Execution;
use crate::sqlite;

/// A longer text is rarely run again, and costs memory.
const KEPT_TEXT: usize = 16 * 1024;

/// How long the bytes of bound texts and blobs stay where they are.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lifetime {
    /// Until the statement is dropped: SQLite reads them in place.
    Call,
    /// Perhaps no longer than the binding itself: SQLite copies them.
    Binding,
}

/// Which parameter each column of a packed table is bound to.
pub(crate) enum ParameterOrder {
    InOrder,
    Named(Vec<c_int>),
}

/// A statement of the user's, dropped before the guard is.
pub(crate) struct Statement<'a> {
    guard: &'a Guard<'a>,
    /// The owner's.
    raw: *mut sqlite::sqlite3_stmt,
    /// While it runs. Ends before the statement does.
    execution: RefCell<Option<Execution<'a>>>,
    /// Empty once it has been given up.
    owner: Option<Owner>,
}

/// What becomes of a compiled statement when it is dropped.
enum Owner {
    /// It is finalized.
    Once(Prepared),
    /// It goes back to the connection's few kept ones.
    Kept(Box<CachedStatement>),
}

impl Owner {
    fn into_prepared(self) -> Prepared {
        match self {
            Owner::Once(prepared) => prepared,
            Owner::Kept(entry) => entry.prepared,
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        self.execution.take();
        if let Some(Owner::Kept(entry)) = self.owner.take() {
            // SAFETY: live, and on the guarded connection. Resetting repeats an error that has been reported; without its
            // bindings it refers to no bytes of the caller's.
            unsafe {
                if sqlite::sqlite3_reset(self.raw) == sqlite::SQLITE_OK {
                    sqlite::sqlite3_clear_bindings(self.raw);
                    self.guard.kept().put(entry);
                }
            }
        }
    }
}

impl<'a> Statement<'a> {
    /// Whether it may change a database.
    pub(crate) fn writes(&self) -> bool {
        // SAFETY: live, on the guarded connection.
        unsafe { sqlite::sqlite3_stmt_readonly(self.raw) == 0 }
    }

    /// Compiles the first statement of `text` from byte `at` on, and says where the next one begins. Blanks and comments
    /// compile to none.
    pub(crate) fn prepare(guard: &'a Guard<'a>, text: &CStr, at: usize) -> Result<(Option<Statement<'a>>, usize)> {
        Statement::compile(guard, text, at, 0)
    }

    fn compile(guard: &'a Guard<'a>, text: &CStr, at: usize, flags: u32) -> Result<(Option<Statement<'a>>, usize)> {
        // Before: some pragmas act when they are compiled.
        guard.refuse_change_of_shared(&text.to_bytes()[at..])?;
        guard.refuse_drop_with_keys_kept(&text.to_bytes()[at..])?;
        let begin = text.to_bytes_with_nul()[at..].as_ptr().cast();
        let mut raw = std::ptr::null_mut();
        let mut tail = std::ptr::null();
        // SAFETY: the guard keeps the connection open; the text is NUL-terminated and outlives the call.
        let rc = unsafe { sqlite::sqlite3_prepare_v3(guard.raw(), begin, -1, flags, &mut raw, &mut tail) };
        if rc != sqlite::SQLITE_OK {
            let error = guard.fail(rc);
            // SQLite counts from where it was told to begin; a caller counts from the start of the text.
            return Err(match error.offset() {
                Some(offset) if offset >= 0 => error.with_offset(offset + at as i32),
                _ => error,
            });
        }
        let next = tail as usize - text.as_ptr() as usize;
        // SAFETY: just compiled on the connection that the guard keeps, for this statement alone.
        let prepared = unsafe { Prepared::new(raw) };
        Ok((prepared.map(|prepared| Statement::resume(guard, prepared)), next))
    }

    /// The one statement of a text, compiled unless it has been kept.
    pub(crate) fn prepare_single(guard: &'a Guard<'a>, sql: &str) -> Result<Statement<'a>> {
        if let Some(entry) = guard.kept().take(sql) {
            return Ok(Statement::of(guard, Owner::Kept(entry)));
        }
        let keep = sql.len() <= KEPT_TEXT && sql_text::is_data(sql.as_bytes());
        Statement::compile_single(guard, sql, keep)
    }

    /// A statement of litekeel's own, kept like the user's.
    pub(crate) fn prepare_internal(guard: &'a Guard<'a>, sql: &'static str) -> Result<Statement<'a>> {
        if let Some(entry) = guard.kept().take(sql) {
            return Ok(Statement::of(guard, Owner::Kept(entry)));
        }
        Statement::compile_single(guard, sql, true)
    }

    fn compile_single(guard: &'a Guard<'a>, sql: &str, keep: bool) -> Result<Statement<'a>> {
        let flags = if keep { sqlite::SQLITE_PREPARE_PERSISTENT } else { 0 };
        let text = nul_terminated(guard, sql)?;
        let mut only: Option<Statement<'a>> = None;
        let mut at = 0;
        while at < sql.len() {
            let (statement, next) = Statement::compile(guard, &text, at, flags)?;
            if statement.is_some() && only.is_some() {
                return Err(errors::several_statements(at));
            }
            only = only.or(statement);
            at = next;
        }
        let mut only = only.ok_or_else(errors::no_statement)?;
        if keep && let Some(owner) = only.owner.take() {
            let prepared = owner.into_prepared();
            only.owner = Some(Owner::Kept(Box::new(CachedStatement { sql: sql.into(), prepared, names: None })));
        }
        Ok(only)
    }

    /// A statement of the connection that `guard` holds, on this hold of it.
    pub(crate) fn resume(guard: &'a Guard<'a>, prepared: Prepared) -> Statement<'a> {
        Statement::of(guard, Owner::Once(prepared))
    }

    fn of(guard: &'a Guard<'a>, owner: Owner) -> Statement<'a> {
        let raw = match &owner {
            Owner::Once(prepared) => prepared.raw(),
            Owner::Kept(entry) => entry.prepared.raw(),
        };
        Statement { guard, raw, execution: RefCell::default(), owner: Some(owner) }
    }

    /// The same, finalized instead of kept when it is dropped.
    pub(crate) fn not_kept(mut self) -> Statement<'a> {
        self.owner = self.owner.take().map(|owner| Owner::Once(owner.into_prepared()));
        self
    }

    /// Gives up the ownership.
    pub(crate) fn into_prepared(mut self) -> Option<Prepared> {
        self.execution.take();
        self.owner.take().map(Owner::into_prepared)
    }

    /// The number of columns; right after the first step, since a kept statement may be compiled anew in it.
    #[inline(always)]
    pub(crate) fn columns(&self) -> c_int {
        // SAFETY: a live statement of the guarded connection.
        unsafe { sqlite::sqlite3_column_count(self.raw) }
    }

    /// An empty table with this statement's column names.
    pub(crate) fn header(&mut self) -> Encoder {
        let raw = self.raw;
        // SAFETY: a live statement of the guarded connection.
        let compiled = unsafe { sqlite::sqlite3_stmt_status(raw, sqlite::SQLITE_STMTSTATUS_REPREPARE, 0) };
        let kept = match &mut self.owner {
            Some(Owner::Kept(entry)) => Some(&mut entry.names),
            _ => None,
        };
        if let Some(Some((then, names))) = &kept
            && *then == compiled
        {
            return Encoder::like(names);
        }
        // SAFETY: as above; the names live until it is prepared anew or finalized, and are copied at once. NULL means that
        // memory ran out.
        let encoder = Encoder::new((0..self.columns()).map(|column| unsafe {
            let name = sqlite::sqlite3_column_name(raw, column);
            if name.is_null() { &[][..] } else { CStr::from_ptr(name).to_bytes() }
        }));
        if let Some(Owner::Kept(entry)) = &mut self.owner {
            entry.names = Some((compiled, encoder.names()));
        }
        encoder
    }

    /// Which parameter each column of the table is bound to. Every parameter of the statement gets a value: SQLite would
    /// take NULL for one that is forgotten.
    #[inline(always)]
    pub(crate) fn parameter_order(&self, table: Option<Table<'_>>) -> Result<ParameterOrder> {
        // SAFETY: a live statement.
        let wanted = unsafe { sqlite::sqlite3_bind_parameter_count(self.raw) };
        match table {
            Some(table) if table.is_named() => self.places_by_name(table, wanted).map(ParameterOrder::Named),
            table => {
                let given = table.map_or(0, |table| table.columns());
                if given != wanted as usize {
                    return Err(errors::wrong_number(wanted, given));
                }
                Ok(ParameterOrder::InOrder)
            }
        }
    }

    fn places_by_name(&self, table: Table<'_>, wanted: c_int) -> Result<Vec<c_int>> {
        let places = (0..table.columns()).map(|column| self.index(table.name(column))).collect::<Result<Vec<_>>>()?;
        for index in (1..=wanted).filter(|index| !places.contains(index)) {
            // SAFETY: a live statement; the name is SQLite's and is copied. A gap in ?1, ?3 has none.
            let name = unsafe { crate::raw::handle::copy_text(sqlite::sqlite3_bind_parameter_name(self.raw, index)) };
            if let Some(name) = name {
                return Err(errors::parameter_not_given(&name));
            }
        }
        Ok(places)
    }

    /// Binds one row of parameters.
    #[inline(always)]
    pub(crate) fn bind(&self, table: Table<'_>, row: usize, places: &ParameterOrder, lifetime: Lifetime) -> Result<()> {
        let bytes = match lifetime {
            Lifetime::Call => sqlite::SQLITE_STATIC(),
            Lifetime::Binding => sqlite::SQLITE_TRANSIENT(),
        };
        for column in 0..table.columns() {
            let index = match places {
                ParameterOrder::InOrder => column as c_int + 1,
                ParameterOrder::Named(places) => places[column],
            };
            // SAFETY: the bytes live for as long as `lifetime` says.
            let rc = unsafe {
                match table.cell(row, column) {
                    Cell::Null => sqlite::sqlite3_bind_null(self.raw, index),
                    Cell::Int(value) => sqlite::sqlite3_bind_int64(self.raw, index, value),
                    Cell::Float(value) => sqlite::sqlite3_bind_double(self.raw, index, value),
                    Cell::Text(text) => sqlite::sqlite3_bind_text64(
                        self.raw,
                        index,
                        text.as_ptr().cast(),
                        text.len() as u64,
                        bytes,
                        sqlite::SQLITE_UTF8 as u8,
                    ),
                    Cell::Blob(blob) => {
                        sqlite::sqlite3_bind_blob64(self.raw, index, blob.as_ptr().cast(), blob.len() as u64, bytes)
                    }
                }
            };
            if rc != sqlite::SQLITE_OK {
                return Err(self.guard.fail(rc));
            }
        }
        Ok(())
    }

    fn index(&self, name: &[u8]) -> Result<c_int> {
        let given = String::from_utf8_lossy(name).into_owned();
        let candidates = [given.clone(), format!(":{given}"), format!("@{given}"), format!("${given}")];
        for candidate in candidates {
            let Ok(text) = CString::new(candidate) else { continue };
            // SAFETY: a live statement and a NUL-terminated name.
            let index = unsafe { sqlite::sqlite3_bind_parameter_index(self.raw, text.as_ptr()) };
            if index > 0 {
                return Ok(index);
            }
        }
        Err(errors::no_such_parameter(&given))
    }

    #[cold]
    fn fail(&self, rc: c_int) -> Error {
        // SAFETY: a live statement's own text, which lives as long.
        let sql = unsafe { CStr::from_ptr(sqlite::sqlite3_sql(self.raw)) };
        self.guard.fail_in(rc, Some(sql.to_bytes()))
    }

    /// One step; whether the statement stands on a row.
    #[inline(always)]
    pub(crate) fn step(&self) -> Result<bool> {
        self.execution.borrow_mut().get_or_insert_with(|| {
            // SAFETY: a live statement of this guard's, which ends the note before itself.
            unsafe { self.guard.executing(self.raw) }
        });
        // SAFETY: a live statement on a connection that this thread holds.
        match unsafe { sqlite::sqlite3_step(self.raw) } {
            sqlite::SQLITE_ROW => Ok(true),
            sqlite::SQLITE_DONE => Ok(false),
            rc => Err(self.fail(rc)),
        }
    }

    /// Makes it ready for the next row of parameters; the call goes on, and with it the note of what runs.
    #[inline(always)]
    pub(crate) fn reset(&self) {
        // SAFETY: as in `step`; a failure has been reported by the step.
        unsafe { sqlite::sqlite3_reset(self.raw) };
    }

    /// Appends the row that the statement stands on.
    #[inline(always)]
    pub(crate) fn read_row(&self, columns: c_int, out: &mut Encoder) {
        for column in 0..columns {
            // SAFETY: the statement stands on a row of so many columns. The value is used by this thread, which holds the
            // connection, and before the next step; text and blob are copied.
            unsafe {
                let value = sqlite::sqlite3_column_value(self.raw, column);
                let bytes = |pointer: *const u8| {
                    let size = sqlite::sqlite3_value_bytes(value) as usize;
                    if pointer.is_null() { &[][..] } else { std::slice::from_raw_parts(pointer, size) }
                };
                out.push(match sqlite::sqlite3_value_type(value) {
                    sqlite::SQLITE_INTEGER => Cell::Int(sqlite::sqlite3_value_int64(value)),
                    sqlite::SQLITE_FLOAT => Cell::Float(sqlite::sqlite3_value_double(value)),
                    sqlite::SQLITE_TEXT => Cell::Text(bytes(sqlite::sqlite3_value_text(value))),
                    sqlite::SQLITE_BLOB => Cell::Blob(bytes(sqlite::sqlite3_value_blob(value).cast())),
                    _ => Cell::Null,
                });
            }
        }
    }
}

/// The text for SQLite, which would take a NUL for its end. Nothing is copied that SQLite would refuse for its length.
pub(crate) fn nul_terminated(guard: &Guard<'_>, sql: &str) -> Result<CString> {
    // SAFETY: the guard keeps the connection open; a negative value only asks.
    let limit = unsafe { sqlite::sqlite3_limit(guard.raw(), sqlite::SQLITE_LIMIT_SQL_LENGTH, -1) };
    if sql.len() > limit as usize {
        return Err(errors::too_long(sql.len(), limit));
    }
    CString::new(sql).map_err(|error| errors::nul_in_sql(error.nul_position()))
}
