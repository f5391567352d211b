'use strict';
// Drizzle on litekeel gives the same, whatever somebody has put into the prototype of all objects; but for what breaks
// Drizzle's own driver as well.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const ecosystem = require('./ecosystem')();
const litekeel = require('../lib');
const temporary = require('./temporary');
const traps = require('./pollution-traps');

const from = createRequire(path.join(ecosystem.directory, 'index.js'));
const [orm, core, session] = ['drizzle-orm', 'drizzle-orm/sqlite-core', 'drizzle-orm/better-sqlite3/session'].map((name) => from(name));
const migrator = from('drizzle-orm/better-sqlite3/migrator');
const ours = require('../lib/drizzle/driver')({ orm, core, session, next: null, migrations: { ...from('drizzle-orm/migrator'), ...migrator } });

/** As Drizzle's own module makes it, which imports better-sqlite3. */
function upstream(client) {
	const dialect = new core.SQLiteSyncDialect({});
	const db = new core.BaseSQLiteDatabase('sync', dialect, new session.BetterSQLiteSession(client, dialect, undefined, {}), undefined);
	return Object.defineProperty(db, '$client', { __proto__: null, value: client });
}

const users = core.sqliteTable('users', { id: core.integer().primaryKey(), text: core.text(), of: core.integer() });

/** A round trip with a database that `make` gives for a client; what it found, or the error. */
function roundTrip(make, migrate, folder) {
	const client = new litekeel(':memory:');
	try {
		const db = make(client);
		migrate(db, { __proto__: null, migrationsFolder: folder });
		migrate(db, { __proto__: null, migrationsFolder: folder });
		db.insert(users).values([{ id: 1, text: 'a' }, { id: 2, text: 'b', of: 1 }]).run();
		db.transaction((tx) => { tx.insert(users).values({ id: 3 }).run(); });
		const found = db.select().from(users).where(orm.gt(users.id, 1)).all();
		return [found, db.$client === client, Object.keys(found[0]), db.$client.inTransaction];
	} catch (error) {
		return [`${error}`];
	} finally {
		client.close();
	}
}

function differences(names, kind, folder) {
	const ways = [[(client) => ours.drizzle(client), ours.migrate], [(client) => ours.drizzle({ client }), ours.migrate], [upstream, migrator.migrate]];
	const expected = ways.map(([make, migrate]) => roundTrip(make, migrate, folder));
	assert.deepStrictEqual([expected[0], expected[1]], [expected[2], expected[2]]);
	assert.strictEqual(expected[0].length, 4, `${expected[0]}`);
	const found = [];
	for (const name of names) {
		const end = traps.set([[Object.prototype, name]], kind);
		let results;
		try {
			results = ways.map(([make, migrate]) => roundTrip(make, migrate, folder));
		} finally {
			end();
		}
		const same = results.map((result, at) => { try { assert.deepStrictEqual(result, expected[at]); return true; } catch { return false; } });
		if (same[2] && !(same[0] && same[1])) found.push([name, results]);
	}
	return found;
}

/** A folder as drizzle-kit makes it. */
function migrations(t) {
	const folder = temporary(t);
	fs.mkdirSync(path.join(folder, 'meta'));
	fs.writeFileSync(path.join(folder, 'meta/_journal.json'), JSON.stringify({ version: '7', dialect: 'sqlite', entries: [{ idx: 0, version: '6', when: 1, tag: '0000_first', breakpoints: true }] }));
	fs.writeFileSync(path.join(folder, '0000_first.sql'), 'CREATE TABLE users(id INTEGER PRIMARY KEY, text TEXT, "of" INTEGER)');
	return folder;
}

for (const kind of Object.keys(traps.KINDS)) {
	test(`Drizzle gives the same whatever all objects have: ${kind}`, (t) => {
		const names = traps.names((file) => file.startsWith('drizzle'));
		assert.ok(names.length > 50, `${names.length} names`);
		assert.deepStrictEqual(differences(names, kind, migrations(t)), []);
	});
}
