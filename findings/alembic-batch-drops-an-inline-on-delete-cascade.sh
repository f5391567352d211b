#!/usr/bin/env bash
# alembic 1.20.1 with SQLAlchemy 2.1.9 (Python packages): `batch_alter_table`, which builds a SQLite table anew, keeps ON DELETE CASCADE of
# a foreign key that stands in a line of its own and drops it, without a warning, from one that stands beside its column
# (`p INTEGER REFERENCES p(id) ON DELETE CASCADE`). SQLite reports both alike (PRAGMA foreign_key_list). From then on deleting a parent fails or
# leaves rows behind. A guess beforehand was that both stay.
# Seen: "on_delete before: CASCADE CASCADE; after: NO ACTION (beside the column), CASCADE (a line of its own)".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9
cat > rebuild.py <<'PY'
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

engine = sa.create_engine("sqlite:///app.db")
with engine.begin() as connection:
    for sql in (
        "CREATE TABLE p(id INTEGER PRIMARY KEY)",
        "CREATE TABLE beside(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE, note TEXT)",
        "CREATE TABLE alone(id INTEGER PRIMARY KEY, p INTEGER, note TEXT, FOREIGN KEY(p) REFERENCES p(id) ON DELETE CASCADE)",
    ):
        connection.exec_driver_sql(sql)
    rule = lambda table: connection.exec_driver_sql(f"SELECT on_delete FROM pragma_foreign_key_list('{table}')").scalar()
    before = (rule("beside"), rule("alone"))
    operations = Operations(MigrationContext.configure(connection))
    for table in ("beside", "alone"):
        with operations.batch_alter_table(table) as batch:
            batch.alter_column("note", nullable=False)
    print(f"on_delete before: {before[0]} {before[1]}; after: {rule('beside')} (beside the column), {rule('alone')} (a line of its own)")
PY
seen=$(venv/bin/python rebuild.py)
echo "$seen"
[ "$seen" = "on_delete before: CASCADE CASCADE; after: NO ACTION (beside the column), CASCADE (a line of its own)" ]
