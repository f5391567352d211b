//! The sentences of what the end of a process refuses.

use std::ffi::c_int;

use crate::error::{Error, codes};

pub(super) fn not_for_shutdown(signal: c_int) -> Error {
    Error::new(codes::ARGUMENT, format!("signal {signal} cannot be used for shutdown"))
        .with_hint("use SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 or SIGUSR2")
}

pub(super) fn made_without_fork_handlers() -> Error {
    let text = "this process was made by vfork or clone, without the fork handlers, from one that uses litekeel";
    Error::new(codes::FORKED, text).with_hint("make it with fork(), or call exec in it first")
}

pub(super) fn shutting_down() -> Error {
    Error::new(codes::SHUTTING_DOWN, "the process is shutting down: no transaction may begin")
}
