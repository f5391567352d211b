/* Another SQLite, as far as a linker can tell: it answers to the same names, and does nothing. */
const char sqlite3_version[] = "fake";
const char *sqlite3_libversion(void) { return sqlite3_version; }
int sqlite3_libversion_number(void) { return 1; }
int sqlite3_open(const char *name, void **db) { (void)name; *db = 0; return 1; }
int sqlite3_open_v2(const char *name, void **db, int flags, const char *vfs) { (void)name; (void)flags; (void)vfs; *db = 0; return 1; }
int sqlite3_prepare_v2(void *db, const char *sql, int n, void **out, const char **tail) { (void)db; (void)sql; (void)n; (void)tail; *out = 0; return 1; }
int sqlite3_step(void *statement) { (void)statement; return 1; }
int sqlite3_exec(void *db, const char *sql, void *call, void *ctx, char **err) { (void)db; (void)sql; (void)call; (void)ctx; (void)err; return 1; }
