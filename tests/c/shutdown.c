/* A program that a signal ends: shutdown MODE URL. Prints "ready" when the signal may come. */
#define _GNU_SOURCE
#include <litekeel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static keel_db *db, *second;

static void on_signal(int signal) { seen = signal; }

/* As the runtimes do that end by a signal: the default, and once more. */
static void dies(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

static void leaves(int number) { _exit(number == SIGTERM ? 9 : 96); }

static struct sigaction found;

static void note(const char *text) {
    if (write(1, text, strlen(text)) < 0) _exit(95);
}

static void between(int number) {
    note("over\n");
    if (found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN) found.sa_handler(number);
}

/* Installed over ours, calls it, and ends the process, as Deno does. */
static void over_dies(int number) {
    found.sa_handler(number);
    dies(number);
}

static void under(int number) {
    (void)number;
    note("under\n");
}

static void set(int number, void (*handler)(int), struct sigaction *old) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(number, &action, old);
}

/* What a program does in its own handlers of the end: refused, whatever the thread has come to. */
static void writes_at_exit(void) {
    int rc = keel_exec(db, "INSERT INTO t VALUES('late')", KEEL_NUL, NULL);
    note(rc == KEEL_E_SHUTTING_DOWN ? "refused\n" : "written\n");
}

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

/* A server that migrates, forks, and uses a connection of its own in the child, which it leaves open. */
static int preforked(const char *mode, const char *url) {
    int signals[] = {SIGTERM}, pipes[2];
    keel_error *err = NULL;
    char other[4096], byte;
    must(keel_open(url, KEEL_NUL, &db, &err), err);
    must(keel_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
    if (strcmp(mode, "prefork-both") == 0) must(keel_shutdown_on(signals, 1, -1, &err), err);
    int open = strcmp(mode, "prefork-open") == 0, exits = open || strcmp(mode, "prefork-exit") == 0;
    if (!open) must(keel_close(db, &err), err);
    if (pipe(pipes) != 0) return 94;
    pid_t child = fork();
    if (child == 0) {
        snprintf(other, sizeof other, "%s%s", url, open ? "-child" : "");
        must(keel_open(other, KEEL_NUL, &second, &err), err);
        must(keel_exec(second, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(2)", KEEL_NUL, &err), err);
        if (exits) exit(5);
        must(keel_shutdown_on(signals, 1, -1, &err), err);
        if (write(pipes[1], "r", 1) != 1) _exit(93);
        for (;;) pause();
    }
    close(pipes[1]);
    if (!exits) {
        if (read(pipes[0], &byte, 1) != 1) return 92;
        kill(child, SIGTERM);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (open) {
        /* The child's end has touched nothing of this one's. */
        must(keel_exec(db, "INSERT INTO t VALUES(3)", KEEL_NUL, &err), err);
        must(keel_close(db, &err), err);
    }
    ready();
    return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int count, char **words) {
    if (count != 3) return 97;
    const char *mode = words[1];
    int signals[] = {SIGTERM, SIGINT, SIGHUP};
    keel_error *err = NULL;
    if (strncmp(mode, "prefork", 7) == 0) return preforked(mode, words[2]);
    must(keel_open(words[2], KEEL_NUL, &db, &err), err);
    must(keel_exec(db, "CREATE TABLE t(a)", KEEL_NUL, &err), err);
    must(keel_sibling(db, &second, &err), err);
    must(keel_exec(second, "SELECT * FROM t", KEEL_NUL, &err), err);

    if (strcmp(mode, "chained") == 0) signal(SIGTERM, on_signal);
    if (strcmp(mode, "dies") == 0) set(SIGTERM, dies, NULL);
    if (strcmp(mode, "leaves") == 0) set(SIGTERM, leaves, NULL);
    if (strcmp(mode, "between") == 0) set(SIGTERM, under, NULL);
    /* The program's own handlers of the end run before ours, which was registered before them. */
    if (strcmp(mode, "late") == 0) {
        signal(SIGTERM, on_signal);
        atexit(writes_at_exit);
    }
    if (strcmp(mode, "ignored") == 0) signal(SIGHUP, SIG_IGN);
    long grace = strcmp(mode, "stuck") == 0 ? 300 : strcmp(mode, "twice") == 0 || strcmp(mode, "returns-writing") == 0 ? 60000 : -1;
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
        /* The handler comes last: everything is closed, and every call gets the one code. */
        if (keel_open_handles() > 0) return 2;
        if (keel_exec(db, "SELECT 1", KEEL_NUL, NULL) != KEEL_E_SHUTTING_DOWN) return 3;
        keel_db *third = NULL;
        if (keel_open(words[2], KEEL_NUL, &third, NULL) != KEEL_E_SHUTTING_DOWN) return 1;
        /* Not raised again: the program ends as it likes. */
        usleep(100000);
        return 7;
    }
    if (strcmp(mode, "late") == 0) {
        ready();
        /* Ended by the signal, whose handler has not run yet. */
        pause();
        return 8;
    }
    if (strcmp(mode, "over") == 0 || strcmp(mode, "between") == 0) {
        set(SIGTERM, between, &found);
        ready();
        while (keel_open_handles() > 0) usleep(1000);
        usleep(100000);
        return 7;
    }
    if (strcmp(mode, "over-dies") == 0) {
        set(SIGTERM, over_dies, &found);
        ready();
        for (;;) pause();
    }
    if (strcmp(mode, "returns") == 0 || strcmp(mode, "returns-writing") == 0) {
        if (strcmp(mode, "returns-writing") == 0) must(keel_begin(db, KEEL_IMMEDIATE, &err), err);
        if (strcmp(mode, "returns-writing") == 0) must(keel_exec(db, "INSERT INTO t VALUES(2)", KEEL_NUL, &err), err);
        ready();
        if (count == 3) pause();
        return 0;
    }
    if (strcmp(mode, "cloned") == 0) {
        /* Without the fork handlers nothing there can tell what is its own: it is refused, and its exit closes nothing. */
        pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0) exit(keel_shutdown_on(signals, 3, -1, NULL) == KEEL_E_FORKED ? 5 : 6);
        int status = 0;
        waitpid(child, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 5 || keel_open_handles() != 2) return 1;
        must(keel_exec(db, "INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
    }
    if (strcmp(mode, "quick") == 0) {
        ready();
        quick_exit(6);
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
