//! A program that is run, and how it ended: also in a process that lets the system reap its children (SIGCHLD is ignored, often
//! since before an `exec`), or reaps them all itself.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Command, ExitStatus, Stdio};
use std::ptr;

use crate::platform::standard_error;

/// Writes down how the program ended: the shell's own status gets lost as the program's would. It ends with all of its group at
/// SIGTERM, which the system sends it where it outlives us.
const SHELL: &str = "trap 'trap - TERM; kill -s KILL 0' TERM; \"$@\" </dev/null & wait $!; echo $? >&0";

/// Has the system send the program that is about to run this signal when the thread that waits for it is gone, however that
/// came: without one it would go on, and write, for nobody. To be called between fork and exec.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_with_parent(parent: libc::pid_t, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: plain calls, which may be made between fork and exec.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, signal) != 0 {
            return Err(io::Error::last_os_error());
        }
        // It was gone already: nothing is sent any more.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

/// Other systems have no such call: the program runs to its end.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_with_parent(_: libc::pid_t, _: libc::c_int) -> io::Result<()> {
    Ok(())
}

/// One that runs.
pub(crate) struct Child {
    process: process::Child,
    /// Where a shell between us and the program writes the program's status.
    written: Option<File>,
}

impl Child {
    /// Starts it with nothing at its standard input. What it says goes into `output`: a file, not a pipe, since what it
    /// leaves running must not be waited for.
    ///
    /// # Errors
    /// When it cannot be run. Where a shell runs it, that is told by [`Child::ended`].
    pub(crate) fn start(command: &mut Command, output: &File) -> io::Result<Child> {
        let parent = process::id() as libc::pid_t;
        if statuses_get_lost() {
            let written = unnamed_file()?;
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", SHELL, "sh"]).arg(command.get_program()).args(command.get_args());
            shell.stdin(written.try_clone()?).stdout(output.try_clone()?).stderr(output.try_clone()?);
            // A group, so that both can be ended.
            shell.process_group(0);
            // SAFETY: what it calls may be called between fork and exec.
            unsafe {
                shell.pre_exec(move || {
                    libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                    end_with_parent(parent, libc::SIGTERM)
                });
            }
            // Without a shell the status may be unknown in the end.
            if let Ok(process) = shell.spawn() {
                return Ok(Child { process, written: Some(written) });
            }
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
        // SAFETY: what it calls may be called between fork and exec.
        unsafe { command.pre_exec(move || end_with_parent(parent, libc::SIGKILL)) };
        Ok(Child { process: command.spawn()?, written: None })
    }

    /// `None` while it runs; then its exit status, or nothing where somebody else has taken that.
    ///
    /// # Errors
    /// When it could not be run.
    pub(crate) fn ended(&mut self) -> io::Result<Option<Option<ExitStatus>>> {
        let own = match self.process.try_wait() {
            Ok(None) => return Ok(None),
            Ok(Some(status)) => Some(status),
            Err(_) => None,
        };
        let Some(written) = &mut self.written else { return Ok(Some(own)) };
        let mut text = String::new();
        written.rewind()?;
        written.read_to_string(&mut text)?;
        match text.trim().parse::<i32>() {
            // What a shell says of a program that it does not find, or may not run.
            Ok(127) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            Ok(126) => Err(io::Error::from_raw_os_error(libc::EACCES)),
            Ok(code) => Ok(Some(Some(ExitStatus::from_raw(code << 8)))),
            // The shell was ended before it.
            Err(_) => Ok(Some(own.filter(|status| !status.success()))),
        }
    }

    /// Ends it.
    pub(crate) fn kill(mut self) {
        if self.written.is_some() {
            // SAFETY: a plain call; the group is the shell's, which was there a moment ago.
            unsafe { libc::kill(-(self.process.id() as libc::pid_t), libc::SIGKILL) };
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the exit status of a child of this process may be gone before it is asked for.
fn statuses_get_lost() -> bool {
    // SAFETY: zeroed is a valid `sigaction`, and asking changes nothing.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(libc::SIGCHLD, ptr::null(), &mut now) == 0;
        !asked || now.sa_sigaction != libc::SIG_DFL || now.sa_flags & libc::SA_NOCLDWAIT != 0
    }
}

/// An open file without a name.
///
/// # Errors
/// The system's.
pub(crate) fn unnamed_file() -> io::Result<File> {
    let mut template = std::env::temp_dir().join("litekeel-XXXXXX").into_os_string().into_encoded_bytes();
    template.push(0);
    // SAFETY: a writable, NUL-terminated text that ends with six X.
    let fd = unsafe { libc::mkstemp(template.as_mut_ptr().cast()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now and belongs to nobody else; the name is NUL-terminated.
    let file = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::unlink(template.as_ptr().cast());
        OwnedFd::from_raw_fd(fd)
    };
    Ok(standard_error::above_standard(file)?.into())
}
