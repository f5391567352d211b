/* litekeel/packed.h from both sides, keel_rows_text and keel_explain. Runs in an empty directory; C99. */
#include "check.h"
#include <litekeel/packed.h>
#include <pthread.h>
#include <unistd.h>

typedef struct sqlite3_stmt sqlite3_stmt;
int sqlite3_prepare_v2(struct sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
int sqlite3_step(sqlite3_stmt *);
int sqlite3_finalize(sqlite3_stmt *);
int sqlite3_exec(struct sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);

static void round_trip(keel_db *db) {
    keel_params p = KEEL_PARAMS;
    keel_rows *rows = NULL;
    keel_error *err = NULL;
    CHECK(keel_exec(db, "CREATE TABLE v(i, l, u, d, n, s, t, b)", KEEL_NUL, NULL) == 0);
    CHECK(keel_pack(&p, "iludnstb", -42, INT64_MIN, (uint32_t)UINT32_MAX, -0.5, "Ada", "x\0y", (size_t)3, "\1\2", (size_t)2) == 0);
    CHECK(keel_pack(&p, "iludnstb", 0, INT64_MAX, (uint32_t)0, 1e300, (char *)NULL, "", (size_t)0, (void *)NULL, (size_t)0) == 0);
    CHECK(keel_run(db, "INSERT INTO v VALUES(?,?,?,?,?,?,?,?)", &p, &rows, &err) == 0 && err == NULL);
    keel_cursor row = keel_cursor_of(rows);
    CHECK(keel_changes(&row) == 2 && keel_last_rowid(&row) == 2 && keel_count(&row) == 0 && keel_columns(&row) == 0);
    CHECK(keel_next(&row, NULL) == KEEL_DONE && keel_next(&row, NULL) == KEEL_DONE);
    keel_rows_free(rows);
    CHECK(keel_run(db, "SELECT * FROM v", NULL, &rows, NULL) == 0);
    row = keel_cursor_of(rows);
    /* Before the first row there is no value. */
    CHECK(keel_is_null(&row, 0) && keel_int(&row, 0) == 0 && keel_text(&row, 5) == NULL);
    CHECK(keel_count(&row) == 2 && keel_columns(&row) == 8 && keel_column(&row, "s") == 5 && keel_column(&row, "z") == -1);
    CHECK(strcmp(keel_column_name(&row, 7), "b") == 0 && *keel_column_name(&row, 8) == 0);
    CHECK(keel_next(&row, &err) == KEEL_ROW && err == NULL);
    CHECK(keel_type(&row, 0) == KEEL_INTEGER && keel_int(&row, 0) == -42 && keel_double(&row, 0) == -42.0);
    CHECK(keel_int(&row, 1) == INT64_MIN && keel_int(&row, 2) == UINT32_MAX);
    CHECK(keel_type(&row, 3) == KEEL_FLOAT && keel_double(&row, 3) == -0.5 && keel_int(&row, 3) == 0);
    CHECK(keel_is_null(&row, 4) && keel_int(&row, 4) == 0 && keel_text(&row, 4) == NULL && keel_bytes(&row, 4) == 0);
    CHECK(keel_type(&row, 5) == KEEL_TEXT && strcmp(keel_text(&row, 5), "Ada") == 0 && keel_bytes(&row, 5) == 3);
    CHECK(keel_bytes(&row, 6) == 3 && memcmp(keel_text(&row, 6), "x\0y", 4) == 0);
    CHECK(keel_type(&row, 7) == KEEL_BLOB && keel_bytes(&row, 7) == 2 && memcmp(keel_blob(&row, 7), "\1\2", 3) == 0);
    CHECK(keel_is_null(&row, 8) && keel_int(&row, 99) == 0 && keel_text(&row, 99) == NULL);
    CHECK(keel_next(&row, NULL) == KEEL_ROW && keel_int(&row, 1) == INT64_MAX && keel_int(&row, 3) == INT64_MAX);
    CHECK(keel_is_null(&row, 5) && keel_type(&row, 6) == KEEL_TEXT && *keel_text(&row, 6) == 0 && keel_is_null(&row, 7));
    CHECK(keel_next(&row, NULL) == KEEL_DONE && keel_is_null(&row, 0));
    keel_rows_free(rows);

    /* After keel_run the next row begins a new table, of another shape. */
    CHECK(keel_pack(&p, "s", "Grace") == 0 && keel_run(db, "SELECT ? AS who", &p, &rows, NULL) == 0);
    row = keel_cursor_of(rows);
    CHECK(keel_next(&row, NULL) == KEEL_ROW && strcmp(keel_text(&row, 0), "Grace") == 0 && keel_count(&row) == 1);
    keel_rows_free(rows);
    /* And the same parameters can be used again without packing them anew. */
    CHECK(keel_run(db, "SELECT ?1 || ?1", &p, &rows, NULL) == 0);
    CHECK(strcmp(keel_rows_text(rows, NULL), "?1 || ?1\n----------\nGraceGrace\n") == 0);
    keel_rows_free(rows);

    /* By name, in an order of one's own. */
    CHECK(keel_pack_names(&p, "who id") == 0 && keel_pack(&p, "si", "Ada", 7) == 0);
    CHECK(keel_run(db, "SELECT :id, $who", &p, &rows, NULL) == 0);
    row = keel_cursor_of(rows);
    CHECK(keel_next(&row, NULL) == KEEL_ROW && keel_int(&row, 0) == 7 && strcmp(keel_text(&row, 1), "Ada") == 0);
    keel_rows_free(rows);
    /* Every parameter has to be there: a forgotten one would be NULL. */
    CHECK(keel_run(db, "SELECT :id, :who, :when", &p, NULL, &err) == KEEL_E_PACKED);
    CHECK(strstr(keel_error_message(err, NULL), ":when") != NULL);
    keel_error_free(err);
    CHECK(keel_pack_names(&p, "a") == 0 && keel_pack(&p, "i", 5) == 0 && keel_run(db, "SELECT ?3, :a", &p, NULL, NULL) == KEEL_E_PACKED);

    /* Many rows, so that both buffers grow. */
    CHECK(keel_exec(db, "CREATE TABLE many(a, b)", KEEL_NUL, NULL) == 0);
    for (int i = 0; i < 5000; i++) {
        char text[40];
        snprintf(text, sizeof text, "row number %d", i);
        CHECK(keel_pack(&p, "is", i, text) == 0);
    }
    CHECK(keel_run(db, "INSERT INTO many VALUES(?, ?)", &p, NULL, NULL) == 0);
    keel_params_free(&p);
    CHECK(keel_query(db, "SELECT a, b FROM many ORDER BY a", KEEL_NUL, NULL, 0, 4096, &rows, NULL) == 0);
    int next = 0, code;
    row = keel_cursor_of(rows);
    CHECK(keel_count(&row) < 5000);
    while ((code = keel_next(&row, &err)) == KEEL_ROW) {
        char text[40];
        snprintf(text, sizeof text, "row number %d", next);
        CHECK(keel_int(&row, 0) == next++ && strcmp(keel_text(&row, 1), text) == 0);
    }
    CHECK(code == KEEL_DONE && next == 5000);
    keel_rows_free(rows);
    /* A failure in a later batch. */
    CHECK(keel_query(db, "SELECT abs(CASE a WHEN 9 THEN -9223372036854775807 - 1 ELSE a END) FROM many", KEEL_NUL, NULL, 0, 1, &rows, NULL) == 0);
    row = keel_cursor_of(rows);
    for (next = 0; (code = keel_next(&row, &err)) == KEEL_ROW; next++) keel_error_free(err);
    CHECK(next == 9 && code == 1 && strstr(keel_error_message(err, NULL), "integer overflow") != NULL);
    keel_error_free(err);
    keel_rows_free(rows);
}

/* What is packed wrongly is never run, and is told where it is run. */
static void wrongly(keel_db *db) {
    keel_params p = KEEL_PARAMS;
    keel_error *err = NULL;
    CHECK(keel_exec(db, "CREATE TABLE w(a)", KEEL_NUL, NULL) == 0);
    CHECK(keel_pack(&p, "x", 1) == KEEL_E_ARGUMENT && keel_pack(&p, "i", 1) == KEEL_E_ARGUMENT);
    CHECK(keel_run(db, "INSERT INTO w VALUES(1)", &p, NULL, &err) == KEEL_E_ARGUMENT && err != NULL);
    CHECK(strstr(keel_error_hint(err, NULL), "keel_pack") != NULL);
    keel_error_free(err);
    keel_params_reset(&p);
    CHECK(keel_pack(&p, "i", 1) == 0 && keel_pack(&p, "ii", 1, 2) == KEEL_E_ARGUMENT);
    CHECK(keel_run(db, "INSERT INTO w VALUES(?)", &p, NULL, NULL) == KEEL_E_ARGUMENT);
    keel_params_reset(&p);
    CHECK(keel_pack(&p, "") == KEEL_E_ARGUMENT);
    keel_params_reset(&p);
    CHECK(keel_pack(&p, "i", 1) == 0 && keel_pack_names(&p, "late") == KEEL_E_ARGUMENT);
    keel_params_reset(&p);
    CHECK(keel_pack_names(&p, " a  b ") == 0 && keel_pack(&p, "i", 1) == KEEL_E_ARGUMENT);
    keel_params_reset(&p);
    /* A statement with parameters and none given, in each of the ways of giving none. */
    CHECK(keel_run(db, "INSERT INTO w VALUES(?)", NULL, NULL, &err) == KEEL_E_PACKED);
    CHECK(strcmp(keel_error_message(err, NULL), "the statement takes 1 parameter, none were given") == 0);
    keel_error_free(err);
    CHECK(keel_run(db, "INSERT INTO w VALUES(:a)", NULL, NULL, NULL) == KEEL_E_PACKED);
    CHECK(keel_run(db, "INSERT INTO w VALUES(?)", &p, NULL, NULL) == KEEL_E_PACKED);
    keel_rows *rows = NULL;
    CHECK(keel_query(db, "SELECT ?", KEEL_NUL, NULL, 0, 100, &rows, NULL) == KEEL_E_PACKED && rows == NULL);
    CHECK(keel_run(db, "SELECT count(*) FROM w", &p, &rows, NULL) == 0);
    CHECK(strcmp(keel_rows_text(rows, NULL), "count(*)\n--------\n       0\n") == 0);
    keel_rows_free(rows);
    keel_params_free(&p);
    /* Rubbish is a cursor without rows. */
    keel_cursor row = keel_cursor_at("no table, but long enough for the header of one, which is 64 bytes", 66);
    CHECK(keel_next(&row, NULL) == KEEL_DONE && keel_columns(&row) == 0 && keel_changes(&row) == 0);
    row = keel_cursor_of(NULL);
    CHECK(keel_next(&row, NULL) == KEEL_DONE);
    row = keel_cursor_at(NULL, 0);
    CHECK(keel_next(&row, NULL) == KEEL_DONE && *keel_column_name(&row, 0) == 0);
}

static void *ask_text(void *rows) {
    return (void *)keel_rows_text(rows, NULL);
}

static void texts(keel_db *db) {
    keel_rows *rows = NULL;
    size_t len = 0;
    CHECK(keel_run(db, "SELECT 1 AS id, 'Ada' AS who UNION ALL SELECT 20, NULL", NULL, &rows, NULL) == 0);
    const char *text = keel_rows_text(rows, &len);
    CHECK(strcmp(text, "id  who\n--  ----\n 1  Ada\n20  NULL\n") == 0 && len == strlen(text));
    /* One text for all threads, for as long as the rows are there. */
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, ask_text, rows) == 0);
    for (int i = 0; i < 4; i++) {
        void *same = NULL;
        pthread_join(threads[i], &same);
        CHECK(same == (const void *)text);
    }
    keel_rows_free(rows);
    CHECK(*keel_rows_text(rows, &len) == 0 && len == 0 && *keel_rows_text(NULL, NULL) == 0);
    /* In batches: of this batch. */
    CHECK(keel_query(db, "SELECT 1 AS n UNION ALL SELECT 2", KEEL_NUL, NULL, 0, 1, &rows, NULL) == 0);
    CHECK(strcmp(keel_rows_text(rows, NULL), "n\n-\n1\n") == 0);
    CHECK(keel_rows_next(rows, NULL) == KEEL_ROW && strcmp(keel_rows_text(rows, NULL), "n\n-\n2\n") == 0);
    CHECK(keel_rows_next(rows, NULL) == KEEL_DONE && strcmp(keel_rows_text(rows, NULL), "n\n-\n") == 0);
    keel_rows_free(rows);
    CHECK(keel_report(db, &rows, NULL) == 0 && strstr(keel_rows_text(rows, NULL), "journal_mode") != NULL);
    keel_rows_free(rows);
}

/* Failures on SQLite's own handle are told as litekeel's own are. */
static void explains(void) {
    keel_db *db = NULL, *holder = NULL;
    keel_error *err = NULL, *other = NULL;
    sqlite3_stmt *statement = NULL;
    CHECK(keel_open("file:explain.db?busy_timeout=50", KEEL_NUL, &db, NULL) == 0 && keel_sibling(db, &holder, NULL) == 0);
    struct sqlite3 *raw = keel_sqlite3(db);
    CHECK(sqlite3_exec(raw, "CREATE TABLE t(a UNIQUE)", NULL, NULL, NULL) == 0);
    CHECK(keel_explain(db, 0, &err) == 0 && err == NULL);
    CHECK(sqlite3_prepare_v2(raw, "SELECT 1", -1, &statement, NULL) == 0);
    CHECK(keel_explain(db, sqlite3_step(statement), &err) == 0 && keel_explain(db, sqlite3_step(statement), &err) == 0 && err == NULL);
    sqlite3_finalize(statement);
    /* A lock: who holds it, where the other connection stands. */
    CHECK(keel_begin(holder, KEEL_IMMEDIATE, NULL) == 0);
    int rc = sqlite3_exec(raw, "INSERT INTO t VALUES(1)", NULL, NULL, NULL);
    CHECK(rc == 5 && keel_explain(db, rc, &err) == 5 && strcmp(keel_error_kind(err), "timeout") == 0);
    CHECK(keel_error_waited(err) >= 45 && strstr(keel_error_message(err, NULL), "explain.db") != NULL && *keel_error_hint(err, NULL));
    keel_rows *rows = NULL;
    CHECK(keel_error_holders(err, &rows, NULL) == 0);
    keel_cursor row = keel_cursor_of(rows);
    CHECK(keel_next(&row, NULL) == KEEL_ROW && keel_int(&row, 0) == getpid());
    keel_rows_free(rows);
    /* As litekeel's own call tells it. */
    CHECK(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &other) == 5);
    CHECK(strcmp(keel_error_path(err, NULL), keel_error_path(other, NULL)) == 0);
    CHECK(strcmp(keel_error_hint(err, NULL), keel_error_hint(other, NULL)) == 0);
    keel_error_free(other);
    keel_error_free(err);
    CHECK(keel_rollback(holder, NULL) == 0);
    /* SQL: SQLite's sentence, the extended code even for who knows the primary one, and the place. */
    CHECK(sqlite3_exec(raw, "INSERT INTO t VALUES(1)", NULL, NULL, NULL) == 0);
    CHECK(sqlite3_exec(raw, "INSERT INTO t VALUES(1)", NULL, NULL, NULL) == 2067 && keel_explain(db, 19, &err) == 2067);
    CHECK(strstr(keel_error_message(err, NULL), "UNIQUE constraint failed: t.a") != NULL);
    keel_error_free(err);
    CHECK(sqlite3_prepare_v2(raw, "SELECT nothing FROM t", -1, &statement, NULL) == 1 && keel_explain(db, 1, &err) == 1);
    CHECK(keel_error_offset(err) == 7 && strstr(keel_error_message(err, NULL), "nothing") != NULL);
    keel_error_free(err);
    CHECK(keel_explain(db, 1, NULL) == 1 && keel_explain(db, -3, &err) == KEEL_E_ARGUMENT);
    keel_error_free(err);
    CHECK(keel_close(holder, NULL) == 0 && keel_close(db, NULL) == 0 && keel_explain(db, 5, NULL) == KEEL_E_HANDLE);
}

int main(void) {
    keel_db *db = NULL;
    CHECK(keel_open("file:packed.db", KEEL_NUL, &db, NULL) == 0);
    round_trip(db);
    wrongly(db);
    texts(db);
    CHECK(keel_close(db, NULL) == 0);
    explains();
    return failures != 0;
}
