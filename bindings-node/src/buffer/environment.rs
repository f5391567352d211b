//! What all connections of one JavaScript environment (the main thread, a worker) share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use litekeel_core::{Prepared, sqlite};
use napi::sys;

use super::layout::{self, Buffer, field, flag};
use super::row_encoder::Chunk;
use crate::js::{object, scope, value};

/// What bound values point to.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) scratch: Vec<u8>,
    pub(crate) large: Vec<Vec<u8>>,
}

/// Column lists that have a number. Beyond, all are forgotten; numbers are not used twice.
const MAX_SHAPES: usize = 512;
/// Scratch memory that is kept for the next call, in bytes.
const KEPT_SCRATCH: usize = 1 << 20;

/// `Owner` is what a statement belongs to: a connection.
pub(crate) struct Environment<Owner> {
    pub(crate) env: sys::napi_env,
    pub(crate) buffer: Buffer,
    /// The list of extras.
    pub(super) extras: sys::napi_ref,
    /// The function that takes groups of texts; null until there is one.
    pub(super) receiver: Cell<sys::napi_ref>,
    /// Whether what is open is closed with it, for which the runtime has been asked.
    pub(crate) closes_with_it: Cell<bool>,
    slots: RefCell<Vec<Option<Slot<Owner>>>>,
    free: RefCell<Vec<usize>>,
    next_generation: Cell<i32>,
    shapes: RefCell<HashMap<Vec<u8>, i32>>,
    next_shape: Cell<i32>,
    /// Lent to one call; a call from within it makes its own.
    chunk: Cell<Option<Box<Chunk>>>,
    memory: Cell<Option<Box<Memory>>>,
    scratch: Cell<Vec<u8>>,
    units: Cell<Vec<u16>>,
}

/// A statement that is not finalised.
pub(crate) struct Slot<Owner> {
    pub(crate) statement: Prepared,
    /// Empties its slots before it is dropped.
    pub(crate) token: *const Owner,
    pub(crate) generation: i32,
    pub(crate) columns: c_int,
    /// Stands for the column names; −1 until they were wanted.
    pub(crate) shape: i32,
    /// How often SQLite had prepared it anew when `columns` and `shape` were looked at.
    pub(crate) reprepared: c_int,
}

/// The environment of a running call.
///
/// # Safety
/// `info` belongs to a function that [`Environment::export`] made.
pub(crate) unsafe fn of<'a, Owner>(env: sys::napi_env, info: sys::napi_callback_info) -> &'a Environment<Owner> {
    let mut data = ptr::null_mut();
    // SAFETY: the data of every exported function is the environment, which lives until no JavaScript runs any more.
    unsafe {
        sys::napi_get_cb_info(env, info, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut data);
        &*data.cast_const().cast::<Environment<Owner>>()
    }
}

/// Makes the state of an environment that loads the addon, and exports its buffer. `None` if JavaScript refuses.
///
/// # Safety
/// Called while the addon is being loaded.
pub(crate) unsafe fn create<Owner>(env: sys::napi_env, exports: sys::napi_value) -> Option<Rc<Environment<Owner>>> {
    let (mut memory, mut array, mut list) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let (mut kept, mut extras) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: handles of the running initialisation; the memory is V8's and lives as long as the reference.
    unsafe {
        let made = sys::napi_create_arraybuffer(env, layout::SIZE, &mut memory, &mut array) == sys::Status::napi_ok
            && sys::napi_create_array(env, &mut list) == sys::Status::napi_ok
            && sys::napi_create_reference(env, array, 1, &mut kept) == sys::Status::napi_ok
            && sys::napi_create_reference(env, list, 1, &mut extras) == sys::Status::napi_ok;
        if !made {
            return None;
        }
        object::define(env, exports, c"buffer", array);
        object::define(env, exports, c"extras", list);
        object::define(env, exports, c"protocol", value::number(env, f64::from(layout::PROTOCOL)));
        let environment = Rc::new(Environment {
            env,
            buffer: Buffer::new(memory.cast()),
            extras,
            receiver: Cell::new(ptr::null_mut()),
            closes_with_it: Cell::new(false),
            slots: RefCell::default(),
            free: RefCell::default(),
            next_generation: Cell::new(0),
            shapes: RefCell::default(),
            next_shape: Cell::new(0),
            chunk: Cell::default(),
            memory: Cell::default(),
            scratch: Cell::default(),
            units: Cell::default(),
        });
        // One count for the functions' data, given back when the environment ends.
        let data = Rc::into_raw(environment.clone());
        sys::napi_set_instance_data(env, data.cast_mut().cast(), Some(end::<Owner>), ptr::null_mut());
        scope::settle_here(env);
        Some(environment)
    }
}

unsafe extern "C" fn end<Owner>(env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the count of `create`; finalised once, when no JavaScript runs any more.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<Environment<Owner>>()) });
    scope::leave(env);
}

impl<Owner> Environment<Owner> {
    /// Adds a function to the exports.
    pub(crate) fn export(
        &self,
        exports: sys::napi_value,
        name: &CStr,
        function: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
    ) {
        let mut made = ptr::null_mut();
        let data = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: handles of the running initialisation; the data outlives the functions (see `create`).
        unsafe {
            let length = name.count_bytes() as isize;
            sys::napi_create_function(self.env, name.as_ptr(), length, Some(function), data, &mut made);
            object::define(self.env, exports, name, made);
        }
    }

    /// Whom a statement belongs to, unless its number is another one's by now.
    pub(crate) fn owner_of(&self, number: usize, generation: i32) -> Option<*const Owner> {
        let slots = self.slots.borrow();
        slots.get(number)?.as_ref().filter(|slot| slot.generation == generation).map(|slot| slot.token)
    }

    /// The handle and the connection of a statement; null if there is none of that number.
    #[inline(always)]
    pub(crate) fn owner(&self, number: usize) -> (*mut sqlite::sqlite3_stmt, *const Owner) {
        match self.slots.borrow().get(number) {
            Some(Some(slot)) => (slot.statement.raw(), slot.token),
            _ => (ptr::null_mut(), ptr::null()),
        }
    }

    /// How many columns a statement has, the number of their names, and when that was looked at, as the slot says.
    #[inline(always)]
    pub(crate) fn described(&self, number: usize) -> (c_int, i32, c_int) {
        match self.slots.borrow().get(number) {
            Some(Some(slot)) => (slot.columns, slot.shape, slot.reprepared),
            _ => (0, -1, -1),
        }
    }

    /// Gives a statement a number.
    pub(crate) fn add(&self, mut slot: Slot<Owner>) -> (usize, i32) {
        let generation = self.next_generation.get();
        self.next_generation.set(generation.wrapping_add(1));
        slot.generation = generation;
        let mut slots = self.slots.borrow_mut();
        let number = match self.free.borrow_mut().pop() {
            Some(number) => {
                slots[number] = Some(slot);
                number
            }
            None => {
                slots.push(Some(slot));
                slots.len() - 1
            }
        };
        (number, generation)
    }

    /// Replaces what is known about a statement.
    pub(crate) fn describe(&self, number: usize, columns: c_int, shape: i32, reprepared: c_int) {
        if let Some(Some(slot)) = self.slots.borrow_mut().get_mut(number) {
            (slot.columns, slot.shape, slot.reprepared) = (columns, shape, reprepared);
        }
    }

    /// Finalises a statement, unless its number belongs to another one by now.
    pub(crate) fn finalize(&self, number: usize, generation: i32) {
        if self.owner_of(number, generation).is_some() {
            // Nobody finds it any more, and no borrow is held when it is finalised: SQLite may call JavaScript.
            drop(self.take(number));
        }
    }

    /// Finalises every statement of a connection.
    pub(crate) fn finalize_all(&self, token: &Owner) {
        for (number, generation) in self.statements_of(token) {
            self.finalize(number, generation);
        }
    }

    /// Forgets every statement of a connection: they have been finalised elsewhere, or are another process's.
    pub(crate) fn forget_all(&self, token: &Owner) {
        for (number, _) in self.statements_of(token) {
            std::mem::forget(self.take(number));
        }
    }

    /// Takes a statement's number away.
    fn take(&self, number: usize) -> Option<Slot<Owner>> {
        self.free.borrow_mut().push(number);
        self.slots.borrow_mut()[number].take()
    }

    /// The numbers and generations of a connection's statements.
    fn statements_of(&self, token: &Owner) -> Vec<(usize, i32)> {
        let slots = self.slots.borrow();
        let of_token = |slot: &&Slot<Owner>| ptr::eq(slot.token, token);
        let all = slots.iter().enumerate();
        all.filter_map(|(at, slot)| slot.as_ref().filter(of_token).map(|slot| (at, slot.generation))).collect()
    }

    /// The number that stands for the statement's column names.
    pub(crate) fn shape(&self, handle: *mut sqlite::sqlite3_stmt, columns: c_int) -> i32 {
        let mut names = Vec::with_capacity(columns as usize * 16);
        for at in 0..columns {
            // SAFETY: the statement is live and has that column; null means that memory ran out.
            unsafe {
                let name = sqlite::sqlite3_column_name(handle, at);
                names.extend_from_slice(if name.is_null() { b"\0" } else { CStr::from_ptr(name).to_bytes_with_nul() });
            }
        }
        let mut shapes = self.shapes.borrow_mut();
        if let Some(known) = shapes.get(&names) {
            return *known;
        }
        if shapes.len() >= MAX_SHAPES {
            shapes.clear();
        }
        let number = self.next_shape.get();
        self.next_shape.set(number.checked_add(1).unwrap_or(0));
        shapes.insert(names, number);
        number
    }

    /// Room for rows; `aside` for such as JavaScript may run in the middle of.
    #[inline]
    pub(crate) fn take_chunk(&self, aside: bool) -> Box<Chunk> {
        let mut chunk = self.chunk.take().unwrap_or_default();
        chunk.blobs = if aside { None } else { Some(self.buffer.blobs()) };
        chunk
    }

    pub(crate) fn return_chunk(&self, mut chunk: Box<Chunk>) {
        chunk.clear();
        self.chunk.set(Some(chunk));
    }

    /// Memory for what a call binds.
    pub(crate) fn take_memory(&self) -> Box<Memory> {
        self.memory.take().unwrap_or_default()
    }

    pub(crate) fn return_memory(&self, mut memory: Box<Memory>) {
        memory.large.clear();
        memory.scratch.clear();
        if memory.scratch.capacity() <= KEPT_SCRATCH {
            self.memory.set(Some(memory));
        }
    }

    pub(crate) fn take_scratch(&self) -> Vec<u8> {
        self.scratch.take()
    }

    pub(crate) fn return_scratch(&self, mut scratch: Vec<u8>) {
        scratch.clear();
        if scratch.capacity() <= KEPT_SCRATCH {
            self.scratch.set(scratch);
        }
    }

    /// Memory for the UTF-16 of one string.
    pub(crate) fn take_units(&self) -> Vec<u16> {
        self.units.take()
    }

    pub(crate) fn return_units(&self, units: Vec<u16>) {
        if units.capacity() <= KEPT_SCRATCH / 2 {
            self.units.set(units);
        }
    }

    #[inline(always)]
    pub(crate) fn keeps_values(&self) -> bool {
        self.buffer.get(field::FLAGS) & flag::KEEP != 0
    }
}
