// The codes, for whoever defines `codes!`: the module `codes`, and the build script that writes the C header.
codes! {
    /// The header the caller was compiled with and the library differ in their ABI number.
    ABI = -1, Internal, "compile against the litekeel.h of the library that is loaded";
    /// A setting or option is wrong in a way that has no code of its own.
    CONFIG = -2, Config, "";
    /// The file is open already with other settings (`share=1`).
    MISMATCH = -3, State, "open it with the same settings, or without share=1";
    /// The call needs a connection with one owner.
    SHARED = -4, State, "use a connection of your own (a sibling), or do it in one call";
    /// Two copies of litekeel are loaded in this process.
    TWO_COPIES = -5, Safety, "let every host load the same liblitekeel file";
    /// The connection belongs to the process that forked this one.
    FORKED = -6, Safety, "close before fork, or exec after it; open a connection of your own in the child";
    /// A panic inside litekeel was caught at the boundary.
    PANIC = -7, Internal, "this is a defect of litekeel: please report it with the message";
    /// The handle is not one that litekeel gave out, or it has been released.
    HANDLE = -8, Handle, "a token is valid from the call that returned it to keel_close or keel_release";
    /// The connection has been closed.
    CLOSED = -9, State, "open a new connection";
    /// An argument of the call itself is wrong (null pointer, invalid UTF-8, out of range).
    ARGUMENT = -10, Config, "";
    /// The URL is the empty string.
    EMPTY_URL = -11, Config, "leave it out for the default, or name a file: file:data/app.db";
    /// There is no file name in the URL.
    EMPTY_PATH = -12, Config, "name a file: file:data/app.db";
    /// There is a control character, DEL or NUL in the URL.
    CONTROL_CHARACTER = -13, Config, "remove the character";
    /// The URL begins or ends with blanks.
    STRAY_WHITESPACE = -14, Config, "remove the blanks";
    /// The quotes of a configuration file have become part of the URL.
    QUOTED_URL = -15, Config, "remove the quotes";
    /// A shell or dotenv variable in the URL was not expanded.
    UNEXPANDED = -16, Config, "expand the variable before it reaches litekeel";
    /// The URL's scheme is not one that litekeel opens: file, sqlite, sqlite3; libsql, https, http for a server.
    UNSUPPORTED_SCHEME = -17, Config, "write file: or sqlite: before a path";
    /// The text between `//` and the next `/` is not a host that SQLite accepts.
    INVALID_AUTHORITY = -18, Config, "write file:rel/path or file:///abs/path";
    /// There is a `%00` in the URL.
    NUL_IN_URL = -19, Config, "remove %00";
    /// The decoded URL or text is not UTF-8.
    INVALID_UTF8 = -20, Config, "encode it as UTF-8";
    /// The absolute path is longer than SQLite can open.
    PATH_TOO_LONG = -21, Config, "shorten the path or open it through a shorter directory";
    /// A Windows path on a system that is not Windows.
    WINDOWS_PATH = -22, Config, "use a path of this system";
    /// A bare path with a `?`, and there is no such file.
    QUERY_IN_PATH = -23, Config, "write file: before a path with parameters";
    /// A query parameter that is unknown.
    UNKNOWN_PARAM = -24, Config, "";
    /// The same query parameter twice.
    DUPLICATE_PARAM = -25, Config, "keep one of them";
    /// A parameter's value is missing, of the wrong type or out of range.
    INVALID_VALUE = -26, Config, "";
    /// Two settings exclude each other.
    CONFLICT = -27, Config, "remove one of the two";
    /// A setting that only a new database can take.
    CREATE_ONLY_PARAM = -28, Config, "remove it, or rebuild the file with VACUUM INTO";
    /// The setting is known but this build does not carry it.
    NOT_YET = -29, Config, "remove the parameter";
    /// A value that may lose data and was not confirmed.
    NEEDS_UNSAFE = -30, Config, "add unsafe=1 if you mean it";
    /// A setting reads back with another value than the one that was set.
    SETTING_NOT_APPLIED = -31, Config, "";
    /// Opened for writing, but the file can only be read.
    FILE_NOT_WRITABLE = -32, Path, "make it writable for this user, or open it with mode=ro";
    /// The file has several names (hard links); each would get a WAL of its own.
    HARD_LINKS = -33, Safety, "open it by a file with one name, or add hard_links=1";
    /// The file is on a network file system, where WAL's shared memory does not work.
    NETWORK_FS = -34, Safety, "move the database to a local disk";
    /// A WAL with content whose database is missing or empty.
    ORPHAN_WAL = -35, Safety, "put the database back beside its -wal, or move the -wal away";
    /// Another copy of SQLite in this process holds locks on the file.
    SECOND_SQLITE = -36, Safety, "close the other library's connection, or do that work through litekeel";
    /// Locks that must be held are gone.
    LOCKS_LOST = -37, Safety, "close every connection of this process to it and reopen; find what opened and closed the file in it";
    /// The `-wal` or `-shm` on disk is no longer the one in use.
    WAL_UNLINKED = -38, Safety, "close every connection of this process to it and reopen; the message and the close report say what was kept";
    /// The database file was deleted or replaced while open.
    DATABASE_MOVED = -39, Safety, "close and reopen";
    /// The SQLite library is one with a known corruption bug.
    SQLITE_TOO_OLD = -40, Safety, "use SQLite 3.51.3 or later";
    /// A statement in a shared call left a transaction open.
    IN_TRANSACTION = -41, State, "finish the transaction first";
    /// The WAL has reached the cap of `wal_max` and `wal_max_action=error`.
    WAL_FULL = -42, State, "find the reader that pins the WAL and end it";
    /// The path leaves the allowed roots, or follows a symbolic link that may not be followed.
    PATH_NOT_ALLOWED = -43, Path, "";
    /// The path names something that is not a regular file.
    NOT_A_FILE = -44, Path, "";
    /// A failure of the operating system outside SQLite.
    IO = -45, Path, "";
    /// The connection has no file that a second connection could open.
    NO_SIBLING = -46, State, "open a database in a file";
    /// Allowed on the main thread only.
    MAIN_THREAD_ONLY = -47, State, "call it from the main thread";
    /// The loaded library speaks another version of the binding protocol.
    VERSION_MISMATCH = -48, Internal, "install the same version of every litekeel package";
    /// Packed parameters are malformed or do not fit the statement.
    PACKED = -49, Config, "";
    /// Shutting down: new transactions are refused.
    SHUTTING_DOWN = -50, State, "the process is ending";
    /// Connections were left open.
    LEAK = -51, State, "close every connection";
    /// Litestream replicates the database, and what was asked for would make its replica one that cannot be restored.
    REPLICATED = -52, Safety, "leave it to Litestream; with replication=none it is allowed, while Litestream does not run";
    /// The database server could not be reached, refused the request, or answered something that is not an answer.
    REMOTE = -53, State, "";
    /// The server has taken the transaction away: nothing of it is committed, and nothing after it either.
    TRANSACTION_EXPIRED = -54, State, "roll back, and run the whole transaction again; the server gives a write transaction 5 seconds";
    /// Whether the server has committed cannot be known: the answer was lost.
    COMMIT_UNKNOWN = -55, Safety, "read whether it is there before running it again; litekeel never sends it twice";
    /// The call is about a file, and the database is a server's.
    REMOTE_UNSUPPORTED = -56, Config, "do that on the server, where the file is";
    /// What is committed here was not confirmed at Litestream's replica. It stays committed; the error's step says why.
    NOT_REPLICATED = -57, State, "it stays committed: do not run it again; wait for the replica again when the cause is gone";
    /// There is no database of this name in the directory.
    NO_DATABASE = -58, Path, "create it first";
    /// As many databases as may be open are in use.
    ALL_IN_USE = -59, State, "let more be open, or wait until one is free";
    /// The database does not exist, and could not be restored from Litestream's replica.
    NOT_RESTORED = -63, Path, "see to the replica and the access to it, then try again: nothing was created";
    /// A copy that follows a replica does not have the position that was waited for, or is not such a copy.
    BEHIND = -64, State, "wait longer; see whether Litestream follows (litestream restore -f), and its log";
}
