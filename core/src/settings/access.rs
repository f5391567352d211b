//! What a connection wants of its file.

use crate::settings::Settings;
use crate::settings::words::Mode;

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
        match self.mode() {
            Some(Mode::Ro) => Access::Read,
            Some(Mode::Rw) => Access::Write,
            _ => Access::Create,
        }
    }
}
