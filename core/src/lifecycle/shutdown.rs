//! Closing on a signal, when the program asks for it: new transactions are refused, readers are interrupted, writers get
//! time to finish, everything is closed, and the signal then ends the process as it would have without us.
//!
//! The handler itself only writes one byte to a pipe; a thread of its own does the work.

use std::ffi::{c_int, c_void};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::error::codes;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::lifecycle::initialize;
use crate::locks::holders;
use crate::platform::fork::ForkMutex;
use crate::platform::path_facts::strerror;
use crate::{registry, sqlite};

/// For how long writers may go on by default.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long closing one connection waits, after the grace, for a call that still uses it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Signal numbers lie below this on every Unix.
const SIGNALS: usize = 65;

/// What each signal did before, in memory that is never freed: the handler reads it.
static PREVIOUS: [AtomicPtr<libc::sigaction>; SIGNALS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; SIGNALS];
/// The end of the pipe that the handler writes to.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// The process the handlers belong to; a forked child inherits them, but not the thread.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// The first signal, which the thread acts on.
static FIRST: AtomicI32 = AtomicI32::new(0);
static BEGUN: AtomicBool = AtomicBool::new(false);
static GRACE_MS: AtomicU64 = AtomicU64::new(0);
/// Held while handlers are installed or put back.
pub(crate) static INSTALLING: ForkMutex<()> = ForkMutex::new(());

/// Whether the process is shutting down: no transaction may begin.
pub(crate) fn begun() -> bool {
    BEGUN.load(Ordering::Relaxed)
}

/// # Errors
/// `KEEL_SHUTTING_DOWN`.
pub(crate) fn refuse() -> Result<()> {
    if begun() {
        return Err(Error::new(codes::SHUTTING_DOWN, "the process is shutting down: no transaction may begin"));
    }
    Ok(())
}

/// From now on each of these signals closes every connection of the process before it has its usual effect.
///
/// New transactions are refused (`KEEL_SHUTTING_DOWN`), readers interrupted, open write transactions waited for up to
/// `grace` and then rolled back. Connections are closed in reverse order of opening. A signal whose disposition was the
/// default is raised again then, so that the exit status is the signal's; a handler that the program had installed is
/// called at once, and ending the process is left to it. A second signal ends the process at once. A signal that is
/// ignored stays ignored.
///
/// Not for a process whose JavaScript owns the connections: its runtime handles signals itself.
///
/// # Errors
/// `KEEL_ARGUMENT` for a signal other than SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2; `KEEL_FORKED`; `KEEL_IO` when the
/// thread or its pipe cannot be made.
pub fn shutdown_on(signals: &[c_int], grace: Duration) -> Result<()> {
    const ALLOWED: [c_int; 6] =
        [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
    if let Some(signal) = signals.iter().find(|signal| !ALLOWED.contains(signal)) {
        return Err(Error::new(codes::ARGUMENT, format!("signal {signal} is none to shut down on"))
            .with_hint("use SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 or SIGUSR2"));
    }
    initialize::initialise();
    if initialize::forked() {
        return Err(Error::new(codes::FORKED, "this process was forked from the one that uses litekeel"));
    }
    let _installing = INSTALLING.lock();
    GRACE_MS.store(grace.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    if WAKE.load(Ordering::Acquire) < 0 {
        start()?;
    }
    for &signal in signals {
        install(signal)?;
    }
    Ok(())
}

fn failed(doing: &str) -> Error {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Error::new(codes::IO, format!("{doing}: {}", strerror(errno))).with_errno(errno)
}

/// The pipe and the thread, once.
fn start() -> Result<()> {
    let mut ends = [-1; 2];
    // SAFETY: an array of two.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(failed("the pipe that a signal is passed on through cannot be made"));
    }
    for end in ends {
        // SAFETY: our own descriptors.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let [read, write] = ends;
    let thread = std::thread::Builder::new().name("litekeel-signal".into()).spawn(move || {
        // SAFETY: only this thread's mask changes: signals are for the program's own threads.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
        }
        let mut byte = 0u8;
        // SAFETY: one byte into a live variable.
        while unsafe { libc::read(read, (&raw mut byte).cast(), 1) } != 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        shut_down(c_int::from(byte));
    });
    if thread.is_err() {
        let error = failed("the thread that closes on a signal cannot be started");
        for end in ends {
            // SAFETY: our own descriptors, which nobody has seen.
            unsafe { libc::close(end) };
        }
        return Err(error);
    }
    OWNER.store(std::process::id(), Ordering::Release);
    WAKE.store(write, Ordering::Release);
    Ok(())
}

fn install(signal: c_int) -> Result<()> {
    let slot = &PREVIOUS[signal as usize];
    if !slot.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    // SAFETY: `sigaction` is plain data; the handler is a static function of the signature that SA_SIGINFO asks for.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &mut previous) != 0 {
            return Err(failed("what a signal does cannot be read"));
        }
        if previous.sa_sigaction == libc::SIG_IGN {
            return Ok(());
        }
        // Before the handler can run.
        slot.store(Box::into_raw(Box::new(previous)), Ordering::Release);
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = on_signal as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut ours.sa_mask);
        if libc::sigaction(signal, &ours, std::ptr::null_mut()) != 0 {
            return Err(failed("the handler of a signal cannot be set"));
        }
    }
    Ok(())
}

/// Calls only what is allowed in a handler: no lock, no allocation.
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    // SAFETY: getpid and write may be called in a handler.
    unsafe {
        let ours = libc::getpid() as u32 == OWNER.load(Ordering::Acquire);
        let first = ours && FIRST.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if first {
            let byte = signal as u8;
            libc::write(WAKE.load(Ordering::Acquire), (&raw const byte).cast(), 1);
        }
        let chained = chain(signal, info, context);
        if !first && (ours || !chained) {
            die(signal);
        }
        #[cfg(target_os = "linux")]
        (*libc::__errno_location() = errno);
        #[cfg(not(target_os = "linux"))]
        let _ = errno;
    }
}

/// Calls the handler that the program had installed; whether there is one.
unsafe fn chain(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: stored before our handler was installed, never freed; a handler is called with what its flags ask for.
    unsafe {
        let previous = PREVIOUS[signal as usize].load(Ordering::Acquire);
        if previous.is_null() || (*previous).sa_sigaction == libc::SIG_DFL {
            return false;
        }
        let handler = (*previous).sa_sigaction;
        if (*previous).sa_flags & libc::SA_SIGINFO != 0 {
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(handler);
            handler(signal, info, context);
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
            handler(signal);
        }
        true
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

/// Runs on our own thread, once.
fn shut_down(signal: c_int) {
    let began = Instant::now();
    BEGUN.store(true, Ordering::SeqCst);
    let grace = Duration::from_millis(GRACE_MS.load(Ordering::Relaxed));
    events::tell(&Event::new("shutting_down").text("signal", name(signal)).int("grace_ms", grace.as_millis() as i64));
    let outcome = std::panic::catch_unwind(|| {
        wait_for_writers(began + grace);
        close_everything()
    });
    let (closed, rolled_back, left) = outcome.unwrap_or((0, 0, registry::open_handles().len() as i64));
    let event = Event::new("shut_down")
        .text("signal", name(signal))
        .int("closed", closed)
        .int("rolled_back", rolled_back)
        .int("left_open", left)
        .int("took_ms", began.elapsed().as_millis() as i64);
    events::tell(&event);
    if rolled_back + left > 0 {
        eprintln!(
            "litekeel: {}: {closed} connection(s) closed, {rolled_back} transaction(s) rolled back after {} ms, {left} \
             still in use",
            name(signal),
            grace.as_millis()
        );
    }
    if put_back(signal) {
        // SAFETY: this thread may end the process.
        unsafe { die(signal) };
    }
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

/// What a connection does at the moment.
enum Doing {
    Nothing,
    /// Between two calls of a transaction that has written.
    Writing,
    /// In a call, of which only its own thread knows what it does.
    Running,
}

fn doing(connection: &Connection) -> Doing {
    let Ok(state) = connection.state.try_lock() else { return Doing::Running };
    if state.closed.is_some() {
        return Doing::Nothing;
    }
    // SAFETY: the connection is open, and its lock is held.
    let state = unsafe { sqlite::sqlite3_txn_state(state.raw.0, std::ptr::null()) };
    if state == sqlite::SQLITE_TXN_WRITE { Doing::Writing } else { Doing::Nothing }
}

/// Returns when no connection is in a call or a write transaction, or at the deadline.
///
/// Interrupting a writer would roll its transaction back. A call is known to be a reader's when nobody in this process
/// holds the file's write lock.
fn wait_for_writers(deadline: Instant) {
    while Instant::now() < deadline {
        let mut busy = false;
        for connection in registry::live().iter().filter_map(|(.., connection)| Weak::upgrade(connection)) {
            match doing(&connection) {
                Doing::Nothing => {}
                Doing::Writing => busy = true,
                Doing::Running => {
                    busy = true;
                    if !write_locked_here(&connection) {
                        connection.interrupt();
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

/// Whether this process holds the write lock of the connection's file; so too when the system does not tell.
fn write_locked_here(connection: &Connection) -> bool {
    connection.path().is_some_and(|path| holders::write_locked_here(path).unwrap_or(true))
}

/// Last opened first. Returns how many were closed, how many of them in a transaction that had written, and how many
/// are still in use.
fn close_everything() -> (i64, i64, i64) {
    let (mut closed, mut rolled_back, mut left) = (0, 0, 0);
    for (handle, _, connection) in registry::live() {
        let Some(connection) = connection.upgrade() else { continue };
        let wrote = !matches!(doing(&connection), Doing::Nothing);
        if connection.close_at_exit(PATIENCE) {
            closed += 1;
            rolled_back += i64::from(wrote);
        } else {
            left += 1;
            eprintln!("litekeel: still in use, left as it is: {}", handle.describe());
        }
    }
    (closed, rolled_back, left)
}

/// Gives every signal back what it did before. Returns whether the first one's effect was the default.
fn put_back(signal: c_int) -> bool {
    let _installing = INSTALLING.lock();
    let mut default = false;
    for (number, slot) in PREVIOUS.iter().enumerate() {
        let previous = slot.load(Ordering::Acquire);
        if previous.is_null() {
            continue;
        }
        // SAFETY: stored by `install`, never freed: a handler may still be running on another thread.
        unsafe {
            if number == signal as usize {
                default = (*previous).sa_sigaction == libc::SIG_DFL;
            }
            let mut now: libc::sigaction = std::mem::zeroed();
            libc::sigaction(number as c_int, std::ptr::null(), &mut now);
            // A handler that the program has installed since then stays.
            if now.sa_sigaction == on_signal as *const () as usize {
                libc::sigaction(number as c_int, previous, std::ptr::null_mut());
            } else if number == signal as usize {
                default = false;
            }
        }
    }
    default
}
