#!/usr/bin/env bash
# SQLite 3.54.1 by apsw 3.54.1.0 (Python package): on a database in memory that connections share by its documented URL,
# `file:/name?vfs=memdb`, ATTACH of an existing file gives an empty database in memory, and VACUUM INTO a file name writes no
# file. Both succeed without an error, since what a connection opens later goes through the VFS of its first database.
# A private `:memory:` database attaches and writes the files.
# Seen: "shared: 0 tables attached, copy written: False; private: 1 tables attached, copy written: True".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0
cat > attach.py <<'PY'
import os
import apsw

on_disk = apsw.Connection("app.db")
on_disk.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
on_disk.close()
flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
seen = []
for name, url in [("shared", "file:/shared?vfs=memdb"), ("private", ":memory:")]:
    db = apsw.Connection(url, flags=flags)
    db.execute("CREATE TABLE m(a); INSERT INTO m VALUES(7)")
    db.execute("VACUUM INTO ?", (f"{os.getcwd()}/{name}-copy.db",))
    db.execute("ATTACH ? AS disk", (f"{os.getcwd()}/app.db",))
    tables = db.execute("SELECT count(*) FROM disk.sqlite_schema").fetchone()[0]
    seen.append(f"{name}: {tables} tables attached, copy written: {os.path.exists(f'{name}-copy.db')}")
    db.close()
print("; ".join(seen))
PY
seen=$(venv/bin/python attach.py)
echo "$seen"
[ "$seen" = "shared: 0 tables attached, copy written: False; private: 1 tables attached, copy written: True" ]
