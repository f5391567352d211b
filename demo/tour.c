/* litekeel from C: what open applied, readers and writers of two processes, refusals with their reasons, a clean close.
 *
 *   cc tour.c $(pkg-config --cflags --libs litekeel) && ./a.out
 *
 * Called as `tour hold URL MS` it is the other process: it holds the write lock for so many milliseconds. */
#define _POSIX_C_SOURCE 200809L
#include <litekeel/packed.h>
#include <litekeel/sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define URL "file:demo-data/deep/app.db"
static const char *program;

/* --- what is printed --- */

static void heading(const char *text) {
    printf(isatty(1) ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static void give_up(const char *doing, keel_error *err) {
    fprintf(stderr, "%s: %s\n%s\n", doing, keel_error_message(err, NULL), keel_error_hint(err, NULL));
    exit(1);
}

/* A failure that was expected: its name, what happened, what to do. */
static void refused(const char *doing, keel_error *err) {
    const char *hint = keel_error_hint(err, NULL);
    printf("  %s\n    %s: %s\n", doing, keel_error_name(err), keel_error_message(err, NULL));
    if (*hint) printf("    what to do: %s\n", hint);
    keel_error_free(err);
}

/* --- rows --- */

static long long count(keel_db *db, const char *sql) {
    keel_rows *rows;
    keel_error *err;
    if (keel_run(db, sql, NULL, &rows, &err)) give_up(sql, err);
    keel_cursor row = keel_cursor_of(rows);
    long long value = keel_next(&row, NULL) == KEEL_ROW ? (long long)keel_int(&row, 0) : -1;
    keel_rows_free(rows);
    return value;
}

/* Every setting that the profile or the URL decided. */
static void show_report(keel_db *db) {
    keel_rows *rows;
    if (keel_report(db, &rows, NULL)) return;
    keel_cursor row = keel_cursor_of(rows);
    while (keel_next(&row, NULL) == KEEL_ROW) {
        const char *name = keel_text(&row, 0), *value = keel_text(&row, 1), *source = keel_text(&row, 3);
        if (!*value || !strcmp(source, "built-in") || !strcmp(source, "system")) continue;
        printf("  %-20s %-12s %s\n", name, value, source);
    }
    keel_rows_free(rows);
}

/* --- the other process --- */

static long long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int hold(const char *url, int ms) {
    keel_db *db;
    keel_error *err;
    if (keel_open(url, KEEL_NUL, &db, &err)) give_up("the other process: open", err);
    if (keel_begin(db, KEEL_IMMEDIATE, &err)) give_up("the other process: begin", err);
    if (keel_exec(db, "INSERT INTO page(site, path) VALUES(1, '/from-the-other-process')", KEEL_NUL, &err)) give_up("insert", err);
    puts("holding");
    fflush(stdout);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
    if (keel_commit(db, &err)) give_up("the other process: commit", err);
    return keel_close(db, NULL);
}

/* Starts it and returns once it has the lock. Fork and exec at once: a connection belongs to the process that opened it. */
static pid_t start_holding(const char *ms) {
    int ends[2];
    char line[16];
    if (pipe(ends)) exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl(program, "tour", "hold", URL, ms, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], line, sizeof line) <= 0) exit(1);
    close(ends[0]);
    return child;
}

int main(int argc, char **argv) {
    keel_db *db, *other;
    keel_error *err;
    struct stat info;
    program = argv[0];
    if (argc == 4 && !strcmp(argv[1], "hold")) return hold(argv[2], atoi(argv[3]));

    printf("litekeel %s\n", keel_version());
    heading("A URL in, a tuned and verified connection out; the directories did not exist");
    printf("  demo-data/deep before: %s\n", stat("demo-data/deep", &info) ? "missing" : "there");
    if (keel_open(URL "?busy_timeout=2s", KEEL_NUL, &db, &err)) give_up("open", err);
    printf("  demo-data/deep after:  %s\n", stat("demo-data/deep", &info) ? "missing" : "there");
    show_report(db);

    heading("Foreign keys are enforced");
    const char *schema =
        "CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE page(id INTEGER PRIMARY KEY, site REFERENCES site ON DELETE CASCADE, path TEXT);"
        "INSERT INTO site VALUES(1, 'example.org'), (2, 'example.net');"
        "INSERT INTO page(site, path) VALUES(1, '/'), (1, '/about'), (2, '/')";
    if (keel_exec_atomic(db, schema, KEEL_NUL, &err)) give_up("schema", err);
    if (keel_exec(db, "INSERT INTO page(site, path) VALUES(99, '/')", KEEL_NUL, &err)) refused("a page of no site:", err);
    keel_exec(db, "DELETE FROM site WHERE id = 2", KEEL_NUL, NULL);
    printf("  a site deleted: %lld pages left, its own are gone with it\n", count(db, "SELECT count(*) FROM page"));

    heading("A reader goes on during another process's write transaction, and a writer waits instead of failing");
    pid_t child = start_holding("400");
    printf("  process %d is in a write transaction; this one reads %lld pages\n", (int)child, count(db, "SELECT count(*) FROM page"));
    long long began = milliseconds();
    if (keel_exec(db, "INSERT INTO page(site, path) VALUES(1, '/mine')", KEEL_NUL, &err)) give_up("insert", err);
    printf("  this one's insert waited %lld ms, then went through: %lld pages\n", milliseconds() - began, count(db, "SELECT count(*) FROM page"));
    waitpid(child, NULL, 0);

    heading("Past the timeout, BUSY names who is in the way");
    if (keel_open(URL "?busy_timeout=200ms", KEEL_NUL, &other, &err)) give_up("open", err);
    child = start_holding("1500");
    if (keel_begin(other, KEEL_IMMEDIATE, &err)) refused("BEGIN IMMEDIATE after 200 ms:", err);
    keel_close(other, NULL);
    waitpid(child, NULL, 0);

    heading("A refused URL says what to write instead");
    if (keel_open("file://data/app.db", KEEL_NUL, &other, &err)) refused("file://data/app.db", err);
    if (keel_open("file:app.db?_journal_mode=wal", KEEL_NUL, &other, &err)) refused("file:app.db?_journal_mode=wal", err);
    if (keel_open("postgres://ada:secret@db/app", KEEL_NUL, &other, &err)) refused("postgres://ada:secret@db/app", err);

    heading("Plain SQLite on the same copy, and a clean close");
    printf("  sqlite3_total_changes(keel_sqlite3(db)) = %d\n", sqlite3_total_changes(keel_sqlite3(db)));
    printf("  the -wal before: %s\n", stat("demo-data/deep/app.db-wal", &info) ? "gone" : "there");
    if (keel_close(db, &err)) give_up("close", err);
    printf("  the -wal after:  %s\n", stat("demo-data/deep/app.db-wal", &info) ? "gone" : "there");
    return 0;
}
