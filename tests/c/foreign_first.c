/* Linked with another libsqlite3 first. litekeel goes on with its own copy, and a program reaches that one through the
 * table that keel_sqlite3_api() gives, as SQLite's extensions do, variadic functions included. */
#include "check.h"
#include <litekeel/sqlite3ext.h>
SQLITE_EXTENSION_INIT1

/* The name, as the linker resolved it; the macro of sqlite3ext.h is out of the way here. */
#undef sqlite3_libversion
extern const char *sqlite3_libversion(void);

static void twice(sqlite3_context *context, int n, sqlite3_value **values) {
    (void)n;
    sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
}

int main(void) {
    keel_db *db = NULL;
    sqlite3_stmt *statement = NULL;
    keel_rows *rows = NULL;
    /* The control: the other library really is first. */
    CHECK(strcmp(sqlite3_libversion(), "fake") == 0);
    SQLITE_EXTENSION_INIT2(keel_sqlite3_api());
    CHECK(sqlite3_api != NULL && strcmp(sqlite3_api->libversion(), "fake") != 0);
    CHECK(strstr(keel_version(), sqlite3_api->libversion()) != NULL);
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    sqlite3 *raw = keel_sqlite3(db);
    CHECK(sqlite3_create_function_v2(raw, "twice", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, twice, NULL, NULL, NULL) == SQLITE_OK);
    char *sql = sqlite3_mprintf("SELECT twice(%d), %Q", 21, "it's");
    CHECK(sqlite3_prepare_v2(raw, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW);
    CHECK(sqlite3_column_int(statement, 0) == 42 && strcmp((const char *)sqlite3_column_text(statement, 1), "it's") == 0);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    /* The function is there for litekeel's own calls too: it is one connection. */
    CHECK(keel_query(db, "SELECT twice(4)", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    CHECK(cell_int(keel_rows_data(rows, NULL), 0, 0) == 8);
    keel_rows_free(rows);
    /* Nor does the other one's data come into litekeel's functions. */
    CHECK(keel_query(db, "SELECT sqlite_version() <> 'fake'", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    CHECK(cell_int(keel_rows_data(rows, NULL), 0, 0) == 1 && strstr(keel_version(), "fake") == NULL);
    keel_rows_free(rows);
    CHECK(keel_close(db, NULL) == 0);
    return failures != 0;
}
