/* Plain SQLite on litekeel's symbols, and on a connection that litekeel opened: one copy. */
#include "check.h"
#include <litekeel/sqlite3.h>

int main(void) {
    keel_db *db = NULL;
    sqlite3 *raw = NULL;
    sqlite3_stmt *statement = NULL;
    CHECK(sqlite3_libversion_number() == SQLITE_VERSION_NUMBER && strcmp(sqlite3_sourceid(), SQLITE_SOURCE_ID) == 0);
    CHECK(keel_open("file:plain.db", KEEL_NUL, &db, NULL) == 0 && keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, NULL) == 0);
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0);
    /* A raw connection of the same copy sees the lock, and its close does not drop it. */
    CHECK(sqlite3_open("plain.db", &raw) == SQLITE_OK);
    CHECK(sqlite3_exec(raw, "INSERT INTO t VALUES(1)", NULL, NULL, NULL) == SQLITE_BUSY);
    CHECK(sqlite3_close(raw) == SQLITE_OK);
    CHECK(keel_commit(db, NULL) == 0);
    raw = keel_sqlite3(db);
    CHECK(sqlite3_prepare_v2(raw, "INSERT INTO t VALUES(?)", -1, &statement, NULL) == SQLITE_OK);
    CHECK(sqlite3_bind_text(statement, 1, "x", -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE);
    CHECK(sqlite3_finalize(statement) == SQLITE_OK && sqlite3_changes(raw) == 1);
    CHECK(keel_close(db, NULL) == 0);
    return failures != 0;
}
