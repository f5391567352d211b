#!/usr/bin/env bash
# sqlite-utils 4.2.1 (Python package): `transform`, which changes the type of one column by building the table anew, drops a generated
# column of the same table, COLLATE NOCASE of another one, and the table's triggers, without an error. CHECK constraints stay, and it
# refuses by an error where it knows that it cannot keep an index. A guess beforehand was that it keeps or refuses.
# Seen: "before: id name price total, 1 trigger, 'A' found: 1; after: id name price, 0 triggers, 'A' found: 0".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sqlite-utils==4.2.1
cat > transform.py <<'PY'
import sqlite_utils

db = sqlite_utils.Database("app.db")
db.conn.executescript("""
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price INTEGER, total INTEGER GENERATED ALWAYS AS (price * 2) STORED);
CREATE TABLE log(name TEXT);
CREATE TRIGGER kept AFTER INSERT ON item BEGIN INSERT INTO log VALUES (new.name); END;
INSERT INTO item(name, price) VALUES ('a', 5);
""")


def state():
    columns = " ".join(row[1] for row in db.conn.execute("PRAGMA table_xinfo(item)"))
    triggers = db.conn.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()[0]
    found = db.conn.execute("SELECT count(*) FROM item WHERE name = 'A'").fetchone()[0]
    return columns, triggers, found


columns, triggers, found = state()
before = f"before: {columns}, {triggers} trigger, 'A' found: {found}"
db["item"].transform(types={"price": float})
columns, triggers, found = state()
print(f"{before}; after: {columns}, {triggers} triggers, 'A' found: {found}")
PY
seen=$(venv/bin/python transform.py)
echo "$seen"
[ "$seen" = "before: id name price total, 1 trigger, 'A' found: 1; after: id name price, 0 triggers, 'A' found: 0" ]
