//! What macOS tells about another process, by `libproc`.

use std::ffi::{c_int, c_void};

use crate::error::HolderState;

/// The path of the program that runs; empty when it may not be asked for. The arguments are not told.
pub(crate) fn command(pid: u32) -> String {
    let mut path = vec![0u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
    // SAFETY: the buffer has the size that is said.
    let length = unsafe { libc::proc_pidpath(pid as c_int, path.as_mut_ptr().cast::<c_void>(), path.len() as u32) };
    path.truncate(usize::try_from(length).unwrap_or(0));
    String::from_utf8_lossy(&path).replace(char::is_control, " ")
}

/// What the process is doing.
pub(crate) fn state(pid: u32) -> HolderState {
    // SAFETY: plain data that the call fills, of the size that is said.
    let (filled, info) = unsafe {
        let mut info: libc::proc_bsdinfo = std::mem::zeroed();
        let size = size_of_val(&info) as c_int;
        let filled =
            libc::proc_pidinfo(pid as c_int, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast::<c_void>(), size);
        (filled == size, info)
    };
    match info.pbi_status {
        _ if !filled => HolderState::Unknown,
        libc::SRUN => HolderState::Running,
        libc::SIDL | libc::SSLEEP => HolderState::Sleeping,
        libc::SSTOP => HolderState::Stopped,
        libc::SZOMB => HolderState::Zombie,
        _ => HolderState::Unknown,
    }
}
