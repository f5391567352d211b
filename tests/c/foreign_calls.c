/* Linked with another libsqlite3 first, as every program that comes from plain SQLite is, and calling SQLite by its names:
 * the other library would get litekeel's handle. It gets none. */
#include "check.h"
#include <litekeel/sqlite3.h>

int main(void) {
    keel_db *db = NULL;
    keel_rows *rows = NULL;
    CHECK(strcmp(sqlite3_libversion(), "fake") == 0);
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_sqlite3(db) == NULL && keel_sqlite3(db) == NULL);
    /* litekeel's own calls go on. */
    CHECK(keel_query(db, "SELECT 8", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    CHECK(cell_int(keel_rows_data(rows, NULL), 0, 0) == 8);
    keel_rows_free(rows);
    /* Whoever has the table calls through it. */
    CHECK(keel_sqlite3_api() != NULL && keel_sqlite3(db) != NULL);
    CHECK(keel_close(db, NULL) == 0);
    return failures != 0;
}
