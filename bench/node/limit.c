/* The loops of workloads.js in plain C on the same library: what no binding can be faster than.
 * Prints "id nanoseconds" per workload. Arguments: directory for the file database, rounds, milliseconds per stretch. */
#define _POSIX_C_SOURCE 200809L
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS "nul, \"integer\", \"real\", \"text\""
#define ROWS 10000
#define MAX_ROUNDS 101

static sqlite3 *db;
static double sink;

static void must(int rc) {
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
    return statement;
}

/* Reads every cell of the row, text as its bytes. */
static void read_row(sqlite3_stmt *statement) {
    for (int at = 0, columns = sqlite3_data_count(statement); at < columns; at++) {
        switch (sqlite3_column_type(statement, at)) {
        case SQLITE_INTEGER: sink += (double)sqlite3_column_int64(statement, at); break;
        case SQLITE_FLOAT: sink += sqlite3_column_double(statement, at); break;
        case SQLITE_TEXT: sink += sqlite3_column_text(statement, at)[0] + sqlite3_column_bytes(statement, at); break;
        case SQLITE_BLOB: sink += ((const char *)sqlite3_column_blob(statement, at))[0] + sqlite3_column_bytes(statement, at); break;
        default: break;
        }
    }
}

static void drain(sqlite3_stmt *statement) {
    while (sqlite3_step(statement) == SQLITE_ROW) read_row(statement);
    must(sqlite3_reset(statement));
}

static sqlite3_stmt *statement, *begin, *commit;

static void get(long n) {
    for (long i = 0; i < n; i++) {
        sqlite3_bind_double(statement, 1, (double)(i % ROWS + 1));
        if (sqlite3_step(statement) == SQLITE_ROW) read_row(statement);
        must(sqlite3_reset(statement));
    }
}

static void get_constant(long n) {
    for (long i = 0; i < n; i++) {
        if (sqlite3_step(statement) == SQLITE_ROW) read_row(statement);
        must(sqlite3_reset(statement));
    }
}

static void all(long n) {
    for (long i = 0; i < n; i++) drain(statement);
}

static void by_key(long n) {
    for (long i = 0; i < n; i++) {
        sqlite3_bind_double(statement, 1, (double)(i % (ROWS - 10) + 1));
        drain(statement);
    }
}

static void insert(long n) {
    for (long i = 0; i < n; i++) {
        sqlite3_bind_null(statement, 1);
        sqlite3_bind_double(statement, 2, 2147483647.0);
        sqlite3_bind_double(statement, 3, 0.12345);
        sqlite3_bind_text(statement, 4, "John Peter Smith", 16, SQLITE_STATIC);
        must(sqlite3_step(statement));
        must(sqlite3_reset(statement));
    }
}

static void insert_hundred(long n) {
    for (long i = 0; i < n; i++) {
        must(sqlite3_step(begin));
        must(sqlite3_reset(begin));
        insert(100);
        must(sqlite3_step(commit));
        must(sqlite3_reset(commit));
    }
}

static void prepare_again(long n) {
    for (long i = 0; i < n; i++) {
        statement = prepare("SELECT " COLUMNS " FROM small WHERE rowid = ?");
        get(1);
        sqlite3_finalize(statement);
    }
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int rounds;
static double stretch;

static void measure(const char *id, const char *sql, void (*run)(long)) {
    double times[MAX_ROUNDS];
    long n = 1;
    statement = sql ? prepare(sql) : NULL;
    for (;;) {
        double from = now();
        run(n);
        double each = (now() - from) / (double)n;
        if (each * (double)n > stretch / 2) {
            n = (long)(stretch / each) + 1;
            break;
        }
        n *= 4;
    }
    for (int round = 0; round < rounds; round++) {
        if (run == insert || run == insert_hundred) must(sqlite3_exec(db, "DELETE FROM small WHERE rowid > 10000", NULL, NULL, NULL));
        double from = now();
        run(n);
        times[round] = (now() - from) / (double)n;
    }
    qsort(times, (size_t)rounds, sizeof *times, ascending);
    printf("%s %.1f\n", id, times[rounds / 2]);
    if (sql) sqlite3_finalize(statement);
}

static void open_database(const char *file) {
    must(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    must(sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 1000;"
        "CREATE TABLE small(nul, \"integer\" INTEGER, \"real\" REAL, \"text\" TEXT);"
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        "INSERT INTO small SELECT NULL, 2147483647 - i, i + 0.5, 'John Peter Smith ' || i FROM n;"
        "CREATE TABLE mixed(id INTEGER PRIMARY KEY, name TEXT, note TEXT, price REAL, stock INTEGER, seen INTEGER);"
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        "INSERT INTO mixed SELECT i, 'item ' || i, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 'plain' ELSE 'Größe ' || i END, i * 1.25, i % 97, 1700000000000 + i FROM n;"
        "CREATE TABLE large(id INTEGER PRIMARY KEY, t TEXT, b BLOB); INSERT INTO large SELECT 1, hex(zeroblob(16384)), zeroblob(32768)", NULL, NULL, NULL));
    begin = prepare("BEGIN");
    commit = prepare("COMMIT");
}

static void close_database(void) {
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    must(sqlite3_close(db));
}

int main(int argc, char **argv) {
    const char *by_rowid = "SELECT " COLUMNS " FROM small WHERE rowid = ?";
    const char *hundred = "SELECT " COLUMNS " FROM small WHERE rowid <= 100";
    const char *named = "INSERT INTO small(" COLUMNS ") VALUES (@nul, @integer, @real, @text)";
    char file[4096];
    if (argc != 4) return 2;
    rounds = atoi(argv[2]) < MAX_ROUNDS ? atoi(argv[2]) : MAX_ROUNDS;
    stretch = atof(argv[3]) * 1e6;

    open_database(":memory:");
    measure("get-4", by_rowid, get);
    measure("get-1", "SELECT 1", get_constant);
    measure("all-100", hundred, all);
    measure("all-1", by_rowid, by_key);
    measure("raw-1", by_rowid, by_key);
    measure("raw-5", "SELECT " COLUMNS " FROM small WHERE rowid >= ? LIMIT 5", by_key);
    measure("raw-20", "SELECT " COLUMNS " FROM small WHERE rowid <= 20", all);
    measure("raw-100", hundred, all);
    measure("iterate-100", hundred, all);
    measure("all-10000", "SELECT * FROM mixed", all);
    measure("run-named", named, insert);
    measure("insert-100", named, insert_hundred);
    measure("prepare-get", NULL, prepare_again);
    measure("prepare-cold", NULL, prepare_again);
    measure("large-text", "SELECT t FROM large WHERE id = 1 AND ? > 0", get);
    measure("large-blob", "SELECT b FROM large WHERE id = 1 AND ? > 0", get);
    close_database();

    snprintf(file, sizeof file, "%s/limit.db", argv[1]);
    open_database(file);
    measure("file-get-4", by_rowid, get);
    measure("file-run", named, insert);
    measure("file-all-100", hundred, all);
    measure("file-iterate-100", hundred, all);
    measure("file-insert-100", named, insert_hundred);
    close_database();
    return sink == 0.5;
}
