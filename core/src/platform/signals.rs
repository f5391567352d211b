//! Signals that a thread acts on: the handler only writes one byte to a pipe, and the thread, when it is done, gives the
//! signal the effect that it had before.
//!
//! The handler of a language's runtime is never called from the thread: runtimes note a signal and wake their main thread
//! by interrupting it, so whoever calls the handler elsewhere leaves that thread asleep. The signal is sent once more
//! instead, with the former disposition back in place.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::errors;
use crate::error::Result;
use crate::platform::errno;
use crate::platform::fork::ForkMutex;
use crate::platform::standard_error::above_standard;

/// Signal numbers lie below this on every Unix.
const SIGNALS: usize = 65;

/// What each signal did before, in memory that is never freed: the handler reads it.
static PREVIOUS: [AtomicPtr<libc::sigaction>; SIGNALS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; SIGNALS];
/// The ends of the pipe: the handler writes to the second.
static PIPE: [AtomicI32; 2] = [const { AtomicI32::new(-1) }; 2];
/// The process that has the thread; a forked child inherits the handlers, but not the thread.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// The first signal, which the thread acts on.
static FIRST: AtomicI32 = AtomicI32::new(0);
/// Whether the first signal came to our handler from the kernel, not from a handler that was installed over it.
static DIRECT: AtomicBool = AtomicBool::new(false);
/// A second signal has come.
static SECOND: AtomicBool = AtomicBool::new(false);
/// Nothing is to be waited for any more.
static HURRIED: AtomicBool = AtomicBool::new(false);
/// What is to come before the signal's effect is done.
static ACTED: AtomicBool = AtomicBool::new(false);
/// For how long a handler over ours is kept from going on, in milliseconds.
static HELD_MS: AtomicU64 = AtomicU64::new(0);
/// The former dispositions are back.
static PUT_BACK: AtomicBool = AtomicBool::new(false);
/// The thread whose call of a former handler is under way, by signal.
static PASSING: [AtomicI32; SIGNALS] = [const { AtomicI32::new(0) }; SIGNALS];
/// Held while handlers are installed or put back.
pub(crate) static INSTALLING: ForkMutex<()> = ForkMutex::new(());

/// Whether one of the signals has come to this process. From the handler's first instruction on: what the program does
/// after it has noticed the signal comes later for certain.
pub(crate) fn arrived() -> bool {
    FIRST.load(Ordering::Relaxed) != 0
}

/// The signal that came first; 0 before one has.
pub(crate) fn first() -> c_int {
    FIRST.load(Ordering::Acquire)
}

/// Whether the end is not to wait for anybody: a second signal has come, or the program has called `exit`.
pub(crate) fn hurried() -> bool {
    HURRIED.load(Ordering::Relaxed)
}

/// From now on nothing is waited for.
pub(crate) fn hurry() {
    HURRIED.store(true, Ordering::Relaxed);
}

/// `act` is called, on a thread of ours, for the first of all such signals that comes. Returns whether our handler was put
/// in front of what the signal did; it is not where it is there already, nor for a signal that is ignored, which stays so.
/// `longest`: how long `act` mostly takes at most.
///
/// # Errors
/// `KEEL_IO` when the thread, its pipe or a handler cannot be made.
pub(crate) fn act_on(signal: c_int, longest: Duration, act: fn(c_int)) -> Result<bool> {
    let _installing = INSTALLING.lock();
    HELD_MS.store(longest.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    if PIPE[1].load(Ordering::Acquire) < 0 {
        start(act)?;
    }
    install(signal)
}

/// Gives the signal back what it did before [`act_on`], if our handler still has it.
pub(crate) fn leave(signal: c_int) {
    let _installing = INSTALLING.lock();
    let previous = PREVIOUS[signal as usize].load(Ordering::Acquire);
    // SAFETY: stored by `install`, never freed.
    unsafe {
        if !previous.is_null() && disposition(signal).is_some_and(|now| is_ours(&now)) {
            libc::sigaction(signal, previous, std::ptr::null_mut());
        }
    }
}

/// Runs `start`, which starts a thread, with every signal blocked: signals are for the program's own threads, and a new one
/// might get one before it could block it.
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: plain data, and the mask of this thread, put back below.
    unsafe {
        let mut every: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut every);
        libc::pthread_sigmask(libc::SIG_SETMASK, &every, &mut before);
        let started = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        started
    }
}

/// The pipe and the thread, once in a process.
fn start(act: fn(c_int)) -> Result<()> {
    let (reader, writer) =
        pipe().map_err(|_| errors::last_call("the pipe that a signal is passed on through cannot be made"))?;
    let (read, write) = (reader.as_raw_fd(), writer.as_raw_fd());
    let body = move || {
        let mut byte = 0u8;
        // SAFETY: one byte into a live variable.
        while unsafe { libc::read(read, (&raw mut byte).cast(), 1) } != 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        act(c_int::from(byte));
    };
    let thread = without_signals(|| std::thread::Builder::new().name("litekeel-signal".into()).spawn(body));
    if thread.is_err() {
        return Err(errors::last_call("the thread that closes on a signal cannot be started"));
    }
    // For as long as the process lives.
    std::mem::forget((reader, writer));
    OWNER.store(std::process::id(), Ordering::Release);
    PIPE[0].store(read, Ordering::Release);
    PIPE[1].store(write, Ordering::Release);
    Ok(())
}

/// A pipe that no program run by this one inherits.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((above_standard(reader.into())?, above_standard(writer.into())?))
}

/// In a forked child: the handlers are inherited and pass every signal on, until [`act_on`] is called here too.
pub(crate) fn in_child() {
    for end in &PIPE {
        let end = end.swap(-1, Ordering::AcqRel);
        if end >= 0 {
            // SAFETY: our copy of the parent's descriptor, which nobody else knows.
            unsafe { libc::close(end) };
        }
    }
    FIRST.store(0, Ordering::Release);
    for flag in [&DIRECT, &SECOND, &HURRIED, &ACTED, &PUT_BACK] {
        flag.store(false, Ordering::Release);
    }
    PASSING.iter().for_each(|thread| thread.store(0, Ordering::Release));
}

/// What the signal does now.
unsafe fn disposition(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: plain data; nothing is changed. May be called in a handler.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut now) == 0).then_some(now)
    }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_signal as *const () as usize
}

/// Puts our handler in front of what the signal does now, unless it is there already.
fn install(signal: c_int) -> Result<bool> {
    // SAFETY: `sigaction` is plain data; the handler is a static function of the signature that SA_SIGINFO asks for.
    unsafe {
        let Some(previous) = disposition(signal) else {
            return Err(errors::last_call("what a signal does cannot be read"));
        };
        if previous.sa_sigaction == libc::SIG_IGN || is_ours(&previous) {
            return Ok(false);
        }
        // Before the handler can run. An earlier one is not freed: a handler may be reading it. It mostly is the same again.
        let slot = &PREVIOUS[signal as usize];
        let same = |old: &libc::sigaction| {
            let flags = old.sa_flags == previous.sa_flags;
            flags && old.sa_sigaction == previous.sa_sigaction && have_same_signals(&old.sa_mask, &previous.sa_mask)
        };
        if !slot.load(Ordering::Acquire).as_ref().is_some_and(same) {
            slot.store(Box::into_raw(Box::new(previous)), Ordering::Release);
        }
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = on_signal as *const () as usize;
        // The alternate stack: Go runs its threads on small stacks of its own and demands it.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut ours.sa_mask);
        if libc::sigaction(signal, &ours, std::ptr::null_mut()) != 0 {
            return Err(errors::last_call("the handler of a signal cannot be set"));
        }
    }
    Ok(true)
}

fn have_same_signals(one: &libc::sigset_t, other: &libc::sigset_t) -> bool {
    // SAFETY: only reads two sets.
    (1..SIGNALS as c_int).all(|signal| unsafe { libc::sigismember(one, signal) == libc::sigismember(other, signal) })
}

fn this_thread() -> c_int {
    // SAFETY: reads who is calling; may be called in a handler, which a thread-local variable of a library may not.
    #[cfg(target_os = "linux")]
    return unsafe { libc::syscall(libc::SYS_gettid) as c_int };
    // SAFETY: as above.
    #[cfg(not(target_os = "linux"))]
    return (unsafe { libc::pthread_self() } as usize >> 4) as c_int | 1;
}

/// Calls only what is allowed in a handler: no lock, no allocation.
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    // SAFETY: getpid, sigaction and write may be called in a handler.
    unsafe {
        if libc::getpid() as u32 != OWNER.load(Ordering::Acquire) {
            if pass_on(signal, info, context) == Passed::Default {
                die(signal);
            }
        } else if FIRST.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            DIRECT.store(disposition(signal).is_some_and(|now| is_ours(&now)), Ordering::Release);
            let byte = signal as u8;
            libc::write(PIPE[1].load(Ordering::Acquire), (&raw const byte).cast(), 1);
            if !DIRECT.load(Ordering::Acquire) {
                hold_back();
            }
        } else if PUT_BACK.load(Ordering::Acquire) {
            // A handler over ours still calls it, which it would not do with a default; or ours was installed once more.
            if pass_on(signal, info, context) == Passed::Default && disposition(signal).is_some_and(|now| is_ours(&now))
            {
                die(signal);
            }
        } else if !SECOND.swap(true, Ordering::AcqRel) {
            hurry();
            if !disposition(signal).is_some_and(|now| is_ours(&now)) {
                hold_back();
            }
        } else if pass_on(signal, info, context) == Passed::Default {
            // The third: whoever sends it wants the end, whatever is left. Not the second: one key press often makes
            // two signals, the terminal's and the one that npm or a shell passes on.
            die(signal);
        }
        errno::set(errno);
    }
}

/// A handler that was installed over ours and calls it may end the process next, as Deno's does: it is kept until everything
/// is closed. Not without end: this very thread may have been interrupted in a call that the closing waits for.
unsafe fn hold_back() {
    const LOOK: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let mut left = HELD_MS.load(Ordering::Relaxed);
    while left > 0 && !ACTED.load(Ordering::Acquire) {
        // SAFETY: may be called in a handler.
        unsafe { libc::nanosleep(&LOOK, std::ptr::null_mut()) };
        left -= 1;
    }
}

#[derive(PartialEq)]
enum Passed {
    /// To a handler; or it is that very handler that has called ours.
    Handler,
    /// There is none: the signal has its default effect.
    Default,
}

/// Calls the handler that was there before ours.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) -> Passed {
    let passing = &PASSING[signal as usize];
    let me = this_thread();
    // It may hand on to what it has found, which is ours: Go does when its program no longer wants the signal.
    if passing.load(Ordering::Acquire) == me {
        return Passed::Handler;
    }
    // SAFETY: stored before our handler was installed, never freed; a handler is called with what its flags ask for.
    unsafe {
        let previous = PREVIOUS[signal as usize].load(Ordering::Acquire);
        if previous.is_null() || (*previous).sa_sigaction == libc::SIG_DFL {
            return Passed::Default;
        }
        let outer = passing.swap(me, Ordering::AcqRel);
        let handler = (*previous).sa_sigaction;
        if (*previous).sa_flags & libc::SA_SIGINFO != 0 {
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(handler);
            handler(signal, info, context);
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
            handler(signal);
        }
        passing.store(outer, Ordering::Release);
        Passed::Handler
    }
}

/// Ends the process as the signal does by default. May be called in a handler.
unsafe fn die(signal: c_int) -> ! {
    // SAFETY: all of these may be called in a handler; the set is plain data.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        // Blocked while its handler runs, and always in the thread that closes.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
        // The first process of a container is not ended by the default action.
        libc::_exit(128 + signal);
    }
}

/// Gives every signal back what it did before, and the first one its effect. Returns where that is left to a handler of
/// the program's.
pub(crate) fn take_effect(signal: c_int) {
    ACTED.store(true, Ordering::Release);
    let effect = put_back(signal);
    // SAFETY: this thread may end the process; a signal may be sent to oneself.
    unsafe {
        match effect {
            Effect::Default => die(signal),
            Effect::Had => {}
            Effect::Handler => {
                libc::kill(libc::getpid(), signal);
            }
        }
    }
}

/// What is still to become of the first signal.
enum Effect {
    /// The default action.
    Default,
    /// A handler is to hear of it.
    Handler,
    /// A handler has heard of it.
    Had,
}

fn put_back(signal: c_int) -> Effect {
    let _installing = INSTALLING.lock();
    let mut effect = Effect::Had;
    for (number, slot) in PREVIOUS.iter().enumerate() {
        let previous = slot.load(Ordering::Acquire);
        if previous.is_null() {
            continue;
        }
        // SAFETY: stored by `install`, never freed: a handler may still be running on another thread.
        unsafe {
            // A handler that the program has installed since then stays.
            let stays = disposition(number as c_int).is_some_and(|now| !is_ours(&now));
            let default = (*previous).sa_sigaction == libc::SIG_DFL;
            if number == signal as usize {
                effect = match (stays, default) {
                    (false, true) => Effect::Default,
                    (false, false) => Effect::Handler,
                    // Installed since the signal came, or in between of us and an older one, which has not heard yet.
                    (true, _) if DIRECT.load(Ordering::Acquire) || !default => Effect::Handler,
                    (true, _) => Effect::Had,
                };
            }
            if !stays {
                libc::sigaction(number as c_int, previous, std::ptr::null_mut());
            }
        }
    }
    PUT_BACK.store(true, Ordering::Release);
    effect
}

/// The first process of a container (or of a PID namespace) is not ended by a signal's default action. Where a runtime's
/// handler gives the signal its default back in order to die of it, the process would live on with everything closed. To be
/// called when nobody waits for this thread any more.
pub(crate) fn end_first_process(signal: c_int) {
    const LOOK: Duration = Duration::from_millis(100);
    // SAFETY: asks for one's own number.
    if unsafe { libc::getpid() } != 1 {
        return;
    }
    // What runs at the end of a program has a minute before anybody gives the default back; then it is given up.
    let mut defaults = 0;
    for _ in 0..600 {
        std::thread::sleep(LOOK);
        // SAFETY: only reads.
        let default = unsafe { disposition(signal) }.is_some_and(|now| now.sa_sigaction == libc::SIG_DFL);
        defaults = if default { defaults + 1 } else { 0 };
        if defaults == 5 {
            // SAFETY: may be called on any thread.
            unsafe { libc::_exit(128 + signal) };
        }
    }
}
