/* Rows in batches, deadlines, backup, the log, and what an error tells. Runs in an empty directory. */
#include "check.h"
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS(n) "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n ") SELECT i, 'row ' || i FROM n"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

static void batches(void) {
    keel_db *db = NULL, *other = NULL;
    keel_rows *rows = NULL;
    keel_error *err = NULL;
    CHECK(keel_open("file:batches.db", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_query(db, NUMBERS(10000), KEEL_NUL, NULL, 0, 16384, &rows, &err) == 0);
    int64_t next = 1;
    int batches = 0, code;
    do {
        size_t size = 0;
        const void *table = keel_rows_data(rows, &size);
        CHECK(size < 20000);
        for (uint64_t i = 0; i < row_count(table); i++) CHECK(cell_int(table, i, 0) == next++);
        batches++;
        /* The connection works on while its rows are read. */
        if (batches == 2) CHECK(keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, NULL) == 0);
        if (batches == 3) CHECK(keel_retain(db, &other, NULL) == KEEL_E_IN_TRANSACTION && other == NULL);
    } while ((code = keel_rows_next(rows, &err)) == KEEL_ROW);
    CHECK(code == KEEL_DONE && next == 10001 && batches > 10);
    CHECK(keel_rows_next(rows, NULL) == KEEL_DONE && row_count(keel_rows_data(rows, NULL)) == 0);
    keel_rows_free(rows);
    CHECK(keel_rows_next(rows, NULL) == KEEL_E_HANDLE);
    /* A whole result has no other batch, and keeps its rows. */
    CHECK(keel_query(db, NUMBERS(3), KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0 && keel_rows_next(rows, NULL) == KEEL_DONE);
    CHECK(row_count(keel_rows_data(rows, NULL)) == 3);
    keel_rows_free(rows);
    /* An abandoned one ends its read transaction: the WAL can be truncated. */
    CHECK(keel_exec(db, "INSERT INTO t VALUES(1),(2),(3)", KEEL_NUL, NULL) == 0);
    CHECK(keel_query(db, "SELECT a FROM t", KEEL_NUL, NULL, 0, 1, &rows, NULL) == 0);
    CHECK(keel_checkpoint(db, 3, NULL, NULL, NULL) != 0);
    keel_rows_free(rows);
    CHECK(keel_checkpoint(db, 3, NULL, NULL, NULL) == 0);
    /* A failure on the way is told, and told again. */
    CHECK(keel_query(db, "SELECT a, abs(CASE a WHEN 3 THEN -9223372036854775807 - 1 ELSE 1 END) FROM t", KEEL_NUL, NULL, 0, 1,
                     &rows, NULL) == 0);
    CHECK(keel_rows_next(rows, NULL) == KEEL_ROW && keel_rows_next(rows, NULL) == 1 && keel_rows_next(rows, &err) == 1);
    CHECK(strstr(keel_error_message(err, NULL), "integer overflow") != NULL);
    keel_error_free(err);
    keel_rows_free(rows);
    /* Several rows of parameters give their rows at once. */
    unsigned char packed[80 + 2 * 16];
    size_t size = integers(packed, 2);
    CHECK(keel_query(db, "SELECT ?", KEEL_NUL, packed, size, 1, &rows, NULL) == KEEL_E_ARGUMENT && rows == NULL);
    size = integers(packed, 1);
    CHECK(keel_query(db, "SELECT ? FROM t", KEEL_NUL, packed, size, 1, &rows, NULL) == 0);
    memset(packed, 0xee, sizeof packed);
    CHECK(keel_rows_next(rows, NULL) == KEEL_ROW && cell_int(keel_rows_data(rows, NULL), 0, 0) == 0);
    /* After close they are refused; freeing them is fine. */
    CHECK(keel_close(db, NULL) == 0 && !exists("batches.db-wal"));
    CHECK(keel_rows_next(rows, &err) == KEEL_E_CLOSED && row_count(keel_rows_data(rows, NULL)) == 1);
    keel_error_free(err);
    keel_rows_free(rows);
    /* On a shared connection every call ends what it began. */
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0 && keel_retain(db, &other, NULL) == 0);
    CHECK(keel_query(db, "SELECT 1", KEEL_NUL, NULL, 0, 1, &rows, NULL) == KEEL_E_SHARED && rows == NULL);
    CHECK(keel_close(other, NULL) == 0 && keel_close(db, NULL) == 0);
}

/* SQLite's own, of the library's copy. */
typedef struct sqlite3_context sqlite3_context;
typedef struct sqlite3_value sqlite3_value;
int sqlite3_create_function(struct sqlite3 *, const char *, int, int, void *,
                            void (*)(sqlite3_context *, int, sqlite3_value **),
                            void (*)(sqlite3_context *, int, sqlite3_value **), void (*)(sqlite3_context *));
void sqlite3_result_int(sqlite3_context *, int);
#define UTF8 1
#define MISUSE 21

static struct inside {
    keel_db *db, *other;
    keel_rows *rows;
    int32_t next, query;
    const void *data;
} inside;

/* A function of the application's that uses the rows and tokens of the very call that it is part of. */
static void calls_in(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count, (void)values;
    if (inside.rows) {
        keel_rows *none = NULL;
        inside.next = keel_rows_next(inside.rows, NULL);
        inside.data = keel_rows_data(inside.rows, NULL);
        inside.query = keel_query(inside.db, "SELECT 1", KEEL_NUL, NULL, 0, 0, &none, NULL);
        keel_rows_free(inside.rows);
        inside.rows = NULL;
    }
    keel_release(inside.other);
    inside.other = NULL;
    sqlite3_result_int(context, 1);
}

static void callbacks(void) {
    keel_rows *rows = NULL;
    CHECK(keel_open("file:callbacks.db", KEEL_NUL, &inside.db, NULL) == 0);
    CHECK(sqlite3_create_function(keel_sqlite3(inside.db), "calls_in", 0, UTF8, NULL, calls_in, NULL, NULL) == 0);
    CHECK(keel_exec(inside.db, "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3)", KEEL_NUL, NULL) == 0);
    CHECK(keel_query(inside.db, "SELECT a, CASE a WHEN 2 THEN calls_in() END FROM t", KEEL_NUL, NULL, 0, 1, &rows, NULL) == 0);
    /* Their own statement is refused; freed inside it, they end with the call. */
    inside.rows = rows;
    CHECK(keel_rows_next(rows, NULL) == KEEL_ROW);
    CHECK(inside.next == MISUSE && inside.query == MISUSE && inside.data == NULL && inside.rows == NULL);
    CHECK(keel_rows_next(rows, NULL) == KEEL_E_HANDLE);
    CHECK(keel_checkpoint(inside.db, 3, NULL, NULL, NULL) == 0);
    /* An owner that a finalizer releases in a callback leaves when the call is over. */
    keel_db *other = NULL;
    CHECK(keel_retain(inside.db, &other, NULL) == 0);
    inside.other = other;
    CHECK(keel_exec(inside.db, "SELECT calls_in()", KEEL_NUL, NULL) == 0);
    CHECK(keel_exec(other, "SELECT 1", KEEL_NUL, NULL) == KEEL_E_HANDLE);
    CHECK(keel_close(inside.db, NULL) == 0 && keel_open_handles() == 0 && !exists("callbacks.db-wal"));
}

/* A statement that is run again sees the columns of the day. */
static void again(void) {
    keel_db *db = NULL;
    keel_rows *rows = NULL;
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(7)", KEEL_NUL, NULL) == 0);
    for (uint32_t columns = 1; columns < 4; columns++) {
        for (int i = 0; i < 2; i++) {
            uint32_t has;
            CHECK(keel_query(db, "SELECT * FROM t", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
            memcpy(&has, (const unsigned char *)keel_rows_data(rows, NULL) + 12, 4);
            CHECK(has == columns && cell_int(keel_rows_data(rows, NULL), 0, 0) == 7);
            keel_rows_free(rows);
        }
        char sql[64];
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN c%u DEFAULT 7", columns);
        CHECK(keel_exec(db, sql, KEEL_NUL, NULL) == 0);
    }
    /* Parameters of one call are gone in the next. */
    unsigned char packed[80 + 16];
    size_t size = integers(packed, 1);
    CHECK(keel_query(db, "SELECT ? IS NULL", KEEL_NUL, packed, size, 0, &rows, NULL) == 0);
    CHECK(cell_int(keel_rows_data(rows, NULL), 0, 0) == 0);
    keel_rows_free(rows);
    CHECK(keel_query(db, "SELECT ? IS NULL", KEEL_NUL, NULL, 0, 0, &rows, NULL) == KEEL_E_PACKED && rows == NULL);
    CHECK(keel_exec(db, "DROP TABLE t", KEEL_NUL, NULL) == 0);
    CHECK(keel_query(db, "SELECT * FROM t", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 1);
    CHECK(keel_close(db, NULL) == 0);
}

static void deadlines(void) {
    keel_db *db = NULL, *holder = NULL;
    keel_error *err = NULL;
    keel_rows *rows = NULL;
    CHECK(keel_open("file:deadline.db?busy_timeout=20s", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_sibling(db, &holder, NULL) == 0 && keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, NULL) == 0);
    CHECK(keel_set_timeout(db, 200) == 0);
    double began = now();
    CHECK(keel_query(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", KEEL_NUL,
                     NULL, 0, 0, &rows, &err) == 9);
    CHECK(now() - began >= 0.19 && now() - began < 5);
    CHECK(strstr(keel_error_message(err, NULL), "200 ms") != NULL && *keel_error_hint(err, NULL) != 0);
    keel_error_free(err);
    /* Waiting for a lock counts too. */
    CHECK(keel_begin(holder, KEEL_IMMEDIATE, NULL) == 0);
    began = now();
    CHECK(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err) == 9);
    CHECK(now() - began >= 0.19 && now() - began < 5);
    keel_error_free(err);
    CHECK(keel_rollback(holder, NULL) == 0);
    /* Each call has a deadline of its own, and each batch is a call. */
    for (int i = 0; i < 3; i++) {
        usleep(100000);
        CHECK(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, NULL) == 0);
    }
    CHECK(keel_query(db, NUMBERS(1000), KEEL_NUL, NULL, 0, 1000, &rows, NULL) == 0);
    usleep(250000);
    CHECK(keel_rows_next(rows, NULL) == KEEL_ROW);
    keel_rows_free(rows);
    CHECK(keel_set_timeout(db, 0) == 0);
    CHECK(keel_query(db, NUMBERS(1000000), KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    keel_rows_free(rows);
    CHECK(keel_set_timeout(NULL, 5) == KEEL_E_HANDLE);
    CHECK(keel_close(holder, NULL) == 0 && keel_close(db, NULL) == 0);
}

/* An error keeps what it says, whatever other threads do meanwhile. */
static void *other_failures(void *db) {
    for (int i = 0; i < 200; i++) {
        keel_error *err = NULL;
        CHECK(keel_exec(db, "SELECT other_failure()", KEEL_NUL, &err) == 1);
        CHECK(strstr(keel_error_message(err, NULL), "other_failure") != NULL);
        keel_error_free(err);
    }
    return NULL;
}

static void errors(void) {
    keel_db *db = NULL, *holder = NULL;
    keel_error *err = NULL;
    keel_rows *rows = NULL;
    size_t size = 0;
    CHECK(keel_open("file:errors.db?busy_timeout=50", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_sibling(db, &holder, NULL) == 0 && keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, NULL) == 0);
    CHECK(keel_begin(holder, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err) == 5);
    CHECK(strcmp(keel_error_kind(err), "timeout") == 0 && keel_error_waited(err) >= 45 && keel_error_waited(err) < 5000);
    CHECK(strstr(keel_error_path(err, &size), "errors.db") != NULL && size > 9 && *keel_error_path(err, NULL) == '/');
    CHECK(keel_error_holders(err, &rows, NULL) == 0 && row_count(keel_rows_data(rows, NULL)) == 1);
    CHECK(rows && cell_int(keel_rows_data(rows, NULL), 0, 0) == getpid());
    keel_rows_free(rows);
    CHECK(keel_rollback(holder, NULL) == 0);

    pthread_t thread;
    char before[1024];
    snprintf(before, sizeof before, "%s", keel_error_message(err, NULL));
    pthread_create(&thread, NULL, other_failures, db);
    for (int i = 0; i < 200; i++) CHECK(strcmp(before, keel_error_message(err, NULL)) == 0);
    pthread_join(thread, NULL);
    CHECK(strcmp(before, keel_error_message(err, NULL)) == 0 && keel_error_code(err) == 5);
    keel_error_free(err);

    keel_db *none = NULL;
    CHECK(keel_open("file:no/such/dir.db?mode=rw", KEEL_NUL, &none, &err) == 14 && *keel_error_step(err) != 0);
    CHECK(*keel_error_kind(err) == 0 && keel_error_waited(err) == -1);
    CHECK(keel_error_holders(err, &rows, NULL) == 0 && row_count(keel_rows_data(rows, NULL)) == 0);
    keel_rows_free(rows);
    CHECK(keel_error_holders(NULL, &rows, NULL) == KEEL_E_HANDLE && keel_error_holders(err, NULL, NULL) == KEEL_E_ARGUMENT);
    keel_error_free(err);
    CHECK(keel_close(holder, NULL) == 0 && keel_close(db, NULL) == 0);
}

struct watch {
    keel_db *db, *writer;
    int calls, stop_at, wrote;
    int64_t done, total;
};

static int32_t watch(void *ctx, int64_t done, int64_t total) {
    struct watch *w = ctx;
    w->calls++;
    w->done = done;
    w->total = total;
    /* The connection is busy with the backup: calling in is refused, not a deadlock. */
    if (w->calls == 1) CHECK(keel_exec(w->db, "SELECT 1", KEEL_NUL, NULL) == 21);
    if (w->writer && w->calls <= w->wrote) CHECK(keel_exec(w->writer, "INSERT INTO t VALUES(zeroblob(2000))", KEEL_NUL, NULL) == 0);
    return w->calls == w->stop_at;
}

static void backups(void) {
    keel_db *db = NULL, *writer = NULL, *copy = NULL;
    keel_error *err = NULL;
    struct stat info;
    CHECK(keel_open("file:source.db", KEEL_NUL, &db, NULL) == 0 && keel_sibling(db, &writer, NULL) == 0);
    CHECK(keel_exec(db, "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                        "INSERT INTO t SELECT zeroblob(2000) FROM n", KEEL_NUL, NULL) == 0);
    chmod("source.db", 0600);
    /* Stopped half-way: nothing remains, the directory neither. */
    struct watch w = {db, NULL, 0, 2, 0, 0, 0};
    CHECK(keel_backup(db, "file:new/copy.db", KEEL_NUL, 10, watch, &w, &err) == 9 && w.done == 20 && w.total > 250);
    CHECK(strstr(keel_error_message(err, NULL), "stopped") != NULL && !exists("new"));
    keel_error_free(err);
    /* In full, while another connection writes: it begins anew and ends. */
    w = (struct watch){db, writer, 0, 0, 40, 0, 0};
    CHECK(keel_backup(db, "file:new/copy.db", KEEL_NUL, 10, watch, &w, &err) == 0 && w.done == w.total);
    if (err) fprintf(stderr, "%s\n", keel_error_message(err, NULL));
    CHECK(stat("new/copy.db", &info) == 0 && (info.st_mode & 0777) == 0600);
    int64_t rows = query_int(db, "SELECT count(*) FROM t");
    CHECK(keel_open("file:new/copy.db", KEEL_NUL, &copy, NULL) == 0);
    CHECK(query_int(copy, "SELECT count(*) FROM t") > 500 && query_int(copy, "SELECT count(*) FROM t") <= rows);
    CHECK(query_int(copy, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1);
    CHECK(keel_exec(copy, "DELETE FROM t", KEEL_NUL, NULL) == 0);
    /* A destination in use is waited for, then left as it is. */
    CHECK(keel_begin(copy, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_backup(db, "file:new/copy.db?busy_timeout=50", KEEL_NUL, 0, NULL, NULL, &err) == 5);
    keel_error_free(err);
    CHECK(keel_rollback(copy, NULL) == 0 && query_int(copy, "SELECT count(*) FROM t") == 0);
    CHECK(keel_close(copy, NULL) == 0);
    /* A stopped one leaves an existing destination as it was; a whole one replaces it. */
    w = (struct watch){db, NULL, 0, 2, 0, 0, 0};
    CHECK(keel_backup(db, "file:new/copy.db", KEEL_NUL, 10, watch, &w, NULL) == 9);
    CHECK(keel_open("file:new/copy.db", KEEL_NUL, &copy, NULL) == 0 && query_int(copy, "SELECT count(*) FROM t") == 0);
    CHECK(keel_close(copy, NULL) == 0);
    CHECK(keel_backup(db, "new/copy.db", KEEL_NUL, -1, NULL, NULL, NULL) == 0);
    CHECK(keel_open("file:new/copy.db", KEEL_NUL, &copy, NULL) == 0 && query_int(copy, "SELECT count(*) FROM t") == rows);
    CHECK(keel_close(copy, NULL) == 0);
    CHECK(keel_backup(db, "file:source.db", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_backup(db, ":memory:", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_backup(db, "file:x.db?mode=ro", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_CONFLICT);
    CHECK(keel_backup(db, "file:x.db?cache_size=5", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_CONFLICT);
    CHECK(keel_backup(db, "postgres://h/d", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_UNSUPPORTED_SCHEME);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_backup(db, "file:x.db", KEEL_NUL, 0, NULL, NULL, NULL) == KEEL_E_IN_TRANSACTION && !exists("x.db"));
    CHECK(keel_rollback(db, NULL) == 0 && keel_close(writer, NULL) == 0 && keel_close(db, NULL) == 0);
}

static int logged;
static char last_log[256];

static void on_log(void *ctx, int32_t code, const char *message, size_t len) {
    CHECK(ctx == &logged && strlen(message) == len && code != 0);
    logged++;
    snprintf(last_log, sizeof last_log, "%s", message);
}

static void logging(void) {
    keel_db *db = NULL;
    CHECK(keel_set_log(on_log, &logged) == 0);
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_exec(db, "SELECT nothing_to_log", KEEL_NUL, NULL) == 1);
    CHECK(logged > 0 && strstr(last_log, "nothing_to_log") != NULL);
    int before = logged;
    CHECK(keel_set_log(NULL, NULL) == 0 && keel_exec(db, "SELECT nothing_to_log", KEEL_NUL, NULL) == 1 && logged == before);
    CHECK(keel_close(db, NULL) == 0);
}

/* SQLite says of no foreign key which one it is. */
static void keys(void) {
    keel_db *db = NULL;
    keel_error *err = NULL;
    CHECK(keel_open("file:keys.db?foreign_keys=on", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_exec(db, "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p INT REFERENCES p DEFERRABLE INITIALLY DEFERRED,"
                        " q INT REFERENCES p)", KEEL_NUL, NULL) == 0);
    CHECK(keel_exec(db, "INSERT INTO c(q) VALUES(7)", KEEL_NUL, &err) == 787);
    CHECK(strstr(keel_error_hint(err, NULL), "c.q to p(id)") != NULL);
    keel_error_free(err);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_exec(db, "INSERT INTO c(p) VALUES(7)", KEEL_NUL, NULL) == 0);
    CHECK(keel_commit(db, &err) == 787);
    CHECK(strstr(keel_error_hint(err, NULL), "the row of c.p with rowid 1 refers to a row of p(id)") != NULL);
    keel_error_free(err);
    CHECK(keel_rollback(db, NULL) == 0 && keel_close(db, NULL) == 0);
}

int main(void) {
    logging();
    keys();
    batches();
    callbacks();
    again();
    deadlines();
    errors();
    backups();
    return failures != 0;
}
