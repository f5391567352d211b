/* host MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used. */
#define _GNU_SOURCE
#include <litekeel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREVER "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

static keel_db *db;

static void say(const char *text) {
    if (write(1, text, strlen(text)) < 0) _exit(99);
}

static void sql(const char *text) { keel_exec(db, text, KEEL_NUL, NULL); }

static void must(int rc, keel_error *err) {
    if (rc == 0) return;
    fprintf(stderr, "%d: %s\n", rc, keel_error_message(err, NULL));
    _exit(98);
}

static void open_it(const char *path) {
    char url[4096];
    keel_error *err = NULL;
    snprintf(url, sizeof url, "file:%s", path);
    must(keel_open(url, KEEL_NUL, &db, &err), err);
    must(keel_exec(db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)", KEEL_NUL, &err), err);
}

static void shutdown_on(void) {
    int signals[] = {SIGTERM, SIGINT, SIGHUP};
    keel_error *err = NULL;
    must(keel_shutdown_on(signals, 3, 2000, &err), err);
}

static void hook(void) {
    say("hook\n");
    if (db) sql("INSERT INTO t VALUES(2)");
}

static volatile sig_atomic_t heard;

static void on_signal(int number) { heard = number; }

static void wait_for_ever(void) {
    say("ready\n");
    while (!heard) usleep(20000);
    say("handler\n");
    exit(7);
}

int main(int count, char **words) {
    const char *mode = words[1], *path = words[2];
    int used = count > 2 && path[0], on = count > 3 && words[3][0] == '1';
    int is_fork = strcmp(mode, "fork") == 0, is_prefork = strcmp(mode, "prefork") == 0;
    atexit(hook);
    if (strcmp(mode, "before") == 0) signal(SIGTERM, on_signal);
    if (used) open_it(path);
    if (is_prefork && used) {
        must(keel_close(db, NULL), NULL);
        db = NULL;
    }
    if (is_fork || is_prefork) {
        pid_t child = fork();
        if (child == 0) {
            char own[4096];
            snprintf(own, sizeof own, "%s%s", path, is_fork ? "-child" : "");
            db = NULL;
            if (used) open_it(own);
            if (is_fork) exit(5);
            if (used && on) shutdown_on();
            say("ready\n");
            for (;;) pause();
        }
        int status = 0;
        char text[64];
        signal(SIGTERM, SIG_IGN);
        waitpid(child, &status, 0);
        snprintf(text, sizeof text, "child %d %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status));
        say(text);
        return 0;
    }
    if (used && on) shutdown_on();
    if (strcmp(mode, "after") == 0) signal(SIGTERM, on_signal);
    if (strcmp(mode, "natural") == 0) return 0;
    if (strcmp(mode, "exit") == 0) exit(3);
    if (strcmp(mode, "error") == 0) abort();
    if (used && strcmp(mode, "second") == 0) sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)");
    if (strcmp(mode, "loop") == 0) {
        say("ready\n");
        for (volatile long n = 0;; n++) {}
    }
    if (used && strcmp(mode, "long") == 0) {
        say("ready\n");
        sql(FOREVER);
        for (;;) pause();
    }
    wait_for_ever();
}
