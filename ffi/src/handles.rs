//! Handles are tokens, never addresses: an index into a table and the generation of its slot. A stale, forged or
//! foreign one is looked up, not dereferenced, and is refused.

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "litekeel's C ABI needs pointers of 64 bits: a handle carries an index, a generation and a secret. On a smaller \
     system use the crate litekeel-core from Rust."
);

use std::ffi::c_void;
use std::hash::{BuildHasher, RandomState};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};

use litekeel_core::ForkMutex;
use litekeel_core::{Error, codes};

use crate::objects::Object;

struct Slot {
    generation: u32,
    /// Of this process alone: without it, a small forged number could be the live generation of a slot.
    secret: u32,
    object: Option<Object>,
}

struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    random: Option<RandomState>,
}

impl Slots {
    fn add(&mut self) -> u32 {
        let index = self.slots.len();
        let secret = self.random.get_or_insert_with(RandomState::new).hash_one(index) as u32;
        self.slots.push(Slot { generation: 1, secret, object: None });
        index as u32
    }

    /// The slot that a token names, if it is of the slot's generation.
    fn find(&mut self, token: *const c_void) -> Option<(usize, &mut Slot)> {
        let token = token as usize as u64;
        let index = ((token & 0xffff_ffff) as usize).wrapping_sub(1);
        let slot = self.slots.get_mut(index)?;
        ((token >> 32) as u32 == slot.generation ^ slot.secret).then_some((index, slot))
    }
}

/// Watched over every fork: a child that another thread's lock were copied into could never look up a handle again, not
/// even to be told KEEL_E_FORKED.
static SLOTS: ForkMutex<Slots> = ForkMutex::new(Slots { slots: Vec::new(), free: Vec::new(), random: None });

fn slots() -> MutexGuard<'static, Slots> {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) && !WATCHED.swap(true, Ordering::AcqRel) {
        litekeel_core::hold_over_forks(&SLOTS);
    }
    SLOTS.lock()
}

/// Hands out a token for the object.
pub(crate) fn insert(object: Object) -> *mut c_void {
    let mut table = slots();
    let index = match table.free.pop() {
        Some(index) => index,
        None => table.add(),
    };
    let slot = &mut table.slots[index as usize];
    slot.object = Some(object);
    let shown = slot.generation ^ slot.secret;
    ((u64::from(shown) << 32) | (u64::from(index) + 1)) as usize as *mut c_void
}

/// The object of a token.
pub(crate) fn get(token: *const c_void) -> Option<Object> {
    slots().find(token)?.1.object.clone()
}

/// A short look at the object of a token, which must not wait for anything.
pub(crate) fn peek<T>(token: *const c_void, at: impl FnOnce(&Object) -> Option<T>) -> Option<T> {
    at(slots().find(token)?.1.object.as_ref()?)
}

/// Ends a token of the wanted kind; from now on it is stale.
pub(crate) fn remove(token: *const c_void, wanted: impl Fn(&Object) -> bool) -> Option<Object> {
    let mut table = slots();
    let (index, slot) = table.find(token)?;
    if !slot.object.as_ref().is_some_and(wanted) {
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
pub(crate) fn not_a_handle(what: &str) -> Error {
    Error::new(codes::HANDLE, format!("this is not a {what} of litekeel's, or it has been released"))
}
