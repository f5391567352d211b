/* One row after another, until it is killed. A line of its output stands for one row, and is written when the row is safe:
 * with a file when Litestream has it at the replica, with a libSQL server when that has acknowledged it.
 *
 *   DATABASE_URL=... ./write NAME */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <litekeel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv) {
    keel_db *db;
    keel_error *err;
    const char *name = argc > 1 ? argv[1] : "c", *url = getenv("DATABASE_URL");
    if (url == NULL || keel_open(url, KEEL_NUL, &db, &err)) {
        fprintf(stderr, "open: %s\n", url == NULL ? "DATABASE_URL is not set" : keel_error_message(err, NULL));
        return 1;
    }
    int is_file = strncmp(url, "file:", 5) == 0;
    for (int64_t n = 1;; n++) {
        char sql[128];
        uint64_t txid = 0;
        snprintf(sql, sizeof sql, "INSERT INTO event VALUES('%s', %" PRId64 ")", name, n);
        int code = keel_exec(db, sql, KEEL_NUL, &err);
        if (code == 0 && is_file) code = keel_replicated(db, 5000, &txid, &err);
        if (code == 0) {
            printf("acknowledged %s %" PRId64 "\n", name, n);
            fflush(stdout);
            continue;
        }
        /* It may be there or not: it is not sent again, and nobody was told that it is safe. */
        printf("unconfirmed %s %" PRId64 ": %s: %s\n", name, n, keel_error_name(err), keel_error_message(err, NULL));
        fflush(stdout);
        keel_error_free(err);
        struct timespec pause = {0, 200 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}
