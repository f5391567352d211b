//! Every entry, made to panic: the caller gets KEEL_E_PANIC (or the value that means nothing), and the process lives on.

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use litekeel_core::codes;
use litekeel_ffi::*;

/// What an entry gave back, as far as the test is interested.
enum Gave {
    /// A code, with the error object that came with it.
    Code(i32),
    /// NULL, 0, or another value without meaning.
    Nothing(bool),
}

const SQL: *const c_char = c"SELECT 1".as_ptr();

/// What the entries are called with. Valid, so that without the panic they would do their work.
struct World {
    db: *mut keel_db,
    options: *mut keel_options,
    rows: *mut keel_rows,
    error: *mut keel_error,
}

type Entry = (&'static str, fn(&World, *mut *mut keel_error) -> Gave);

/// Arms the panic, so that what prepares the call does not panic in its stead.
fn armed<T>(call: impl FnOnce() -> T) -> T {
    injected::arm();
    call()
}

macro_rules! entries {
    ($($kind:ident $name:ident($world:ident, $err:ident) $call:expr;)*) => {
        #[allow(unused_unsafe)] // Some of them are safe.
        const ENTRIES: &[Entry] = &[$((stringify!($name), |$world, $err| {
            let _ = ($world, $err);
            // SAFETY: the handles are live, and the places for results are locals.
            entries!($kind unsafe { armed(|| $call) })
        }),)*];
    };
    (code $call:expr) => { Gave::Code($call) };
    (none $call:expr) => {{ let () = $call; Gave::Nothing(true) }};
    (null $call:expr) => { Gave::Nothing($call.is_null()) };
    (zero $call:expr) => { Gave::Nothing($call == 0) };
    (minus $call:expr) => { Gave::Nothing($call == -1) };
    (text $call:expr) => {{ let text = $call; Gave::Nothing(!text.is_null()) }};
}

entries! {
    text keel_version(w, err) keel_version();
    code keel_open(w, err) keel_open(c":memory:".as_ptr(), KEEL_NUL, &mut null_mut(), err);
    code keel_open_with(w, err) keel_open_with(c":memory:".as_ptr(), KEEL_NUL, w.options, &mut null_mut(), err);
    code keel_retain(w, err) keel_retain(w.db, &mut null_mut(), err);
    code keel_sibling(w, err) keel_sibling(w.db, &mut null_mut(), err);
    code keel_databases_open(w, err) keel_databases_open(c"/".as_ptr(), KEEL_NUL, 1, null(), &mut null_mut(), err);
    code keel_databases_use(w, err) keel_databases_use(null_mut(), SQL, KEEL_NUL, 0, null_mut(), &mut null_mut(), err);
    code keel_databases_evict(w, err) keel_databases_evict(null_mut(), SQL, KEEL_NUL, err);
    zero keel_databases_open_count(w, err) keel_databases_open_count(null_mut());
    code keel_databases_close(w, err) keel_databases_close(null_mut(), err);
    none keel_release(w, err) keel_release(w.db);
    code keel_close(w, err) keel_close(w.db, err);
    null keel_sqlite3(w, err) keel_sqlite3(w.db);
    null keel_sqlite3_api(w, err) keel_sqlite3_api();
    code keel_explain(w, err) keel_explain(w.db, 1, err);
    code keel_exec(w, err) keel_exec(w.db, SQL, KEEL_NUL, err);
    code keel_exec_atomic(w, err) keel_exec_atomic(w.db, SQL, KEEL_NUL, err);
    code keel_query(w, err) keel_query(w.db, SQL, KEEL_NUL, null(), 0, 0, &mut null_mut(), err);
    code keel_rows_next(w, err) keel_rows_next(w.rows, err);
    null keel_rows_data(w, err) keel_rows_data(w.rows, null_mut());
    text keel_rows_text(w, err) keel_rows_text(w.rows, null_mut());
    none keel_rows_free(w, err) keel_rows_free(w.rows);
    code keel_begin(w, err) keel_begin(w.db, KEEL_DEFERRED, err);
    code keel_commit(w, err) keel_commit(w.db, err);
    code keel_rollback(w, err) keel_rollback(w.db, err);
    code keel_set_timeout(w, err) keel_set_timeout(w.db, 0);
    none keel_interrupt(w, err) keel_interrupt(w.db);
    code keel_checkpoint(w, err) keel_checkpoint(w.db, 0, null_mut(), null_mut(), err);
    code keel_backup(w, err) keel_backup(w.db, SQL, KEEL_NUL, 0, None, null_mut(), err);
    code keel_replicated(w, err) keel_replicated(w.db, 0, null_mut(), err);
    code keel_position(w, err) keel_position(w.db, null_mut(), err);
    code keel_wait_for(w, err) keel_wait_for(w.db, 1, 0, err);
    code keel_set_log(w, err) keel_set_log(None, null_mut());
    code keel_holders(w, err) keel_holders(w.db, &mut null_mut(), err);
    code keel_diagnose(w, err) keel_diagnose(w.db, &mut null_mut(), err);
    code keel_on_event(w, err) keel_on_event(w.db, None, null_mut());
    code keel_report(w, err) keel_report(w.db, &mut null_mut(), err);
    code keel_shutdown_on(w, err) keel_shutdown_on(null(), 0, -1, err);
    code keel_assert_no_leaks(w, err) keel_assert_no_leaks(err);
    zero keel_open_handles(w, err) keel_open_handles();
    code keel_options_new(w, err) keel_options_new(&mut null_mut());
    code keel_options_set(w, err) keel_options_set(w.options, SQL, 1, SQL, 1, err);
    null keel_options_name(w, err) keel_options_name(0);
    null keel_options_help(w, err) keel_options_help(0);
    none keel_options_free(w, err) keel_options_free(w.options);
    zero keel_error_code(w, err) keel_error_code(w.error);
    text keel_error_name(w, err) keel_error_name(w.error);
    text keel_code_name(w, err) keel_code_name(5);
    text keel_error_message(w, err) keel_error_message(w.error, null_mut());
    text keel_error_hint(w, err) keel_error_hint(w.error, null_mut());
    text keel_error_path(w, err) keel_error_path(w.error, null_mut());
    text keel_error_step(w, err) keel_error_step(w.error);
    text keel_error_kind(w, err) keel_error_kind(w.error);
    minus keel_error_waited(w, err) keel_error_waited(w.error);
    code keel_error_holders(w, err) keel_error_holders(w.error, &mut null_mut(), err);
    minus keel_error_offset(w, err) keel_error_offset(w.error);
    zero keel_error_os(w, err) keel_error_os(w.error);
    none keel_error_free(w, err) keel_error_free(w.error);
}

/// It returns a constant.
const CANNOT_PANIC: &[&str] = &["keel_abi"];

#[test]
fn an_entry_that_panics_says_so_and_the_process_lives() {
    let symbols = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../include/litekeel.symbols")).unwrap();
    let exported: Vec<_> = symbols.lines().filter(|name| name.starts_with("keel_")).collect();
    let listed: Vec<_> = ENTRIES.iter().map(|entry| entry.0).chain(CANNOT_PANIC.iter().copied()).collect();
    for name in &exported {
        assert!(listed.contains(name), "{name} is exported and not tested here: add it to the list");
    }
    let mut world = World { db: null_mut(), options: null_mut(), rows: null_mut(), error: null_mut() };
    // SAFETY: places for results, and texts that live.
    unsafe {
        assert_eq!(keel_open(c":memory:".as_ptr(), KEEL_NUL, &mut world.db, null_mut()), 0);
        assert_eq!(keel_options_new(&mut world.options), 0);
        assert_eq!(keel_query(world.db, SQL, KEEL_NUL, null(), 0, 0, &mut world.rows, null_mut()), 0);
        assert_eq!(keel_exec(world.db, c"SELEKT".as_ptr(), KEEL_NUL, &mut world.error), 1);
    }
    for (name, call) in ENTRIES {
        let mut error = null_mut();
        match call(&world, &mut error) {
            Gave::Code(code) => assert_eq!(code, codes::PANIC, "{name}"),
            Gave::Nothing(is_nothing) => assert!(is_nothing, "{name}"),
        }
        assert!(!injected::disarm(), "{name} did not pass through the boundary");
        if !error.is_null() {
            assert_eq!(keel_error_code(error), codes::PANIC, "{name}");
            keel_error_free(error);
        }
    }
    // Nothing was lost: what they were called with still works, and ends as it should.
    // SAFETY: as above.
    unsafe {
        assert_eq!(keel_exec(world.db, SQL, KEEL_NUL, null_mut()), 0);
        assert!(!keel_rows_data(world.rows, null_mut()).is_null());
        assert_eq!(keel_error_code(world.error), 1);
        assert_eq!(keel_close(world.db, null_mut()), 0);
    }
    keel_rows_free(world.rows);
    keel_error_free(world.error);
    keel_options_free(world.options);
}
