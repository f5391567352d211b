/* What the C ABI costs: each job once through keel_query and once written against sqlite3_* by hand, with statements
 * prepared beforehand (one job also without), on equal files and the same copy of SQLite with the same settings. The two alternate within every round;
 * the figure is the median of the rounds' ratios.
 *
 * By hand twice: on a connection as sqlite3_open gives it (any thread may use it, as litekeel's), and on one without
 * SQLite's mutex (SQLITE_OPEN_NOMUTEX), which only one thread may use. Its file is one of its own, with SQLite's locks: beside
 * a connection of this process that keeps its read lock, SQLite need not take another, and a look-up by hand would be
 * as quick as one in memory. */
#include <litekeel.h>
#include <litekeel/sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 10000
#define LOOKUPS 100
/* A read lock is kept between reads that follow each other closely for as long as they have. */
#define STRETCH 4000
#define BULK 1000

static keel_db *db;
static sqlite3 *raw;
static sqlite3_stmt *lookup, *scan, *insert, *begin, *commit;
static unsigned char one[96], ids[80 + LOOKUPS * 16], *many;
static size_t many_size;
/* What was read, so that neither side can leave the reading out. */
static int64_t sum_ours, sum_theirs;

static void must(int code, const char *what) {
    if (code == 0) return;
    fprintf(stderr, "%s: %d %s\n", what, code, sqlite3_errmsg(raw));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put32(unsigned char *at, uint32_t value) { memcpy(at, &value, 4); }
static void put64(unsigned char *at, uint64_t value) { memcpy(at, &value, 8); }
static uint32_t get32(const unsigned char *at) { uint32_t value; memcpy(&value, at, 4); return value; }
static int64_t get64(const unsigned char *at) { int64_t value; memcpy(&value, at, 8); return value; }

static void cell(unsigned char *at, uint32_t type, uint32_t length, uint64_t payload) {
    put32(at, type);
    put32(at + 4, length);
    put64(at + 8, payload);
}

/* A packed table of parameters; the names are empty, since they are bound by position. */
static void header(unsigned char *out, uint32_t columns, uint64_t rows, uint64_t length) {
    put32(out, 0x4C45454B);
    put32(out + 4, 1);
    put32(out + 8, 0);
    put32(out + 12, columns);
    put64(out + 16, rows);
    put64(out + 24, 0);
    put64(out + 32, 0);
    put64(out + 40, 64);
    put64(out + 48, 64 + (uint64_t)columns * 16);
    put64(out + 56, length);
    for (uint32_t i = 0; i < columns; i++) cell(out + 64 + i * 16, 3, 0, 64);
}

/* Reads every cell of a packed table as the hand-written loops read their columns. */
static void read_all(keel_rows *rows) {
    const unsigned char *table = keel_rows_data(rows, NULL);
    uint64_t cells = (uint64_t)get32(table + 12) * (uint64_t)get64(table + 16);
    const unsigned char *at = table + get64(table + 48);
    for (uint64_t i = 0; i < cells; i++, at += 16) {
        switch (get32(at)) {
        case 1: sum_ours += get64(at + 8); break;
        case 2: { double value; memcpy(&value, at + 8, 8); sum_ours += (int64_t)value; break; }
        case 3: sum_ours += get32(at + 4) + table[get64(at + 8)]; break;
        default: break;
        }
    }
}

static void read_row(sqlite3_stmt *statement, int columns) {
    for (int i = 0; i < columns; i++) {
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER: sum_theirs += sqlite3_column_int64(statement, i); break;
        case SQLITE_FLOAT: sum_theirs += (int64_t)sqlite3_column_double(statement, i); break;
        case SQLITE_TEXT: {
            const unsigned char *text = sqlite3_column_text(statement, i);
            sum_theirs += sqlite3_column_bytes(statement, i) + text[0];
            break;
        }
        default: break;
        }
    }
}

#define LOOKUP "SELECT id, name, score FROM t WHERE id = ?"
#define SCAN "SELECT id, name, score, note, kind FROM t ORDER BY id LIMIT 1000"
#define INSERT "INSERT INTO bulk VALUES(?, ?, ?)"

static void ours_lookup(void) {
    for (int i = 0; i < STRETCH; i++) {
        keel_rows *rows;
        put64(one + 88, (uint64_t)(i * 7919) % ROWS + 1);
        must(keel_query(db, LOOKUP, sizeof LOOKUP - 1, one, sizeof one, 0, &rows, NULL), "lookup");
        read_all(rows);
        keel_rows_free(rows);
    }
}

static void by_hand_lookups(int count) {
    for (int i = 0; i < count; i++) {
        sqlite3_bind_int64(lookup, 1, (i * 7919) % ROWS + 1);
        while (sqlite3_step(lookup) == SQLITE_ROW) read_row(lookup, 3);
        must(sqlite3_reset(lookup), "lookup");
    }
}

static void theirs_lookup(void) { by_hand_lookups(STRETCH); }

static void theirs_lookups(void) { by_hand_lookups(LOOKUPS); }

/* As a host does that keeps no statements. */
static void theirs_fresh(void) {
    for (int i = 0; i < STRETCH; i++) {
        sqlite3_stmt *statement;
        must(sqlite3_prepare_v2(raw, LOOKUP, sizeof LOOKUP - 1, &statement, NULL), "prepare");
        sqlite3_bind_int64(statement, 1, (i * 7919) % ROWS + 1);
        while (sqlite3_step(statement) == SQLITE_ROW) read_row(statement, 3);
        must(sqlite3_finalize(statement), "finalize");
    }
}

static void ours_lookups(void) {
    keel_rows *rows;
    for (uint32_t i = 0; i < LOOKUPS; i++) put64(ids + 80 + i * 16 + 8, (uint64_t)(i * 7919) % ROWS + 1);
    must(keel_query(db, LOOKUP, sizeof LOOKUP - 1, ids, 80 + LOOKUPS * 16, 0, &rows, NULL), "lookups");
    read_all(rows);
    keel_rows_free(rows);
}

static void ours_scan(void) {
    for (int i = 0; i < 4; i++) {
        keel_rows *rows;
        must(keel_query(db, SCAN, sizeof SCAN - 1, NULL, 0, 0, &rows, NULL), "scan");
        read_all(rows);
        keel_rows_free(rows);
    }
}

static void theirs_scan(void) {
    for (int i = 0; i < 4; i++) {
        while (sqlite3_step(scan) == SQLITE_ROW) read_row(scan, 5);
        must(sqlite3_reset(scan), "scan");
    }
}

static void ours_bulk(void) {
    keel_rows *rows;
    must(keel_query(db, INSERT, sizeof INSERT - 1, many, many_size, 0, &rows, NULL), "bulk");
    keel_rows_free(rows);
}

static void theirs_bulk(void) {
    sqlite3_step(begin);
    must(sqlite3_reset(begin), "begin");
    for (uint32_t i = 0; i < BULK; i++) {
        unsigned char *at = many + 64 + 48 + i * 48;
        sqlite3_bind_int64(insert, 1, get64(at + 8));
        sqlite3_bind_text(insert, 2, (char *)many + get64(at + 24), (int)get32(at + 20), SQLITE_STATIC);
        double value;
        memcpy(&value, at + 40, 8);
        sqlite3_bind_double(insert, 3, value);
        sqlite3_step(insert);
        must(sqlite3_reset(insert), "insert");
    }
    sqlite3_step(commit);
    must(sqlite3_reset(commit), "commit");
}

static void empty(void) {
    must(keel_exec(db, "DELETE FROM bulk", KEEL_NUL, NULL), "empty");
    must(sqlite3_exec(raw, "DELETE FROM bulk", NULL, NULL, NULL), "empty");
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double timed(void (*job)(void)) {
    double start = now();
    job();
    return now() - start;
}

static double compare(const char *what, int rounds, double units, void (*ours)(void), void (*theirs)(void), void (*between)(void)) {
    double *ratios = malloc(sizeof(double) * (size_t)rounds), *a = malloc(sizeof(double) * (size_t)rounds),
           *b = malloc(sizeof(double) * (size_t)rounds);
    for (int i = -rounds / 10 - 1; i < rounds; i++) {
        double first, second;
        if (between) between();
        if (i & 1) first = timed(ours);
        else second = timed(theirs);
        if (between) between();
        if (i & 1) second = timed(theirs);
        else first = timed(ours);
        if (i < 0) continue;
        a[i] = first;
        b[i] = second;
        ratios[i] = first / second;
    }
    qsort(ratios, (size_t)rounds, sizeof(double), by_value);
    qsort(a, (size_t)rounds, sizeof(double), by_value);
    qsort(b, (size_t)rounds, sizeof(double), by_value);
    double ratio = ratios[rounds / 2];
    printf("%-22s keel_query %8.2f us   sqlite3_* %8.2f us   ratio %.3f\n", what, a[rounds / 2] / units * 1e6, b[rounds / 2] / units * 1e6, ratio);
    free(ratios);
    free(a);
    free(b);
    return ratio;
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    must(sqlite3_prepare_v3(raw, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

/* Compares with a hand-written host on a connection of its own; returns the worst ratio. */
static double by_hand(const char *how, int flags, int rounds) {
    must(sqlite3_open_v2("by-hand.db", &raw, SQLITE_OPEN_READWRITE | flags, NULL), "open");
    must(sqlite3_exec(raw, "PRAGMA synchronous=1; PRAGMA cache_size=-64000; PRAGMA foreign_keys=1; PRAGMA temp_store=2;"
                           "PRAGMA journal_size_limit=67108864; PRAGMA journal_mode=wal", NULL, NULL, NULL), "pragmas");
    lookup = prepare(LOOKUP);
    scan = prepare(SCAN);
    insert = prepare(INSERT);
    begin = prepare("BEGIN IMMEDIATE");
    commit = prepare("COMMIT");
    printf("sqlite3_* on a connection %s:\n", how);
    double ratios[] = {
        compare("  point lookup", rounds / 4, STRETCH, ours_lookup, theirs_lookup, NULL),
        compare("  lookup, not prepared", rounds / 8, STRETCH, ours_lookup, theirs_fresh, NULL),
        compare("  lookups, 100 a call", rounds * 2, LOOKUPS, ours_lookups, theirs_lookups, NULL),
        compare("  scan of 1000 rows", rounds * 2, 4, ours_scan, theirs_scan, NULL),
        compare("  bulk insert of 1000", rounds, 1, ours_bulk, theirs_bulk, empty),
    };
    sqlite3_stmt *all[] = {lookup, scan, insert, begin, commit};
    for (size_t i = 0; i < 5; i++) sqlite3_finalize(all[i]);
    must(sqlite3_close(raw), "close");
    double worst = 0;
    for (size_t i = 0; i < 5; i++) worst = ratios[i] > worst ? ratios[i] : worst;
    return worst;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 200;
    double limit = argc > 2 ? atof(argv[2]) : 0;
    keel_error *err;
    if (keel_open("file:bench.db", KEEL_NUL, &db, &err)) {
        fprintf(stderr, "%s\n", keel_error_message(err, NULL));
        return 1;
    }
    must(keel_exec_atomic(db,
                          "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL, note TEXT, kind INTEGER);"
                          "CREATE TABLE bulk(a INTEGER, b TEXT, c REAL);"
                          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                          "INSERT INTO t SELECT i, 'person ' || i, i * 0.5, 'some note about ' || i, i % 7 FROM n",
                          KEEL_NUL, NULL),
         "create");
    must(keel_exec(db, "VACUUM INTO 'by-hand.db'", KEEL_NUL, NULL), "a copy");
    header(one, 1, 1, sizeof one);
    cell(one + 80, 1, 0, 0);
    header(ids, 1, LOOKUPS, sizeof ids);
    for (uint32_t i = 0; i < LOOKUPS; i++) cell(ids + 80 + i * 16, 1, 0, 0);
    many_size = 64 + 48 + BULK * 48 + BULK * 16;
    many = calloc(1, many_size);
    header(many, 3, BULK, many_size);
    for (uint32_t i = 0; i < BULK; i++) {
        unsigned char *at = many + 64 + 48 + i * 48;
        uint64_t text = 64 + 48 + BULK * 48 + (uint64_t)i * 16;
        double value = i / 3.0;
        uint64_t bits;
        memcpy(&bits, &value, 8);
        cell(at, 1, 0, i);
        cell(at + 16, 3, (uint32_t)snprintf((char *)many + text, 16, "row number %u", i), text);
        cell(at + 32, 2, 0, bits);
    }
    double worst = by_hand("as sqlite3_open gives it", 0, rounds);
    by_hand("without SQLite's mutex", SQLITE_OPEN_NOMUTEX, rounds);
    if (sum_ours != sum_theirs) {
        fprintf(stderr, "the two read different rows: %lld and %lld\n", (long long)sum_ours, (long long)sum_theirs);
        return 1;
    }
    keel_close(db, NULL);
    return limit > 0 && worst > limit;
}
