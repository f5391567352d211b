//! Closing on a signal, when the program asks for it: new transactions are refused, readers are interrupted, writers get
//! time to finish, everything is closed, and the signal then ends the process as it would have without us.
//!
//! The handler itself only writes one byte to a pipe; a thread of its own does the work.

use std::ffi::c_int;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::errors;
use crate::error::Result;
use crate::events::{self, Event, EventName};
use crate::lifecycle::{configured, initialize, shutdown_state};
use crate::platform::signals;
use crate::platform::standard_error;
use crate::platform::threads::this_thread;
use crate::registry::{self, Doing, under_way};

/// For how long writers may go on by default.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long closing one connection waits, after the grace, for a call that still uses it.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long closings on other threads are waited for.
const OTHERS: Duration = Duration::from_secs(10);

static GRACE_MS: AtomicU64 = AtomicU64::new(0);

/// From now on each of these signals closes every connection of the process before it has its usual effect.
///
/// From the signal on no transaction begins any more: every call fails with `KEEL_SHUTTING_DOWN`, also in handlers and
/// hooks of the program that run later. Readers are interrupted, open write transactions waited for up to `grace` and then
/// rolled back. Connections are closed in reverse order of opening. Only then does the signal take the effect that it had
/// before: the default ends the process with the signal's exit status, a handler of the program's is called as the system
/// calls it, and ending the process is left to it. A handler that is installed later, over ours, has the signal for itself;
/// one that calls ours goes on when everything is closed.
///
/// A second signal ends the waiting for writers, a third one the process, at once. `exit` meanwhile waits until everything
/// is closed. A signal that is ignored stays ignored. A forked child calls this for itself; until then signals have their
/// usual effect there.
///
/// A connection whose host has statements of its own open on SQLite's handle cannot be closed whole; they are named. Unless
/// the host keeps [`guard_objects`](crate::Connection::guard_objects).
///
/// ```no_run
/// use litekeel_core::{SHUTDOWN_GRACE, shutdown_on};
///
/// shutdown_on(&[15, 2], SHUTDOWN_GRACE)?; // SIGTERM and SIGINT
/// # Ok::<(), litekeel_core::Error>(())
/// ```
///
/// # Errors
/// `KEEL_ARGUMENT` for a signal other than SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2; `KEEL_FORKED` in a process that
/// was made without running the fork handlers; `KEEL_IO` when the thread or its pipe cannot be made.
pub fn shutdown_on(signals: &[c_int], grace: Duration) -> Result<()> {
    const ALLOWED: [c_int; 6] =
        [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
    if let Some(signal) = signals.iter().find(|signal| !ALLOWED.contains(signal)) {
        return Err(errors::not_for_shutdown(*signal));
    }
    signals.iter().try_for_each(|&signal| watch(signal, grace).map(drop))
}

/// As [`shutdown_on`], for one signal that [`unwatch`] may end. Returns whether it has changed what the signal does.
///
/// # Errors
/// As there; the signal has to be one of those.
pub fn watch(signal: c_int, grace: Duration) -> Result<bool> {
    initialize::initialise();
    if configured::forked() {
        return Err(errors::made_without_fork_handlers());
    }
    GRACE_MS.store(grace.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    signals::act_on(signal, grace + 2 * PATIENCE, shut_down)
}

/// Gives a signal back what it did before [`watch`], unless the program has changed that meanwhile.
pub fn unwatch(signal: c_int) {
    signals::leave(signal);
}

/// What has become of a shutdown by the time the program exits.
#[derive(PartialEq)]
pub(crate) enum AtExit {
    /// There is none.
    NotBegun,
    /// Everything is closed that could be, and a handler of the program's has had the signal.
    Done,
    /// It goes on without end, or it is the very thread of it that exits.
    Stuck,
}

/// At exit: where a shutdown has begun, lets it close everything and the signal take its effect, which mostly ends the
/// process right here.
///
/// A signal also ends a `pause()` or `sleep()` of the main thread, which then may return from `main` while the thread is
/// still closing; the exit status would be the program's and not the signal's.
pub(crate) fn wait_at_exit() -> AtExit {
    /// For how long a subscriber may keep the thread: it may wait for a lock that this very thread holds.
    const SUBSCRIBERS: Duration = Duration::from_secs(2);
    const LOOK: Duration = Duration::from_millis(1);
    if !shutdown_state::has_begun() {
        return AtExit::NotBegun;
    }
    // Who exits will end no transaction any more.
    signals::hurry();
    let mut telling = Duration::ZERO;
    while !shutdown_state::is_done() {
        telling = if events::TELLING.load(Ordering::Acquire) { telling + LOOK } else { Duration::ZERO };
        if telling > SUBSCRIBERS || is_this_thread() {
            return AtExit::Stuck;
        }
        std::thread::sleep(LOOK);
    }
    // A handler that the signal was sent to may run on this thread, in this sleep.
    std::thread::sleep(10 * LOOK);
    AtExit::Done
}

/// Gives the signal its effect where the thread does not come to it.
pub(crate) fn end_at_exit() {
    if !is_this_thread() {
        signals::take_effect(signals::first());
    }
}

/// Whether the thread that closes is calling: a subscriber of its own has called `exit`.
fn is_this_thread() -> bool {
    events::WATCHED.load(Ordering::Acquire) == this_thread()
}

/// Runs on our own thread, once.
fn shut_down(signal: c_int) {
    let began = Instant::now();
    events::WATCHED.store(this_thread(), Ordering::Release);
    let grace = Duration::from_millis(GRACE_MS.load(Ordering::Relaxed));
    events::tell(
        &Event::new(EventName::ShuttingDown).text("signal", name(signal)).int("grace_ms", grace.as_millis() as i64),
    );
    let outcome = std::panic::catch_unwind(|| {
        wait_for_writers(began + grace);
        close_everything()
    });
    let (closed, rolled_back, left) = outcome.unwrap_or((0, 0, registry::open_handles().len() as i64));
    let event = Event::new(EventName::ShutDown)
        .text("signal", name(signal))
        .int("closed", closed)
        .int("rolled_back", rolled_back)
        .int("left_open", left)
        .int("took_ms", began.elapsed().as_millis() as i64);
    events::tell(&event);
    if rolled_back + left > 0 {
        standard_error::line(&format!(
            "{}: {closed} connection(s) closed, {rolled_back} transaction(s) rolled back after {} ms, {left} still in use",
            name(signal),
            grace.as_millis()
        ));
    }
    signals::take_effect(signal);
    shutdown_state::done();
    signals::end_first_process(signal);
}

fn name(signal: c_int) -> String {
    match signal {
        libc::SIGTERM => "SIGTERM".into(),
        libc::SIGINT => "SIGINT".into(),
        libc::SIGHUP => "SIGHUP".into(),
        libc::SIGQUIT => "SIGQUIT".into(),
        libc::SIGUSR1 => "SIGUSR1".into(),
        libc::SIGUSR2 => "SIGUSR2".into(),
        other => format!("signal {other}"),
    }
}

/// Returns when no connection is in a call or a write transaction, or at the deadline, or when nobody waits any more.
///
/// Interrupting a writer would roll its transaction back. A call is known to be a reader's when nobody in this process
/// holds the file's write lock.
fn wait_for_writers(deadline: Instant) {
    while Instant::now() < deadline && !signals::hurried() {
        let mut busy = false;
        for connection in registry::live().iter().filter_map(|(.., connection)| Weak::upgrade(connection)) {
            match connection.doing() {
                Doing::Nothing => {}
                Doing::Writing => busy = true,
                Doing::Running => {
                    busy = true;
                    if !connection.is_write_locked_here() {
                        connection.interrupt_call();
                    }
                }
            }
        }
        if !busy {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Last opened first. Returns how many were closed, how many of them in a transaction that had written, and how many
/// are still in use.
fn close_everything() -> (i64, i64, i64) {
    let (mut closed, mut rolled_back, mut left) = (0, 0, 0);
    for (handle, _, connection) in registry::live() {
        let Some(connection) = connection.upgrade() else { continue };
        let wrote = !matches!(connection.doing(), Doing::Nothing);
        if connection.close_at_exit(PATIENCE) {
            closed += 1;
            rolled_back += i64::from(wrote);
        } else {
            left += 1;
            standard_error::line(&format!("still in use, left as it is: {}", handle.describe()));
        }
    }
    under_way::wait_for_others(OTHERS);
    (closed, rolled_back, left)
}
