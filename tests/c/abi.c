/* The whole road from C, and every way of calling it wrongly. Prints what failed; exit status 0 when all holds. */
#include "check.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t count(keel_db *db) {
    keel_rows *rows = NULL;
    CHECK(keel_query(db, "SELECT count(*) FROM t", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    int64_t value = cell_int(keel_rows_data(rows, NULL), 0, 0);
    keel_rows_free(rows);
    return value;
}

static void *retain_and_release(void *db) {
    for (int i = 0; i < 200; i++) {
        keel_db *mine = NULL;
        CHECK(keel_retain(db, &mine, NULL) == 0);
        keel_release(mine);
    }
    return NULL;
}

static void road(const char *url) {
    keel_db *db = NULL;
    keel_error *err = NULL;
    struct stat info;
    CHECK(keel_open(url, KEEL_NUL, &db, &err) == 0);
    if (err) fprintf(stderr, "%s\n", keel_error_message(err, NULL));
    CHECK(keel_exec(db, "CREATE TABLE t(a INTEGER UNIQUE)", KEEL_NUL, &err) == 0 && err == NULL);
    unsigned char packed[80 + 100 * 16];
    size_t size = integers(packed, 100);
    keel_rows *rows = NULL;
    CHECK(keel_query(db, "INSERT INTO t VALUES(?)", KEEL_NUL, packed, size, 0, &rows, &err) == 0);
    keel_rows_free(rows);
    CHECK(count(db) == 100);
    /* The same again violates UNIQUE at its first row, and all of it is undone. */
    CHECK(keel_query(db, "INSERT INTO t VALUES(?)", KEEL_NUL, packed, size, 0, &rows, &err) == 2067);
    CHECK(strcmp(keel_error_name(err), "SQLITE_CONSTRAINT_UNIQUE") == 0 && rows == NULL);
    keel_error_free(err);
    CHECK(keel_exec_atomic(db, "DELETE FROM t; SELECT no_such_function()", KEEL_NUL, &err) == 1);
    CHECK(keel_error_offset(err) >= 0);
    keel_error_free(err);
    CHECK(count(db) == 100);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0 && keel_exec(db, "DELETE FROM t", KEEL_NUL, NULL) == 0);
    keel_db *sibling = NULL;
    CHECK(keel_sibling(db, &sibling, NULL) == 0 && count(sibling) == 100);
    CHECK(keel_rollback(db, NULL) == 0 && count(db) == 100);
    int64_t log = -1, done = -1;
    CHECK(keel_close(sibling, NULL) == 0);
    CHECK(keel_checkpoint(db, 3, &log, &done, NULL) == 0 && log == 0);

    /* Shared from here on. */
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, retain_and_release, db);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, &err) == KEEL_E_SHARED);
    keel_error_free(err);
    CHECK(keel_exec(db, "BEGIN; DELETE FROM t", KEEL_NUL, &err) == KEEL_E_SHARED);
    keel_error_free(err);
    CHECK(count(db) == 100);

    pid_t child = fork();
    if (child == 0) {
        int refused = keel_exec(db, "DELETE FROM t", KEEL_NUL, NULL) == KEEL_E_FORKED;
        refused &= keel_report(db, &rows, NULL) == KEEL_E_FORKED && keel_sqlite3(db) == NULL;
        /* Twice: in the child the token ends for nobody. */
        refused &= keel_close(db, NULL) == KEEL_E_FORKED && keel_close(db, NULL) == KEEL_E_FORKED;
        keel_release(db);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0 && count(db) == 100);

    CHECK(keel_report(db, &rows, NULL) == 0 && keel_rows_data(rows, &size) != NULL && size > 1000);
    keel_rows_free(rows);
    CHECK(stat("dir/new/app.db-wal", &info) == 0);
    CHECK(keel_close(db, NULL) == 0);
    CHECK(stat("dir/new/app.db-wal", &info) != 0);
    CHECK(keel_close(db, &err) == KEEL_E_HANDLE);
    keel_error_free(err);
    keel_release(db);
}

/* One call is one unit: it leaves no transaction behind and does all or nothing. */
static void units(void) {
    keel_db *db = NULL, *other = NULL;
    keel_error *err = NULL;
    keel_rows *rows = NULL;
    unsigned char packed[80 + 3 * 16];
    size_t size = integers(packed, 3);
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_exec(db,
                    "CREATE TABLE t(a UNIQUE); CREATE TABLE p(id INTEGER PRIMARY KEY);"
                    "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
                    KEEL_NUL, NULL) == 0);
    /* The rows go in and the commit fails. */
    CHECK(keel_query(db, "INSERT INTO c VALUES(?)", KEEL_NUL, packed, size, 0, &rows, NULL) == 787);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0);
    /* Inside a transaction only the call is undone. */
    CHECK(keel_exec(db, "INSERT INTO t VALUES(2)", KEEL_NUL, NULL) == 0);
    CHECK(keel_query(db, "INSERT INTO t VALUES(?)", KEEL_NUL, packed, size, 0, &rows, NULL) == 2067);
    CHECK(keel_commit(db, NULL) == 0 && count(db) == 1);
    /* Nothing in a script ends the transaction that makes it atomic. */
    CHECK(keel_exec_atomic(db, "DELETE FROM t; /**/ COMMIT; SELECT 1", KEEL_NUL, &err) == KEEL_E_ARGUMENT);
    CHECK(keel_error_offset(err) == 14 && count(db) == 1);
    keel_error_free(err);
    CHECK(keel_exec_atomic(db, "DELETE FROM t; ROLLBACK", KEEL_NUL, NULL) == KEEL_E_ARGUMENT && count(db) == 1);
    CHECK(keel_exec_atomic(db, "SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; RELEASE a", KEEL_NUL, NULL) == 0);
    CHECK(count(db) == 1);
    /* The offset counts from the start of the script. */
    CHECK(keel_exec(db, "SELECT 1; SELECT nothing", KEEL_NUL, &err) == 1 && keel_error_offset(err) == 17);
    keel_error_free(err);
    CHECK(keel_query(db, "SELECT 1; SELEKT 2", KEEL_NUL, NULL, 0, 0, &rows, &err) == 1 && rows == NULL);
    CHECK(keel_error_offset(err) == 10);
    keel_error_free(err);
    CHECK(keel_retain(db, &other, NULL) == 0);
    CHECK(keel_query(db, "BEGIN", KEEL_NUL, NULL, 0, 0, &rows, NULL) == KEEL_E_SHARED && rows == NULL);
    CHECK(keel_close(other, NULL) == 0 && keel_close(db, NULL) == 0);
}

static volatile int spinning;

static void *spin(void *unused) {
    (void)unused;
    while (__atomic_load_n(&spinning, __ATOMIC_ACQUIRE)) {
        keel_options *options = NULL;
        keel_options_new(&options);
        keel_options_free(options);
    }
    return NULL;
}

/* A child is told that it has been forked, whatever another thread was doing in the library. */
static void forks(int rounds) {
    keel_db *db = NULL;
    pthread_t thread;
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    spinning = 1;
    pthread_create(&thread, NULL, spin, NULL);
    for (int i = 0; i < rounds && failures == 0; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(keel_exec(db, "SELECT 1", 8, NULL) == KEEL_E_FORKED ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    __atomic_store_n(&spinning, 0, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    CHECK(keel_close(db, NULL) == 0);
}

static void wrongly(void) {
    keel_db *db = NULL;
    keel_error *err = NULL;
    CHECK(keel_open("file:x.db?busy_timeot=1", KEEL_NUL, &db, &err) == KEEL_E_UNKNOWN_PARAM && db == NULL);
    CHECK(strstr(keel_error_hint(err, NULL), "busy_timeout") != NULL);
    keel_error_free(err);
    CHECK(keel_open("\xff", KEEL_NUL, &db, NULL) == KEEL_E_INVALID_UTF8);
    CHECK(keel_open("a\0b", 3, &db, NULL) == KEEL_E_CONTROL_CHARACTER);
    CHECK(keel_open(":memory:", KEEL_NUL, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_open(":memory:", SIZE_MAX - 1, &db, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    keel_rows *rows = NULL;
    CHECK(keel_exec(db, NULL, 0, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_exec(db, "SELECT 1;\0 SELECT 2", 19, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_query(db, "SELECT 1; SELECT 2", KEEL_NUL, NULL, 0, 0, &rows, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_query(db, "SELECT 1 -- that is all", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    keel_rows_free(rows);
    CHECK(keel_query(db, "SELECT ?", KEEL_NUL, "no table", 8, 0, &rows, NULL) == KEEL_E_PACKED);
    CHECK(keel_query(db, "SELECT 1", KEEL_NUL, NULL, 0, 0, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_begin(db, 7, NULL) == KEEL_E_ARGUMENT && keel_begin(db, KEEL_DEFAULT, NULL) == 0);
    CHECK(keel_rollback(db, NULL) == 0);
    CHECK(keel_retain(db, NULL, NULL) == KEEL_E_ARGUMENT && keel_sibling(db, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_report(db, NULL, NULL) == KEEL_E_ARGUMENT && keel_options_new(NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_close(db, NULL) == 0);
    CHECK(keel_close(NULL, NULL) == KEEL_E_HANDLE);
    CHECK(keel_exec(NULL, "SELECT 1", KEEL_NUL, NULL) == KEEL_E_HANDLE && keel_sqlite3(NULL) == NULL);
    keel_release(NULL);
    keel_interrupt(NULL);
    keel_error_free(NULL);
    keel_rows_free(NULL);
    keel_options_free(NULL);
    CHECK(keel_error_code(NULL) == 0 && *keel_error_message(NULL, NULL) == 0 && keel_rows_data(NULL, NULL) == NULL);
    keel_options *options = NULL;
    CHECK(keel_options_new(&options) == 0);
    CHECK(keel_options_set(options, "cache_size", KEEL_NUL, "lots", KEEL_NUL, NULL) == KEEL_E_INVALID_VALUE);
    CHECK(keel_options_set(options, "busy_timeout", KEEL_NUL, "2s", KEEL_NUL, NULL) == 0);
    CHECK(keel_options_name(0) != NULL && keel_options_help(0) != NULL && keel_options_name(9999) == NULL);
    CHECK(keel_open_with(":memory:", KEEL_NUL, options, &db, NULL) == 0 && keel_close(db, NULL) == 0);
    CHECK(keel_exec((keel_db *)options, "SELECT 1", KEEL_NUL, NULL) == KEEL_E_HANDLE);
    keel_options_free(options);
    CHECK(keel_open_with(":memory:", KEEL_NUL, options, &db, NULL) == KEEL_E_HANDLE);
    CHECK(keel_sqlite3_api() != NULL);
}

static void forged(unsigned long rounds, unsigned long long seed) {
    printf("SEED=%llu, %lu forged handles\n", seed, rounds);
    for (unsigned long i = 0; i < rounds; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        /* Half of them look like tokens: a small index, some generation. */
        uintptr_t token = (uintptr_t)(seed >> 3);
        if (seed & 1) token &= 0xfff0000000fULL;
        if (keel_exec((keel_db *)token, "SELECT 1", 8, NULL) != KEEL_E_HANDLE) {
            failures++;
            fprintf(stderr, "forged %p was taken\n", (void *)token);
        }
        keel_error_free((keel_error *)token);
        keel_rows_free((keel_rows *)token);
    }
}

int main(int argc, char **argv) {
    CHECK(keel_abi() == KEEL_ABI);
    road(argc > 2 ? argv[2] : "file:dir/new/app.db");
    units();
    /* Under valgrind, where fewer handles are forged, a fork takes long. */
    forks(argc > 1 && strtoul(argv[1], NULL, 10) < 100000 ? 10 : 500);
    wrongly();
    const char *seed = getenv("SEED");
    forged(argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, seed ? strtoull(seed, NULL, 10) : (unsigned long long)getpid());
    return failures != 0;
}
