#!/usr/bin/env bash
# DuckDB 1.5.5 with its sqlite extension (Python packages duckdb and duckdb-extension-sqlite-scanner 1.5.5): one SELECT of
# an attached SQLite database in WAL mode can add up rows of different moments. A large table is read in parts by several threads, each
# with a connection and so a snapshot of its own. While another process moves an amount from one row to another, each
# move in one transaction, `sum` gives totals that never existed; the sqlite3 module beside it always gives the right one.
# A guess beforehand was that ATTACH, which takes part in transactions, reads one snapshot.
# Seen: "wrong totals by DuckDB with 4 threads: some; with 1 thread: 0; by sqlite3: 0".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==1.5.5 duckdb-extension-sqlite-scanner==1.5.5
cat > move.py <<'PY'
import random
import sqlite3

db = sqlite3.connect("bank.db", timeout=60, isolation_level=None)
print("ready", flush=True)
while True:
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET cents = cents - 1 WHERE id = ?", (random.randrange(1, 600001),))
    db.execute("UPDATE account SET cents = cents + 1 WHERE id = ?", (random.randrange(1, 600001),))
    db.execute("COMMIT")
PY
cat > add.py <<'PY'
import os
import sqlite3
import subprocess
import sys

import duckdb
import duckdb_extension_sqlite_scanner as extension

ours = sqlite3.connect("bank.db")
ours.execute("PRAGMA journal_mode = WAL")
ours.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, cents INTEGER, name TEXT)")
ours.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600000) INSERT INTO account SELECT i, 100, 'account ' || i FROM n")
ours.commit()
file = next(os.path.join(at, name) for at, _, names in os.walk(os.path.dirname(extension.__file__)) for name in names if name.endswith(".duckdb_extension"))
db = duckdb.connect()
db.execute(f"LOAD '{file}'")
db.execute("ATTACH 'bank.db' AS bank (TYPE sqlite, READ_ONLY)")
mover = subprocess.Popen([sys.executable, "move.py"], stdout=subprocess.PIPE)
try:
    mover.stdout.readline()
    wrong = {}
    for threads in (4, 1):
        db.execute(f"SET threads = {threads}")
        wrong[threads] = 0
        for _ in range(60 if threads == 4 else 20):
            wrong[threads] += db.execute("SELECT sum(cents) FROM bank.account").fetchone()[0] != 60000000
            if threads == 4 and wrong[4] == 3:
                break
    by_sqlite = sum(ours.execute("SELECT sum(cents) FROM account").fetchone()[0] != 60000000 for _ in range(20))
finally:
    mover.kill()
    mover.wait()
print(f"wrong totals by DuckDB with 4 threads: {'some' if wrong[4] else 0}; with 1 thread: {wrong[1]}; by sqlite3: {by_sqlite}")
PY
seen=$(venv/bin/python add.py)
echo "$seen"
[ "$seen" = "wrong totals by DuckDB with 4 threads: some; with 1 thread: 0; by sqlite3: 0" ]
