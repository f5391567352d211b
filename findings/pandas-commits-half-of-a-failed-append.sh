#!/usr/bin/env bash
# pandas 3.1.1 with an engine of SQLAlchemy 2.1.9 (Python packages) on SQLite: `to_sql(…, if_exists="append")` that fails, of a key that is there, leaves
# the rows before the failing one in the table, committed. It does begin a transaction; on an error it ends that as on success, and SQLite, which undoes
# the failed statement only, commits. With a connection of `engine.begin()`, and with a sqlite3 connection, nothing is left. A guess beforehand was all or nothing.
# Seen: "engine: IntegrityError, rows 1 2 3; engine.begin(): IntegrityError, rows 3; sqlite3: IntegrityError, rows 3".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 SQLAlchemy==2.1.9
cat > append.py <<'PY'
import contextlib
import sqlite3

import pandas
import sqlalchemy

frame = pandas.DataFrame({"id": [1, 2, 3], "name": ["new", "new", "new"]})


def tried(name, path, opened):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (3, 'old');")
    try:
        with opened as connection:
            frame.to_sql("t", connection, index=False, if_exists="append")
        error = "none"
    except Exception as cause:
        while cause.__cause__ is not None:
            cause = cause.__cause__
        error = type(cause).__name__
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = " ".join(str(row[0]) for row in db.execute("SELECT id FROM t"))
    return f"{name}: {error}, rows {rows}"


def engine(path):
    return sqlalchemy.create_engine(f"sqlite:///{path}")


print("; ".join([
    tried("engine", "a.db", contextlib.nullcontext(engine("a.db"))),
    tried("engine.begin()", "b.db", engine("b.db").begin()),
    tried("sqlite3", "c.db", contextlib.closing(sqlite3.connect("c.db"))),
]))
PY
seen=$(venv/bin/python append.py)
echo "$seen"
[ "$seen" = "engine: IntegrityError, rows 1 2 3; engine.begin(): IntegrityError, rows 3; sqlite3: IntegrityError, rows 3" ]
