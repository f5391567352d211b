#!/usr/bin/env bash
# sqlean.py 3.50.4.5 (Python package): with its extension `unicode`, which `enable_all` loads too, `lower` is another function, also in an index on lower(name) that
# Python's own sqlite3 made. A look-up by that index finds nothing of what a scan finds, without an error, and PRAGMA integrity_check calls the file damaged, which it is
# not: without the extension it is ok. A guess beforehand was that an extension adds functions, and that what an index holds stays true.
# Seen: "sqlite3: by index 1, by scan 1, ok; sqlean with unicode: by index 0, by scan 1, row 1 missing from index by_name; sqlite3 again: by index 1, by scan 1, ok".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sqlean.py==3.50.4.5
cat > lower.py <<'PY'
import sqlite3

import sqlean

db = sqlite3.connect("app.db")
db.executescript("CREATE TABLE t(name TEXT); CREATE INDEX by_name ON t(lower(name)); INSERT INTO t VALUES ('ÄPFEL');")
db.close()


def told(name, connect):
    db = connect("app.db")
    number = lambda source: db.execute(f"SELECT count(*) FROM t {source} WHERE lower(name) = lower('ÄPFEL')").fetchone()[0]
    found = f"by index {number('INDEXED BY by_name')}, by scan {number('NOT INDEXED')}"
    check = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    return f"{name}: {found}, {check}"


lines = [told("sqlite3", sqlite3.connect)]
sqlean.extensions.enable("unicode")
lines += [told("sqlean with unicode", sqlean.connect), told("sqlite3 again", sqlite3.connect)]
print("; ".join(lines))
PY
seen=$(venv/bin/python lower.py)
echo "$seen"
[ "$seen" = "sqlite3: by index 1, by scan 1, ok; sqlean with unicode: by index 0, by scan 1, row 1 missing from index by_name; sqlite3 again: by index 1, by scan 1, ok" ]
