/* litekeel.h: generated from the library's source; do not edit.
 *
 * Conventions
 *   A function returns 0, or a code: SQLite's extended result code when positive, one of KEEL_E_* when negative.
 *   The last argument `err` may be NULL; it receives NULL on success, else an error object that the caller frees.
 *   Text in is UTF-8, a pointer and a length; KEEL_NUL as the length says that it is NUL-terminated.
 *   Text out is NUL-terminated. Every object has its own free function; nothing is freed with free().
 *   Handles are tokens: they are looked up, never dereferenced; a stale or forged one gives KEEL_E_HANDLE.
 *
 * Threads
 *   Any function, any thread. Calls on one connection wait for each other; open a sibling to work side by side.
 *   keel_interrupt never blocks. Rows and errors are immutable; rows that are read in batches belong to one thread at
 *   a time. Callbacks may not call in. After fork() handles belong to the parent.
 *
 * The packed table (keel_query, keel_report; native endian, 8-aligned; offsets from the first byte)
 *   0 u32 magic 0x4C45454B   4 u32 version 1   8 u32 flags (1: parameters are bound by name)   12 u32 columns
 *   16 u64 rows   24 i64 rows changed   32 i64 last inserted rowid
 *   40 u64 offset of the names (one cell a column)   48 u64 offset of the cells (rows x columns)   56 u64 length
 *   A cell has 16 bytes: u32 type (1 integer, 2 float, 3 text, 4 blob, 5 null), u32 length in bytes,
 *   u64 payload (the integer's bits, the double's bits, or the offset of the text or blob).
 */


#ifndef LITEKEEL_H
#define LITEKEEL_H

#include <stddef.h>
#include <stdint.h>

/* As a length: the text is NUL-terminated. */
#define KEEL_NUL ((size_t)-1)

/* For keel_begin: what the setting txlock says (immediate, unless it was set). */
#define KEEL_DEFAULT (-1)

#define KEEL_E_ABI (-1)
#define KEEL_E_CONFIG (-2)
#define KEEL_E_MISMATCH (-3)
#define KEEL_E_SHARED (-4)
#define KEEL_E_TWO_COPIES (-5)
#define KEEL_E_FORKED (-6)
#define KEEL_E_PANIC (-7)
#define KEEL_E_HANDLE (-8)
#define KEEL_E_CLOSED (-9)
#define KEEL_E_ARGUMENT (-10)
#define KEEL_E_EMPTY_URL (-11)
#define KEEL_E_EMPTY_PATH (-12)
#define KEEL_E_CONTROL_CHARACTER (-13)
#define KEEL_E_STRAY_WHITESPACE (-14)
#define KEEL_E_QUOTED_URL (-15)
#define KEEL_E_UNEXPANDED (-16)
#define KEEL_E_UNSUPPORTED_SCHEME (-17)
#define KEEL_E_INVALID_AUTHORITY (-18)
#define KEEL_E_NUL_IN_URL (-19)
#define KEEL_E_INVALID_UTF8 (-20)
#define KEEL_E_PATH_TOO_LONG (-21)
#define KEEL_E_WINDOWS_PATH (-22)
#define KEEL_E_QUERY_IN_PATH (-23)
#define KEEL_E_UNKNOWN_PARAM (-24)
#define KEEL_E_DUPLICATE_PARAM (-25)
#define KEEL_E_INVALID_VALUE (-26)
#define KEEL_E_CONFLICT (-27)
#define KEEL_E_CREATE_ONLY_PARAM (-28)
#define KEEL_E_NOT_YET (-29)
#define KEEL_E_NEEDS_UNSAFE (-30)
#define KEEL_E_SETTING_NOT_APPLIED (-31)
#define KEEL_E_FILE_NOT_WRITABLE (-32)
#define KEEL_E_HARD_LINKS (-33)
#define KEEL_E_NETWORK_FS (-34)
#define KEEL_E_ORPHAN_WAL (-35)
#define KEEL_E_SECOND_SQLITE (-36)
#define KEEL_E_LOCKS_LOST (-37)
#define KEEL_E_WAL_UNLINKED (-38)
#define KEEL_E_DATABASE_MOVED (-39)
#define KEEL_E_SQLITE_TOO_OLD (-40)
#define KEEL_E_IN_TRANSACTION (-41)
#define KEEL_E_WAL_FULL (-42)
#define KEEL_E_PATH_NOT_ALLOWED (-43)
#define KEEL_E_NOT_A_FILE (-44)
#define KEEL_E_IO (-45)
#define KEEL_E_NO_SIBLING (-46)
#define KEEL_E_MAIN_THREAD_ONLY (-47)
#define KEEL_E_VERSION_MISMATCH (-48)
#define KEEL_E_PACKED (-49)
#define KEEL_E_SHUTTING_DOWN (-50)
#define KEEL_E_LEAK (-51)




/**
 * For keel_begin: take the write lock at the first write; an explicit txlock replaces it.
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
 * The ABI this header describes: major << 16 | minor. Within a major version functions are only added.
 */
#define KEEL_ABI 1

/**
 * A tuned connection. Tokens of it are counted; the last one that ends closes it.
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
 * Hears the pages done and the pages in all after each step of a backup, on the thread that called; not 0 stops it.
 * It must not use the connection.
 */
typedef int32_t (*keel_progress)(void *ctx, int64_t done, int64_t total);

/**
 * Hears what SQLite writes to its log: an extended result code and a sentence (NUL-terminated, valid during the
 * call). Any thread, perhaps in the middle of a call: it must use neither litekeel nor SQLite.
 */
typedef void (*keel_log)(void *ctx, int32_t code, const char *message, size_t len);

/**
 * Hears an event: its name (NUL-terminated) and its fields as one packed row, both valid during the call.
 */
typedef void (*keel_event_fn)(void *ctx, const char *name, const void *fields, size_t len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Opens the database that `url` names; NULL takes DATABASE_URL, then file:data/sqlite.db.
 *
 * # Safety
 * `url` is NULL or readable for `len`; `out` and `err` are NULL or writable.
 */
int32_t keel_open(const char *url, size_t len, keel_db **out, keel_error **err);

/**
 * Opens with options, which win over the URL; NULL options are none.
 *
 * # Safety
 * As keel_open.
 */
int32_t keel_open_with(const char *url,
                       size_t len,
                       const keel_options *options,
                       keel_db **out,
                       keel_error **err);

/**
 * A token of its own for the same connection, which is shared from now on: every call on it begins and ends outside a
 * transaction.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_retain(keel_db *db,
                    keel_db **out,
                    keel_error **err);

/**
 * Another connection to the same file, tuned alike, with a transaction of its own.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_sibling(keel_db *db, keel_db **out, keel_error **err);

/**
 * Ends this token; the last one closes. For finalizers: cannot fail, NULL is fine. In a callback of the connection the
 * owner leaves when the call is over that the callback is part of.
 */
void keel_release(keel_db *db);

/**
 * Ends this token; the last one closes and reports what it hit. Again: KEEL_E_HANDLE. In a forked
 * child it does nothing: KEEL_E_FORKED. In a callback of the connection neither: SQLITE_MISUSE.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_close(keel_db *db, keel_error **err);

/**
 * Runs a script of statements as written; what ran before an error stays.
 *
 * # Safety
 * `sql` is NULL or readable for `len`; `err` is NULL or writable.
 */
int32_t keel_exec(keel_db *db, const char *sql, size_t len, keel_error **err);

/**
 * Runs a script in one BEGIN IMMEDIATE transaction: all of it or nothing.
 *
 * # Safety
 * As keel_exec.
 */
int32_t keel_exec_atomic(keel_db *db, const char *sql, size_t len, keel_error **err);

/**
 * Runs one statement, once for each row of packed parameters (in a savepoint when there are several), or once with
 * NULL parameters; its rows come back packed.
 *
 * With `batch_bytes` 0 all of them. Else the first rows that fill so many bytes, at least one; keel_rows_next fetches
 * the others. Until the last one is read or the rows are freed the statement keeps a read transaction open. Only on a
 * connection with one owner (else KEEL_E_SHARED) and with at most one row of parameters.
 *
 * # Safety
 * `sql` and `params` are NULL or readable for their lengths; `out` and `err` are NULL or writable.
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
 * Begins a transaction. Only on a connection with one owner, else KEEL_E_SHARED.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_begin(keel_db *db, int32_t mode, keel_error **err);

/**
 * Commits.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_commit(keel_db *db, keel_error **err);

/**
 * Rolls back.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_rollback(keel_db *db, keel_error **err);

/**
 * Gives each later call on the connection at most `ms` milliseconds, a wait for a lock included; then it fails with
 * SQLITE_INTERRUPT, and a write in a transaction takes the transaction with it. 0: no limit. While a limit is set
 * litekeel uses the connection's progress handler (sqlite3_progress_handler has one place).
 */
int32_t keel_set_timeout(keel_db *db,
                         uint32_t ms);

/**
 * Makes the running call fail with SQLITE_INTERRUPT. Any thread; never blocks.
 */
void keel_interrupt(keel_db *db);

/**
 * What open found and did: packed rows of name, value, wanted, source, note.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_report(keel_db *db, keel_rows **out, keel_error **err);

/**
 * The code: SQLite's extended result code when positive, one of KEEL_E_* when negative, 0 for NULL.
 */
int32_t keel_error_code(const keel_error *error);

/**
 * The code's name, "SQLITE_BUSY" or "KEEL_UNKNOWN_PARAM"; static.
 */
const char *keel_error_name(const keel_error *error);

/**
 * The name of a code; static.
 */
const char *keel_code_name(int32_t code);

/**
 * What happened, which path or value, and why. Never NULL; NUL-terminated; valid until the error is freed.
 *
 * # Safety
 * `length` is NULL or writable.
 */
const char *keel_error_message(const keel_error *error,
                               size_t *length);

/**
 * What to do; "" if there is nothing better to say. Valid until the error is freed.
 *
 * # Safety
 * `length` is NULL or writable.
 */
const char *keel_error_hint(const keel_error *error, size_t *length);

/**
 * The absolute path that the error is about; "" if it is about none. Valid until the error is freed.
 *
 * # Safety
 * `length` is NULL or writable.
 */
const char *keel_error_path(const keel_error *error,
                            size_t *length);

/**
 * The step of open, backup or close that failed: "target", "journal_mode", "verify"; "" elsewhere. Valid until the
 * error is freed.
 */
const char *keel_error_step(const keel_error *error);

/**
 * Why a lock could not be had: "timeout", "upgrade", "recovery", "wal_conversion", "close_in_progress",
 * "own_async_transaction"; "" for an error that is not about a lock. Valid until the error is freed.
 */
const char *keel_error_kind(const keel_error *error);

/**
 * How long the call waited for the lock, in milliseconds; -1 for an error that is not about a lock.
 */
int64_t keel_error_waited(const keel_error *error);

/**
 * Who held the lock, as packed rows: pid, role, state, command, since (milliseconds, or NULL), sql and opened_at (both
 * for a connection of this process, else NULL). No rows when nobody was found.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_error_holders(const keel_error *error,
                           keel_rows **out,
                           keel_error **err);

/**
 * The byte in the SQL or URL, or -1.
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

/**
 * Moves the WAL into the database. `mode` is one of SQLite's SQLITE_CHECKPOINT_* (-1 NOOP only looks). `log` gets the
 * frames in the WAL, `done` how many of them are in the database.
 *
 * # Safety
 * `log`, `done` and `err` are NULL or writable.
 */
int32_t keel_checkpoint(keel_db *db,
                        int32_t mode,
                        int64_t *log,
                        int64_t *done,
                        keel_error **err);

/**
 * Copies the database, as one consistent state whatever writes meanwhile, to the file that `dest_url` names (in the
 * same grammar as for keel_open); its content is replaced in one transaction. `pages` are copied in each step (0:
 * litekeel chooses; negative: all at once). `progress` may be NULL. Stopped, it fails with SQLITE_INTERRUPT; after a
 * failure a destination that was new is gone, and one that existed is as it was.
 *
 * # Safety
 * `dest_url` is NULL or readable for `len`; `progress` may be called with `ctx`; `err` is NULL or writable.
 */
int32_t keel_backup(keel_db *db,
                    const char *dest_url,
                    size_t len,
                    int32_t pages,
                    keel_progress progress,
                    void *ctx,
                    keel_error **err);

/**
 * Sends SQLite's log to `log`, instead of to the function set before; NULL ends it. Set it before the first open, to
 * hear all of it. The function set before may still be running on another thread when this returns.
 *
 * # Safety
 * `log` may be called with `ctx`, on any thread, for the rest of the process.
 */
int32_t keel_set_log(keel_log log,
                     void *ctx);

/**
 * Who holds a lock on the database now, the connection itself excepted: packed rows as for keel_error_holders, writers
 * first. No row for a database in memory.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_holders(keel_db *db,
                     keel_rows **out,
                     keel_error **err);

/**
 * How the connection and its database are: packed rows of name, value, hint. First the checks `database_file`,
 * `wal_file`, `locks` and `second_sqlite`, each "good", "bad" or "unknown"; `latched` with the code for which the
 * connection refuses to write, if it does; `wal_frames`, `wal_checkpointed`, `wal_bytes` and `page_size` as numbers; a
 * `pin` for each reader of the WAL; then the hazards of the path. The hint says what it means and what to do.
 *
 * # Safety
 * `out` and `err` are NULL or writable.
 */
int32_t keel_diagnose(keel_db *db,
                      keel_rows **out,
                      keel_error **err);

/**
 * Sends the events of this connection and of its file to `listener`, instead of to the one set for this handle before;
 * NULL ends it, as the end of the handle does. Called on the thread that caused the event, or on litekeel's own for
 * what happens in the background; it must not call in. When this returns, the listener set before may still be running
 * on another thread. The events and their fields are listed in docs/events.md.
 *
 * # Safety
 * `listener` may be called with `ctx`, on any thread, until it is replaced.
 */
int32_t keel_on_event(keel_db *db,
                      keel_event_fn listener,
                      void *ctx);

/**
 * Makes an empty set of options.
 *
 * # Safety
 * `out` is NULL or writable.
 */
int32_t keel_options_new(keel_options **out);

/**
 * Sets an option: "busy_timeout", "10s". The keys are those of the URL and a few of the call's own.
 *
 * # Safety
 * `key` and `text` are NULL or readable for their lengths; `err` is NULL or writable.
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
 * The packed table, laid out as described at the top of this header. Valid until the rows are freed or, in batches,
 * until the next keel_rows_next; NULL for a handle that is none, and while keel_rows_next runs.
 *
 * # Safety
 * `length` is NULL or writable.
 */
const void *keel_rows_data(const keel_rows *rows,
                           size_t *length);

/**
 * Fetches the next batch into the rows: KEEL_ROW (SQLITE_ROW) when there are more, KEEL_DONE (SQLITE_DONE) with an
 * empty table when there are none, or an error's code, again on every later call. keel_query has fetched the first
 * batch already; a whole result has no other.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_rows_next(keel_rows *rows,
                       keel_error **err);

/**
 * Frees rows; NULL is fine. Ends the statement of rows that were not read to the end.
 */
void keel_rows_free(keel_rows *rows);

/**
 * From now on each of these signals closes every connection before it has its usual effect: new transactions are
 * refused (KEEL_E_SHUTTING_DOWN), readers interrupted, write transactions waited for up to `grace_ms` (-1: 5000) and then
 * rolled back. Only then does the signal take its effect: it ends the process with the signal's status (the first
 * process of a container too), or the handler that was installed before is called, and ending the process is left to
 * it. What the program does after the signal, in a handler, `finally` or hook, comes too late for the database: every
 * call is refused with KEEL_E_SHUTTING_DOWN. A server that wants to finish its requests first handles the signal and
 * closes by itself; it does not call this.
 *
 * A handler that is installed later has the signal for itself. A second signal ends the waiting for writers, a third
 * one the process. `exit` meanwhile waits until all is closed. An ignored signal stays ignored. A forked child calls
 * this for itself; until then signals have their usual effect there.
 * Finish or close statements on SQLite's own handle before: here nobody knows who uses them.
 *
 * # Safety
 * `signals` is NULL or readable for `count`; `err` is NULL or writable.
 */
int32_t keel_shutdown_on(const int32_t *signals,
                         size_t count,
                         int64_t grace_ms,
                         keel_error **err);

/**
 * How many connections are open in this process, those of other hosts too.
 */
size_t keel_open_handles(void);

/**
 * KEEL_E_LEAK when a connection of this process is open, or one of profile=test was dropped without close; the message
 * names each with where it was opened (option "opened_at") and for how long.
 *
 * # Safety
 * `err` is NULL or writable.
 */
int32_t keel_assert_no_leaks(keel_error **err);

/**
 * SQLite's own handle of the connection, or NULL. It is borrowed: do not close it. While other threads use the
 * connection through litekeel, do not.
 */
struct sqlite3 *keel_sqlite3(keel_db *db);

/**
 * SQLite's table of functions, for code compiled with sqlite3ext.h: every call goes to this copy of SQLite,
 * whichever other one is linked.
 */
const struct sqlite3_api_routines *keel_sqlite3_api(void);

/**
 * The ABI of the loaded library; compare it with KEEL_ABI.
 */
uint32_t keel_abi(void);

/**
 * "0.1.0 sqlite/3.54.1 <source id>"; static.
 */
const char *keel_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LITEKEEL_H */
