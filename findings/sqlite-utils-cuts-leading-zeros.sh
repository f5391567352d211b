#!/usr/bin/env bash
# sqlite-utils 4.2.1 (Python package): `insert --csv` stores a column of postal codes or account numbers as integers, so that "00123" becomes 123, without
# an option that asks for types and without a warning. "1_000" counts as a number too, and so is text in a column declared INTEGER. With
# `--no-detect-types` all is text. A guess beforehand was text, as CSV has no types, or at least for what has leading zeros.
# Seen: "zip 123 integer, count 1_000 text in a column INTEGER; with --no-detect-types: zip 00123 text".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sqlite-utils==4.2.1
printf 'zip,count\n00123,1_000\n04567,2_000\n' > codes.csv
venv/bin/sqlite-utils insert app.db codes codes.csv --csv
venv/bin/sqlite-utils insert app.db plain codes.csv --csv --no-detect-types
seen=$(venv/bin/python - <<'PY'
import sqlite3

db = sqlite3.connect("app.db")
zip_, kind, count, count_kind = db.execute("SELECT zip, typeof(zip), count, typeof(count) FROM codes").fetchone()
declared = db.execute("SELECT type FROM pragma_table_info('codes') WHERE name = 'count'").fetchone()[0]
plain = " ".join(db.execute("SELECT zip, typeof(zip) FROM plain").fetchone())
print(f"zip {zip_} {kind}, count {count} {count_kind} in a column {declared}; with --no-detect-types: zip {plain}")
PY
)
echo "$seen"
[ "$seen" = "zip 123 integer, count 1_000 text in a column INTEGER; with --no-detect-types: zip 00123 text" ]
