#!/usr/bin/env bash
# polars 2.1.0 (Python package): `read_database` of a sqlite3 connection takes a column's type from its first 100 rows and cuts what does not fit it: 1.5 after
# a hundred integers becomes 1, without an error or a warning. A text there is an error. A guess beforehand was an error for the fraction, too, or a
# column of floats; with `infer_schema_length=None` it is the latter.
# Seen: "sum by SQLite: 4951.5; by polars: 4951 (Int64), with infer_schema_length=None: 4951.5 (Float64)".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0
cat > cut.py <<'PY'
import sqlite3

import polars

db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE t(price NUMERIC)")
db.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(100)] + [(1.5,)])


def read(**options):
    prices = polars.read_database("SELECT price FROM t", db, **options)["price"]
    return f"{prices.sum()} ({prices.dtype})"


by_sqlite = db.execute("SELECT sum(price) FROM t").fetchone()[0]
print(f"sum by SQLite: {by_sqlite}; by polars: {read()}, with infer_schema_length=None: {read(infer_schema_length=None)}")
PY
seen=$(venv/bin/python cut.py)
echo "$seen"
[ "$seen" = "sum by SQLite: 4951.5; by polars: 4951 (Int64), with infer_schema_length=None: 4951.5 (Float64)" ]
