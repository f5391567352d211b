//! How a transaction begins.

use crate::connection::Connection;
use crate::settings::Access;
use crate::settings::SettingId;
use crate::settings::Settings;
use crate::settings::words::Txlock;

/// What a host's transaction helper was told to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Nothing: the setting `txlock` decides.
    Default,
    /// Take the write lock at the first write.
    Deferred,
    /// Take the write lock now.
    Immediate,
    /// Keep readers out too (outside WAL).
    Exclusive,
}

impl Connection {
    /// The statement that begins a transaction: as told, or as `txlock` says. An explicit `txlock` also replaces
    /// `Deferred`, which some libraries always name. Where nothing can be written, what is not told is deferred.
    pub fn begin_statement(&self, told: Begin) -> &'static str {
        let settings = self.settings();
        let explicit = settings.is_some_and(|settings| settings.is_explicit(SettingId::Txlock));
        let how = match told {
            Begin::Immediate => Txlock::Immediate,
            Begin::Exclusive => Txlock::Exclusive,
            Begin::Deferred if !explicit => Txlock::Deferred,
            Begin::Default | Begin::Deferred => {
                let reads = settings.is_some_and(|settings| settings.bool(SettingId::QueryOnly));
                if reads || self.identity.access == Access::Read {
                    Txlock::Deferred
                } else {
                    settings.and_then(Settings::txlock).unwrap_or(Txlock::Deferred)
                }
            }
        };
        match how {
            Txlock::Immediate => "BEGIN IMMEDIATE",
            Txlock::Exclusive => "BEGIN EXCLUSIVE",
            Txlock::Deferred => "BEGIN DEFERRED",
        }
    }
}
