#!/usr/bin/env bash
# polars 2.1.0 with pandas 3.1.1, SQLAlchemy 2.1.9 and adbc-driver-sqlite 1.13.0 (Python packages): `write_database` of an aware time stores the hour of its zone with
# `engine="sqlalchemy"` and the hour in UTC with `engine="adbc"`, both without an offset and without a warning; a list is stored by the former as the bytes of an array in
# memory. A guess beforehand was one text for both, with an offset or in UTC, and an error or JSON for a list.
# Seen: "sqlalchemy: 2026-01-02 04:04:05.000000, adbc: 2026-01-02T03:04:05.000000; the list [1, 2]: X'01000000000000000200000000000000' in a column declared TEXT".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 SQLAlchemy==2.1.9 adbc-driver-sqlite==1.13.0
cat > times.py <<'PY'
import os
import sqlite3
from datetime import datetime, timezone

import polars

frame = polars.DataFrame({"at": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)], "list": [[1, 2]]})
frame = frame.with_columns(polars.col("at").dt.convert_time_zone("Europe/Berlin"))


def stored(engine, column):
    path = os.path.abspath(f"{engine}.{column}.db")
    frame.select(column).write_database("t", f"sqlite:///{path}", engine=engine)
    db = sqlite3.connect(path)
    declared = db.execute("SELECT type FROM pragma_table_info('t')").fetchone()[0]
    return db.execute(f"SELECT CASE typeof({column}) WHEN 'text' THEN {column} ELSE quote({column}) END FROM t").fetchone()[0], declared


times = [stored(engine, "at")[0] for engine in ("sqlalchemy", "adbc")]
value, declared = stored("sqlalchemy", "list")
print(f"sqlalchemy: {times[0]}, adbc: {times[1]}; the list [1, 2]: {value} in a column declared {declared}")
PY
seen=$(venv/bin/python times.py)
echo "$seen"
[ "$seen" = "sqlalchemy: 2026-01-02 04:04:05.000000, adbc: 2026-01-02T03:04:05.000000; the list [1, 2]: X'01000000000000000200000000000000' in a column declared TEXT" ]
