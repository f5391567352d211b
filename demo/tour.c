/* litekeel from C: open, look at what was applied, work, be refused with a reason, close cleanly. */
#include <litekeel.h>
#include <litekeel/sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const unsigned char *table;

static uint64_t number(size_t at, size_t size) {
    uint64_t value = 0;
    memcpy(&value, table + at, size);
    return value;
}

static int blank(size_t row, size_t column) {
    size_t at = number(48, 8) + (row * number(12, 4) + column) * 16;
    return number(at, 4) == 3 && number(at + 4, 4) == 0;
}

static void cell(size_t row, size_t column) {
    size_t at = number(48, 8) + (row * number(12, 4) + column) * 16;
    if (number(at, 4) == 3) printf("%.*s", (int)number(at + 4, 4), (const char *)table + number(at + 8, 8));
    if (number(at, 4) == 1) printf("%lld", (long long)number(at + 8, 8));
}

static int failed(const char *what, keel_error *err) {
    const char *hint = keel_error_hint(err, NULL);
    printf("  %s: %s\n    %s\n", what, keel_error_name(err), keel_error_message(err, NULL));
    if (*hint) printf("    what to do: %s\n", hint);
    keel_error_free(err);
    return 1;
}

int main(void) {
    keel_db *db = NULL, *other = NULL;
    keel_error *err = NULL;
    keel_rows *rows = NULL;
    struct stat info;
    printf("litekeel %s\n\nA URL in, a tuned connection out (the directories did not exist):\n", keel_version());
    if (keel_open("file:demo-data/deep/app.db?busy_timeout=2s", KEEL_NUL, &db, &err)) return failed("open", err);
    keel_report(db, &rows, NULL);
    table = keel_rows_data(rows, NULL);
    for (size_t row = 0; row < number(16, 8); row++) {
        if (blank(row, 1)) continue;
        printf("  ");
        cell(row, 0);
        printf(" = ");
        cell(row, 1);
        printf("  (");
        cell(row, 3);
        printf(")\n");
    }
    keel_rows_free(rows);

    printf("\nForeign keys are enforced:\n");
    keel_exec_atomic(db,
                     "CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT);"
                     "CREATE TABLE page(id INTEGER PRIMARY KEY, site REFERENCES site ON DELETE CASCADE, path TEXT);"
                     "INSERT INTO site VALUES(1,'example.org'); INSERT INTO page(site,path) VALUES(1,'/'),(1,'/about')",
                     KEEL_NUL, NULL);
    if (keel_exec(db, "INSERT INTO page(site,path) VALUES(99,'/')", KEEL_NUL, &err)) failed("a page of no site", err);

    printf("\nA reader goes on while another connection writes, and a second writer waits instead of failing at once:\n");
    keel_sibling(db, &other, NULL);
    keel_begin(db, KEEL_IMMEDIATE, NULL);
    keel_exec(db, "DELETE FROM site", KEEL_NUL, NULL);
    keel_query(other, "SELECT count(*) FROM page", KEEL_NUL, NULL, 0, 0, &rows, NULL);
    table = keel_rows_data(rows, NULL);
    printf("  the reader sees ");
    cell(0, 0);
    printf(" pages\n");
    keel_rows_free(rows);
    if (keel_exec(other, "BEGIN IMMEDIATE", KEEL_NUL, &err)) failed("the second writer, after 2 s", err);
    keel_rollback(db, NULL);
    keel_close(other, NULL);

    printf("\nA refused URL says what to write instead:\n");
    if (keel_open("file://data/app.db", KEEL_NUL, &other, &err)) failed("file://data/app.db", err);
    if (keel_open("file:app.db?_journal_mode=wal", KEEL_NUL, &other, &err)) failed("_journal_mode=wal", err);

    printf("\nPlain SQLite works on the same copy: sqlite3_total_changes() = %d\n", sqlite3_total_changes(keel_sqlite3(db)));
    keel_close(db, NULL);
    printf("Closed; the -wal is %s.\n", stat("demo-data/deep/app.db-wal", &info) ? "gone" : "still there");
    return 0;
}
