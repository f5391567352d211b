#!/usr/bin/env bash
# sqlite-vec 0.1.9 in apsw 3.54.1.0 (Python packages): UPDATE of the primary key of a vec0 table succeeds and changes nothing, without an error; and
# INSERT OR REPLACE and INSERT OR IGNORE of a key that is there fail with a UNIQUE constraint as if the words were not there. A
# guess beforehand was that the key changes, or an error says that it cannot.
# Seen: "UPDATE of the key 1 to 5: no error, key 1; OR REPLACE: UNIQUE constraint failed on v primary key; OR IGNORE: UNIQUE constraint failed on v primary key".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --prefer-binary sqlite-vec==0.1.9 apsw==3.54.1.0
cat > key.py <<'PY'
import apsw
import sqlite_vec

db = apsw.Connection(":memory:")
db.enable_load_extension(True)
db.load_extension(sqlite_vec.loadable_path())
db.execute("CREATE VIRTUAL TABLE v USING vec0(id INTEGER PRIMARY KEY, e FLOAT[2])")
db.execute("INSERT INTO v VALUES (1, '[1, 2]')")


def tried(sql):
    try:
        db.execute(sql)
        return f"no error, key {db.execute('SELECT id FROM v').fetchone()[0]}"
    except apsw.Error as error:
        return str(error).removeprefix("SQLError: ")


said = [tried(sql) for sql in ("UPDATE v SET id = 5 WHERE id = 1", "INSERT OR REPLACE INTO v VALUES (1, '[3, 4]')", "INSERT OR IGNORE INTO v VALUES (1, '[3, 4]')")]
print(f"UPDATE of the key 1 to 5: {said[0]}; OR REPLACE: {said[1]}; OR IGNORE: {said[2]}")
PY
seen=$(venv/bin/python key.py)
echo "$seen"
[ "$seen" = "UPDATE of the key 1 to 5: no error, key 1; OR REPLACE: UNIQUE constraint failed on v primary key; OR IGNORE: UNIQUE constraint failed on v primary key" ]
