//! The profiles: named sets of settings.

use super::table::SettingId;

/// A named set of settings.
#[derive(Debug)]
pub struct Profile {
    /// The name in `profile=`.
    pub name: &'static str,
    /// What differs from `production`.
    pub changes: &'static [(SettingId, &'static str)],
    /// What whoever chooses it has to know.
    pub warning: &'static str,
}

/// What each profile has, unless it says otherwise.
const PRODUCTION: &[(SettingId, &str)] = &[
    (SettingId::JournalMode, "wal"),
    (SettingId::ForeignKeys, "on"),
    (SettingId::Synchronous, "normal"),
    (SettingId::BusyTimeout, "5000"),
    (SettingId::CacheSize, "-64000"),
    (SettingId::MmapSize, "0"),
    (SettingId::WalAutocheckpoint, "1000"),
    (SettingId::JournalSizeLimit, "64MiB"),
    // In memory a VACUUM, an index or a large ORDER BY would take as much of it as the data.
    (SettingId::TempStore, "default"),
    (SettingId::Checkpoint, "auto+idle"),
    (SettingId::CloseCheckpoint, "truncate"),
    (SettingId::PersistWal, "off"),
    (SettingId::Replication, "auto"),
];

/// Every profile; the first is the default.
pub static PROFILES: &[Profile] = &[
    Profile { name: "production", changes: &[], warning: "" },
    Profile {
        name: "read-heavy",
        changes: &[(SettingId::CacheSize, "-128000"), (SettingId::MmapSize, "536870912")],
        warning: "",
    },
    Profile {
        name: "write-heavy",
        changes: &[
            (SettingId::Synchronous, "off"),
            (SettingId::BusyTimeout, "10000"),
            (SettingId::WalAutocheckpoint, "10000"),
            (SettingId::JournalSizeLimit, "256MiB"),
            (SettingId::Checkpoint, "background"),
        ],
        warning: "synchronous=off: a power loss can lose or damage data; add &synchronous=normal to be safe against it",
    },
    Profile {
        name: "durable",
        changes: &[
            (SettingId::Synchronous, "full"),
            (SettingId::BusyTimeout, "10000"),
            (SettingId::Checkpoint, "auto"),
        ],
        warning: "",
    },
    Profile {
        name: "litestream",
        changes: &[
            (SettingId::WalAutocheckpoint, "0"),
            (SettingId::JournalSizeLimit, "-1"),
            (SettingId::Checkpoint, "external"),
            (SettingId::CloseCheckpoint, "none"),
            (SettingId::PersistWal, "on"),
            (SettingId::Replication, "litestream"),
        ],
        warning: "",
    },
    Profile {
        name: "test",
        changes: &[
            (SettingId::Synchronous, "off"),
            (SettingId::BusyTimeout, "2000"),
            (SettingId::CacheSize, "-8000"),
            (SettingId::TempStore, "memory"),
            (SettingId::Checkpoint, "auto"),
        ],
        warning: "",
    },
];

impl Profile {
    /// The settings and their texts, as a URL would give them.
    pub fn values(&self) -> impl Iterator<Item = (SettingId, &'static str)> {
        let changed = |id: SettingId| self.changes.iter().find(|(other, _)| *other == id).map(|(_, text)| *text);
        PRODUCTION.iter().map(move |(id, text)| (*id, changed(*id).unwrap_or(text)))
    }
}
