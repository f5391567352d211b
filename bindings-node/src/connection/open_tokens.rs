//! The open connections of every JavaScript thread of the process, by the address of their token.
//!
//! Must not know: what a token is.

use std::collections::HashMap;
use std::sync::Mutex;

/// Open connections by the address of their token.
static OPEN: Mutex<Option<HashMap<usize, Owner>>> = Mutex::new(None);

/// Whose connection it is: no other thread may touch it, and no forked child close it.
#[derive(PartialEq, Clone, Copy)]
struct Owner {
    thread: usize,
    process: libc::pid_t,
}

impl Owner {
    fn here() -> Owner {
        // SAFETY: only reads who is calling.
        Owner { thread: this_thread(), process: unsafe { libc::getpid() } }
    }
}

/// The calling thread, as a number: in musl the system's own name for it is a pointer. Asked for after a thread's local
/// data is gone, too, when Rust's name for it is.
pub(crate) fn this_thread() -> usize {
    // SAFETY: only reads who is calling.
    unsafe { libc::pthread_self() as usize }
}

/// Adds a connection of this thread.
pub(super) fn remember(token: usize) {
    if let Ok(mut open) = OPEN.lock() {
        open.get_or_insert_default().insert(token, Owner::here());
    }
}

/// The connection has closed.
pub(super) fn forget(token: usize) {
    if let Ok(mut open) = OPEN.lock()
        && let Some(open) = open.as_mut()
    {
        open.remove(&token);
    }
}

/// Calls `with` for each connection of this thread, none of which closes meanwhile.
pub(super) fn each_here(with: impl Fn(usize)) {
    let here = Owner::here();
    // `try_lock`: another thread's opening or closing is no reason to wait; the caller comes again.
    let Ok(open) = OPEN.try_lock() else { return };
    open.iter().flatten().filter(|(_, owner)| **owner == here).for_each(|(token, _)| with(*token));
}

/// The open connections of this thread, taken off the list; `None` where somebody else holds that.
pub(super) fn take_here() -> Option<Vec<usize>> {
    let here = Owner::here();
    // `try_lock`: a worker that was stopped in the middle must not hang the exit.
    let mut open = OPEN.try_lock().ok()?;
    let open = open.get_or_insert_default();
    let mine: Vec<usize> = open.iter().filter(|(_, owner)| **owner == here).map(|(token, _)| *token).collect();
    for token in &mine {
        open.remove(token);
    }
    Some(mine)
}
