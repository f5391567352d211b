/* litekeel.h: generated from the library's source; do not edit.
 *
 *   #include <litekeel.h>
 *   #include <stdio.h>
 *
 *   int main(void) {
 *       keel_db *db;
 *       keel_error *err;
 *       if (keel_open("file:data/app.db", KEEL_NUL, &db, &err)) {
 *           fprintf(stderr, "%s\n%s\n", keel_error_message(err, NULL), keel_error_hint(err, NULL));
 *           keel_error_free(err);
 *           return 1;
 *       }
 *       keel_rows *rows;
 *       if (keel_query(db, "SELECT 6 * 7 AS answer", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0) {
 *           fputs(keel_rows_text(rows, NULL), stdout);
 *           keel_rows_free(rows);
 *       }
 *       return keel_close(db, NULL);
 *   }
 *
 * Beside it: litekeel/packed.h (parameters and rows in C), litekeel/litekeel.hpp (C++17), litekeel/sqlite3.h (plain SQLite on
 * the same copy).
 *
 * Conventions
 *   A function returns 0 or a code: SQLite's extended result code when positive, one of KEEL_E_* when negative.
 *   The last argument `err` may be NULL; it gets NULL on success, else an error object, which the caller frees.
 *   An argument `out` may not be NULL; it gets NULL on failure.
 *   Text in is UTF-8: a pointer and a length in bytes. KEEL_NUL as the length: the text is NUL-terminated.
 *   Text out is NUL-terminated. Every object has its own free function; nothing is freed with free().
 *   Handles are tokens: they are looked up, never dereferenced. A stale or forged one gives KEEL_E_HANDLE.
 *
 * Codes of every function with a connection, which are not repeated below
 *   KEEL_E_HANDLE (not a handle, or it has ended), KEEL_E_CLOSED, KEEL_E_FORKED (in a forked child), KEEL_E_ARGUMENT (NULL where
 *   it is not allowed, a length that is too large), KEEL_E_INVALID_UTF8, SQLITE_MISUSE (called in a callback of the connection),
 *   SQLITE_NOMEM, KEEL_E_PANIC (a defect of litekeel). A connection whose file or locks were taken away refuses to write:
 *   KEEL_E_LOCKS_LOST, KEEL_E_WAL_UNLINKED, KEEL_E_DATABASE_MOVED.
 *
 * Threads
 *   Any function, any thread. Calls on one connection wait for each other; open a sibling to work side by side.
 *   keel_interrupt never blocks. Rows and errors are immutable; rows that are read in batches belong to one thread at
 *   a time. After fork() handles belong to the parent.
 *
 * Callbacks
 *   must return normally: no exception and no longjmp may leave one. They may not call litekeel on the connection that calls
 *   them.
 *
 * The packed table (keel_query, keel_report; native endian, 8-aligned; offsets from the first byte)
 *   0 u32 magic 0x4C45454B   4 u32 version 1   8 u32 flags (1: parameters are bound by name)   12 u32 columns
 *   16 u64 rows   24 i64 rows changed   32 i64 last inserted rowid
 *   40 u64 offset of the names (one cell a column)   48 u64 offset of the cells (rows x columns)   56 u64 length
 *   A cell has 16 bytes: u32 type (1 integer, 2 float, 3 text, 4 blob, 5 null), u32 length in bytes,
 *   u64 payload (the integer's bits, the double's bits, or the offset of the text or blob).
 *   In a table from litekeel a NUL, which the length does not count, follows each text and blob.
 */


#ifndef LITEKEEL_H
#define LITEKEEL_H

#include <stddef.h>
#include <stdint.h>

/* As a length: the text is NUL-terminated. */
#define KEEL_NUL ((size_t)-1)

/* For keel_begin: what the setting txlock says (immediate, unless it was set). */
#define KEEL_DEFAULT (-1)

/* litekeel's own codes. */

/* The header the caller was compiled with and the library differ in their ABI number. What to do: compile
 * against the litekeel.h of the library that is loaded. */
#define KEEL_E_ABI (-1)
/* A setting or option is wrong in a way that has no code of its own. */
#define KEEL_E_CONFIG (-2)
/* The file is open already with other settings (`share=1`). What to do: open it with the same settings, or
 * without share=1. */
#define KEEL_E_MISMATCH (-3)
/* The call needs a connection with one owner. What to do: use a connection of your own (a sibling), or do it in
 * one call. */
#define KEEL_E_SHARED (-4)
/* Two copies of litekeel are loaded in this process. What to do: let every host load the same liblitekeel file. */
#define KEEL_E_TWO_COPIES (-5)
/* The connection belongs to the process that forked this one. What to do: close before fork, or exec after it;
 * open a connection of your own in the child. */
#define KEEL_E_FORKED (-6)
/* A panic inside litekeel was caught at the boundary. What to do: this is a defect of litekeel: please report it
 * with the message. */
#define KEEL_E_PANIC (-7)
/* The handle is not one that litekeel gave out, or it has been released. What to do: a token is valid from the
 * call that returned it to keel_close or keel_release. */
#define KEEL_E_HANDLE (-8)
/* The connection has been closed. What to do: open a new connection. */
#define KEEL_E_CLOSED (-9)
/* An argument of the call itself is wrong (null pointer, invalid UTF-8, out of range). */
#define KEEL_E_ARGUMENT (-10)
/* The URL is the empty string. What to do: leave it out for the default, or name a file: file:data/app.db. */
#define KEEL_E_EMPTY_URL (-11)
/* There is no file name in the URL. What to do: name a file: file:data/app.db. */
#define KEEL_E_EMPTY_PATH (-12)
/* There is a control character, DEL or NUL in the URL. What to do: remove the character. */
#define KEEL_E_CONTROL_CHARACTER (-13)
/* The URL begins or ends with blanks. What to do: remove the blanks. */
#define KEEL_E_STRAY_WHITESPACE (-14)
/* The quotes of a configuration file have become part of the URL. What to do: remove the quotes. */
#define KEEL_E_QUOTED_URL (-15)
/* A shell or dotenv variable in the URL was not expanded. What to do: expand the variable before it reaches
 * litekeel. */
#define KEEL_E_UNEXPANDED (-16)
/* The URL's scheme is not one that litekeel opens: file, sqlite, sqlite3; libsql, https, http for a server. What
 * to do: write file: or sqlite: before a path. */
#define KEEL_E_UNSUPPORTED_SCHEME (-17)
/* The text between `//` and the next `/` is not a host that SQLite accepts. What to do: write file:rel/path or
 * file:///abs/path. */
#define KEEL_E_INVALID_AUTHORITY (-18)
/* There is a `%00` in the URL. What to do: remove %00. */
#define KEEL_E_NUL_IN_URL (-19)
/* The decoded URL or text is not UTF-8. What to do: encode it as UTF-8. */
#define KEEL_E_INVALID_UTF8 (-20)
/* The absolute path is longer than SQLite can open. What to do: shorten the path or open it through a shorter
 * directory. */
#define KEEL_E_PATH_TOO_LONG (-21)
/* A Windows path on a system that is not Windows. What to do: use a path of this system. */
#define KEEL_E_WINDOWS_PATH (-22)
/* A bare path with a `?`, and there is no such file. What to do: write file: before a path with parameters. */
#define KEEL_E_QUERY_IN_PATH (-23)
/* A query parameter that is unknown. */
#define KEEL_E_UNKNOWN_PARAM (-24)
/* The same query parameter twice. What to do: keep one of them. */
#define KEEL_E_DUPLICATE_PARAM (-25)
/* A parameter's value is missing, of the wrong type or out of range. */
#define KEEL_E_INVALID_VALUE (-26)
/* Two settings exclude each other. What to do: remove one of the two. */
#define KEEL_E_CONFLICT (-27)
/* A setting that only a new database can take. What to do: remove it, or rebuild the file with VACUUM INTO. */
#define KEEL_E_CREATE_ONLY_PARAM (-28)
/* The setting is known but this build does not carry it. What to do: remove the parameter. */
#define KEEL_E_NOT_YET (-29)
/* A value that may lose data and was not confirmed. What to do: add unsafe=1 if you mean it. */
#define KEEL_E_NEEDS_UNSAFE (-30)
/* A setting reads back with another value than the one that was set. */
#define KEEL_E_SETTING_NOT_APPLIED (-31)
/* Opened for writing, but the file can only be read. What to do: make it writable for this user, or open it with
 * mode=ro. */
#define KEEL_E_FILE_NOT_WRITABLE (-32)
/* The file has several names (hard links); each would get a WAL of its own. What to do: open it by a file with
 * one name, or add hard_links=1. */
#define KEEL_E_HARD_LINKS (-33)
/* The file is on a network file system, where WAL's shared memory does not work. What to do: move the database
 * to a local disk. */
#define KEEL_E_NETWORK_FS (-34)
/* A WAL with content whose database is missing or empty. What to do: put the database back beside its -wal, or
 * move the -wal away. */
#define KEEL_E_ORPHAN_WAL (-35)
/* Another copy of SQLite in this process holds locks on the file. What to do: close the other library's
 * connection, or do that work through litekeel. */
#define KEEL_E_SECOND_SQLITE (-36)
/* Locks that must be held are gone. What to do: close every connection of this process to it and reopen; find
 * what opened and closed the file in it. */
#define KEEL_E_LOCKS_LOST (-37)
/* The `-wal` or `-shm` on disk is no longer the one in use. What to do: close every connection of this process
 * to it and reopen; the message and the close report say what was kept. */
#define KEEL_E_WAL_UNLINKED (-38)
/* The database file was deleted or replaced while open. What to do: close and reopen. */
#define KEEL_E_DATABASE_MOVED (-39)
/* The SQLite library is one with a known corruption bug. What to do: use SQLite 3.51.3 or later. */
#define KEEL_E_SQLITE_TOO_OLD (-40)
/* A statement in a shared call left a transaction open. What to do: finish the transaction first. */
#define KEEL_E_IN_TRANSACTION (-41)
/* The WAL has reached the cap of `wal_max` and `wal_max_action=error`. What to do: find the reader that pins the
 * WAL and end it. */
#define KEEL_E_WAL_FULL (-42)
/* The path leaves the allowed roots, or follows a symbolic link that may not be followed. */
#define KEEL_E_PATH_NOT_ALLOWED (-43)
/* The path names something that is not a regular file. */
#define KEEL_E_NOT_A_FILE (-44)
/* A failure of the operating system outside SQLite. */
#define KEEL_E_IO (-45)
/* The connection has no file that a second connection could open. What to do: open a database in a file. */
#define KEEL_E_NO_SIBLING (-46)
/* Allowed on the main thread only. What to do: call it from the main thread. */
#define KEEL_E_MAIN_THREAD_ONLY (-47)
/* The loaded library speaks another version of the binding protocol. What to do: install the same version of
 * every litekeel package. */
#define KEEL_E_VERSION_MISMATCH (-48)
/* Packed parameters are malformed or do not fit the statement. */
#define KEEL_E_PACKED (-49)
/* Shutting down: new transactions are refused. What to do: the process is ending. */
#define KEEL_E_SHUTTING_DOWN (-50)
/* Connections were left open. What to do: close every connection. */
#define KEEL_E_LEAK (-51)
/* Litestream replicates the database, and what was asked for would make its replica one that cannot be restored.
 * What to do: leave it to Litestream; with replication=none it is allowed, while Litestream does not run. */
#define KEEL_E_REPLICATED (-52)
/* The database server could not be reached, refused the request, or answered something that is not an answer. */
#define KEEL_E_REMOTE (-53)
/* The server has taken the transaction away: nothing of it is committed, and nothing after it either. What to
 * do: roll back, and run the whole transaction again; the server gives a write transaction 5 seconds. */
#define KEEL_E_TRANSACTION_EXPIRED (-54)
/* Whether the server has committed cannot be known: the answer was lost. What to do: read whether it is there
 * before running it again; litekeel never sends it twice. */
#define KEEL_E_COMMIT_UNKNOWN (-55)
/* The call is about a file, and the database is a server's. What to do: do that on the server, where the file
 * is. */
#define KEEL_E_REMOTE_UNSUPPORTED (-56)
/* What is committed here was not confirmed at Litestream's replica. It stays committed; the error's step says
 * why. What to do: it stays committed: do not run it again; wait for the replica again when the cause is gone. */
#define KEEL_E_NOT_REPLICATED (-57)
/* There is no database of this name in the directory. What to do: create it first. */
#define KEEL_E_NO_DATABASE (-58)
/* As many databases as may be open are in use. What to do: let more be open, or wait until one is free. */
#define KEEL_E_ALL_IN_USE (-59)
/* The database does not exist, and could not be restored from Litestream's replica. What to do: see to the
 * replica and the access to it, then try again: nothing was created. */
#define KEEL_E_NOT_RESTORED (-63)
/* A copy that follows a replica does not have the position that was waited for, or is not such a copy. What to
 * do: wait longer; see whether Litestream follows (litestream restore -f), and its log. */
#define KEEL_E_BEHIND (-64)




/**
 * For keel_begin: take the write lock at the first write. A `txlock` setting in the URL replaces it.
 */
#define KEEL_DEFERRED 0

/**
 * For keel_begin: take the write lock now.
 */
#define KEEL_IMMEDIATE 1

/**
 * For keel_begin: keep readers out too (outside WAL).
 */
#define KEEL_EXCLUSIVE 2

/**
 * From keel_rows_next: there are rows (SQLITE_ROW).
 */
#define KEEL_ROW 100

/**
 * From keel_rows_next: there are no more (SQLITE_DONE).
 */
#define KEEL_DONE 101

/**
 * The ABI that this header describes: major << 16 | minor, so 1 is 0.1. Within a major version functions are only
 * added.
 */
#define KEEL_ABI 1

/**
 * The databases of one directory, one for each tenant.
 */
typedef struct keel_databases keel_databases;

/**
 * A connection, or rather a handle for one: handles are counted, and the last one that ends closes the connection.
 */
typedef struct keel_db keel_db;

/**
 * An error, owned by the caller.
 */
typedef struct keel_error keel_error;

/**
 * A set of options for keel_open_with.
 */
typedef struct keel_options keel_options;

/**
 * A packed result. Whole results are immutable and readable from any thread; one that is read in batches belongs to
 * one thread at a time.
 */
typedef struct keel_rows keel_rows;

/**
 * Called after each step of a backup, with the pages done and the pages in all, on the thread that called
 * keel_backup; any value but 0 stops the backup. It must return normally: no exception, no longjmp. It must not use
 * the connection.
 */
typedef int32_t (*keel_progress)(void *ctx, int64_t done, int64_t total);

/**
 * Called for each line of SQLite's log: an extended result code and a sentence, NUL-terminated and valid during the
 * call. It runs on any thread, perhaps in the middle of a call. It must return normally: no exception, no longjmp.
 * It must use neither litekeel nor SQLite.
 */
typedef void (*keel_log)(void *ctx, int32_t code, const char *message, size_t len);

/**
 * Called for each event: `name` is NUL-terminated, `fields` one packed row of `len` bytes (keel_cursor_at reads it);
 * both are valid during the call. It must return normally: no exception, no longjmp. It must not call litekeel or
 * use the connection.
 */
typedef void (*keel_event_fn)(void *ctx, const char *name, const void *fields, size_t len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* Open and close
 * ============== */

/**
 * Opens the database that `url` names, with settings for a server, and checks each of them.
 *
 * `url`, `len`: file:data/app.db?busy_timeout=10s, or a path; `len` in bytes, or KEEL_NUL. NULL means the
 * environment variable DATABASE_URL and, if that is not set, file:data/sqlite.db. `out` gets the connection: close
 * it with keel_close or keel_release.
 *
 * In a build with the feature `remote`, libsql://host, https://host and http://host:port name the database of a libSQL
 * server: keel_exec, keel_exec_atomic, keel_query, keel_begin, keel_commit, keel_rollback, keel_set_timeout, keel_close
 * and keel_release work on it, with KEEL_E_REMOTE, KEEL_E_TRANSACTION_EXPIRED and KEEL_E_COMMIT_UNKNOWN beside SQLite's codes. The other
 * calls on it return KEEL_E_REMOTE_UNSUPPORTED, or what means nothing. There a statement takes one row of parameters
 * while a transaction is open (else KEEL_E_ARGUMENT), and all its rows come in one batch.
 *
 * Returns the KEEL_E_ codes of URLs and settings (KEEL_E_EMPTY_URL to KEEL_E_NEEDS_UNSAFE, KEEL_E_PATH_NOT_ALLOWED),
 * those of the file (KEEL_E_FILE_NOT_WRITABLE to KEEL_E_SECOND_SQLITE, KEEL_E_NOT_A_FILE, KEEL_E_IO),
 * KEEL_E_SETTING_NOT_APPLIED, KEEL_E_MISMATCH, KEEL_E_TWO_COPIES, KEEL_E_SHUTTING_DOWN, and SQLite's:
 * SQLITE_CANTOPEN, SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_READONLY, SQLITE_BUSY.
 */
int32_t keel_open(const char *url,
                  size_t len,
                  keel_db **out,
                  keel_error **err);

/**
 * As keel_open, with options, which win over the URL. `options` may be NULL, and is still the caller's afterwards.
 */
int32_t keel_open_with(const char *url,
                       size_t len,
                       const keel_options *options,
                       keel_db **out,
                       keel_error **err);

/**
 * Makes an empty set of options: `out` gets it; free it with keel_options_free.
 */
int32_t keel_options_new(keel_options **out);

/**
 * Sets an option: `key` "busy_timeout", `text` "10s". The keys are the settings of the URL and a few that only a
 * call can have; keel_options_name lists them. KEEL_E_UNKNOWN_PARAM, KEEL_E_INVALID_VALUE.
 */
int32_t keel_options_set(keel_options *options,
                         const char *key,
                         size_t key_len,
                         const char *text,
                         size_t text_len,
                         keel_error **err);

/**
 * The name of the option with this number, counted from 0; NULL past the last. Static.
 */
const char *keel_options_name(size_t index);

/**
 * One line of help for the option with this number; NULL past the last. Static.
 */
const char *keel_options_help(size_t index);

/**
 * Frees options; NULL is fine.
 */
void keel_options_free(keel_options *options);

/**
 * What open found and did: `out` gets packed rows of name, value, wanted, source and note, one for each setting;
 * then the warnings, as rows named "warning" with the text in note.
 */
int32_t keel_report(keel_db *db,
                    keel_rows **out,
                    keel_error **err);

/**
 * Another connection to the same file, with the same settings and a transaction of its own: `out` gets it.
 * KEEL_E_NO_SIBLING for a database in memory; else the codes of keel_open.
 */
int32_t keel_sibling(keel_db *db,
                     keel_db **out,
                     keel_error **err);

/**
 * Another handle for the same connection, for another owner of it: `out` gets it. From now on the connection is
 * shared, and every call on it begins and ends outside a transaction. KEEL_E_IN_TRANSACTION while a transaction or a
 * batch is open.
 */
int32_t keel_retain(keel_db *db,
                    keel_db **out,
                    keel_error **err);

/**
 * Ends this handle; the last handle of a connection closes it, and reports what went wrong then. The handle has
 * ended even when this fails, except where it returns SQLITE_MISUSE (in a callback of the connection) or
 * KEEL_E_FORKED (in a forked child), where it does nothing. A second time: KEEL_E_HANDLE.
 */
int32_t keel_close(keel_db *db,
                   keel_error **err);

/**
 * Ends this handle; the last handle of a connection closes it. For finalizers and destructors: reports nothing, NULL
 * is fine. In a callback of the connection the owner leaves as soon as the call is over that the callback is part
 * of.
 */
void keel_release(keel_db *db);

/* One file for each tenant
 * ======================== */

/**
 * The databases of a directory, one file for each tenant, NAME.db: `out` gets them; end them with keel_databases_close.
 * The directory is created where it is missing. A database is opened when it is asked for, and closed when another one
 * needs its place, the one first that has not been used for the longest time.
 *
 * `directory`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. `max`: how many connections are open at most; 0 means 100.
 * `options` hold for each database and may be NULL; they are still the caller's afterwards. `attach` is `none` unless they
 * say otherwise, so that no SQL reaches another tenant's file.
 *
 * KEEL_E_ARGUMENT for an option that the directory decides (base_dir, allowed_roots, nofollow, mode, inspect) and for
 * share; KEEL_E_IO. A setting that is wrong is told by the first keel_databases_use.
 */
int32_t keel_databases_open(const char *directory,
                            size_t len,
                            size_t max,
                            const keel_options *options,
                            keel_databases **out,
                            keel_error **err);

/**
 * A connection to the database of that name, for the caller alone: `out` gets it, and keel_close or keel_release give it
 * back. It is used again as its last user left it: what changes a connection (a pragma, a function, a timeout) stays with it.
 * A transaction or rows that are left open are undone at keel_close, with KEEL_E_IN_TRANSACTION.
 *
 * `name`, `len`: letters, digits, `_`, `-` and `.`, up to 200, a letter, digit or `_` first. `create`: 1 creates a database
 * that does not exist; with 0 that is KEEL_E_NO_DATABASE. `opened` may be NULL; it gets 1 where the connection was opened for
 * this use, else 0: the moment for migrations.
 *
 * Where all connections are in use it waits for one, first come, first served, as long as the option busy_timeout says
 * (10 s by default), then KEEL_E_ALL_IN_USE. KEEL_E_ARGUMENT for what cannot be a name, KEEL_E_CLOSED, KEEL_E_FORKED; the
 * codes of keel_open.
 */
int32_t keel_databases_use(keel_databases *databases,
                           const char *name,
                           size_t len,
                           int32_t create,
                           int32_t *opened,
                           keel_db **out,
                           keel_error **err);

/**
 * Closes the connections to one database now, to move, restore or delete its file. KEEL_E_ALL_IN_USE while one of them is
 * in use; KEEL_E_ARGUMENT, KEEL_E_FORKED.
 */
int32_t keel_databases_evict(keel_databases *databases,
                             const char *name,
                             size_t len,
                             keel_error **err);

/**
 * How many connections of these databases are open now, those in use included; 0 for what is not a handle.
 */
size_t keel_databases_open_count(keel_databases *databases);

/**
 * Ends the handle, and closes all connections that are idle; one that is in use stays usable, and is closed when it is given
 * back. Reports what closing failed with; the handle has ended even then. A second time: KEEL_E_HANDLE. In a forked child it
 * does nothing.
 */
int32_t keel_databases_close(keel_databases *databases,
                             keel_error **err);

/* Run SQL
 * ======= */

/**
 * Runs a script of any number of statements; rows are dropped. It stops at the first error, and what ran before
 * stays.
 *
 * `sql`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. Returns SQLite's codes, explained; KEEL_E_SHARED when the script
 * would leave a transaction open on a shared connection; KEEL_E_SHUTTING_DOWN.
 */
int32_t keel_exec(keel_db *db,
                  const char *sql,
                  size_t len,
                  keel_error **err);

/**
 * Runs a script in one BEGIN IMMEDIATE transaction: all of it or nothing. As keel_exec, and KEEL_E_ARGUMENT for a
 * script with a COMMIT, END or ROLLBACK of its own.
 */
int32_t keel_exec_atomic(keel_db *db,
                         const char *sql,
                         size_t len,
                         keel_error **err);

/**
 * Runs one statement; its rows come back packed.
 *
 * `sql`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. `params`, `params_len`: a packed table (keel_params of
 * litekeel/packed.h makes one). The statement runs once for each of its rows; if there are several, all of them
 * succeed or none does. NULL: the statement has no parameters, and runs once. `out` gets the rows; free them with
 * keel_rows_free.
 *
 * `batch_bytes` 0: all rows at once. Else the first rows that fill about so many bytes, at least one, and
 * keel_rows_next fetches the others. Until the last one has been read, or the rows are freed, the statement keeps a
 * read transaction open. This needs a connection with one owner (else KEEL_E_SHARED) and at most one row of
 * parameters (else KEEL_E_ARGUMENT).
 *
 * Returns SQLite's codes, explained; KEEL_E_PACKED for parameters that are malformed, too few or too many, also for
 * NULL where the statement has parameters; KEEL_E_ARGUMENT for no statement or several; KEEL_E_SHARED;
 * KEEL_E_SHUTTING_DOWN.
 */
int32_t keel_query(keel_db *db,
                   const char *sql,
                   size_t len,
                   const void *params,
                   size_t params_len,
                   uint64_t batch_bytes,
                   keel_rows **out,
                   keel_error **err);

/**
 * Begins a transaction. `mode`: KEEL_DEFAULT, KEEL_DEFERRED, KEEL_IMMEDIATE or KEEL_EXCLUSIVE. Only on a connection
 * with one owner, else KEEL_E_SHARED. SQLITE_BUSY when the lock could not be taken in time.
 */
int32_t keel_begin(keel_db *db,
                   int32_t mode,
                   keel_error **err);

/**
 * Commits. After SQLITE_BUSY, or a deferred foreign key that is violated, the transaction is still open.
 * SQLITE_ERROR when none is.
 */
int32_t keel_commit(keel_db *db,
                    keel_error **err);

/**
 * Rolls back. SQLITE_ERROR when no transaction is open.
 */
int32_t keel_rollback(keel_db *db, keel_error **err);

/* Read rows (litekeel/packed.h has a cursor for them)
 * =================================================== */

/**
 * The packed table, as described at the top of this header; `length` may be NULL and gets its length in bytes. Valid
 * until the rows are freed or, in batches, until the next keel_rows_next. NULL for a handle that is not one of rows,
 * and while keel_rows_next runs.
 */
const void *keel_rows_data(const keel_rows *rows,
                           size_t *length);

/**
 * Fetches the next batch into `rows`: KEEL_ROW when it has rows, KEEL_DONE with an empty table when there are no
 * more, or an error's code, which every later call repeats. keel_query has already fetched the first batch; a whole
 * result has no other. KEEL_E_CLOSED once the connection is closed.
 */
int32_t keel_rows_next(keel_rows *rows,
                       keel_error **err);

/**
 * The rows as a table with column names, for a log or a terminal: one line for each row, at most 1000 rows, values cut
 * after 240 characters, control characters escaped. NUL-terminated, never NULL; "" for a handle that is not one of rows
 * and while keel_rows_next runs. Valid until the rows are freed or, in batches, until the next keel_rows_next.
 *
 * `length` may be NULL; it gets the length in bytes.
 */
const char *keel_rows_text(const keel_rows *rows,
                           size_t *length);

/**
 * Frees rows; NULL is fine. Ends the statement of rows that were not read to the end.
 */
void keel_rows_free(keel_rows *rows);

/* Limit and stop what runs
 * ======================== */

/**
 * Gives each later call on the connection at most `ms` milliseconds, including any wait for a lock. Then it fails
 * with SQLITE_INTERRUPT; a write that is cut off so rolls its whole transaction back. 0: no limit. While a limit is
 * set, litekeel uses the connection's progress handler (sqlite3_progress_handler has room for one). On a libSQL server's
 * database it limits each request, beside statement_timeout= of the URL, and fails with KEEL_E_REMOTE, or for a write with
 * KEEL_E_COMMIT_UNKNOWN.
 */
int32_t keel_set_timeout(keel_db *db,
                         uint32_t ms);

/**
 * Makes the call that is running on the connection fail with SQLITE_INTERRUPT. From any thread, and from a signal's
 * thread; never blocks. NULL is fine.
 */
void keel_interrupt(keel_db *db);

/* Errors
 * ====== */

/**
 * The code: SQLite's extended result code when positive, one of KEEL_E_* when negative, 0 for NULL.
 */
int32_t keel_error_code(const keel_error *error);

/**
 * The code's name: "SQLITE_BUSY", "KEEL_UNKNOWN_PARAM". Static.
 */
const char *keel_error_name(const keel_error *error);

/**
 * The name of any code, SQLite's or litekeel's; "SQLITE_UNKNOWN" for a number that is neither. Static.
 */
const char *keel_code_name(int32_t code);

/**
 * What happened, to which file or value, and why. NUL-terminated, never NULL ("" for NULL); valid until the error is
 * freed. It may name a path, a process and its command: for your log, not for a stranger. `length` may be NULL; it
 * gets the length in bytes.
 */
const char *keel_error_message(const keel_error *error,
                               size_t *length);

/**
 * What to do; "" if there is nothing better to say. Valid until the error is freed. `length` may be NULL; it gets
 * the length in bytes.
 */
const char *keel_error_hint(const keel_error *error,
                            size_t *length);

/**
 * The absolute path that the error is about; "" if it is about none. Valid until the error is freed. `length` may be
 * NULL; it gets the length in bytes.
 */
const char *keel_error_path(const keel_error *error,
                            size_t *length);

/**
 * The step of open, backup or close that failed: "target", "journal_mode", "verify" and so on; "" for every other
 * call. Valid until the error is freed.
 */
const char *keel_error_step(const keel_error *error);

/**
 * Why a lock could not be taken: "timeout", "upgrade", "recovery", "wal_conversion", "close_in_progress" or
 * "own_async_transaction"; "" for an error that is not about a lock. Valid until the error is freed.
 */
const char *keel_error_kind(const keel_error *error);

/**
 * How long the call waited for the lock, in milliseconds; -1 for an error that is not about a lock.
 */
int64_t keel_error_waited(const keel_error *error);

/**
 * Who held the lock: `out` gets packed rows of pid, role, state, command, since (milliseconds or NULL), sql and
 * opened_at (both NULL for another process). No rows when nobody was found. KEEL_E_HANDLE for NULL.
 */
int32_t keel_error_holders(const keel_error *error,
                           keel_rows **out,
                           keel_error **err);

/**
 * The byte in the SQL or URL where the error is, or -1.
 */
int32_t keel_error_offset(const keel_error *error);

/**
 * The operating system's errno, or 0.
 */
int32_t keel_error_os(const keel_error *error);

/**
 * Frees an error; NULL is fine.
 */
void keel_error_free(keel_error *error);

/* Plain SQLite, on the same copy
 * ============================== */

/**
 * SQLite's own handle of the connection, for everything that litekeel/sqlite3.h declares; NULL for a handle that is
 * not usable. NULL too, with a line on standard error, where the program's sqlite3_ calls go to another SQLite that it
 * links before litekeel: they would crash on this handle. Take -lsqlite3 out, or call through keel_sqlite3_api() (and
 * call that first). The handle is borrowed: do not close it, and do not use it while other threads use the connection through
 * litekeel. For a program with its own prepared statements this is the intended way: keel_open, then
 * sqlite3_prepare_v2, bind, step, column, and keel_explain.
 */
struct sqlite3 *keel_sqlite3(keel_db *db);

/**
 * Explains a failure on SQLite's own handle: what happened, to which file, who holds the lock, what to do.
 *
 * `rc`: what a sqlite3_ function on keel_sqlite3(db) returned. Call this before the connection is used again: the
 * details are those of its latest failure. Returns SQLite's extended result code, and `err` gets the error object.
 * For SQLITE_OK, SQLITE_ROW and SQLITE_DONE: 0, without an error. KEEL_E_ARGUMENT for a negative `rc`.
 */
int32_t keel_explain(keel_db *db,
                     int32_t rc,
                     keel_error **err);

/**
 * SQLite's table of functions, for code compiled with sqlite3ext.h: every call through it reaches this copy of
 * SQLite, even when another one is linked.
 */
const struct sqlite3_api_routines *keel_sqlite3_api(void);

/* Monitor
 * ======= */

/**
 * Who holds a lock on the database now, this connection excepted: `out` gets packed rows as from keel_error_holders,
 * writers first. No rows for a database in memory. KEEL_E_IO where the system cannot tell.
 */
int32_t keel_holders(keel_db *db,
                     keel_rows **out,
                     keel_error **err);

/**
 * How the connection and its database are: `out` gets packed rows of name, value and hint; the hint says what it
 * means and what to do. First the checks `database_file`, `wal_file`, `locks`, `second_sqlite` and `names`, each "good",
 * "bad" or "unknown", and `attached` for each attached database; `latched` with the code for which the connection refuses to write, if it does; `wal_frames`,
 * `wal_checkpointed`, `wal_bytes` and `page_size` as numbers; `attached_settings` of each attached database; a `pin` for each reader that keeps the WAL from being
 * reused; then what is hazardous about the path.
 */
int32_t keel_diagnose(keel_db *db,
                      keel_rows **out,
                      keel_error **err);

/**
 * Calls `listener` with `ctx` for each event of this connection and of its file, instead of the function set for
 * this handle before; NULL ends it, and so does the end of the handle. It runs on the thread that caused the event,
 * or on litekeel's own for what happens in the background. When this returns, the function set before may still be
 * running on another thread. docs/events.md (installed in share/litekeel) lists the events and their fields.
 */
int32_t keel_on_event(keel_db *db,
                      keel_event_fn listener,
                      void *ctx);

/**
 * Calls `log` with `ctx` for each line of SQLite's log, for the whole process, instead of the function set before;
 * NULL ends it. Set it before the first open to see all of it. The function set before may still be running on
 * another thread when this returns.
 */
int32_t keel_set_log(keel_log log,
                     void *ctx);

/* Checkpoint, back up, replicate
 * ============================== */

/**
 * Moves the WAL into the database. `mode`: SQLite's SQLITE_CHECKPOINT_PASSIVE (0), FULL (1), RESTART (2), TRUNCATE
 * (3) or NOOP (-1, only looks). `log` gets the number of frames in the WAL and `done` how many of them are in the
 * database; both may be NULL. SQLITE_BUSY when readers or a writer are in the way; KEEL_E_IN_TRANSACTION.
 */
int32_t keel_checkpoint(keel_db *db,
                        int32_t mode,
                        int64_t *log,
                        int64_t *done,
                        keel_error **err);

/**
 * Copies the database, as one consistent state whatever is written meanwhile, to the file that `dest_url` names (as
 * for keel_open); its content is replaced in one transaction.
 *
 * `pages`: how many are copied in each step; 0: litekeel chooses; negative: all at once. `progress` may be NULL, and
 * is called with `ctx`. When it stops the backup: SQLITE_INTERRUPT. After a failure a destination that was new is
 * gone, and one that existed is as it was; a new one has its name only when it is complete. Returns the codes of
 * keel_open for the destination, and SQLite's: SQLITE_NOTADB when the database has no page yet, so that nothing could be
 * copied, and KEEL_CONFLICT when the destination has its texts in another encoding.
 */
int32_t keel_backup(keel_db *db,
                    const char *dest_url,
                    size_t len,
                    int32_t pages,
                    keel_progress progress,
                    void *ctx,
                    keel_error **err);

/**
 * Waits until everything that was committed to the database before the call is at Litestream's replica; `txid` gets
 * Litestream's number of the position there, and may be NULL. `timeout_ms`: how long to wait; negative: the setting
 * replication_timeout. Other threads can use the connection meanwhile.
 *
 * KEEL_E_NOT_REPLICATED when that could not be confirmed. Whatever was committed stays committed; keel_error_step says why:
 * timeout, daemon_gone, replica_refuses, stopped, not_this_database, protocol, cancelled (the connection was closed
 * meanwhile, or the process is shutting down). KEEL_E_CONFLICT with replication=none or in memory; SQLITE_MISUSE inside a
 * transaction.
 */
int32_t keel_replicated(keel_db *db,
                        int64_t timeout_ms,
                        uint64_t *txid,
                        keel_error **err);

/**
 * Gives `txid` the position that the copy has, of a connection with role=follower: every read that begins after this call sees all
 * that was committed at the primary up to it. `txid` may be NULL.
 *
 * KEEL_E_CONFLICT for another connection; KEEL_E_BEHIND when Litestream's note of the position is gone.
 */
int32_t keel_position(keel_db *db,
                      uint64_t *txid,
                      keel_error **err);

/**
 * Waits until the copy has everything that was committed at the primary up to `txid`, which keel_replicated gave there; the reads
 * that begin after this call see it. `timeout_ms`: how long to wait; negative: the setting replication_timeout. Other threads
 * can use the connection meanwhile.
 *
 * KEEL_E_BEHIND when it has not got so far; keel_error_step says why: timeout, or cancelled (the process is shutting down, the
 * time of the call is up). KEEL_E_CONFLICT for a connection without role=follower.
 */
int32_t keel_wait_for(keel_db *db,
                      uint64_t txid,
                      int64_t timeout_ms,
                      keel_error **err);

/* The end of the process
 * ====================== */

/**
 * From now on each of these signals closes every connection before it takes its usual effect. `signals`, `count`:
 * SIGTERM, SIGINT…; `grace_ms`: how long write transactions may take to end before they are rolled back, in
 * milliseconds; -1: 5000.
 *
 * New transactions are refused (KEEL_E_SHUTTING_DOWN) and readers interrupted. Only then does the signal take its
 * effect: it ends the process with the signal's status (the first process of a container too), or the handler that was
 * installed before is called, and ending the process is left to it. What the program does after the signal, in a
 * handler, `finally` or hook, comes too late for the database: every call is refused with KEEL_E_SHUTTING_DOWN. A
 * server that wants to finish its requests first handles the signal and closes by itself; it does not call this.
 *
 * A handler that is installed later has the signal for itself; if it calls the one that it found, it goes on when all is
 * closed. A second signal ends the waiting for writers, a third one the process. `exit` meanwhile waits until all is
 * closed. An ignored signal stays ignored. A forked child calls this for itself; until then signals have their usual
 * effect there. Finish or close your own statements on SQLite's handle first: nothing here knows who uses them.
 * docs/closing.md has every host and way out. KEEL_E_ARGUMENT for a signal that cannot be caught.
 */
int32_t keel_shutdown_on(const int32_t *signals,
                         size_t count,
                         int64_t grace_ms,
                         keel_error **err);

/**
 * How many connections are open in this process, those of other hosts of the library included.
 */
size_t keel_open_handles(void);

/**
 * KEEL_E_LEAK when a connection of this process is open, or one with profile=test was dropped without being closed.
 * The message names each, where it was opened (option "opened_at") and for how long it has been open.
 */
int32_t keel_assert_no_leaks(keel_error **err);

/* Version
 * ======= */

/**
 * The ABI of the loaded library; compare it with KEEL_ABI.
 */
uint32_t keel_abi(void);

/**
 * "0.1.0 sqlite/3.54.1 <source id>". Static.
 */
const char *keel_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LITEKEEL_H */
