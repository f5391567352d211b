/* What the C tests share: a check that goes on, and the packed table from both sides. */
#ifndef CHECK_H
#define CHECK_H
#define _DEFAULT_SOURCE /* usleep */
#include <litekeel.h>
#include <stdio.h>
#include <string.h>

static int failures;
#define CHECK(what) \
    do { \
        if (!(what)) { \
            failures++; \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
        } \
    } while (0)

static inline int64_t cell_int(const void *data, size_t row, size_t column) {
    const unsigned char *table = data;
    uint32_t columns;
    uint64_t cells;
    int64_t value;
    memcpy(&columns, table + 12, 4);
    memcpy(&cells, table + 48, 8);
    memcpy(&value, table + cells + (row * columns + column) * 16 + 8, 8);
    return value;
}

static inline uint64_t row_count(const void *table) {
    uint64_t rows;
    memcpy(&rows, (const unsigned char *)table + 16, 8);
    return rows;
}

/* Packed parameters: n rows of one integer. */
static inline size_t integers(unsigned char *out, size_t n) {
    uint32_t head[4] = {0x4C45454B, 1, 0, 1};
    uint64_t rest[6] = {n, 0, 0, 64, 80, 80 + n * 16};
    uint32_t name[2] = {3, 0};
    uint64_t at = 64;
    memcpy(out, head, 16);
    memcpy(out + 16, rest, 48);
    memcpy(out + 64, name, 8);
    memcpy(out + 72, &at, 8);
    for (size_t i = 0; i < n; i++) {
        uint32_t cell[2] = {1, 0};
        int64_t value = (int64_t)i;
        memcpy(out + 80 + i * 16, cell, 8);
        memcpy(out + 88 + i * 16, &value, 8);
    }
    return 80 + n * 16;
}

/* The one number that a query gives; -1 without. */
static inline int64_t query_int(keel_db *db, const char *sql) {
    keel_rows *rows = NULL;
    CHECK(keel_query(db, sql, KEEL_NUL, NULL, 0, 0, &rows, NULL) == 0);
    int64_t value = rows ? cell_int(keel_rows_data(rows, NULL), 0, 0) : -1;
    keel_rows_free(rows);
    return value;
}

#endif
