/* One file for each tenant: more of them than may be open, from several threads. Runs in an empty directory. */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TENANTS = 24, MOST = 4, THREADS = 3, ROUNDS = 40 };

static keel_databases *tenants;

static void *work(void *number) {
    for (int round = 0; round < ROUNDS; round++) {
        char name[32];
        snprintf(name, sizeof name, "tenant-%d", ((int)(intptr_t)number * 7 + round * 5) % TENANTS);
        keel_db *db = NULL;
        int32_t opened = -1;
        CHECK(keel_databases_use(tenants, name, KEEL_NUL, 1, &opened, &db, NULL) == 0 && (opened == 0 || opened == 1));
        if (opened) CHECK(keel_exec(db, "CREATE TABLE IF NOT EXISTS visit(at)", KEEL_NUL, NULL) == 0);
        CHECK(keel_exec(db, "INSERT INTO visit VALUES(1)", KEEL_NUL, NULL) == 0);
        CHECK(keel_close(db, NULL) == 0);
        CHECK(keel_databases_open_count(tenants) <= MOST);
    }
    return NULL;
}

static void many(void) {
    pthread_t threads[THREADS];
    CHECK(keel_databases_open("many", KEEL_NUL, MOST, NULL, &tenants, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    int64_t rows = 0;
    for (int i = 0; i < TENANTS; i++) {
        char name[32];
        keel_db *db = NULL;
        snprintf(name, sizeof name, "tenant-%d", i);
        if (keel_databases_use(tenants, name, KEEL_NUL, 0, NULL, &db, NULL) == 0) rows += query_int(db, "SELECT count(*) FROM visit");
        keel_release(db);
    }
    CHECK(rows == THREADS * ROUNDS);
    CHECK(keel_databases_close(tenants, NULL) == 0);
    CHECK(keel_databases_close(tenants, NULL) == KEEL_E_HANDLE && keel_databases_open_count(tenants) == 0);
}

static void rules(void) {
    keel_options *options = NULL;
    keel_error *err = NULL;
    keel_db *db = NULL, *other = NULL;
    keel_rows *row = NULL;
    CHECK(keel_options_new(&options) == 0 && keel_options_set(options, "busy_timeout", KEEL_NUL, "50", KEEL_NUL, NULL) == 0);
    CHECK(keel_databases_open("rules", KEEL_NUL, 1, options, &tenants, &err) == 0);
    CHECK(keel_options_set(options, "mode", KEEL_NUL, "ro", KEEL_NUL, NULL) == 0);
    keel_databases *refused = NULL;
    CHECK(keel_databases_open("rules", KEEL_NUL, 1, options, &refused, NULL) == KEEL_E_ARGUMENT && refused == NULL);
    keel_options_free(options);
    /* Nothing by a typing error, nothing elsewhere. */
    CHECK(keel_databases_use(tenants, "a", 1, 0, NULL, &db, &err) == KEEL_E_NO_DATABASE && db == NULL);
    CHECK(strstr(keel_error_message(err, NULL), "rules/a.db") != NULL && strstr(keel_error_path(err, NULL), "rules/a.db") != NULL);
    keel_error_free(err);
    CHECK(keel_databases_use(tenants, "../a", KEEL_NUL, 1, NULL, &db, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_databases_use(tenants, "a", 1, 1, NULL, &db, NULL) == 0);
    /* It is a connection as any other. */
    CHECK(keel_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)", KEEL_NUL, NULL) == 0 && keel_sqlite3(db) != NULL);
    /* All are in use; who has it may not be pushed out. */
    CHECK(keel_databases_use(tenants, "b", 1, 1, NULL, &other, NULL) == KEEL_E_ALL_IN_USE && other == NULL);
    CHECK(keel_databases_evict(tenants, "a", 1, NULL) == KEEL_E_ALL_IN_USE);
    /* A transaction that is left open is undone, and told. */
    CHECK(keel_exec(db, "BEGIN; INSERT INTO t VALUES(2)", KEEL_NUL, NULL) == 0);
    CHECK(keel_close(db, &err) == KEEL_E_IN_TRANSACTION && strstr(keel_error_message(err, NULL), "undone") != NULL);
    keel_error_free(err);
    CHECK(keel_close(db, NULL) == KEEL_E_HANDLE && keel_exec(db, "SELECT 1", KEEL_NUL, NULL) == KEEL_E_HANDLE);
    CHECK(keel_databases_use(tenants, "a", 1, 0, NULL, &db, NULL) == 0 && query_int(db, "SELECT count(*) FROM t") == 1);
    CHECK(keel_query(db, "SELECT x FROM t UNION ALL SELECT 2", KEEL_NUL, NULL, 0, 1, &row, NULL) == 0);
    keel_release(db);
    CHECK(keel_rows_next(row, NULL) != KEEL_ROW);
    keel_rows_free(row);
    /* Another owner keeps the connection, and the next user gets one of its own. */
    CHECK(keel_databases_use(tenants, "a", 1, 0, NULL, &db, NULL) == 0 && keel_retain(db, &other, NULL) == 0);
    CHECK(keel_close(db, NULL) == 0 && query_int(other, "SELECT count(*) FROM t") == 1);
    int32_t opened = 0;
    CHECK(keel_databases_use(tenants, "a", 1, 0, &opened, &db, NULL) == 0 && opened == 1);
    CHECK(keel_close(other, NULL) == 0 && query_int(db, "SELECT count(*) FROM t") == 1);
    /* In a forked child everything is the parent's. */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        CHECK(keel_exec(db, "INSERT INTO t VALUES(3)", KEEL_NUL, NULL) == KEEL_E_FORKED);
        CHECK(keel_databases_use(tenants, "b", 1, 1, NULL, &other, NULL) == KEEL_E_FORKED);
        keel_release(db);
        CHECK(keel_databases_close(tenants, NULL) == 0);
        _exit(failures != 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(keel_exec(db, "INSERT INTO t VALUES(4)", KEEL_NUL, NULL) == 0);
    /* What is in use outlives the end of the set. */
    CHECK(keel_databases_close(tenants, NULL) == 0 && query_int(db, "SELECT count(*) FROM t") == 2);
    CHECK(keel_databases_use(tenants, "a", 1, 0, NULL, &other, NULL) == KEEL_E_HANDLE);
    struct stat info;
    CHECK(keel_close(db, NULL) == 0 && stat("rules/a.db-wal", &info) != 0 && stat("rules/b.db", &info) != 0);
    CHECK(keel_open_handles() == 0);
}

int main(void) {
    many();
    rules();
    return failures != 0;
}
