/* Who holds a lock, how a connection is, and what happens to it. Runs in an empty directory. */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A text cell; "" for anything else. Copied, because the heap is not NUL-terminated. */
static const char *cell_text(const void *data, size_t row, size_t column) {
    static char text[8][1024];
    static int next;
    const unsigned char *table = data;
    uint32_t columns, kind, length;
    uint64_t cells, at;
    char *out = text[next++ % 8];
    memcpy(&columns, table + 12, 4);
    memcpy(&cells, table + 48, 8);
    const unsigned char *cell = table + cells + (row * columns + column) * 16;
    memcpy(&kind, cell, 4);
    memcpy(&length, cell + 4, 4);
    memcpy(&at, cell + 8, 8);
    if (kind != 3) length = 0;
    if (length > 1023) length = 1023;
    memcpy(out, table + at, length);
    out[length] = 0;
    return out;
}

/* The row of a diagnosis with this name; -1 without one. */
static int find(const void *table, const char *name) {
    for (size_t row = 0; row < row_count(table); row++)
        if (!strcmp(cell_text(table, row, 0), name)) return (int)row;
    return -1;
}

struct heard {
    pthread_mutex_t mutex;
    char names[2000];
    int64_t frames;
    keel_db *call_in;
    int32_t refused;
};

static void hear(void *ctx, const char *name, const void *fields, size_t len) {
    struct heard *heard = ctx;
    pthread_mutex_lock(&heard->mutex);
    if (strlen(heard->names) < 1900) strcat(strcat(heard->names, name), " ");
    CHECK(len >= 64 && row_count(fields) == 1);
    if (!strcmp(name, "checkpointed")) {
        CHECK(strstr(cell_text(fields, 0, 0), "care.db") != NULL); /* database */
        heard->frames = cell_int(fields, 0, 2);                    /* mode, frames */
    }
    pthread_mutex_unlock(&heard->mutex);
}

static void events(void) {
    struct heard heard = {.mutex = PTHREAD_MUTEX_INITIALIZER}, second = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    keel_db *db = NULL;
    CHECK(keel_open("file:care.db?wal_max=64KiB", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_on_event(db, hear, &heard) == 0);
    CHECK(keel_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", KEEL_NUL, NULL) == 0);
    CHECK(keel_checkpoint(db, 0, NULL, NULL, NULL) == 0);
    CHECK(strstr(heard.names, "checkpointed") != NULL && heard.frames > 0);
    /* The next one takes its place. */
    CHECK(keel_on_event(db, hear, &second) == 0);
    heard.names[0] = 0;
    CHECK(keel_checkpoint(db, 3, NULL, NULL, NULL) == 0);
    CHECK(heard.names[0] == 0 && strstr(second.names, "checkpointed") != NULL);
    /* From litekeel's own thread: the cap empties the WAL while this one writes. */
    second.names[0] = 0;
    for (int i = 0; i < 60; i++) CHECK(keel_exec(db, "INSERT INTO t VALUES(randomblob(3000))", KEEL_NUL, NULL) == 0);
    for (int i = 0; i < 400; i++) {
        pthread_mutex_lock(&second.mutex);
        int done = second.names[0] != 0;
        pthread_mutex_unlock(&second.mutex);
        if (done) break;
        usleep(5000);
    }
    pthread_mutex_lock(&second.mutex);
    CHECK(strstr(second.names, "checkpointed") != NULL);
    pthread_mutex_unlock(&second.mutex);
    CHECK(keel_on_event(db, NULL, NULL) == 0);
    keel_db *stale = db;
    CHECK(keel_close(db, NULL) == 0);
    CHECK(keel_on_event(stale, hear, &heard) == KEEL_E_HANDLE && keel_on_event(NULL, NULL, NULL) == KEEL_E_HANDLE);
}

static void who(void) {
    keel_db *db = NULL, *other = NULL;
    keel_rows *rows = NULL;
    keel_error *err = NULL;
    keel_options *options = NULL;
    CHECK(keel_open("file:care.db", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_holders(db, &rows, &err) == 0 && row_count(keel_rows_data(rows, NULL)) == 0);
    keel_rows_free(rows);
    CHECK(keel_options_new(&options) == 0);
    CHECK(keel_options_set(options, "opened_at", KEEL_NUL, "care.c:99", KEEL_NUL, NULL) == 0);
    CHECK(keel_open_with("file:care.db", KEEL_NUL, options, &other, NULL) == 0);
    CHECK(keel_begin(other, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_holders(db, &rows, &err) == 0);
    const void *table = keel_rows_data(rows, NULL);
    CHECK(row_count(table) == 1 && cell_int(table, 0, 0) == getpid() && !strcmp(cell_text(table, 0, 1), "writer"));
    CHECK(!strcmp(cell_text(table, 0, 6), "care.c:99"));
    keel_rows_free(rows);
    CHECK(keel_rollback(other, NULL) == 0 && keel_close(other, NULL) == 0);
    CHECK(keel_open(":memory:", KEEL_NUL, &other, NULL) == 0);
    CHECK(keel_holders(other, &rows, NULL) == 0 && row_count(keel_rows_data(rows, NULL)) == 0);
    keel_rows_free(rows);
    CHECK(keel_diagnose(other, &rows, NULL) == 0);
    keel_rows_free(rows);
    CHECK(keel_holders(other, NULL, &err) == KEEL_E_ARGUMENT);
    keel_error_free(err);
    CHECK(keel_diagnose(other, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_close(other, NULL) == 0 && keel_close(db, NULL) == 0);
    CHECK(keel_holders(db, &rows, NULL) == KEEL_E_HANDLE && rows == NULL);
    CHECK(keel_diagnose(db, &rows, NULL) == KEEL_E_HANDLE && rows == NULL);
    keel_options_free(options);
}

static void how(void) {
    keel_db *db = NULL, *reader = NULL;
    keel_rows *rows = NULL;
    keel_error *err = NULL;
    CHECK(keel_open("file:care.db?checkpoint=manual", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_sibling(db, &reader, NULL) == 0);
    CHECK(keel_begin(reader, KEEL_DEFERRED, NULL) == 0);
    CHECK(keel_query(reader, "SELECT count(*) FROM t", KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    keel_rows_free(rows);
    CHECK(keel_exec(db, "INSERT INTO t VALUES(2)", KEEL_NUL, NULL) == 0);
    CHECK(keel_diagnose(db, &rows, NULL) == 0);
    const void *table = keel_rows_data(rows, NULL);
    const char *checks[] = {"database_file", "wal_file", "locks", "second_sqlite"};
    for (int i = 0; i < 4; i++) {
        int row = find(table, checks[i]);
        CHECK(row >= 0 && !strcmp(cell_text(table, (size_t)row, 1), "good"));
    }
    int row = find(table, "wal_frames");
    CHECK(row >= 0 && cell_int(table, (size_t)row, 1) > 0);
    row = find(table, "pin");
    CHECK(row >= 0 && strstr(cell_text(table, (size_t)row, 1), "cannot be recycled") != NULL);
    CHECK(find(table, "latched") < 0);
    keel_rows_free(rows);
    CHECK(keel_commit(reader, NULL) == 0 && keel_close(reader, NULL) == 0);

    /* Whatever opens and closes a file in this process takes the locks with it: those of a connection are held twice, */
    close(open("care.db", O_RDONLY));
    CHECK(keel_diagnose(db, &rows, NULL) == 0);
    table = keel_rows_data(rows, NULL);
    row = find(table, "locks");
    CHECK(row >= 0 && !strcmp(cell_text(table, (size_t)row, 1), "good"));
    keel_rows_free(rows);
    /* those of an open transaction are not. */
    CHECK(keel_begin(db, KEEL_IMMEDIATE, NULL) == 0);
    CHECK(keel_exec(db, "INSERT INTO t VALUES(3)", KEEL_NUL, NULL) == 0);
    close(open("care.db-shm", O_RDONLY));
    CHECK(keel_diagnose(db, &rows, NULL) == 0);
    table = keel_rows_data(rows, NULL);
    row = find(table, "locks");
    CHECK(row >= 0 && !strcmp(cell_text(table, (size_t)row, 1), "bad") && cell_text(table, (size_t)row, 2)[0] != 0);
    row = find(table, "latched");
    CHECK(row >= 0 && !strcmp(cell_text(table, (size_t)row, 1), "KEEL_LOCKS_LOST"));
    keel_rows_free(rows);
    CHECK(keel_commit(db, &err) == KEEL_E_LOCKS_LOST);
    CHECK(strstr(keel_error_hint(err, NULL), "reopen") != NULL);
    keel_error_free(err);

    pid_t child = fork();
    if (child == 0) _exit(keel_holders(db, &rows, NULL) == KEEL_E_FORKED && keel_on_event(db, hear, NULL) == KEEL_E_FORKED ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(keel_close(db, NULL) == 0);
}

int main(void) {
    events();
    who();
    how();
    return failures != 0;
}
