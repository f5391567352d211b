/* A program that uses nothing but SQLite's own symbols: its databases are guarded like litekeel's. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct sqlite3 sqlite3;
int sqlite3_open(const char *, sqlite3 **);
int sqlite3_close(sqlite3 *);
int sqlite3_config(int, ...);
int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);

static void exec(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != 0) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
}

int main(int argc, char **argv) {
    sqlite3 *db = NULL;
    assert(argc == 2);
    /* Nothing has initialised it: a host may still say how it wants it (17: SQLITE_CONFIG_URI). */
    if (sqlite3_config(17, 1) != 0) return 2;
    if (sqlite3_open("raw.db", &db) != 0) return 3;
    exec(db, "PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); PRAGMA wal_checkpoint(TRUNCATE)");
    exec(db, "INSERT INTO t(who) VALUES('ours')");
    if (unlink("raw.db-wal") != 0 || unlink("raw.db-shm") != 0) return 4;
    /* Others write 500 rows. */
    if (system(argv[1]) != 0) return 5;
    exec(db, "SELECT count(*) FROM t");
    sqlite3_close(db);
    return 0;
}
