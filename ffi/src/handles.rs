//! Handles are tokens, never addresses: an index into a table and the generation of its slot. A stale, forged or
//! foreign one is looked up, not dereferenced, and is refused.

use std::cell::UnsafeCell;
use std::ffi::{CString, c_void};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock};

use litekeel_core::packed::Packed;
use litekeel_core::{Connection, Error, Options, codes};

/// What a token can stand for.
#[derive(Clone)]
pub(crate) enum Object {
    Db(Arc<Connection>),
    Options(Arc<Mutex<Options>>),
    Rows(Arc<Packed>),
    Error(Arc<ErrorTexts>),
}

/// An error as C reads it.
pub(crate) struct ErrorTexts {
    pub(crate) error: Error,
    pub(crate) message: CString,
    pub(crate) hint: CString,
}

impl Object {
    pub(crate) fn error(error: &Error) -> Object {
        // A NUL cannot be shown in C; none of our texts has one but what it quotes.
        let text = |text: &str| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        let (message, hint) = (text(error.message()), text(error.hint()));
        Object::Error(Arc::new(ErrorTexts { error: error.clone(), message, hint }))
    }
}

struct Slot {
    generation: u32,
    object: Option<Object>,
}

struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

static SLOTS: Mutex<Slots> = Mutex::new(Slots { slots: Vec::new(), free: Vec::new() });

/// The table's lock while this process forks. A child that another thread's lock were copied into could never look up a
/// handle again, not even to be told KEEL_E_FORKED.
struct Held(UnsafeCell<Option<MutexGuard<'static, Slots>>>);
// SAFETY: it is only touched by the thread that holds the lock inside it.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

unsafe extern "C" fn before_fork() {
    let guard = SLOTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // SAFETY: this thread has the lock.
    unsafe { *HELD.0.get() = Some(guard) };
}

unsafe extern "C" fn after_fork() {
    // SAFETY: this thread, or the child's copy of it, took the lock in `before_fork`. The place is emptied first: once
    // the lock is free it may be another thread's.
    drop(unsafe { (*HELD.0.get()).take() });
}

fn slots() -> MutexGuard<'static, Slots> {
    static HOOKS: Once = Once::new();
    HOOKS.call_once(|| {
        // SAFETY: static functions; the library is never unloaded. Without memory for them a fork is as unsafe as ever.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    });
    // Nothing under this lock can panic half-way; a poisoned table is still a whole one.
    SLOTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Hands out a token for the object.
pub(crate) fn give(object: Object) -> *mut c_void {
    let mut table = slots();
    let index = table.free.pop().unwrap_or_else(|| {
        table.slots.push(Slot { generation: 1, object: None });
        (table.slots.len() - 1) as u32
    });
    let slot = &mut table.slots[index as usize];
    slot.object = Some(object);
    let shown = slot.generation ^ mask(index as usize);
    ((u64::from(shown) << 32) | (u64::from(index) + 1)) as usize as *mut c_void
}

/// A secret of the process for each slot: without it, a small forged number could be the live generation of a slot.
fn mask(index: usize) -> u32 {
    static SECRET: OnceLock<RandomState> = OnceLock::new();
    SECRET.get_or_init(RandomState::new).hash_one(index) as u32
}

fn place(token: *const c_void) -> (usize, u32) {
    let token = token as usize as u64;
    let index = ((token & 0xffff_ffff) as usize).wrapping_sub(1);
    (index, (token >> 32) as u32 ^ mask(index))
}

/// The object of a token.
pub(crate) fn get(token: *const c_void) -> Option<Object> {
    let (index, generation) = place(token);
    let table = slots();
    let slot = table.slots.get(index)?;
    if slot.generation == generation { slot.object.clone() } else { None }
}

/// Ends a token of the wanted kind; from now on it is stale.
pub(crate) fn take(token: *const c_void, wanted: impl Fn(&Object) -> bool) -> Option<Object> {
    let (index, generation) = place(token);
    let mut table = slots();
    let slot = table.slots.get_mut(index)?;
    if slot.generation != generation || !slot.object.as_ref().is_some_and(wanted) {
        return None;
    }
    let object = slot.object.take();
    // A slot that has seen every generation is retired, so that no old token becomes valid again.
    slot.generation = slot.generation.wrapping_add(1);
    if slot.generation != 0 {
        table.free.push(index as u32);
    }
    object
}

/// The error for a token that is not one of the wanted kind.
pub(crate) fn refused(what: &str) -> Error {
    Error::new(codes::HANDLE, format!("this is no {what} of litekeel's, or it has been released"))
}
