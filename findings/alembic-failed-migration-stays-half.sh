#!/usr/bin/env bash
# alembic 1.20.1 with SQLAlchemy 2.1.9 (Python packages) on SQLite: a migration that fails leaves the tables that it had made before its first INSERT, without that INSERT's rows, and is not
# noted as applied, so that the next `upgrade` fails with "table one already exists". Python's sqlite3 begins a transaction at an INSERT, not at CREATE TABLE, and alembic begins none, though
# SQLite undoes CREATE TABLE as well. A guess beforehand was nothing or everything before the error.
# Seen: "no such table: missing; left: one with 0 rows; again: table one already exists".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check alembic==1.20.1 SQLAlchemy==2.1.9
mkdir -p migrations/versions
cat > migrations/env.py <<'PY'
import sqlalchemy
from alembic import context

with sqlalchemy.create_engine("sqlite:///app.db").connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
PY
cat > migrations/versions/first.py <<'PY'
import sqlalchemy as sa
from alembic import op

revision = "first"
down_revision = None


def upgrade():
    op.create_table("one", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO one VALUES (1)")
    op.create_table("two", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO missing VALUES (1)")
PY
cat > upgrade.py <<'PY'
import sqlite3

from alembic import command
from alembic.config import Config

config = Config()
config.set_main_option("script_location", "migrations")


def upgraded():
    try:
        command.upgrade(config, "head")
        return "ok"
    except Exception as error:
        return str(error.__cause__)


first = upgraded()
db = sqlite3.connect("app.db")
tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'")]
left = ", ".join(f"{name} with {db.execute(f'SELECT count(*) FROM {name}').fetchone()[0]} rows" for name in tables)
db.close()
print(f"{first}; left: {left}; again: {upgraded()}")
PY
seen=$(venv/bin/python upgrade.py 2> upgrade.log) || { cat upgrade.log; exit 1; }
echo "$seen"
[ "$seen" = "no such table: missing; left: one with 0 rows; again: table one already exists" ]
