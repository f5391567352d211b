//! A VFS over SQLite's own that writes down what reaches the file system, or makes the n-th call of it fail.
#![allow(dead_code)] // Each test program uses its part.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard, Once};

use litekeel_core::sqlite::*;

/// The name for `?vfs=`.
pub const NAME: &str = "shim";

/// What happened to a file, in order. A file is known by its name without the directory.
#[derive(Clone, Debug)]
pub enum Op {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        size: usize,
    },
    Sync {
        file: String,
    },
    Delete {
        file: String,
    },
    /// The program was told that its transaction `0` is committed.
    Ack(u64),
}

#[derive(Default)]
struct State {
    recording: bool,
    ops: Vec<Op>,
    /// Fail the call of this number, counted from 1 since `arm`; 0: none.
    fail_at: u64,
    /// Fail every later call too.
    sticky: bool,
    calls: u64,
    only_sync: bool,
    failed: Option<&'static str>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

fn state() -> MutexGuard<'static, Option<State>> {
    let mut guard = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    guard.get_or_insert_with(State::default);
    guard
}

/// The notes are the process's: one test at a time uses them.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    // Whichever test comes first: each opens through it.
    install();
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Begins to write down.
pub fn record() {
    install();
    let mut state = state();
    *state = Some(State { recording: true, ..State::default() });
}

/// What was written down since [`record`].
pub fn recorded() -> Vec<Op> {
    std::mem::take(state().as_mut().unwrap()).ops
}

/// Writes down that the program was told of a commit.
pub fn ack(transaction: u64) {
    state().as_mut().unwrap().ops.push(Op::Ack(transaction));
}

/// Makes the `n`-th call from now fail, and with `sticky` every one after it; `only_sync` counts fsync alone.
pub fn arm(n: u64, sticky: bool, only_sync: bool) {
    install();
    *state() = Some(State { fail_at: n, sticky, only_sync, ..State::default() });
}

/// Lifts the fault; the first call that failed, if one did.
pub fn disarm() -> Option<&'static str> {
    std::mem::take(state().as_mut().unwrap()).failed
}

/// Whether this call is to fail.
fn fails(call: &'static str) -> bool {
    let mut guard = state();
    let state = guard.as_mut().unwrap();
    if state.fail_at == 0 || (state.only_sync && call != "sync") {
        return false;
    }
    state.calls += 1;
    let fails = state.calls == state.fail_at || (state.sticky && state.calls > state.fail_at);
    if fails && state.failed.is_none() {
        state.failed = Some(call);
    }
    fails
}

fn note(op: impl FnOnce() -> Op) {
    let mut guard = state();
    let state = guard.as_mut().unwrap();
    if state.recording {
        state.ops.push(op());
    }
}

/// The file as SQLite sees it; the real one lies behind it in the same allocation.
#[repr(C)]
struct File {
    base: sqlite3_file,
    name: *mut String,
}

const OWN: usize = size_of::<File>().next_multiple_of(16);

unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite allocated szOsFile bytes, which is OWN and the real VFS's size.
    unsafe { file.cast::<u8>().add(OWN).cast() }
}

unsafe fn name(file: *mut sqlite3_file) -> String {
    // SAFETY: set by `open`, freed by `close`.
    unsafe { (*(*file.cast::<File>()).name).clone() }
}

fn short(path: *const c_char) -> String {
    if path.is_null() {
        return String::new();
    }
    // SAFETY: SQLite's names are NUL-terminated.
    let text = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
    text.rsplit('/').next().unwrap_or_default().to_owned()
}

macro_rules! forward {
    ($($name:ident $field:ident ($($arg:ident: $ty:ty),*) $fault:expr;)*) => {
        $(unsafe extern "C" fn $name(file: *mut sqlite3_file, $($arg: $ty),*) -> c_int {
            let fault: Option<(&'static str, c_int)> = $fault;
            if let Some((call, code)) = fault && fails(call) {
                return code;
            }
            // SAFETY: the real file is open, its methods are there (version 2), the arguments are SQLite's.
            unsafe { ((*(*real(file)).pMethods).$field.unwrap())(real(file), $($arg),*) }
        })*
    };
}

forward! {
    read xRead (to: *mut c_void, size: c_int, at: i64) Some(("read", SQLITE_IOERR_READ));
    file_size xFileSize (size: *mut i64) Some(("size", SQLITE_IOERR_FSTAT));
    lock xLock (level: c_int) Some(("lock", SQLITE_IOERR_LOCK));
    unlock xUnlock (level: c_int) None;
    reserved xCheckReservedLock (out: *mut c_int) None;
    control xFileControl (op: c_int, arg: *mut c_void) None;
    sector_size xSectorSize () None;
    characteristics xDeviceCharacteristics () None;
    shm_map xShmMap (page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) Some(("shm_map", SQLITE_IOERR_SHMMAP));
    shm_lock xShmLock (offset: c_int, n: c_int, flags: c_int) if flags & SQLITE_SHM_LOCK != 0 { Some(("shm_lock", SQLITE_IOERR_SHMLOCK)) } else { None };
    shm_unmap xShmUnmap (delete: c_int) None;
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as in `forward`.
    unsafe { ((*(*real(file)).pMethods).xShmBarrier.unwrap())(real(file)) }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the name was boxed by `open`; SQLite closes a file once.
    unsafe {
        drop(Box::from_raw((*file.cast::<File>()).name));
        ((*(*real(file)).pMethods).xClose.unwrap())(real(file))
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, size: c_int, at: i64) -> c_int {
    if fails("write") {
        return SQLITE_IOERR_WRITE;
    }
    // SAFETY: as in `forward`; SQLite's buffer is `size` bytes long.
    unsafe {
        let rc = ((*(*real(file)).pMethods).xWrite.unwrap())(real(file), from, size, at);
        if rc == SQLITE_OK {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size as usize);
            note(|| Op::Write { file: name(file), at: at as usize, bytes: bytes.to_vec() });
        }
        rc
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    if fails("truncate") {
        return SQLITE_IOERR_TRUNCATE;
    }
    // SAFETY: as in `forward`.
    unsafe {
        note(|| Op::Truncate { file: name(file), size: size as usize });
        ((*(*real(file)).pMethods).xTruncate.unwrap())(real(file), size)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    if fails("sync") {
        return SQLITE_IOERR_FSYNC;
    }
    // The disk is never asked: what it would have kept is worked out from the notes.
    // SAFETY: as in `forward`.
    unsafe { note(|| Op::Sync { file: name(file) }) };
    SQLITE_OK
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Version 2 has shared memory and no memory-mapped pages, which would get past `write`.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe fn base(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: `install` stored it.
    unsafe { (*vfs).pAppData.cast() }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's arguments; no methods means that it will not call close.
    unsafe {
        (*file).pMethods = ptr::null();
        if fails("open") {
            return SQLITE_CANTOPEN;
        }
        let rc = ((*base(vfs)).xOpen.unwrap())(base(vfs), path, real(file), flags, out);
        if rc == SQLITE_OK {
            (*file.cast::<File>()).name = Box::into_raw(Box::new(short(path)));
            (*file).pMethods = &METHODS;
        }
        rc
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync_directory: c_int) -> c_int {
    if fails("delete") {
        return SQLITE_IOERR_DELETE;
    }
    // SAFETY: SQLite's arguments.
    unsafe {
        let rc = ((*base(vfs)).xDelete.unwrap())(base(vfs), path, 0);
        if rc == SQLITE_OK {
            note(|| Op::Delete { file: short(path) });
            if sync_directory != 0 {
                note(|| Op::Sync { file: String::new() });
            }
        }
        rc
    }
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, path: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    if fails("access") {
        return SQLITE_IOERR_ACCESS;
    }
    // SAFETY: SQLite's arguments.
    unsafe { ((*base(vfs)).xAccess.unwrap())(base(vfs), path, flags, out) }
}

unsafe extern "C" fn full_path(vfs: *mut sqlite3_vfs, path: *const c_char, size: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite's arguments.
    unsafe { ((*base(vfs)).xFullPathname.unwrap())(base(vfs), path, size, out) }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        litekeel_core::initialise();
        // SAFETY: the VFS is leaked: SQLite keeps it for the rest of the process.
        unsafe {
            let unix = sqlite3_vfs_find(ptr::null());
            let vfs = sqlite3_vfs {
                szOsFile: OWN as c_int + (*unix).szOsFile,
                pNext: ptr::null_mut(),
                zName: c"shim".as_ptr(),
                pAppData: unix.cast(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_path),
                ..*unix
            };
            assert_eq!(sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0), SQLITE_OK);
        }
    });
}

/// What a power loss may leave of the writes that no fsync has followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unsynced {
    Nothing,
    Everything,
    /// Each with one chance in two, and each 512-byte sector of a write likewise.
    Half,
    OnlyTheLast,
}

/// The disk at a moment of the notes: what is surely there, and what is not yet.
#[derive(Default)]
pub struct Disk {
    durable: HashMap<String, Vec<u8>>,
    pending: Vec<Op>,
    pub acked: u64,
}

fn apply(files: &mut HashMap<String, Vec<u8>>, op: &Op, keep: &mut dyn FnMut() -> bool) {
    match op {
        Op::Write { file, at, bytes } => {
            let content = files.entry(file.clone()).or_default();
            for (sector, part) in bytes.chunks(512).enumerate() {
                if keep() {
                    let from = at + sector * 512;
                    content.resize(content.len().max(from + part.len()), 0);
                    content[from..from + part.len()].copy_from_slice(part);
                }
            }
        }
        Op::Truncate { file, size } => files.entry(file.clone()).or_default().resize(*size, 0),
        Op::Delete { file } => drop(files.remove(file)),
        Op::Sync { .. } | Op::Ack(_) => {}
    }
}

fn file_of(op: &Op) -> &str {
    match op {
        Op::Write { file, .. } | Op::Truncate { file, .. } | Op::Sync { file } | Op::Delete { file } => file,
        Op::Ack(_) => "",
    }
}

impl Disk {
    /// Moves on by one note.
    pub fn advance(&mut self, op: &Op) {
        match op {
            Op::Ack(transaction) => self.acked = *transaction,
            Op::Sync { file } => {
                // An fsync brings its file down, and with it what the directory knew before.
                let (now, later): (Vec<Op>, Vec<Op>) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|op| file_of(op) == file || matches!(op, Op::Delete { .. }));
                now.iter().for_each(|op| apply(&mut self.durable, op, &mut || true));
                self.durable.entry(file.clone()).or_default();
                self.pending = later;
            }
            op => self.pending.push(op.clone()),
        }
    }

    /// The files after a power loss now.
    pub fn after_power_loss(&self, unsynced: Unsynced, coin: &mut dyn FnMut() -> bool) -> HashMap<String, Vec<u8>> {
        let mut files = self.durable.clone();
        match unsynced {
            Unsynced::Nothing => {}
            Unsynced::Everything => self.pending.iter().for_each(|op| apply(&mut files, op, &mut || true)),
            Unsynced::Half => {
                for op in &self.pending {
                    if coin() {
                        apply(&mut files, op, coin);
                    }
                }
            }
            Unsynced::OnlyTheLast => self.pending.last().into_iter().for_each(|op| apply(&mut files, op, &mut || true)),
        }
        files.remove("");
        files
    }
}
