#!/usr/bin/env bash
# tortoise-orm 1.1.9 (Python package) on SQLite: a DatetimeField stores an aware time as text in UTC, but a filter compares that with the text of the time
# as it was given, offset and all. So `filter(at__gt=…)` finds other rows for the same instant in another time zone, without an
# error. A guess beforehand was that what is converted when it is stored is converted when it is asked for.
# Seen: "stored 2026-01-01 01:00:00+00:00; after 23:30 in UTC: 1 row, after 01:30 at +02:00, the same instant: 0 rows".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tortoise-orm==1.1.9
cat > times.py <<'PY'
import asyncio
from datetime import datetime, timedelta, timezone

from tortoise import Tortoise, fields
from tortoise.models import Model


class Visit(Model):
    id = fields.IntField(primary_key=True)
    at = fields.DatetimeField()


async def main():
    await Tortoise.init(db_url="sqlite://:memory:", modules={"models": ["__main__"]})
    await Tortoise.generate_schemas()
    there = timezone(timedelta(hours=2))
    await Visit.create(at=datetime(2026, 1, 1, 3, 0, tzinfo=there))
    _, rows = await Tortoise.get_connection("default").execute_query("SELECT at FROM visit")
    local = datetime(2026, 1, 1, 1, 30, tzinfo=there)
    utc = datetime(2025, 12, 31, 23, 30, tzinfo=timezone.utc)
    assert local == utc
    by_utc, by_local = await Visit.filter(at__gt=utc).count(), await Visit.filter(at__gt=local).count()
    print(f"stored {rows[0][0]}; after 23:30 in UTC: {by_utc} row, after 01:30 at +02:00, the same instant: {by_local} rows")
    await Tortoise.close_connections()


asyncio.run(main())
PY
seen=$(venv/bin/python times.py)
echo "$seen"
[ "$seen" = "stored 2026-01-01 01:00:00+00:00; after 23:30 in UTC: 1 row, after 01:30 at +02:00, the same instant: 0 rows" ]
