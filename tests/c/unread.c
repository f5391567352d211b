/* A program whose standard error nobody reads: unread MODE DATABASE. The last argument is the status it would have. */
#include <fcntl.h>
#include <litekeel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int closed(void) { return fcntl(2, F_GETFD) == -1; }

static keel_db *open_or_die(const char *url) {
    keel_db *db = NULL;
    keel_error *err = NULL;
    if (keel_open(url, KEEL_NUL, &db, &err) != 0) {
        printf("%s\n", keel_error_message(err, NULL));
        fflush(stdout);
        _exit(90);
    }
    return db;
}

static void write_row(keel_db *db) {
    if (keel_exec(db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)", KEEL_NUL, NULL) != 0) _exit(91);
}

int main(int argc, char **argv) {
    if (argc != 3) return 92;
    const char *mode = argv[1];
    char url[4096];
    snprintf(url, sizeof url, "file:%s%s", argv[2], strcmp(mode, "strict") == 0 ? "?profile=test" : "");
    int had_none = closed();
    if (strcmp(mode, "signal") == 0) {
        int signals[] = {SIGTERM};
        if (keel_shutdown_on(signals, 1, 50, NULL) != 0) _exit(93);
        /* Nothing of the library's takes the place of standard error. */
        if (had_none && !closed()) _exit(94);
    }
    keel_db *db = open_or_die(url);
    write_row(db);
    if (strcmp(mode, "signal") == 0) {
        if (keel_begin(db, KEEL_IMMEDIATE, NULL) != 0) _exit(95);
        write_row(db);
        raise(SIGTERM);
        for (;;) pause();
    }
    if (strcmp(mode, "two") == 0) {
        /* The first connection holds its lock, whatever number the second one's file would have had. */
        if (keel_begin(db, KEEL_IMMEDIATE, NULL) != 0) _exit(96);
        keel_db *other = open_or_die(url);
        char command[4096];
        snprintf(command, sizeof command,
                 "python3 -c \"import sqlite3; c = sqlite3.connect('%s', 0); c.execute('INSERT INTO t VALUES(7)'); c.commit()\" "
                 "2>/dev/null",
                 argv[2]);
        if (system(command) == 0) _exit(97);
        if (keel_commit(db, NULL) != 0) _exit(98);
        write_row(other);
    }
    return 3;
}
