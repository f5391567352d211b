#!/usr/bin/env bash
# Reading a SQLite file with polars (connectorx) makes the commits of Python's own sqlite3 module, in the same process, vanish.
#
# Version: polars 2.1.0 with connectorx 0.4.6, CPython's sqlite3 with any SQLite 3.x, Linux.
# What one would expect: a read leaves the database as it is; a row that was committed after it is there after a crash.
# What happens: connectorx carries a SQLite of its own. It takes itself for the only user of the database, since POSIX locks do not
# count within one process, and deletes the -wal when it closes. The sqlite3 module goes on committing to the deleted file: no error,
# and its own connection sees the row; other processes do not, and after the end of the process without close it is gone.
# The same holds for DuckDB 1.5.5's sqlite extension, GDAL 3.12.4 (pyogrio 0.13.0) and fiona 1.10.1.
# Output seen:
#   without the read: this connection sees 2, -wal True; afterwards 2
#   with the read:    this connection sees 2, -wal False; afterwards 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check polars==2.1.0 connectorx==0.4.6 pyarrow
cat > app.py <<'PY'
import os
import sqlite3
import sys

import polars

db = sqlite3.connect("app.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE visit(who)")
db.execute("INSERT INTO visit VALUES('before')")
if sys.argv[1] == "read":
    polars.read_database_uri("SELECT count(*) AS n FROM visit", f"sqlite://{os.path.abspath('app.db')}")
db.execute("INSERT INTO visit VALUES('after')")
seen = db.execute("SELECT count(*) FROM visit").fetchone()[0]
print(f"this connection sees {seen}, -wal {os.path.exists('app.db-wal')}; ", end="", flush=True)
os._exit(0)  # as SIGKILL would
PY
run() {
    rm -f app.db app.db-wal app.db-shm
    venv/bin/python app.py "$1"
    venv/bin/python -c "import sqlite3; print('afterwards', sqlite3.connect('app.db').execute('SELECT count(*) FROM visit').fetchone()[0])"
}
without=$(run no)
with=$(run read)
echo "without the read: $without"
echo "with the read:    $with"
[ "$without" = "this connection sees 2, -wal True; afterwards 2" ]
[ "$with" = "this connection sees 2, -wal False; afterwards 1" ]
