/* litekeel/packed.h: parameters in and rows out, without touching a byte of the packed table yourself.
 *
 *   keel_params p = KEEL_PARAMS;
 *   keel_pack(&p, "is", 42, "Ada");                   // one row of parameters: an int and a text
 *   int code = keel_run(db, "INSERT INTO visit VALUES(?, ?)", &p, NULL, &err);
 *   keel_params_free(&p);
 *
 *   keel_rows *rows;
 *   if (keel_run(db, "SELECT id, who FROM visit", NULL, &rows, &err) == 0) {
 *       keel_cursor row = keel_cursor_of(rows);
 *       while ((code = keel_next(&row, &err)) == KEEL_ROW)
 *           printf("%lld %s\n", (long long)keel_int(&row, 0), keel_text(&row, 1));
 *       keel_rows_free(rows);
 *   }
 *
 * Header-only: everything is `static inline` on the functions of litekeel.h, in C99 and later and in C++.
 * A keel_params and a keel_cursor belong to one thread at a time.
 */
#ifndef LITEKEEL_PACKED_H
#define LITEKEEL_PACKED_H

#include <litekeel.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
/* C in a C++ program: its casts, some of which only matter where a size_t has 32 bits, and its NULL. */
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wold-style-cast"
#pragma clang diagnostic ignored "-Wzero-as-null-pointer-constant"
#elif defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuseless-cast"
#endif
extern "C" {
#endif

/* The type of a value; the numbers are SQLite's. */
#define KEEL_INTEGER 1
#define KEEL_FLOAT 2
#define KEEL_TEXT 3
#define KEEL_BLOB 4
#define KEEL_NULL 5

/* --- Parameters ---------------------------------------------------------------------------------------------------- */

/* Parameters that are being packed. Begin with KEEL_PARAMS, end with keel_params_free. The members are private. */
typedef struct keel_params {
    unsigned char *table; /* header, names and cells; once finished, the texts and blobs too */
    size_t table_len, table_capacity;
    unsigned char *heap; /* the bytes of texts and blobs, until the table is finished */
    size_t heap_len, heap_capacity;
    uint32_t columns;
    size_t values; /* pushed so far, the names not counted */
    int named, finished;
    int32_t code;
} keel_params;

#define KEEL_PARAMS {NULL, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0}

/* Forgets the rows, the names and a failure, and keeps the memory for the next use. */
static inline void keel_params_reset(keel_params *p) {
    p->table_len = p->heap_len = p->values = 0;
    p->columns = 0;
    p->named = p->finished = 0;
    p->code = 0;
}

/* Frees the memory. The parameters are empty afterwards and can be used again. */
static inline void keel_params_free(keel_params *p) {
    free(p->table);
    free(p->heap);
    p->table = p->heap = NULL;
    p->table_capacity = p->heap_capacity = 0;
    keel_params_reset(p);
}

/* Private: room for `more` bytes; 0, or SQLITE_NOMEM (7). */
static inline int32_t keel_private_room(unsigned char **bytes, size_t len, size_t *capacity, size_t more) {
    size_t wanted = *capacity ? *capacity : 256;
    unsigned char *moved;
    if (more > SIZE_MAX / 4 - len) return 7;
    if (*capacity >= len + more) return 0;
    while (wanted < len + more) wanted *= 2;
    moved = (unsigned char *)realloc(*bytes, wanted);
    if (!moved) return 7;
    *bytes = moved;
    *capacity = wanted;
    return 0;
}

/* Private: appends one cell, a value or a name. A table that was handed out is over: this begins a new one. */
static inline int32_t keel_private_cell(keel_params *p, uint32_t type, const void *data, uint64_t len, uint64_t payload) {
    uint32_t size = (uint32_t)len;
    if (p->finished) keel_params_reset(p);
    if (p->code) return p->code;
    if (len > INT32_MAX) return p->code = 18; /* SQLITE_TOOBIG: SQLite takes no longer value */
    if (p->table_len == 0) {
        if ((p->code = keel_private_room(&p->table, 0, &p->table_capacity, 64)) != 0) return p->code;
        memset(p->table, 0, 64);
        p->table_len = 64;
    }
    if ((p->code = keel_private_room(&p->table, p->table_len, &p->table_capacity, 16)) != 0) return p->code;
    if (type == KEEL_TEXT || type == KEEL_BLOB) {
        if ((p->code = keel_private_room(&p->heap, p->heap_len, &p->heap_capacity, (size_t)len + 1)) != 0) return p->code;
        payload = p->heap_len;
        if (len) memcpy(p->heap + p->heap_len, data, (size_t)len);
        p->heap[p->heap_len + len] = 0;
        p->heap_len += (size_t)len + 1;
    }
    memcpy(p->table + p->table_len, &type, 4);
    memcpy(p->table + p->table_len + 4, &size, 4);
    memcpy(p->table + p->table_len + 8, &payload, 8);
    p->table_len += 16;
    return 0;
}

/* Names the columns, separated by blanks ("id who"): the values are then bound to :id and :who (or @id, $id) instead of
 * in order. Before the first row. Returns 0 or a code, as keel_pack. */
static inline int32_t keel_pack_names(keel_params *p, const char *names) {
    if (p->finished) keel_params_reset(p);
    if (!p->code && p->table_len) p->code = KEEL_E_ARGUMENT;
    while (!p->code && *names) {
        size_t len = strcspn(names, " ");
        if (len && keel_private_cell(p, KEEL_TEXT, names, len, 0) == 0) p->columns++;
        names += len + (names[len] == ' ');
    }
    p->named = 1;
    return p->code;
}

/* Private: begins a row of so many values. */
static inline int32_t keel_private_row(keel_params *p, size_t count) {
    uint32_t column;
    if (p->finished) keel_params_reset(p);
    if (p->code) return p->code;
    if (count == 0 || count > UINT32_MAX || (p->columns && count != p->columns)) return p->code = KEEL_E_ARGUMENT;
    if (p->columns) return 0;
    for (column = 0; column < count; column++)
        if (keel_private_cell(p, KEEL_TEXT, "", 0, 0)) return p->code;
    p->columns = (uint32_t)count;
    return 0;
}

/* Packs one row. `types` has a letter for each value, and the values follow:
 *
 *   i int        l int64_t     u uint32_t     d double      n NULL, without a value
 *   s const char *, NUL-terminated
 *   t const char * and size_t: a text of that length in bytes
 *   b const void * and size_t: a blob
 *
 * A NULL pointer packs a NULL. Texts and blobs are copied. Every row has as many values as the first one. Returns 0; KEEL_E_ARGUMENT for an unknown
 * letter or another number of values; SQLITE_NOMEM; SQLITE_TOOBIG. A failure stays until keel_params_reset, and keel_run
 * reports it: a series of calls can be checked once, there. After keel_params_data or keel_run, the next call begins a
 * new table.
 *
 * The compiler cannot check the arguments. An int is 'i', an int64_t is 'l'; write (int64_t)1 for a constant. */
static inline int32_t keel_pack(keel_params *p, const char *types, ...) {
    va_list values;
    if (keel_private_row(p, strlen(types))) return p->code;
    va_start(values, types);
    for (; *types && !p->code; types++) {
        int64_t integer = 0;
        double real = 0;
        const void *bytes = NULL;
        size_t len = 0;
        uint32_t type = KEEL_INTEGER;
        uint64_t payload = 0;
        switch (*types) {
        case 'i': integer = va_arg(values, int); break;
        case 'u': integer = va_arg(values, uint32_t); break;
        case 'l': integer = va_arg(values, int64_t); break;
        case 'd':
            type = KEEL_FLOAT;
            real = va_arg(values, double);
            break;
        case 'n': type = KEEL_NULL; break;
        case 's':
        case 't':
        case 'b':
            bytes = va_arg(values, const void *);
            if (*types != 's') len = va_arg(values, size_t);
            else if (bytes) len = strlen((const char *)bytes);
            type = !bytes ? KEEL_NULL : *types == 'b' ? KEEL_BLOB : KEEL_TEXT;
            break;
        default: p->code = KEEL_E_ARGUMENT;
        }
        if (p->code) break;
        memcpy(&payload, type == KEEL_FLOAT ? (const void *)&real : (const void *)&integer, 8);
        if (keel_private_cell(p, type, bytes, len, payload) == 0) p->values++;
    }
    va_end(values);
    return p->code;
}

/* The finished table, for keel_query: valid until the next call with these parameters. Parameters that failed give a
 * table that keel_query refuses with KEEL_E_PACKED. */
static inline const void *keel_params_data(keel_params *p, size_t *len) {
    uint64_t at, total, rows;
    uint32_t flags = p->named ? 1 : 0, magic = 0x4C45454B, version = 1;
    size_t cells = p->table_len;
    *len = 0;
    if (!p->finished && !p->code && cells == 0) {
        /* No value at all: a table without columns and rows. */
        if ((p->code = keel_private_room(&p->table, 0, &p->table_capacity, 64)) == 0) {
            memset(p->table, 0, 64);
            p->table_len = cells = 64;
        }
    }
    if (!p->finished && !p->code) p->code = keel_private_room(&p->table, cells, &p->table_capacity, p->heap_len);
    if (p->code) return "";
    if (p->finished) {
        *len = p->table_len;
        return p->table;
    }
    for (at = 64; at < cells; at += 16) {
        uint32_t type;
        uint64_t payload;
        memcpy(&type, p->table + at, 4);
        if (type != KEEL_TEXT && type != KEEL_BLOB) continue;
        memcpy(&payload, p->table + at + 8, 8);
        payload += cells;
        memcpy(p->table + at + 8, &payload, 8);
    }
    if (p->heap_len) memcpy(p->table + cells, p->heap, p->heap_len);
    p->table_len = cells + p->heap_len;
    rows = p->columns ? p->values / p->columns : 0;
    total = p->table_len;
    memcpy(p->table, &magic, 4);
    memcpy(p->table + 4, &version, 4);
    memcpy(p->table + 8, &flags, 4);
    memcpy(p->table + 12, &p->columns, 4);
    memcpy(p->table + 16, &rows, 8);
    at = 64;
    memcpy(p->table + 40, &at, 8);
    at = 64 + 16 * (uint64_t)p->columns;
    memcpy(p->table + 48, &at, 8);
    memcpy(p->table + 56, &total, 8);
    p->finished = 1;
    *len = p->table_len;
    return p->table;
}

/* Runs one statement: keel_query with a NUL-terminated `sql` and these parameters. `params` NULL: the statement has
 * none. `out` NULL: its rows are dropped. Returns what keel_query returns, or the code of parameters that failed; then
 * `err` gets an error object all the same. */
static inline int32_t keel_run(keel_db *db, const char *sql, keel_params *params, keel_rows **out, keel_error **err) {
    size_t len = 0;
    const void *data = params ? keel_params_data(params, &len) : NULL;
    keel_rows *dropped = NULL;
    int32_t code = keel_query(db, sql, KEEL_NUL, data, len, 0, out ? out : &dropped, err);
    keel_rows_free(dropped);
    return params && params->code ? params->code : code;
}

/* --- Rows ---------------------------------------------------------------------------------------------------------- */

/* A place in a result. Begin with keel_cursor_of or keel_cursor_at, then keel_next before each row. There is nothing to
 * free; it must not be used after the rows have been freed. The members are private. */
typedef struct keel_cursor {
    keel_rows *rows;
    const unsigned char *table;
    const unsigned char *cells; /* of the current row; NULL before the first and after the last */
    uint64_t row, count;        /* the row that comes next, and the rows of this batch */
    uint32_t columns;
} keel_cursor;

/* A cursor before the first row of a packed table, for example the fields of an event. */
static inline keel_cursor keel_cursor_at(const void *table, size_t len) {
    keel_cursor c = {NULL, NULL, NULL, 0, 0, 0};
    uint32_t magic = 0;
    if (table && len >= 64) memcpy(&magic, table, 4);
    if (magic != 0x4C45454B) return c;
    c.table = (const unsigned char *)table;
    memcpy(&c.columns, c.table + 12, 4);
    memcpy(&c.count, c.table + 16, 8);
    return c;
}

/* A cursor before the first row of a result, read whole or in batches. */
static inline keel_cursor keel_cursor_of(keel_rows *rows) {
    size_t len = 0;
    const void *table = keel_rows_data(rows, &len);
    keel_cursor c = keel_cursor_at(table, len);
    c.rows = rows;
    return c;
}

/* Goes to the next row, and to the next batch where one ends: KEEL_ROW, KEEL_DONE after the last row, else the code of
 * the failure. `err` as everywhere: NULL, or gets the error object. What was read of the row before stays valid within
 * a batch only. */
static inline int32_t keel_next(keel_cursor *c, keel_error **err) {
    if (err) *err = NULL;
    c->cells = NULL;
    if (c->row == c->count && c->rows) {
        keel_rows *rows = c->rows;
        int32_t code = keel_rows_next(rows, err);
        if (code != KEEL_ROW) return code;
        *c = keel_cursor_of(rows);
    }
    if (c->row == c->count) return KEEL_DONE;
    {
        uint64_t at;
        memcpy(&at, c->table + 48, 8);
        c->cells = c->table + at + c->row++ * c->columns * 16;
    }
    return KEEL_ROW;
}

/* Private: the cell of a column, NULL when there is none. */
static inline const unsigned char *keel_private_at(const keel_cursor *c, uint32_t column) {
    return c->cells && column < c->columns ? c->cells + (size_t)column * 16 : NULL;
}

/* Private: what a cell that is a text or blob holds. */
static inline const char *keel_private_bytes(const keel_cursor *c, const unsigned char *cell, size_t *len) {
    uint32_t type = KEEL_NULL, size = 0;
    uint64_t at = 0;
    if (cell) memcpy(&type, cell, 4);
    if (len) *len = 0;
    if (type != KEEL_TEXT && type != KEEL_BLOB) return NULL;
    memcpy(&size, cell + 4, 4);
    memcpy(&at, cell + 8, 8);
    if (len) *len = size;
    return (const char *)c->table + at;
}

/* The number of columns. */
static inline uint32_t keel_columns(const keel_cursor *c) { return c->columns; }

/* The number of rows: of all rows in a result that was read whole, of this batch otherwise. */
static inline uint64_t keel_count(const keel_cursor *c) { return c->count; }

/* A column's name, NUL-terminated; "" past the last. */
static inline const char *keel_column_name(const keel_cursor *c, uint32_t column) {
    const char *name;
    uint64_t at;
    if (!c->table || column >= c->columns) return "";
    memcpy(&at, c->table + 40, 8);
    name = keel_private_bytes(c, c->table + at + (size_t)column * 16, NULL);
    return name ? name : "";
}

/* The first column with this name, or -1. */
static inline int keel_column(const keel_cursor *c, const char *name) {
    uint32_t column;
    for (column = 0; column < c->columns; column++)
        if (strcmp(keel_column_name(c, column), name) == 0) return (int)column;
    return -1;
}

/* How many rows the statement inserted, updated or deleted, triggers included. */
static inline int64_t keel_changes(const keel_cursor *c) {
    int64_t value = 0;
    if (c->table) memcpy(&value, c->table + 24, 8);
    return value;
}

/* The rowid of the row that the connection inserted last. */
static inline int64_t keel_last_rowid(const keel_cursor *c) {
    int64_t value = 0;
    if (c->table) memcpy(&value, c->table + 32, 8);
    return value;
}

/* KEEL_INTEGER, KEEL_FLOAT, KEEL_TEXT, KEEL_BLOB or KEEL_NULL; KEEL_NULL where there is no such column or no row. */
static inline int keel_type(const keel_cursor *c, uint32_t column) {
    const unsigned char *cell = keel_private_at(c, column);
    uint32_t type = KEEL_NULL;
    if (cell) memcpy(&type, cell, 4);
    return (int)type;
}

/* Whether the value is NULL, as keel_type. */
static inline int keel_is_null(const keel_cursor *c, uint32_t column) { return keel_type(c, column) == KEEL_NULL; }

/* The value as a double; an integer is converted, anything else is 0. */
static inline double keel_double(const keel_cursor *c, uint32_t column) {
    const unsigned char *cell = keel_private_at(c, column);
    int type = keel_type(c, column);
    int64_t integer = 0;
    double value = 0;
    if (type == KEEL_FLOAT) memcpy(&value, cell + 8, 8);
    if (type == KEEL_INTEGER) {
        memcpy(&integer, cell + 8, 8);
        value = (double)integer;
    }
    return value;
}

/* The value as an integer; a float is cut to its whole part (and to the range of an int64_t), anything else is 0. */
static inline int64_t keel_int(const keel_cursor *c, uint32_t column) {
    const unsigned char *cell = keel_private_at(c, column);
    int type = keel_type(c, column);
    int64_t value = 0;
    if (type == KEEL_INTEGER) memcpy(&value, cell + 8, 8);
    if (type == KEEL_FLOAT) {
        double real = keel_double(c, column);
        if (real >= 9223372036854775808.0) value = INT64_MAX;
        else if (real <= -9223372036854775808.0) value = INT64_MIN;
        else if (real == real) value = (int64_t)real;
    }
    return value;
}

/* The bytes of a text or blob, NUL-terminated and valid until the rows are freed or the next batch is fetched; NULL for
 * every other value. A text may itself contain NULs: keel_bytes has the length. */
static inline const char *keel_text(const keel_cursor *c, uint32_t column) {
    return keel_private_bytes(c, keel_private_at(c, column), NULL);
}

/* As keel_text, for blobs. */
static inline const void *keel_blob(const keel_cursor *c, uint32_t column) { return keel_text(c, column); }

/* The length of a text or blob in bytes; 0 for every other value. */
static inline size_t keel_bytes(const keel_cursor *c, uint32_t column) {
    size_t len;
    keel_private_bytes(c, keel_private_at(c, column), &len);
    return len;
}

#ifdef __cplusplus
}
#if defined(__clang__)
#pragma clang diagnostic pop
#elif defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif

#endif /* LITEKEEL_PACKED_H */
