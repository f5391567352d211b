/* two_copies COPY: loads another file of litekeel beside the one that this program is linked with. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <litekeel.h>
#include <stdio.h>
#include <string.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            failures++; \
        } \
    } while (0)

int main(int count, char **words) {
    int failures = 0;
    keel_db *db = NULL, *other = NULL;
    keel_error *err = NULL;
    if (count != 3) return 97;
    CHECK(keel_open("file:a.db", KEEL_NUL, &db, NULL) == 0);
    CHECK(keel_exec(db, "CREATE TABLE t(n); INSERT INTO t VALUES(0)", KEEL_NUL, NULL) == 0);
    /* The same file under another name is the same object. */
    void *same = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(same != NULL && dlsym(same, "keel_open") == (void *)keel_open);
    CHECK(keel_open("file:b.db", KEEL_NUL, &other, NULL) == 0 && keel_close(other, NULL) == 0);

    void *copy = dlopen(words[2], RTLD_NOW | RTLD_LOCAL);
    CHECK(copy != NULL);
    if (!copy) return 1;
    __typeof__(keel_open) *copy_open = dlsym(copy, "keel_open");
    __typeof__(keel_exec) *copy_exec = dlsym(copy, "keel_exec");
    __typeof__(keel_close) *copy_close = dlsym(copy, "keel_close");
    __typeof__(keel_error_hint) *copy_hint = dlsym(copy, "keel_error_hint");
    __typeof__(keel_error_free) *copy_free = dlsym(copy, "keel_error_free");
    CHECK(copy_open != keel_open);
    for (int i = 0; i < 2; i++) {
        /* Any database: which file is opened by whom later is not known. */
        CHECK(copy_open("file:c.db", KEEL_NUL, &other, &err) == KEEL_E_TWO_COPIES && other == NULL);
        const char *hint = copy_hint(err, NULL);
        CHECK(strstr(hint, words[2]) != NULL && strstr(hint, "liblitekeel.so") != NULL);
        puts(hint);
        copy_free(err);
    }
    /* The first goes on. */
    CHECK(keel_exec(db, "UPDATE t SET n = n + 1", KEEL_NUL, NULL) == 0);

    /* The control: unguarded, both get the write lock at once, and one of the two updates is lost. */
    CHECK(copy_open("file:a.db?foreign_sqlite=off", KEEL_NUL, &other, NULL) == 0);
    CHECK(keel_exec(db, "BEGIN IMMEDIATE; UPDATE t SET n = n + 10", KEEL_NUL, NULL) == 0);
    CHECK(copy_exec(other, "BEGIN IMMEDIATE; UPDATE t SET n = n + 100", KEEL_NUL, NULL) == 0);
    CHECK(keel_exec(db, "COMMIT", KEEL_NUL, NULL) == 0);
    CHECK(copy_exec(other, "COMMIT", KEEL_NUL, NULL) == 0);
    copy_close(other, NULL);
    keel_close(db, NULL);
    db = NULL;
    CHECK(keel_open("file:a.db", KEEL_NUL, &db, NULL) == 0);
    /* 0 + 1 + 10 + 100 would be 111. */
    CHECK(keel_exec(db, "CREATE TABLE lost(n CHECK(n < 111)); INSERT INTO lost SELECT n FROM t", KEEL_NUL, NULL) == 0);
    CHECK(keel_close(db, NULL) == 0);
    return failures ? 1 : 0;
}
