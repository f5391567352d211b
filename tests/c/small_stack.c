/* Everything on a thread with 128 KiB of stack, which is what musl gives by itself (glibc gives 8 MiB): opening, working,
 * being refused with an explanation, looking at its health, copying, closing. Runs in an empty directory. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

enum { STACK = 128 * 1024 };

/* The call fails, with a message that says this and with a hint. */
#define REFUSED(call, says) \
    do { \
        err = NULL; \
        CHECK((call) != 0 && err != NULL); \
        CHECK(err == NULL || strstr(keel_error_message(err, NULL), says) != NULL); \
        CHECK(err == NULL || keel_error_hint(err, NULL) != NULL); \
        keel_error_free(err); \
        err = NULL; \
    } while (0)

static void *work(void *unused) {
    (void)unused;
    keel_db *db = NULL, *other = NULL;
    keel_rows *rows = NULL;
    keel_error *err = NULL;
    CHECK(keel_open("file:small.db?busy_timeout=20", KEEL_NUL, &db, &err) == 0);
    CHECK(keel_open("file:small.db?busy_timeout=20", KEEL_NUL, &other, &err) == 0);
    CHECK(keel_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE INDEX i ON t(b, a);"
                        "CREATE VIRTUAL TABLE f USING fts5(a);"
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                        "INSERT INTO t SELECT i, hex(randomblob(60)), i % 7 FROM n;"
                        "INSERT INTO f SELECT a FROM t", KEEL_NUL, &err) == 0);
    CHECK(keel_query(db, "SELECT json_group_array(json_object('a', a, 'n', n)) FROM"
                         "(SELECT t.a, count(*) OVER (PARTITION BY u.b ORDER BY u.id) AS n FROM t JOIN t u ON u.id = t.id"
                         " ORDER BY t.b DESC, t.a LIMIT 500)", KEEL_NUL, NULL, 0, 0, &rows, &err) == 0);
    keel_rows_free(rows);
    CHECK(keel_exec(db, "BEGIN IMMEDIATE", KEEL_NUL, &err) == 0);
    REFUSED(keel_exec(other, "INSERT INTO t(a) VALUES(1)", KEEL_NUL, &err), "lock");
    CHECK(keel_exec(db, "ROLLBACK", KEEL_NUL, NULL) == 0);
    keel_db *none = NULL;
    REFUSED(keel_open("file:none/of/these.db?mode=rw", KEEL_NUL, &none, &err), "these.db");
    REFUSED(keel_exec(db, "SELECT nothing FROM t", KEEL_NUL, &err), "nothing");
    CHECK(keel_holders(other, &rows, &err) == 0);
    keel_rows_free(rows);
    CHECK(keel_diagnose(db, &rows, &err) == 0);
    keel_rows_free(rows);
    CHECK(keel_checkpoint(db, 1, NULL, NULL, &err) == 0);
    CHECK(keel_backup(db, "file:copy.db", KEEL_NUL, 16, NULL, NULL, &err) == 0);
    CHECK(keel_close(other, NULL) == 0);
    CHECK(keel_close(db, NULL) == 0);
    return NULL;
}

int main(void) {
    pthread_attr_t small;
    pthread_t thread;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, STACK) == 0);
    CHECK(pthread_create(&thread, &small, work, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(access("small.db", F_OK) == 0 && access("copy.db", F_OK) == 0);
    return failures != 0;
}
