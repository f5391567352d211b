//! The settings whose values are words: a type for each, so that a renamed word does not compile.

use crate::settings::{Id, Settings, Value};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident $id:ident $accessor:ident { $($variant:ident $word:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs)] // The words are described in the table of settings.
            pub enum $name { $($variant,)* }

            impl $name {
                /// Every word, in the order of the reference page.
                pub const WORDS: &'static [&'static str] = &[$($word,)*];

                /// As a URL spells it.
                pub fn as_str(self) -> &'static str {
                    match self { $($name::$variant => $word,)* }
                }

                fn from_word(word: &str) -> Option<$name> {
                    match word { $($word => Some($name::$variant),)* _ => None }
                }
            }
        )*

        impl Settings {
            $(
                #[doc = concat!("The setting `", stringify!($accessor), "`; `None`: left as SQLite or the file has it.")]
                pub fn $accessor(&self) -> Option<$name> {
                    match self.get(Id::$id) {
                        Some(Value::Word(word)) => $name::from_word(word),
                        _ => None,
                    }
                }
            )*
        }
    };
}

words! {
    /// How the file is opened.
    Mode Mode mode {
        Ro "ro",
        Rw "rw",
        Rwc "rwc",
        Memory "memory",
    }
    /// A named set of settings.
    ProfileName Profile profile {
        Production "production",
        ReadHeavy "read-heavy",
        WriteHeavy "write-heavy",
        Durable "durable",
        Litestream "litestream",
        Test "test",
    }
    /// How a lock is waited for.
    BusyWaiting Busy busy {
        Fair "fair",
        Sqlite "sqlite",
    }
    /// The journal.
    JournalMode JournalMode journal_mode {
        Wal "wal",
        Delete "delete",
        Truncate "truncate",
        Persist "persist",
        Memory "memory",
        Off "off",
    }
    /// How often SQLite waits for the disk.
    Synchronous Synchronous synchronous {
        Off "off",
        Normal "normal",
        Full "full",
        Extra "extra",
    }
    /// Where temporary tables live.
    TempStore TempStore temp_store {
        Default "default",
        File "file",
        Memory "memory",
    }
    /// What becomes of free pages.
    AutoVacuum AutoVacuum auto_vacuum {
        None "none",
        Full "full",
        Incremental "incremental",
    }
    /// How long locks are kept.
    LockingMode LockingMode locking_mode {
        Normal "normal",
        Exclusive "exclusive",
    }
    /// What becomes of deleted content.
    SecureDelete SecureDelete secure_delete {
        Off "off",
        On "on",
        Fast "fast",
    }
    /// What a transaction begins with.
    Txlock Txlock txlock {
        Deferred "deferred",
        Immediate "immediate",
        Exclusive "exclusive",
    }
    /// Whether connections share a database in memory.
    Cache Cache cache {
        Private "private",
        Shared "shared",
    }
    /// Which files ATTACH opens.
    Attach Attach attach {
        None "none",
        Existing "existing",
        Any "any",
    }
    /// Who moves the WAL into the database.
    Checkpoint Checkpoint checkpoint {
        Auto "auto",
        AutoIdle "auto+idle",
        Idle "idle",
        Background "background",
        External "external",
        Manual "manual",
    }
    /// What happens at four times the cap of the WAL.
    WalMaxAction WalMaxAction wal_max_action {
        Warn "warn",
        Error "error",
    }
    /// The checkpoint at close.
    CloseCheckpoint CloseCheckpoint close_checkpoint {
        None "none",
        Passive "passive",
        Truncate "truncate",
    }
    /// When PRAGMA optimize runs.
    Optimize Optimize optimize {
        Close "close",
        Open "open",
        Off "off",
    }
    /// What becomes of a `-wal` without its database.
    OnOrphanWal OnOrphanWal on_orphan_wal {
        Refuse "refuse",
        SetAside "set_aside",
    }
    /// Who replicates the file.
    Replication Replication replication {
        Auto "auto",
        Litestream "litestream",
        None "none",
    }
    /// What another copy of SQLite on the file means.
    ForeignSqlite ForeignSqlite foreign_sqlite {
        Refuse "refuse",
        Warn "warn",
        Off "off",
    }
    /// What a network file system means.
    NetworkFs NetworkFs network_fs {
        Refuse "refuse",
        Warn "warn",
        Allow "allow",
    }
}
