//! During which step of opening, closing or a longer call something failed.

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// The step that failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum FailedStep {
            $($(#[$doc])* $variant,)*
            /// A pragma of this name.
            Pragma(&'static str),
        }

        impl FailedStep {
            /// As hosts read it.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(FailedStep::$variant => $name,)*
                    FailedStep::Pragma(name) => name,
                }
            }
        }
    };
}

steps! {
    /// Before SQLite touches the file.
    Target "target",
    /// A look for another copy of SQLite.
    ForeignSqlite "foreign_sqlite",
    /// Finding the connection to share.
    Share "share",
    /// `sqlite3_open_v2`.
    Open "open",
    /// SQLite's switches.
    Config "db_config",
    /// The first read.
    Probe "probe",
    /// What only a new database takes.
    Create "create",
    /// The conversion.
    JournalMode "journal_mode",
    /// Keeping the `-wal` at close.
    PersistWal "persist_wal",
    /// Those pragmas that have no order.
    Pragmas "pragma",
    /// `PRAGMA optimize`.
    Optimize "optimize",
    /// Reading back what was set.
    Verify "verify",
    /// Finding out whether Litestream replicates the database.
    Replication "replication",
    /// Bringing a database back from its replica.
    Restore "restore",
    /// The look at a database that is attached.
    Attach "attach",
    /// A checkpoint that was asked for.
    Checkpoint "checkpoint",
    /// A look at the log.
    WalStatus "wal_status",
    /// A copy.
    Backup "backup",
    /// The end of a connection.
    Close "close",
    // Why a commit could not be confirmed at the replica.
    /// Nobody answers at Litestream's socket.
    DaemonGone "daemon_gone",
    /// Litestream cannot copy.
    ReplicaRefuses "replica_refuses",
    /// Litestream has stopped.
    Stopped "stopped",
    /// It answers for another database.
    NotThisDatabase "not_this_database",
    /// What it answers is not understood.
    Protocol "protocol",
    /// Nobody waits any more.
    Cancelled "cancelled",
    /// It takes too long.
    Timeout "timeout",
    /// The file is not a copy that follows a replica.
    NoPosition "no_position",
}
