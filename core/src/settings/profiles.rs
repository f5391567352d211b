//! The profiles: named sets of settings.

use super::table::Id;

/// A named set of settings.
#[derive(Debug)]
pub struct Profile {
    /// The name in `profile=`.
    pub name: &'static str,
    /// The settings and their texts, as a URL would give them.
    pub values: &'static [(Id, &'static str)],
    /// What whoever chooses it has to know.
    pub warning: &'static str,
}

macro_rules! profile {
    ($name:literal, $sync:literal, $busy:literal, $cache:literal, $mmap:literal, $auto:literal, $limit:literal, $temp:literal,
     $checkpoint:literal, $close:literal, $persist:literal, $warning:literal) => {
        Profile {
            name: $name,
            values: &[
                (Id::JournalMode, "wal"),
                (Id::ForeignKeys, "on"),
                (Id::Synchronous, $sync),
                (Id::BusyTimeout, $busy),
                (Id::CacheSize, $cache),
                (Id::MmapSize, $mmap),
                (Id::WalAutocheckpoint, $auto),
                (Id::JournalSizeLimit, $limit),
                (Id::TempStore, $temp),
                (Id::Checkpoint, $checkpoint),
                (Id::CloseCheckpoint, $close),
                (Id::PersistWal, $persist),
            ],
            warning: $warning,
        }
    };
}

/// Every profile; the first is the default.
pub static PROFILES: &[Profile] = &[
    profile!(
        "production",
        "normal",
        "5000",
        "-64000",
        "0",
        "1000",
        "64MiB",
        "memory",
        "auto+idle",
        "truncate",
        "off",
        ""
    ),
    profile!(
        "read-heavy",
        "normal",
        "5000",
        "-128000",
        "536870912",
        "1000",
        "64MiB",
        "memory",
        "auto+idle",
        "truncate",
        "off",
        ""
    ),
    profile!(
        "write-heavy",
        "off",
        "10000",
        "-64000",
        "0",
        "10000",
        "256MiB",
        "memory",
        "background",
        "truncate",
        "off",
        "synchronous=off: a power loss can lose or damage data; add &synchronous=normal to be safe against it"
    ),
    profile!("durable", "full", "10000", "-64000", "0", "1000", "64MiB", "default", "auto", "truncate", "off", ""),
    profile!("litestream", "normal", "5000", "-64000", "0", "0", "-1", "memory", "external", "none", "on", ""),
    profile!("test", "off", "2000", "-8000", "0", "1000", "64MiB", "memory", "auto", "truncate", "off", ""),
];
