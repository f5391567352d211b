'use strict';
// The modules that are compared, behind one small interface. Every call that is measured is the module's own; only what
// has another name is adapted.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const installed = path.join(root, 'bindings-node', 'test', 'node_modules');
const version = (directory) => JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8')).version;

/** better-sqlite3's interface: litekeel, better-sqlite3 and libsql. */
const likeBetterSqlite = (name, directory) => ({
	name,
	version: version(directory),
	load() {
		const Database = require(directory);
		return {
			open: (file) => new Database(file),
			raw: (statement) => statement.raw(),
			transaction: (db, fn) => db.transaction(fn),
			drizzle: drizzleOn,
		};
	},
});

/** Drizzle's own session on a connection with better-sqlite3's interface; its driver module would import that name. */
function drizzleOn(client, schema) {
	const orm = require('drizzle-orm');
	const { BaseSQLiteDatabase, SQLiteSyncDialect } = require('drizzle-orm/sqlite-core');
	const { BetterSQLiteSession } = require('drizzle-orm/better-sqlite3/session');
	const { tables, tableNamesMap } = orm.extractTablesRelationalConfig(schema, orm.createTableRelationsHelpers);
	const config = { fullSchema: schema, schema: tables, tableNamesMap };
	const dialect = new SQLiteSyncDialect();
	return new BaseSQLiteDatabase('sync', dialect, new BetterSQLiteSession(client, dialect, config), config);
}

/** BEGIN and COMMIT by hand, for a module without `transaction`. */
const byHand = (db, fn) => () => {
	db.exec('BEGIN');
	try {
		fn();
		db.exec('COMMIT');
	} catch (error) {
		db.exec('ROLLBACK');
		throw error;
	}
};

const nodeSqlite = {
	name: 'node:sqlite',
	version: process.versions.node,
	load() {
		const { DatabaseSync } = require('node:sqlite');
		return {
			open: (file) => new DatabaseSync(file),
			raw(statement) {
				statement.setReturnArrays(true);
				return statement;
			},
			transaction: byHand,
		};
	},
};

const bunSqlite = {
	name: 'bun:sqlite',
	version: process.versions.bun,
	load() {
		const { Database } = require('bun:sqlite');
		return {
			open: (file) => new Database(file, { strict: true, create: true, readwrite: true }),
			raw: (statement) => ({ all: (...parameters) => statement.values(...parameters) }),
			transaction: (db, fn) => db.transaction(fn),
		};
	},
};

const litekeel = likeBetterSqlite('litekeel', path.join(root, 'bindings-node'));
const libsql = likeBetterSqlite('libsql', path.join(__dirname, 'node_modules', 'libsql'));

/** Who runs in this process: litekeel first, then the peers that this runtime has. */
module.exports = () => {
	if (process.versions.bun) return [litekeel, bunSqlite];
	if (Number(process.versions.node.split('.')[0]) < 22) return [litekeel, likeBetterSqlite('better-sqlite3', path.join(installed, 'better-sqlite3-12'))];
	return [litekeel, likeBetterSqlite('better-sqlite3', path.join(installed, 'better-sqlite3')), nodeSqlite, libsql];
};
