#!/usr/bin/env bash
# A collection of Anki (Python package anki 26.9.3) is a SQLite database that other programs can read by number only: its indexes use a collation
# `unicase` that Anki's own code registers, so PRAGMA integrity_check, VACUUM, REINDEX and a look-up by name fail in plain SQLite (Python's
# sqlite3) with "no such collation sequence: unicase". A guess beforehand was that at least a check and VACUUM need no
# code of the program that wrote the file.
# Seen: "integrity_check, VACUUM, REINDEX, by name: no such collation sequence: unicase; by number: 1 row".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --prefer-binary anki==26.9.3
cat > check.py <<'PY'
import sqlite3

from anki.collection import Collection

Collection("collection.anki2").close()
db = sqlite3.connect("collection.anki2")
said = []
for sql in ("PRAGMA integrity_check", "VACUUM", "REINDEX", "SELECT id FROM notetypes WHERE name = 'Basic'", "SELECT 1 FROM notetypes LIMIT 1"):
    try:
        said.append(f"{len(db.execute(sql).fetchall())} row")
    except sqlite3.OperationalError as error:
        said.append(str(error))
assert len(set(said[:4])) == 1, said
print(f"integrity_check, VACUUM, REINDEX, by name: {said[0]}; by number: {said[4]}")
PY
seen=$(venv/bin/python check.py)
echo "$seen"
[ "$seen" = "integrity_check, VACUUM, REINDEX, by name: no such collation sequence: unicase; by number: 1 row" ]
