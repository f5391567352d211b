/* A program that a signal ends: shutdown MODE URL. Prints "ready" when the signal may come. */
#define _GNU_SOURCE
#include <litekeel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void on_signal(int signal) { seen = signal; }

static void must(int rc, keel_error *err) {
    if (rc == 0) return;
    fprintf(stderr, "%d: %s\n", rc, keel_error_message(err, NULL));
    _exit(99);
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
}

/* Pairs of rows, each acknowledged on standard output once committed, until refused. */
static void write_pairs(keel_db *db) {
    for (long n = 1;; n++) {
        char sql[64];
        int rc = keel_begin(db, KEEL_IMMEDIATE, NULL);
        if (rc == 0) {
            snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%ld)", n);
            must(keel_exec(db, sql, KEEL_NUL, NULL), NULL);
            must(keel_exec(db, sql, KEEL_NUL, NULL), NULL);
            must(keel_commit(db, NULL), NULL);
            printf("%ld\n", n);
            fflush(stdout);
            continue;
        }
        if (rc != KEEL_E_SHUTTING_DOWN) _exit(98);
        for (;;) pause();
    }
}

int main(int count, char **words) {
    if (count != 3) return 97;
    const char *mode = words[1];
    int signals[] = {SIGTERM, SIGINT, SIGHUP};
    keel_db *db = NULL, *second = NULL;
    keel_error *err = NULL;
    must(keel_open(words[2], KEEL_NUL, &db, &err), err);
    must(keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, &err), err);
    must(keel_sibling(db, &second, &err), err);
    must(keel_exec(second, "SELECT * FROM t", KEEL_NUL, &err), err);

    if (strcmp(mode, "chained") == 0) signal(SIGTERM, on_signal);
    if (strcmp(mode, "ignored") == 0) signal(SIGHUP, SIG_IGN);
    long grace = strcmp(mode, "stuck") == 0 ? 300 : strcmp(mode, "twice") == 0 ? 60000 : -1;
    if (strcmp(mode, "control") != 0) must(keel_shutdown_on(signals, 3, grace, &err), err);

    if (strcmp(mode, "wrong") == 0) {
        int kill = SIGKILL;
        int refused = keel_shutdown_on(&kill, 1, -1, &err) == KEEL_E_ARGUMENT && keel_error_hint(err, NULL)[0];
        keel_error_free(err);
        refused &= keel_shutdown_on(NULL, 1, -1, NULL) == KEEL_E_ARGUMENT;
        refused &= keel_shutdown_on(signals, 3, -2, NULL) == KEEL_E_ARGUMENT;
        refused &= keel_open_handles() == 2 && keel_assert_no_leaks(&err) == KEEL_E_LEAK;
        refused &= strstr(keel_error_message(err, NULL), "2 connection(s) not closed") != NULL;
        keel_error_free(err);
        keel_close(second, NULL);
        keel_close(db, NULL);
        return refused && keel_open_handles() == 0 && keel_assert_no_leaks(NULL) == 0 ? 0 : 1;
    }
    if (strcmp(mode, "pairs") == 0) {
        ready();
        write_pairs(db);
    }
    if (strcmp(mode, "reading") == 0) {
        ready();
        keel_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n", KEEL_NUL,
                  NULL);
        for (;;) pause();
    }
    if (strcmp(mode, "stuck") == 0 || strcmp(mode, "twice") == 0) {
        must(keel_begin(db, KEEL_IMMEDIATE, &err), err);
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
        ready();
        for (;;) pause();
    }
    if (strcmp(mode, "finishing") == 0) {
        must(keel_begin(db, KEEL_IMMEDIATE, &err), err);
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
        ready();
        /* Only when others are refused, the signal has arrived; then the transaction goes on to its end. */
        while (keel_exec(second, "SELECT 1", KEEL_NUL, NULL) != KEEL_E_SHUTTING_DOWN) usleep(1000);
        usleep(300000);
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
        must(keel_commit(db, &err), err);
        for (;;) pause();
    }
    must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
    if (strcmp(mode, "chained") == 0) {
        ready();
        while (!seen) usleep(1000);
        int rc;
        while ((rc = keel_exec(db, "SELECT 1", KEEL_NUL, NULL)) != KEEL_E_SHUTTING_DOWN) usleep(1000);
        keel_db *third = NULL;
        if (keel_open(words[2], KEEL_NUL, &third, NULL) != KEEL_E_SHUTTING_DOWN) return 1;
        while (keel_open_handles() > 0) usleep(1000);
        /* Not raised again: the program ends as it likes. */
        usleep(100000);
        return 7;
    }
    if (strcmp(mode, "ignored") == 0) {
        raise(SIGHUP);
        usleep(100000);
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
    }
    if (strcmp(mode, "forked") == 0) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) pause();
        }
        usleep(50000);
        kill(child, SIGTERM);
        int status = 0;
        waitpid(child, &status, 0);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) return 1;
        usleep(100000);
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
    }
    ready();
    for (;;) pause();
}
