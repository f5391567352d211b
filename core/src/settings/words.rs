//! The settings whose values are words: a type for each, so that a renamed word does not compile.

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* })*) => {
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

                pub(super) fn from_word(word: &str) -> Option<$name> {
                    match word { $($word => Some($name::$variant),)* _ => None }
                }
            }
        )*
    };
}

words! {
    /// How the file is opened.
    Mode {
        Ro "ro",
        Rw "rw",
        Rwc "rwc",
        Memory "memory",
    }
    /// A named set of settings.
    ProfileName {
        Production "production",
        ReadHeavy "read-heavy",
        WriteHeavy "write-heavy",
        Durable "durable",
        Litestream "litestream",
        Test "test",
    }
    /// How a lock is waited for.
    BusyWaiting {
        Fair "fair",
        Sqlite "sqlite",
    }
    /// The journal.
    JournalMode {
        Wal "wal",
        Delete "delete",
        Truncate "truncate",
        Persist "persist",
        Memory "memory",
        Off "off",
    }
    /// How often SQLite waits for the disk.
    Synchronous {
        Off "off",
        Normal "normal",
        Full "full",
        Extra "extra",
    }
    /// Where temporary tables live.
    TempStore {
        Default "default",
        File "file",
        Memory "memory",
    }
    /// What becomes of free pages.
    AutoVacuum {
        None "none",
        Full "full",
        Incremental "incremental",
    }
    /// How long locks are kept.
    LockingMode {
        Normal "normal",
        Exclusive "exclusive",
    }
    /// Whether the WAL's read lock outlasts a read.
    ReadLock {
        Kept "kept",
        Released "released",
    }
    /// What becomes of deleted content.
    SecureDelete {
        Off "off",
        On "on",
        Fast "fast",
    }
    /// What a transaction begins with.
    Txlock {
        Deferred "deferred",
        Immediate "immediate",
        Exclusive "exclusive",
    }
    /// Whether connections share a database in memory.
    Cache {
        Private "private",
        Shared "shared",
    }
    /// Which files ATTACH opens.
    Attach {
        None "none",
        Existing "existing",
        Any "any",
    }
    /// Who moves the WAL into the database.
    Checkpoint {
        Auto "auto",
        AutoIdle "auto+idle",
        Idle "idle",
        Background "background",
        External "external",
        Manual "manual",
    }
    /// What happens at four times the cap of the WAL.
    WalMaxAction {
        Warn "warn",
        Error "error",
    }
    /// The checkpoint at close.
    CloseCheckpoint {
        None "none",
        Passive "passive",
        Truncate "truncate",
    }
    /// When PRAGMA optimize runs.
    Optimize {
        Close "close",
        Open "open",
        Off "off",
    }
    /// What becomes of a `-wal` without its database.
    OnOrphanWal {
        Refuse "refuse",
        SetAside "set_aside",
    }
    /// Who replicates the file.
    Replication {
        Auto "auto",
        Litestream "litestream",
        None "none",
    }
    /// Where a commit is when its call returns.
    Durability {
        Local "local",
        Replicated "replicated",
    }
    /// What is done where the database does not exist.
    Restore {
        Never "never",
        IfAvailable "if_available",
        Required "required",
    }
    /// Whose changes the file gets.
    Role {
        Primary "primary",
        Follower "follower",
    }
    /// What another copy of SQLite on the file means.
    ForeignSqlite {
        Refuse "refuse",
        Warn "warn",
        Off "off",
    }
    /// What a network file system means.
    NetworkFs {
        Refuse "refuse",
        Warn "warn",
        Allow "allow",
    }
}
