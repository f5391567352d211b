//! What a connection wants of its file.

use crate::settings::{Id, Settings};

/// What a connection wants of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// `mode=ro`.
    Read,
    /// `mode=rw`: the file must exist.
    Write,
    /// `mode=rwc`.
    Create,
}

impl Settings {
    /// What the setting `mode` asks for.
    pub(crate) fn access(&self) -> Access {
        match self.word(Id::Mode) {
            "ro" => Access::Read,
            "rw" => Access::Write,
            _ => Access::Create,
        }
    }
}
