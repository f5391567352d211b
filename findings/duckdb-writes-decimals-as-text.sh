#!/usr/bin/env bash
# DuckDB 1.5.5 with its sqlite extension (Python packages duckdb and duckdb-extension-sqlite-scanner 1.5.5): a DECIMAL column that it
# writes into an attached SQLite database is declared VARCHAR and holds text, so SQLite compares and sorts the
# amounts letter by letter. No error and no warning; DuckDB itself reads text back, too. A guess beforehand was REAL, with rounded digits,
# or a refusal.
# Seen: "declared VARCHAR, stored as text; largest by SQLite: 9.50, above 5: 1 of 2; DuckDB reads back: VARCHAR".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==1.5.5 duckdb-extension-sqlite-scanner==1.5.5
cat > decimals.py <<'PY'
import os
import sqlite3

import duckdb
import duckdb_extension_sqlite_scanner as extension

file = next(os.path.join(at, name) for at, _, names in os.walk(os.path.dirname(extension.__file__)) for name in names if name.endswith(".duckdb_extension"))
db = duckdb.connect()
db.execute(f"LOAD '{file}'")
db.execute("ATTACH 'shop.db' AS shop (TYPE sqlite)")
db.execute("CREATE TABLE shop.invoice AS SELECT amount::DECIMAL(10, 2) AS amount FROM (VALUES (9.50), (10.00)) AS v(amount)")
back = db.execute("SELECT typeof(amount) FROM shop.invoice LIMIT 1").fetchone()[0]
db.close()
lite = sqlite3.connect("shop.db")
declared = lite.execute("SELECT type FROM pragma_table_info('invoice')").fetchone()[0]
kind, largest = lite.execute("SELECT typeof(amount), max(amount) FROM invoice").fetchone()
above = lite.execute("SELECT count(*) FROM invoice WHERE amount > 5").fetchone()[0]
print(f"declared {declared}, stored as {kind}; largest by SQLite: {largest}, above 5: {above} of 2; DuckDB reads back: {back}")
PY
seen=$(venv/bin/python decimals.py)
echo "$seen"
[ "$seen" = "declared VARCHAR, stored as text; largest by SQLite: 9.50, above 5: 1 of 2; DuckDB reads back: VARCHAR" ]
