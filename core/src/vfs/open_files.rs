//! Which files this copy of SQLite has open: its unix VFS calls our `open` and `close`.
//!
//! The kernel's table tells that this process holds a lock, not which copy of SQLite took it. A lock on a file that this
//! copy has no descriptor of belongs to another copy. ATTACH and raw `sqlite3_open` on our symbols pass through here too.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::platform::errno;
use crate::platform::file_id::FileId;
use crate::platform::fork;
use crate::platform::fork::ForkMutex;
use crate::platform::standard_error;
use crate::vfs::confinement;
use crate::vfs::failed_open;
use crate::vfs::system_calls::{self, SystemCall};

// SAFETY: the types are those of SQLite's table.
static OPEN: SystemCall<system_calls::Open> = unsafe { SystemCall::new(c"open") };
// SAFETY: as above.
static CLOSE: SystemCall<system_calls::Close> = unsafe { SystemCall::new(c"close") };
// SAFETY: as above.
static STAT: SystemCall<system_calls::Stat> = unsafe { SystemCall::new(c"stat") };
// SAFETY: as above.
static FSTAT: SystemCall<system_calls::Fstat> = unsafe { SystemCall::new(c"fstat") };
// SAFETY: as above.
static UNLINK: SystemCall<system_calls::Unlink> = unsafe { SystemCall::new(c"unlink") };
static REFUSES_INHERITED: AtomicBool = AtomicBool::new(false);
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static CHANGES: AtomicU64 = AtomicU64::new(0);
/// By descriptor: the file, and the process (its [`fork::generation`]) that opened it.
pub(crate) static DESCRIPTORS: ForkMutex<BTreeMap<c_int, (FileId, u32)>> = ForkMutex::new(BTreeMap::new());

fn descriptors() -> MutexGuard<'static, BTreeMap<c_int, (FileId, u32)>> {
    DESCRIPTORS.lock()
}

/// Hooks SQLite's unix VFS; once per process, after `sqlite3_initialize` and before the first open. Without that VFS
/// nothing is known about ownership.
pub(crate) fn install() {
    if !OPEN.find() || !CLOSE.find() {
        return;
    }
    if STAT.find() {
        STAT.replace(on_stat);
    }
    if UNLINK.find() {
        UNLINK.replace(on_unlink);
    }
    if FSTAT.find() {
        FSTAT.replace(on_fstat);
    }
    CLOSE.replace(on_close);
    OPEN.replace(on_open);
}

/// Whether [`install`] found the VFS, so that [`has_open`] can be believed.
pub(crate) fn is_hooked() -> bool {
    OPEN.is_found()
}

/// Whether this copy of SQLite has a descriptor of one of these files.
pub(crate) fn has_open(files: &[FileId]) -> bool {
    descriptors().values().any(|(file, _)| files.contains(file))
}

/// Runs `look` on a descriptor that this copy of SQLite has of the file; `None` without one. It is not closed meanwhile.
pub(crate) fn with_file<T>(file: FileId, look: impl FnOnce(c_int) -> T) -> Option<T> {
    let all = descriptors();
    let fd = all.iter().find(|(_, (other, _))| *other == file).map(|(fd, _)| *fd)?;
    Some(look(fd))
}

/// Whether this copy of SQLite opened the descriptor.
pub(crate) fn opened_by_us(fd: c_int) -> bool {
    descriptors().contains_key(&fd)
}

/// From now on a file that was open at a fork is refused in the child. Not before litekeel is used: a host that forks with
/// nothing but SQLite's own symbols answers for itself.
pub(crate) fn refuse_inherited() {
    REFUSES_INHERITED.store(true, Ordering::Release);
}

/// Whether the process that forked this one had the file open in this copy of SQLite at the fork.
pub(crate) fn inherited(file: FileId) -> bool {
    let now = fork::generation();
    // In the first process nothing is inherited, and its opens need not wait for the look.
    now != 0
        && REFUSES_INHERITED.load(Ordering::Acquire)
        && descriptors().values().any(|(other, generation)| *other == file && *generation != now)
}

/// A number that grows with every open and close: the same before and after a look means that nothing changed in
/// between. `None` while one is under way: then the books and the system differ, for as long as a close may take.
pub(crate) fn change_count() -> Option<u64> {
    if UNDER_WAY.load(Ordering::SeqCst) == 0 { Some(CHANGES.load(Ordering::SeqCst)) } else { None }
}

/// In a forked child the opens and closes of the parent's other threads never end.
pub(crate) fn in_child() {
    UNDER_WAY.store(0, Ordering::SeqCst);
}

/// An open or close, as long as it lasts.
struct UnderWay(());

impl UnderWay {
    fn begin() -> UnderWay {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        UnderWay(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        CHANGES.fetch_add(1, Ordering::SeqCst);
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The file that a descriptor of this process is open on; `None` when it is not open.
pub(crate) fn file_behind(fd: c_int) -> Option<FileId> {
    status(fd).as_ref().map(file_of)
}

/// What `fstat` tells of it.
pub(super) fn status(fd: c_int) -> Option<libc::stat> {
    // SAFETY: any number may be asked for; `stat` is plain data that fstat fills.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &mut stat) == 0).then_some(stat)
    }
}

#[allow(clippy::unnecessary_cast)] // The fields' width differs between systems.
fn file_of(stat: &libc::stat) -> FileId {
    FileId { dev: stat.st_dev as u64, ino: stat.st_ino as u64 }
}

thread_local! {
    static CREATE_NOTHING: Cell<bool> = const { Cell::new(false) };
    static SEEN: Cell<Seen> = const { Cell::new(Seen { opened: None, examined: None }) };
}

/// What SQLite's VFS did on this thread: the latest file that it opened, and the latest descriptor that it examined.
/// After a file has been opened the latter is that file's, a descriptor that was kept for use again included.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub opened: Option<(c_int, FileId)>,
    pub examined: Option<(c_int, FileId)>,
}

/// Runs `act`, and tells what SQLite's VFS opened and examined meanwhile.
pub(crate) fn observe<T>(act: impl FnOnce() -> T) -> (T, Seen) {
    SEEN.set(Seen::default());
    let done = act();
    (done, SEEN.take())
}

/// While it lives, SQLite creates no file on this thread: what is not there cannot be opened.
pub(crate) struct CreateNothing(());

pub(crate) fn create_nothing() -> CreateNothing {
    CREATE_NOTHING.set(true);
    CreateNothing(())
}

impl Drop for CreateNothing {
    fn drop(&mut self) {
        CREATE_NOTHING.set(false);
    }
}

unsafe extern "C" fn on_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    let _under_way = UnderWay::begin();
    standard_error::take_the_places();
    let flags = if CREATE_NOTHING.get() { flags & !libc::O_CREAT } else { flags };
    // A pipe in a file's place would keep the call waiting for somebody at its other end, for ever.
    let at_once = flags | libc::O_NONBLOCK;
    // SAFETY: this function stands in its place; SQLite's own path.
    let mut fd = unsafe {
        let open = OPEN.original();
        confinement::open(path, at_once, mode).unwrap_or_else(|| open(path, at_once, mode))
    };
    if fd < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock {
        // A file that another process has a lease on, which it gives up only to whoever waits.
        // SAFETY: as above.
        fd = unsafe {
            let open = OPEN.original();
            confinement::open(path, flags, mode).unwrap_or_else(|| open(path, flags, mode))
        };
    }
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        // SAFETY: SQLite's own path.
        note_failure(unsafe { CStr::from_ptr(path) });
        errno::set(error.raw_os_error().unwrap_or(libc::EIO));
        return fd;
    }
    if let Some(stat) = status(fd) {
        let file = file_of(&stat);
        // SAFETY: SQLite's own path.
        let refused = if is_special(&stat) && unsafe { CStr::from_ptr(path) } != c"/dev/urandom" {
            // SQLite would read what never comes.
            Some(libc::ENXIO)
        } else if inherited(file) {
            // SQLite would share the parent's bookkeeping and take no lock.
            Some(libc::EOWNERDEAD)
        } else {
            None
        };
        if let Some(errno) = refused {
            // Neither has locks to lose by this close: no lock is taken on what is not a file, nor has a child any.
            // SAFETY: as above.
            unsafe { CLOSE.original()(fd) };
            // SAFETY: SQLite's own path.
            note_failure(unsafe { CStr::from_ptr(path) });
            errno::set(errno);
            return -1;
        }
        descriptors().insert(fd, (file, fork::generation()));
        SEEN.set(Seen { opened: Some((fd, file)), ..SEEN.get() });
    }
    fd
}

fn note_failure(path: &CStr) {
    failed_open::note(Path::new(OsStr::from_bytes(path.to_bytes())), false);
}

/// A pipe, a device: neither a file nor a directory, which SQLite opens to write it down.
fn is_special(stat: &libc::stat) -> bool {
    !matches!(stat.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR)
}

unsafe extern "C" fn on_unlink(path: *const c_char) -> c_int {
    // SAFETY: as in `on_open`.
    unsafe { confinement::unlink(path).unwrap_or_else(|| UNLINK.original()(path)) }
}

/// Before it opens a file SQLite looks for another descriptor of it that it could use again, and takes the lock of the
/// file's bookkeeping. In a forked child that is a copy of the parent's, and so may its lock be: the file is not found.
unsafe extern "C" fn on_stat(path: *const c_char, into: *mut libc::stat) -> c_int {
    // SAFETY: as in `on_open`; `into` is SQLite's own and filled when the call succeeds.
    unsafe {
        let rc = STAT.original()(path, into);
        if rc == 0 && inherited(file_of(&*into)) {
            errno::set(libc::ENOENT);
            return -1;
        }
        rc
    }
}

unsafe extern "C" fn on_fstat(fd: c_int, into: *mut libc::stat) -> c_int {
    // SAFETY: as in `on_stat`.
    unsafe {
        let rc = FSTAT.original()(fd, into);
        if rc == 0 {
            SEEN.set(Seen { examined: Some((fd, file_of(&*into))), ..SEEN.get() });
        }
        rc
    }
}

unsafe extern "C" fn on_close(fd: c_int) -> c_int {
    // Before the descriptor is free: afterwards another thread's open may have its number already.
    let _under_way = UnderWay::begin();
    descriptors().remove(&fd);
    // SAFETY: as in `on_open`.
    unsafe { CLOSE.original()(fd) }
}

/// SQLite's own descriptor, which must never be closed here.
pub(crate) fn borrowed(fd: c_int) -> ManuallyDrop<File> {
    // SAFETY: SQLite keeps it open as long as its file; it is not closed by this.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}
