/* Every pointer argument as NULL, every text as rubbish, every length at its edges: a code, an explanation, no crash. */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

static keel_db *db;
static keel_options *options;
/* 2 GiB and a bit of NULs that cost no memory until they are copied. */
static const char *huge;
#define HUGE_SIZE (((size_t)1 << 31) + 4096)

/* A function that takes a text, called with this one. */
typedef int32_t (*taker)(const char *text, size_t len, keel_error **err);

static int32_t open_text(const char *text, size_t len, keel_error **err) {
    keel_db *out = (keel_db *)&out;
    int32_t code = keel_open(text, len, &out, err);
    CHECK((code == 0) == (out != NULL));
    if (out) keel_close(out, NULL);
    return code;
}
static int32_t exec_text(const char *text, size_t len, keel_error **err) { return keel_exec(db, text, len, err); }
static int32_t atomic_text(const char *text, size_t len, keel_error **err) { return keel_exec_atomic(db, text, len, err); }
static int32_t query_text(const char *text, size_t len, keel_error **err) {
    keel_rows *out = (keel_rows *)&out;
    int32_t code = keel_query(db, text, len, NULL, 0, 0, &out, err);
    CHECK((code == 0) == (out != NULL));
    keel_rows_free(out);
    return code;
}
static int32_t batch_text(const char *text, size_t len, keel_error **err) {
    keel_rows *out = NULL;
    int32_t code = keel_query(db, text, len, NULL, 0, 100, &out, err);
    keel_rows_free(out);
    return code;
}
static int32_t key_text(const char *text, size_t len, keel_error **err) { return keel_options_set(options, text, len, "1", 1, err); }
static int32_t value_text(const char *text, size_t len, keel_error **err) {
    return keel_options_set(options, "busy_timeout", KEEL_NUL, text, len, err);
}
static int32_t backup_text(const char *text, size_t len, keel_error **err) { return keel_backup(db, text, len, 0, NULL, NULL, err); }
static int32_t params_bytes(const char *text, size_t len, keel_error **err) {
    keel_rows *out = NULL;
    int32_t code = keel_query(db, "SELECT ?", 8, text, len, 0, &out, err);
    keel_rows_free(out);
    return code;
}

static void refuses(const char *what, taker take, const char *text, size_t len, int32_t wanted) {
    keel_error *err = (keel_error *)&err;
    int32_t code = take(text, len, &err);
    if (code != wanted || (code != 0) != (err != NULL) || keel_error_code(err) != code || (code && !*keel_error_message(err, NULL))) {
        failures++;
        fprintf(stderr, "%s: %d (%s), not %d\n", what, code, keel_error_message(err, NULL), wanted);
    }
    keel_error_free(err);
    CHECK(take(text, len, NULL) == wanted);
}

static void texts(void) {
    static const struct { const char *name; taker take; int is_sql, is_url; } all[] = {
        {"keel_open", open_text, 0, 1}, {"keel_exec", exec_text, 1, 0}, {"keel_exec_atomic", atomic_text, 1, 0},
        {"keel_query", query_text, 1, 0}, {"keel_query in batches", batch_text, 1, 0}, {"keel_options_set key", key_text, 0, 0},
        {"keel_options_set value", value_text, 0, 0}, {"keel_backup", backup_text, 0, 1},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        taker take = all[i].take;
        const char *name = all[i].name;
        if (take != open_text) refuses(name, take, NULL, 0, KEEL_E_ARGUMENT);
        if (take != open_text) refuses(name, take, NULL, KEEL_NUL, KEEL_E_ARGUMENT);
        refuses(name, take, "\xff", KEEL_NUL, KEEL_E_INVALID_UTF8);
        refuses(name, take, "a\xc3", 2, KEEL_E_INVALID_UTF8);
        refuses(name, take, "a\xed\xa0\x80", 4, KEEL_E_INVALID_UTF8);
        /* Bytes behind the length do not count. */
        if (all[i].is_sql) refuses(name, take, "SELECT 1\xff", 8, 0);
        int32_t nul = all[i].is_sql ? KEEL_E_ARGUMENT : all[i].is_url ? KEEL_E_CONTROL_CHARACTER : take == key_text ? KEEL_E_UNKNOWN_PARAM : KEEL_E_INVALID_VALUE;
        refuses(name, take, "a\0b", 3, nul);
        refuses(name, take, "\0", 1, nul);
        int32_t empty = all[i].is_sql ? (take == exec_text || take == atomic_text ? 0 : KEEL_E_ARGUMENT)
                      : all[i].is_url ? KEEL_E_EMPTY_URL : take == key_text ? KEEL_E_UNKNOWN_PARAM : KEEL_E_INVALID_VALUE;
        refuses(name, take, "", 0, empty);
        refuses(name, take, "", KEEL_NUL, empty);
        int32_t large = all[i].is_sql ? 18 /* SQLITE_TOOBIG */ : all[i].is_url ? KEEL_E_PATH_TOO_LONG : KEEL_E_INVALID_VALUE;
        if (huge) refuses(name, take, huge, ((size_t)1 << 31) - 1, large);
        if (huge) refuses(name, take, huge, (size_t)1 << 31, large);
        /* What no object can be long is refused before a byte is read. */
        refuses(name, take, "a", SIZE_MAX - 1, KEEL_E_ARGUMENT);
        refuses(name, take, "a", (SIZE_MAX >> 1) + 1, KEEL_E_ARGUMENT);
    }
    refuses("params", params_bytes, "", 0, KEEL_E_PACKED);
    refuses("params", params_bytes, "x", 1, KEEL_E_PACKED);
    if (huge) refuses("params", params_bytes, huge, ((size_t)1 << 31) - 1, KEEL_E_PACKED);
    if (huge) refuses("params", params_bytes, huge, (size_t)1 << 31, KEEL_E_PACKED);
    refuses("params", params_bytes, "x", SIZE_MAX, KEEL_E_ARGUMENT);
    refuses("params", params_bytes, "x", (SIZE_MAX >> 1) + 1, KEEL_E_ARGUMENT);
}

/* Every function with NULL for every pointer that it takes. */
static void nulls(void) {
    int64_t n;
    size_t size = 7;
    CHECK(keel_abi() == KEEL_ABI && strstr(keel_version(), "sqlite/") != NULL);
    CHECK(keel_open(NULL, 0, NULL, NULL) == KEEL_E_ARGUMENT && keel_open_with(NULL, 0, NULL, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_options_new(NULL) == KEEL_E_ARGUMENT && keel_options_set(NULL, "a", 1, "b", 1, NULL) == KEEL_E_HANDLE);
    CHECK(keel_retain(NULL, NULL, NULL) != 0 && keel_retain(db, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_sibling(NULL, NULL, NULL) != 0 && keel_sibling(db, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_databases_open(NULL, 0, 0, NULL, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_databases_use(NULL, NULL, 0, 0, NULL, NULL, NULL) == KEEL_E_ARGUMENT && keel_databases_evict(NULL, "a", 1, NULL) == KEEL_E_HANDLE);
    CHECK(keel_databases_close(NULL, NULL) == KEEL_E_HANDLE && keel_databases_open_count(NULL) == 0);
    CHECK(keel_close(NULL, NULL) == KEEL_E_HANDLE && keel_exec(NULL, NULL, 0, NULL) == KEEL_E_HANDLE);
    CHECK(keel_exec_atomic(NULL, NULL, 0, NULL) == KEEL_E_HANDLE && keel_query(NULL, NULL, 0, NULL, 0, 0, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_query(db, "SELECT 1", 8, NULL, 99, 0, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_begin(NULL, 0, NULL) == KEEL_E_HANDLE && keel_commit(NULL, NULL) == KEEL_E_HANDLE && keel_rollback(NULL, NULL) == KEEL_E_HANDLE);
    CHECK(keel_checkpoint(NULL, 0, NULL, NULL, NULL) == KEEL_E_HANDLE && keel_checkpoint(db, -1, NULL, NULL, NULL) == 0);
    CHECK(keel_checkpoint(db, -1, &n, NULL, NULL) == 0 && keel_checkpoint(db, 77, NULL, NULL, NULL) != 0);
    CHECK(keel_backup(NULL, NULL, 0, 0, NULL, NULL, NULL) == KEEL_E_HANDLE && keel_set_timeout(NULL, 1) == KEEL_E_HANDLE);
    CHECK(keel_replicated(NULL, 0, NULL, NULL) == KEEL_E_HANDLE && keel_replicated(db, 0, NULL, NULL) != 0);
    CHECK(keel_position(NULL, NULL, NULL) == KEEL_E_HANDLE && keel_position(db, NULL, NULL) == KEEL_E_CONFLICT);
    CHECK(keel_wait_for(NULL, 0, 0, NULL) == KEEL_E_HANDLE && keel_wait_for(db, 0, 0, NULL) == KEEL_E_CONFLICT);
    CHECK(keel_report(NULL, NULL, NULL) != 0 && keel_report(db, NULL, NULL) == KEEL_E_ARGUMENT);
    CHECK(keel_rows_next(NULL, NULL) == KEEL_E_HANDLE && keel_rows_data(NULL, &size) == NULL && size == 0);
    CHECK(keel_error_holders(NULL, NULL, NULL) != 0 && keel_set_log(NULL, NULL) == 0);
    CHECK(keel_sqlite3(NULL) == NULL && keel_sqlite3_api() != NULL);
    CHECK(keel_error_code(NULL) == 0 && strcmp(keel_error_name(NULL), "SQLITE_OK") == 0 && *keel_error_message(NULL, &size) == 0 && size == 0);
    CHECK(*keel_error_hint(NULL, NULL) == 0 && *keel_error_path(NULL, NULL) == 0 && *keel_error_step(NULL) == 0 && *keel_error_kind(NULL) == 0);
    CHECK(keel_error_waited(NULL) == -1 && keel_error_offset(NULL) == -1 && keel_error_os(NULL) == 0);
    CHECK(keel_options_name(SIZE_MAX) == NULL && keel_options_help(SIZE_MAX) == NULL);
    CHECK(strcmp(keel_code_name(INT32_MIN), "SQLITE_UNKNOWN") == 0 && strcmp(keel_code_name(KEEL_E_HANDLE), "KEEL_HANDLE") == 0);
    keel_release(NULL);
    keel_interrupt(NULL);
    keel_rows_free(NULL);
    keel_error_free(NULL);
    keel_options_free(NULL);
}

/* A NUL inside bound data is data. */
static void nul_in_data(void) {
    unsigned char packed[64 + 16 + 16 + 8] = {0};
    integers(packed, 1);
    uint32_t text[2] = {3, 5};
    uint64_t at = 96, length = sizeof packed;
    memcpy(packed + 80, text, 8);
    memcpy(packed + 88, &at, 8);
    memcpy(packed + 56, &length, 8);
    memcpy(packed + 96, "ab\0cd", 5);
    keel_rows *rows = NULL;
    CHECK(keel_query(db, "SELECT ?1, length(CAST(?1 AS BLOB))", KEEL_NUL, packed, sizeof packed, 0, &rows, NULL) == 0);
    const unsigned char *table = keel_rows_data(rows, NULL);
    CHECK(cell_int(table, 0, 1) == 5 && memcmp(table + cell_int(table, 0, 0), "ab\0cd", 5) == 0);
    keel_rows_free(rows);
}

static void *tokens_of_one(void *unused) {
    (void)unused;
    for (int i = 0; i < 500; i++) {
        keel_db *mine = NULL;
        keel_rows *rows = NULL;
        CHECK(keel_retain(db, &mine, NULL) == 0);
        CHECK(keel_query(mine, "SELECT 7", 8, NULL, 0, 0, &rows, NULL) == 0 && cell_int(keel_rows_data(rows, NULL), 0, 0) == 7);
        if (i & 1) keel_release(mine);
        else CHECK(keel_close(mine, NULL) == 0);
        /* Rows outlive the token they came from. */
        CHECK(cell_int(keel_rows_data(rows, NULL), 0, 0) == 7 && keel_exec(mine, "SELECT 1", 8, NULL) == KEEL_E_HANDLE);
        keel_rows_free(rows);
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argv;
    /* Under valgrind, which would write shadow bytes for them, the huge ones are left out. */
    if (argc == 1) {
        huge = mmap(NULL, HUGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (huge == MAP_FAILED) return 2;
        /* Whoever copies them needs more than is allowed. */
        struct rlimit limit = {HUGE_SIZE + ((size_t)1 << 30), HUGE_SIZE + ((size_t)1 << 30)};
        setrlimit(RLIMIT_AS, &limit);
    }
    CHECK(keel_open(":memory:", KEEL_NUL, &db, NULL) == 0 && keel_options_new(&options) == 0);
    texts();
    nulls();
    nul_in_data();
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, tokens_of_one, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    keel_options_free(options);
    CHECK(keel_close(db, NULL) == 0);
    return failures != 0;
}
