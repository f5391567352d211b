//! The one table of settings.

use super::words;

/// What a setting's text may be.
#[derive(Clone, Copy, Debug)]
pub enum SettingKind {
    /// Exactly `1 0 true false on off yes no`.
    Bool,
    /// A whole number in a range.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// What it counts, and which suffixes it takes.
        unit: SettingUnit,
    },
    /// `cache_size`: pages when positive, KiB when negative, bytes with a unit; not 0.
    CacheSize,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Free text.
    Text,
}

/// What an integer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingUnit {
    /// A plain number.
    None,
    /// Milliseconds; `ms` and `s` may follow.
    Millis,
    /// Bytes; `KiB`, `MiB`, `GiB` may follow.
    Bytes,
    /// Pages of the database.
    Pages,
}

/// Where in the course of opening a setting is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingStep {
    /// Before the file is touched: the path, the directory, the file system.
    Target,
    /// `sqlite3_open_v2`: flags and VFS.
    Open,
    /// `sqlite3_db_config`.
    Config,
    /// The busy handler.
    Busy,
    /// A pragma that only a new database takes.
    Create,
    /// A pragma.
    Pragma,
    /// At close, or while the connection lives.
    Life,
}

impl SettingStep {
    /// The name in reports and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            SettingStep::Target => "target",
            SettingStep::Open => "open",
            SettingStep::Config => "db_config",
            SettingStep::Busy => "busy_handler",
            SettingStep::Create => "create",
            SettingStep::Pragma => "pragma",
            SettingStep::Life => "life",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// Its identity.
    pub id: SettingId,
    /// The URL's key, which is SQLite's name of the pragma where there is one.
    pub key: &'static str,
    /// What its text may be.
    pub kind: SettingKind,
    /// The built-in default as text; empty: as SQLite or the file has it.
    pub default: &'static str,
    /// Where it is applied.
    pub step: SettingStep,
    /// One line for people.
    pub help: &'static str,
    /// Values that are understood but that this build does not carry.
    pub not_yet: &'static [&'static str],
}

macro_rules! settings {
    ($($id:ident $key:literal $kind:expr, $default:literal, $step:ident, $help:literal $(, not_yet $not_yet:expr)?;)*) => {
        /// The identity of a setting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum SettingId { $(#[doc = $help] $id,)* }

        /// Every setting, in the order of the reference page.
        pub static TABLE: &[Setting] = &[
            $(Setting {
                id: SettingId::$id, key: $key, kind: $kind, default: $default, step: SettingStep::$step, help: $help,
                not_yet: { #[allow(unused_mut, unused_assignments)] let mut values: &'static [&'static str] = &[]; $(values = $not_yet;)? values },
            },)*
        ];
    };
}

const fn int(min: i64, max: i64, unit: SettingUnit) -> SettingKind {
    SettingKind::Int { min, max, unit }
}

settings! {
    Mode "mode" SettingKind::Word(words::Mode::WORDS), "rwc", Open, "access: read only, read and write, and create (rwc also creates missing directories), in memory";
    Profile "profile" SettingKind::Word(words::ProfileName::WORDS), "production", Target, "a named set of settings";
    BusyTimeout "busy_timeout" int(0, 2_147_483_647, SettingUnit::Millis), "", Busy, "how long to wait for a lock";
    Busy "busy" SettingKind::Word(words::BusyWaiting::WORDS), "fair", Busy, "how to wait for a lock: fair (short, constant sleeps; first come, first served) or sqlite (its growing sleeps; more throughput when saturated)";
    JournalMode "journal_mode" SettingKind::Word(words::JournalMode::WORDS), "", Pragma, "the journal; memory and off need unsafe=1";
    Synchronous "synchronous" SettingKind::Word(words::Synchronous::WORDS), "", Pragma, "how often SQLite waits for the disk (0…3 are the same four)";
    FullFsync "fullfsync" SettingKind::Bool, "", Pragma, "macOS: each wait for the disk empties the drive's cache too (F_FULLFSYNC); on by default there. Other systems have no such call: there it changes nothing, as the report says";
    ForeignKeys "foreign_keys" SettingKind::Bool, "", Pragma, "enforce foreign keys";
    RecursiveTriggers "recursive_triggers" SettingKind::Bool, "", Pragma, "let triggers fire triggers";
    QueryOnly "query_only" SettingKind::Bool, "", Pragma, "refuse writes on this connection";
    CacheSize "cache_size" SettingKind::CacheSize, "", Pragma, "page cache of each connection: −KiB, pages, or bytes with a unit; the connections behind readAsync and transactionAsync have an eighth of it";
    MmapSize "mmap_size" int(0, 2_147_418_112, SettingUnit::Bytes), "", Pragma, "how much of the file is memory-mapped; 0 on network file systems. Where something else cuts the file short, reading the mapping ends the process (SIGBUS)";
    WalAutocheckpoint "wal_autocheckpoint" int(0, 2_147_483_647, SettingUnit::Pages), "", Pragma, "checkpoint once the WAL has this many pages";
    JournalSizeLimit "journal_size_limit" int(-1, 1 << 53, SettingUnit::Bytes), "", Pragma, "what a journal or WAL keeps on disk after a reset; −1: all";
    TempStore "temp_store" SettingKind::Word(words::TempStore::WORDS), "", Pragma, "where temporary tables live, and what VACUUM, CREATE INDEX and large sorts set aside: in memory that is as much as the data";
    PageSize "page_size" int(512, 65_536, SettingUnit::Bytes), "", Create, "a power of two; new database only";
    AutoVacuum "auto_vacuum" SettingKind::Word(words::AutoVacuum::WORDS), "", Create, "new database only";
    ApplicationId "application_id" int(0, 4_294_967_295, SettingUnit::None), "", Create, "the file's type for file(1); new database only";
    LockingMode "locking_mode" SettingKind::Word(words::LockingMode::WORDS), "", Pragma, "exclusive keeps the locks until close";
    ReadLock "read_lock" SettingKind::Word(words::ReadLock::WORDS), "kept", Life, "kept (Linux): reads that follow each other closely keep the WAL's read lock in between, for half a millisecond of idleness at most, and make no system call for it; released: each gives it back, as SQLite does";
    SecureDelete "secure_delete" SettingKind::Word(words::SecureDelete::WORDS), "", Pragma, "overwrite deleted content with zeros";
    Txlock "txlock" SettingKind::Word(words::Txlock::WORDS), "immediate", Life, "what the hosts' transaction helpers begin with";
    Immutable "immutable" SettingKind::Bool, "", Open, "the file cannot change (read-only media): no locks; implies ro";
    Vfs "vfs" SettingKind::Text, "", Open, "a registered VFS; those that lock otherwise than the default one (unix-none, unix-dotfile) need unsafe=1";
    Cache "cache" SettingKind::Word(words::Cache::WORDS), "private", Open, "shared: one database in memory for several connections";
    Defensive "defensive" SettingKind::Bool, "on", Config, "refuse SQL that can corrupt the file";
    TrustedSchema "trusted_schema" SettingKind::Bool, "off", Config, "let the schema call functions not marked innocuous";
    Dqs "dqs" SettingKind::Bool, "off", Config, "take double-quoted text as a string";
    Attach "attach" SettingKind::Word(words::Attach::WORDS), "existing", Config, "which files ATTACH opens";
    Mkdir "mkdir" SettingKind::Bool, "", Target, "create missing directories (on for rwc)";
    Checkpoint "checkpoint" SettingKind::Word(words::Checkpoint::WORDS), "auto", Life, "who moves the WAL into the database";
    WalMax "wal_max" int(0, 1 << 53, SettingUnit::Bytes), "", Life, "a cap on the WAL's size, kept by emptying it at a commit; 0: none";
    WalMaxAction "wal_max_action" SettingKind::Word(words::WalMaxAction::WORDS), "warn", Life, "at four times wal_max: an event, or refuse write transactions too";
    CloseCheckpoint "close_checkpoint" SettingKind::Word(words::CloseCheckpoint::WORDS), "truncate", Life, "the checkpoint at close";
    PersistWal "persist_wal" SettingKind::Bool, "off", Life, "keep the -wal file after the last close";
    Optimize "optimize" SettingKind::Word(words::Optimize::WORDS), "close", Life, "when PRAGMA optimize runs";
    OnOrphanWal "on_orphan_wal" SettingKind::Word(words::OnOrphanWal::WORDS), "refuse", Target, "a -wal with content whose database is missing or empty";
    Replication "replication" SettingKind::Word(words::Replication::WORDS), "auto", Life, "who replicates the file: litestream keeps every checkpoint for it, auto does so where Litestream is found";
    WalAlarm "wal_alarm" int(0, 1 << 53, SettingUnit::Bytes), "256MiB", Life, "when the WAL of a replicated database is larger, the event wal_alarm says that nobody checkpoints; 0: never";
    ReplicationSocket "replication_socket" SettingKind::Text, "/var/run/litestream.sock", Life, "where Litestream answers (its setting socket.path); replicated() asks there";
    ReplicationTimeout "replication_timeout" int(0, 2_147_483_647, SettingUnit::Millis), "10s", Life, "how long replicated() waits for the replica where the call does not say";
    Durability "durability" SettingKind::Word(words::Durability::WORDS), "local", Life, "where a commit is when its call returns. local: in the file; replicated: at Litestream's replica too, or the call fails with KEEL_NOT_REPLICATED and the commit stands. Of this database, not of attached ones";
    Restore "restore" SettingKind::Word(words::Restore::WORDS), "never", Target, "what happens at open where the database does not exist: required: it is restored from Litestream's replica, and without a backup opening fails; if_available: without a backup it begins empty";
    RestoreFrom "restore_from" SettingKind::Text, "", Target, "the replica's URL, or the path of Litestream's configuration; otherwise that is /etc/litestream.yml. The program is litestream, or what LITEKEEL_LITESTREAM names in the environment";
    Role "role" SettingKind::Word(words::Role::WORDS), "primary", Open, "follower: the file is a copy that litestream restore -f keeps up to date; it is only read, each read sees all that the copy has, and nothing is kept open between two";
    Share "share" SettingKind::Bool, "off", Open, "one connection of the process for every host that asks";
    ForeignSqlite "foreign_sqlite" SettingKind::Word(words::ForeignSqlite::WORDS), "refuse", Open, "another copy of SQLite in this process on the same file";
    NetworkFs "network_fs" SettingKind::Word(words::NetworkFs::WORDS), "", Target, "a database on NFS or SMB (refused) or 9p, FUSE, virtiofs (warned about)";
    HardLinks "hard_links" SettingKind::Bool, "off", Target, "open a file that has several names";
    Nolock "nolock" SettingKind::Bool, "", Open, "SQLite's nolock; needs unsafe=1";
    Psow "psow" SettingKind::Bool, "", Open, "SQLite's powersafe overwrite; needs unsafe=1";
    Modeof "modeof" SettingKind::Text, "", Open, "create the file with this file's permissions; needs unsafe=1";
    Unsafe "unsafe" SettingKind::Bool, "off", Open, "confirm values that can lose data";
}

impl SettingId {
    /// The table's row.
    pub fn setting(self) -> &'static Setting {
        &TABLE[self as usize]
    }

    /// The URL's key.
    pub fn key(self) -> &'static str {
        self.setting().key
    }

    /// The row of a key, case-sensitive as in SQLite's URLs.
    pub fn from_key(key: &str) -> Option<SettingId> {
        TABLE.iter().find(|row| row.key == key).map(|row| row.id)
    }
}
