//! The profiles: named sets of settings.

use super::table::Id;

/// A named set of settings.
#[derive(Debug)]
pub struct Profile {
    /// The name in `profile=`.
    pub name: &'static str,
    /// What differs from `production`.
    pub changes: &'static [(Id, &'static str)],
    /// What whoever chooses it has to know.
    pub warning: &'static str,
}

/// What each profile has, unless it says otherwise.
const PRODUCTION: &[(Id, &str)] = &[
    (Id::JournalMode, "wal"),
    (Id::ForeignKeys, "on"),
    (Id::Synchronous, "normal"),
    (Id::BusyTimeout, "5000"),
    (Id::CacheSize, "-64000"),
    (Id::MmapSize, "0"),
    (Id::WalAutocheckpoint, "1000"),
    (Id::JournalSizeLimit, "64MiB"),
    // In memory a VACUUM, an index or a large ORDER BY would take as much of it as the data.
    (Id::TempStore, "default"),
    (Id::Checkpoint, "auto+idle"),
    (Id::CloseCheckpoint, "truncate"),
    (Id::PersistWal, "off"),
    (Id::Replication, "auto"),
];

/// Every profile; the first is the default.
pub static PROFILES: &[Profile] = &[
    Profile { name: "production", changes: &[], warning: "" },
    Profile { name: "read-heavy", changes: &[(Id::CacheSize, "-128000"), (Id::MmapSize, "536870912")], warning: "" },
    Profile {
        name: "write-heavy",
        changes: &[
            (Id::Synchronous, "off"),
            (Id::BusyTimeout, "10000"),
            (Id::WalAutocheckpoint, "10000"),
            (Id::JournalSizeLimit, "256MiB"),
            (Id::Checkpoint, "background"),
        ],
        warning: "synchronous=off: a power loss can lose or damage data; add &synchronous=normal to be safe against it",
    },
    Profile {
        name: "durable",
        changes: &[(Id::Synchronous, "full"), (Id::BusyTimeout, "10000"), (Id::Checkpoint, "auto")],
        warning: "",
    },
    Profile {
        name: "litestream",
        changes: &[
            (Id::WalAutocheckpoint, "0"),
            (Id::JournalSizeLimit, "-1"),
            (Id::Checkpoint, "external"),
            (Id::CloseCheckpoint, "none"),
            (Id::PersistWal, "on"),
            (Id::Replication, "litestream"),
        ],
        warning: "",
    },
    Profile {
        name: "test",
        changes: &[
            (Id::Synchronous, "off"),
            (Id::BusyTimeout, "2000"),
            (Id::CacheSize, "-8000"),
            (Id::TempStore, "memory"),
            (Id::Checkpoint, "auto"),
        ],
        warning: "",
    },
];

impl Profile {
    /// The settings and their texts, as a URL would give them.
    pub fn values(&self) -> impl Iterator<Item = (Id, &'static str)> {
        let changed = |id: Id| self.changes.iter().find(|(other, _)| *other == id).map(|(_, text)| *text);
        PRODUCTION.iter().map(move |(id, text)| (*id, changed(*id).unwrap_or(text)))
    }
}
