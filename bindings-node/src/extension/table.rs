//! Virtual tables whose rows come from a JavaScript generator, one row per step.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::js::function::{Function, reference, release};
use crate::js::scope::{self, Home, Scope};
use crate::js::value::{self, Origin};

/// What one `db.table()` registered. SQLite owns it.
struct Module {
    home: Home,
    /// `(module, database, table, ...arguments)` → `[sql, start, parameters, safeIntegers, directOnly]`.
    factory: Function,
    origin: String,
}

impl Drop for Module {
    fn drop(&mut self) {
        self.factory.release(self.home.env());
    }
}

/// One table made of a module. `base` comes first: SQLite sees only that.
#[repr(C)]
struct Table {
    base: sqlite::sqlite3_vtab,
    module: *const Module,
    /// `(...arguments)` → a function that gives the next row, an array, or `undefined` at the end.
    start: Function,
    parameters: Vec<String>,
    safe_integers: bool,
}

#[repr(C)]
struct Cursor {
    base: sqlite::sqlite3_vtab_cursor,
    next: Option<Function>,
    row: sys::napi_ref,
    rowid: i64,
}

impl Cursor {
    /// Lets go of its rows.
    fn end(&mut self, env: sys::napi_env) {
        if let Some(source) = self.next.take() {
            source.release(env);
        }
        release(env, std::mem::replace(&mut self.row, ptr::null_mut()));
    }
}

static MODULE: sqlite::sqlite3_module = methods(true);
static EPONYMOUS_MODULE: sqlite::sqlite3_module = methods(false);

/// xCreate and xConnect must differ, or SQLite would also make the module an eponymous table; without xCreate it is
/// nothing else.
const fn methods(creatable: bool) -> sqlite::sqlite3_module {
    // SAFETY: every field is an integer or an optional function pointer, for which zero is valid.
    let mut module: sqlite::sqlite3_module = unsafe { std::mem::zeroed() };
    if creatable {
        module.xCreate = Some(create);
    }
    module.xConnect = Some(connect);
    module.xBestIndex = Some(best_index);
    module.xDisconnect = Some(disconnect);
    module.xDestroy = Some(disconnect);
    module.xOpen = Some(open);
    module.xClose = Some(close);
    module.xFilter = Some(filter);
    module.xNext = Some(next);
    module.xEof = Some(eof);
    module.xColumn = Some(column);
    module.xRowid = Some(rowid);
    module
}

/// Registers a virtual table module; SQLite's result code.
///
/// # Safety
/// `db` is open and belongs to the calling JavaScript thread; `factory` has been made in the running call.
pub(super) unsafe fn register(
    env: sys::napi_env,
    db: *mut sqlite::sqlite3,
    name: &CStr,
    factory: Function,
    eponymous: bool,
) -> c_int {
    let module = Box::new(Module {
        home: Home::of(env),
        factory,
        origin: format!("Virtual table module \"{}\" yielded", name.to_string_lossy()),
    });
    let methods = if eponymous { &raw const EPONYMOUS_MODULE } else { &raw const MODULE };
    // SAFETY: SQLite takes ownership of the box and frees it through `destroy`, on failure too.
    unsafe { sqlite::sqlite3_create_module_v2(db, name.as_ptr(), methods, Box::into_raw(module).cast(), Some(destroy)) }
}

unsafe extern "C" fn destroy(user: *mut c_void) {
    // SAFETY: the box given away by `register`; SQLite calls this once.
    drop(unsafe { Box::from_raw(user.cast::<Module>()) });
}

unsafe extern "C" fn create(
    db: *mut sqlite::sqlite3,
    user: *mut c_void,
    argc: c_int,
    argv: *const *const c_char,
    out: *mut *mut sqlite::sqlite3_vtab,
    error: *mut *mut c_char,
) -> c_int {
    // SAFETY: forwarded unchanged from SQLite.
    unsafe { connect(db, user, argc, argv, out, error) }
}

unsafe extern "C" fn connect(
    db: *mut sqlite::sqlite3,
    user: *mut c_void,
    argc: c_int,
    argv: *const *const c_char,
    out: *mut *mut sqlite::sqlite3_vtab,
    error: *mut *mut c_char,
) -> c_int {
    // SAFETY: `user` is the box of `register`, `argv` holds `argc` NUL-terminated texts, `out` takes our box, which
    // SQLite gives back to `disconnect`.
    unsafe {
        let module = user.cast::<Module>().cast_const();
        let env = (*module).home.env();
        if env.is_null() {
            *error = sqlite::sqlite3_mprintf(value::ELSEWHERE.as_ptr());
        }
        if scope::exception_pending(env) {
            return sqlite::SQLITE_ERROR;
        }
        let Some(_scope) = Scope::open(env) else { return sqlite::SQLITE_ERROR };
        let args: Vec<_> =
            (0..argc as usize).map(|at| value::string(env, CStr::from_ptr(*argv.add(at)).to_bytes())).collect();
        let Some(definition) = (*module).factory.call(env, &args) else { return sqlite::SQLITE_ERROR };
        let element = |at| {
            let mut item = ptr::null_mut();
            sys::napi_get_element(env, definition, at, &mut item);
            item
        };
        let Some(declaration) = value::c_string(env, element(0)) else { return sqlite::SQLITE_ERROR };
        let names = element(2);
        let mut count = 0;
        sys::napi_get_array_length(env, names, &mut count);
        let mut parameters = Vec::new();
        for at in 0..count {
            let mut name = ptr::null_mut();
            sys::napi_get_element(env, names, at, &mut name);
            parameters.push(String::from_utf8_lossy(&value::utf8(env, name).unwrap_or_default()).into_owned());
        }
        let (mut safe_integers, mut direct_only) = (false, false);
        sys::napi_get_value_bool(env, element(3), &mut safe_integers);
        sys::napi_get_value_bool(env, element(4), &mut direct_only);
        let rc = sqlite::sqlite3_declare_vtab(db, declaration.as_ptr());
        if rc != sqlite::SQLITE_OK {
            return rc;
        }
        if direct_only {
            sqlite::sqlite3_vtab_config(db, sqlite::SQLITE_VTAB_DIRECTONLY);
        }
        let Some(start) = Function::of(env, element(1)) else { return sqlite::SQLITE_ERROR };
        let table = Box::new(Table { base: std::mem::zeroed(), module, start, parameters, safe_integers });
        *out = Box::into_raw(table).cast();
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn disconnect(table: *mut sqlite::sqlite3_vtab) -> c_int {
    // SAFETY: the box of `connect`; its module outlives every table made of it.
    unsafe {
        let table = Box::from_raw(table.cast::<Table>());
        table.start.release((*table.module).home.env());
    }
    sqlite::SQLITE_OK
}

unsafe extern "C" fn best_index(table: *mut sqlite::sqlite3_vtab, info: *mut sqlite::sqlite3_index_info) -> c_int {
    // SAFETY: SQLite passes our table and `nConstraint` entries in both arrays.
    unsafe {
        let parameters = &(*table.cast::<Table>()).parameters;
        let constraints = std::slice::from_raw_parts((*info).aConstraint, (*info).nConstraint as usize);
        // For each parameter, the constraint that gives it.
        let mut given = vec![None; parameters.len()];
        for (at, constraint) in constraints.iter().enumerate() {
            // LIMIT and OFFSET have no column; whatever iColumn holds then means nothing.
            if matches!(
                c_int::from(constraint.op),
                sqlite::SQLITE_INDEX_CONSTRAINT_LIMIT | sqlite::SQLITE_INDEX_CONSTRAINT_OFFSET
            ) {
                continue;
            }
            let Some(slot) = usize::try_from(constraint.iColumn).ok().and_then(|column| given.get_mut(column)) else {
                continue;
            };
            if c_int::from(constraint.op) != sqlite::SQLITE_INDEX_CONSTRAINT_EQ {
                let name = &parameters[constraint.iColumn as usize];
                set_error(
                    table,
                    &format!("virtual table parameter \"{name}\" can only be constrained by the '=' operator"),
                );
                return sqlite::SQLITE_ERROR;
            }
            if constraint.usable == 0 {
                // A plan that ignored an argument would hand the generator `undefined` for it.
                return sqlite::SQLITE_CONSTRAINT;
            }
            slot.get_or_insert(at);
        }
        let mut arguments = 0;
        let mut mask = 0u32;
        for (parameter, constraint) in given.iter().enumerate() {
            if let Some(at) = constraint {
                arguments += 1;
                mask |= 1 << parameter;
                let usage = (*info).aConstraintUsage.add(*at);
                (*usage).argvIndex = arguments;
                (*usage).omit = 1;
            }
        }
        (*info).idxNum = mask as c_int;
        // Dear, so that the generator is not started inside a loop, and cheaper the more arguments it gets.
        (*info).estimatedCost = f64::from(1_000_000_000 / (arguments + 1));
        (*info).estimatedRows = i64::from(1_000_000_000 / (arguments + 1));
        sqlite::SQLITE_OK
    }
}

/// # Safety
/// `table` is a live table of SQLite's.
unsafe fn set_error(table: *mut sqlite::sqlite3_vtab, message: &str) {
    let text = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: the message is SQLite's memory, which it frees itself.
    unsafe {
        sqlite::sqlite3_free((*table).zErrMsg.cast());
        (*table).zErrMsg = sqlite::sqlite3_mprintf(c"%s".as_ptr(), text.as_ptr());
    }
}

unsafe extern "C" fn open(_table: *mut sqlite::sqlite3_vtab, out: *mut *mut sqlite::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite fills `base` and gives the box back to `close`.
    unsafe {
        let cursor = Box::new(Cursor { base: std::mem::zeroed(), next: None, row: ptr::null_mut(), rowid: 0 });
        *out = Box::into_raw(cursor).cast();
    }
    sqlite::SQLITE_OK
}

/// # Safety
/// `cursor` is one that `open` made.
unsafe fn module_of(cursor: *mut Cursor) -> *const Module {
    // SAFETY: SQLite keeps `pVtab` at the cursor's table, which keeps its module.
    unsafe { (*(*cursor).base.pVtab.cast::<Table>()).module }
}

unsafe extern "C" fn close(cursor: *mut sqlite::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: the box of `open`.
    unsafe {
        let env = (*module_of(cursor.cast())).home.env();
        let mut cursor = Box::from_raw(cursor.cast::<Cursor>());
        cursor.end(env);
    }
    sqlite::SQLITE_OK
}

unsafe extern "C" fn filter(
    cursor: *mut sqlite::sqlite3_vtab_cursor,
    mask: c_int,
    _index: *const c_char,
    argc: c_int,
    argv: *mut *mut sqlite::sqlite3_value,
) -> c_int {
    // SAFETY: SQLite passes our cursor and `argc` values, in the order that `best_index` numbered them.
    unsafe {
        let cursor = cursor.cast::<Cursor>();
        let table = (*cursor).base.pVtab.cast::<Table>();
        let env = (*(*table).module).home.env();
        if env.is_null() {
            set_error(table.cast(), &value::ELSEWHERE.to_string_lossy());
        }
        if scope::exception_pending(env) {
            return sqlite::SQLITE_ERROR;
        }
        let Some(_scope) = Scope::open(env) else { return sqlite::SQLITE_ERROR };
        (*cursor).end(env);
        let mut args = Vec::with_capacity((*table).parameters.len());
        let mut taken = 0;
        for parameter in 0..(*table).parameters.len() {
            if mask as u32 & (1 << parameter) == 0 || taken >= argc as usize {
                args.push(value::undefined(env));
                continue;
            }
            let given = *argv.add(taken);
            taken += 1;
            if sqlite::sqlite3_value_type(given) == sqlite::SQLITE_NULL {
                // `parameter = NULL` is never true: no rows, and no call.
                return sqlite::SQLITE_OK;
            }
            args.push(value::to_js(env, given, (*table).safe_integers));
        }
        let Some(rows) = (*table).start.call(env, &args) else { return sqlite::SQLITE_ERROR };
        let Some(source) = Function::of(env, rows) else { return sqlite::SQLITE_ERROR };
        (*cursor).next = Some(source);
        (*cursor).rowid = 0;
        next(cursor.cast())
    }
}

unsafe extern "C" fn next(cursor: *mut sqlite::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: our cursor, with a row source since `filter`.
    unsafe {
        let cursor = cursor.cast::<Cursor>();
        let env = (*module_of(cursor)).home.env();
        if scope::exception_pending(env) {
            return sqlite::SQLITE_ERROR;
        }
        let Some(_scope) = Scope::open(env) else { return sqlite::SQLITE_ERROR };
        let Some(row) = (*cursor).next.as_ref().and_then(|source| source.call(env, &[])) else {
            return sqlite::SQLITE_ERROR;
        };
        let mut kind = 0;
        sys::napi_typeof(env, row, &mut kind);
        release(env, std::mem::replace(&mut (*cursor).row, ptr::null_mut()));
        if kind != sys::ValueType::napi_undefined {
            let Some(reference) = reference(env, row) else { return sqlite::SQLITE_ERROR };
            (*cursor).row = reference;
        }
        (*cursor).rowid += 1;
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn eof(cursor: *mut sqlite::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: our cursor.
    unsafe { c_int::from((*cursor.cast::<Cursor>()).row.is_null()) }
}

unsafe extern "C" fn column(
    cursor: *mut sqlite::sqlite3_vtab_cursor,
    context: *mut sqlite::sqlite3_context,
    at: c_int,
) -> c_int {
    // SAFETY: our cursor on a row; `context` belongs to this call.
    unsafe {
        let cursor = cursor.cast::<Cursor>();
        let module = module_of(cursor);
        let env = (*module).home.env();
        if scope::exception_pending(env) {
            return sqlite::SQLITE_ERROR;
        }
        let Some(_scope) = Scope::open(env) else { return sqlite::SQLITE_ERROR };
        let (mut row, mut cell) = (ptr::null_mut(), ptr::null_mut());
        if sys::napi_get_reference_value(env, (*cursor).row, &mut row) != sys::Status::napi_ok
            || sys::napi_get_element(env, row, at as u32, &mut cell) != sys::Status::napi_ok
            || !value::set_result(env, context, cell, &Origin(&(*module).origin))
        {
            return sqlite::SQLITE_ERROR;
        }
        sqlite::SQLITE_OK
    }
}

unsafe extern "C" fn rowid(cursor: *mut sqlite::sqlite3_vtab_cursor, out: *mut i64) -> c_int {
    // SAFETY: our cursor; `out` is SQLite's.
    unsafe { *out = (*cursor.cast::<Cursor>()).rowid };
    sqlite::SQLITE_OK
}
