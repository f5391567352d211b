/* A library that is a host of litekeel of its own, loaded into another host's process. */
#include <litekeel.h>

static keel_db *mine;

/* Opens the shared connection to the database, or joins it; the code. */
int32_t host_open(const char *url) { return keel_open(url, KEEL_NUL, &mine, NULL); }
int32_t host_exec(const char *sql) { return keel_exec(mine, sql, KEEL_NUL, NULL); }
int32_t host_close(void) { return keel_close(mine, NULL); }
/* A static text: its address says which copy answers. */
const char *host_version(void) { return keel_version(); }
