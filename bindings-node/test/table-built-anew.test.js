'use strict';
// PRAGMA foreign_keys = OFF inside a transaction does nothing: a table that is dropped after it would take the rows that refer to it
// along. That is refused, on a connection of `open` and on one of better-sqlite3's constructor.
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const temporary = require('./temporary');
const Database = require('..');

const TABLES = 'CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)';
const ANEW = ['CREATE TABLE `__new_p`(id INTEGER PRIMARY KEY, name TEXT)', 'INSERT INTO `__new_p`(id) SELECT id FROM `p`', 'DROP TABLE `p`', 'ALTER TABLE `__new_p` RENAME TO `p`'];
const OFF = 'PRAGMA foreign_keys=OFF';
const refused = (error) => error.code === 'SQLITE_CONSTRAINT_FOREIGNKEY' && /DROP TABLE p is refused: PRAGMA foreign_keys=OFF does nothing inside a transaction/.test(error.message)
	&& /before the transaction begins/.test(error.message + error.hint);

/** As migrators apply a migration: those of Drizzle (statement by statement), Knex and TypeORM (also by `exec`). */
const MIGRATORS = {
	'prepare and run, statement by statement'(db) {
		db.prepare('BEGIN').run();
		try {
			for (const sql of [OFF, ...ANEW, 'PRAGMA foreign_keys=ON']) db.prepare(sql).run();
			db.prepare('COMMIT').run();
		} catch (error) {
			db.prepare('ROLLBACK').run();
			throw error;
		}
	},
	transaction(db) {
		db.transaction(() => {
			db.pragma('foreign_keys = OFF');
			for (const sql of ANEW) db.exec(sql);
		})();
	},
	'one script'(db) {
		try {
			db.exec(`BEGIN; ${[OFF, ...ANEW].join('; ')}; COMMIT`);
		} finally {
			if (db.inTransaction) db.exec('ROLLBACK');
		}
	},
};

for (const [kind, open] of Object.entries({
	'new Database': (t) => new Database(path.join(temporary(t), 'a.db')),
	'new Database in memory': () => new Database(':memory:'),
	open: (t) => Database.open('file:a.db', { baseDir: temporary(t) }),
})) {
	for (const [name, migrate] of Object.entries(MIGRATORS)) {
		test(`${kind}, ${name}: refused, and nothing is lost`, (t) => {
			const db = open(t).exec(TABLES);
			assert.throws(() => migrate(db), refused);
			assert.strictEqual(db.inTransaction, false);
			assert.deepStrictEqual(db.prepare('SELECT * FROM c').all(), [{ p: 1 }]);
			// The way that the message tells.
			db.pragma('foreign_keys = OFF');
			migrate(db);
			db.pragma('foreign_keys = ON');
			assert.deepStrictEqual(db.prepare('SELECT * FROM c').all(), [{ p: 1 }]);
			assert.deepStrictEqual(db.pragma('foreign_key_check'), []);
			db.close();
		});
	}

	test(`${kind}: what loses nothing, or is not of such a transaction, is as ever`, (t) => {
		const db = open(t).exec(TABLES);
		// Compiled once, and run again: nothing is compiled in between.
		const run = db.transaction((fn) => fn());
		run(() => db.pragma('foreign_keys = OFF'));
		run(() => db.exec('DROP TABLE p'));
		assert.strictEqual(db.prepare('SELECT count(*) FROM c').pluck().get(), 0);
		db.exec('CREATE TABLE p(id INTEGER PRIMARY KEY)');
		run(() => db.exec([OFF, ...ANEW].join('; ')));
		assert.deepStrictEqual(db.pragma('table_info(p)').map((column) => column.name), ['id', 'name']);
		db.close();
	});
}
