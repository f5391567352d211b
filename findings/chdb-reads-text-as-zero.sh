#!/usr/bin/env bash
# chDB 4.4.0 (Python package, ClickHouse 26.9 inside) by its table function `sqlite`: a text in a column declared INTEGER or REAL is read as 0 and 2.7 in an INTEGER column as 2, without an
# error, and a DECIMAL or NUMERIC column is read as text, so that its largest is the one with the highest first digit. A guess beforehand was an error for a value that does not
# fit, and numbers for DECIMAL.
# Seen: "INTEGER 3, n/a, 2.7: read as 3, 0, 2; DECIMAL 9.5, 10.5: String, largest 9.5".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0
cat > read.py <<'PY'
import os
import sqlite3

import chdb

db = sqlite3.connect("app.db")
db.executescript("""
CREATE TABLE t(n INTEGER); INSERT INTO t VALUES (3), ('n/a'), (2.7);
CREATE TABLE price(amount DECIMAL(10, 2)); INSERT INTO price VALUES (9.5), (10.5);
""")
stored = ", ".join(str(row[0]) for row in db.execute("SELECT n FROM t"))
path = os.path.abspath("app.db")
lines = lambda sql: str(chdb.query(sql, "TSV")).split()
read = ", ".join(lines(f"SELECT n FROM sqlite('{path}', 't')"))
kind, = lines(f"SELECT any(replaceRegexpOne(toTypeName(amount), 'Nullable.(.*).$', '\\\\1')) FROM sqlite('{path}', 'price')")
largest, = lines(f"SELECT max(amount) FROM sqlite('{path}', 'price')")
print(f"INTEGER {stored}: read as {read}; DECIMAL 9.5, 10.5: {kind}, largest {largest}")
PY
seen=$(venv/bin/python read.py)
echo "$seen"
[ "$seen" = "INTEGER 3, n/a, 2.7: read as 3, 0, 2; DECIMAL 9.5, 10.5: String, largest 9.5" ]
