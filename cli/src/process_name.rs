//! A process, as a sentence names it.

use litekeel_core::shown_command;

use crate::terminal::{command, cut};

/// `pid 1338 (python3 cron.py)`, or somebody who has no number here. A sentence gets around: the arguments, which may be
/// passwords, are in the table alone.
pub fn process_name(pid: u32, line: &str) -> String {
    let command = command(&shown_command(pid, line));
    if pid == 0 { format!("somebody {command}") } else { format!("pid {pid} ({})", cut(&command, 40)) }
}
