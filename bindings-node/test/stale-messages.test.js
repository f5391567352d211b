'use strict';
// An error tells of its own call. Not every call of SQLite's records its failure on the connection: what an earlier one left
// there must not be told instead.
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const LONG = 'x'.repeat(300);
const CALLS = {
	'function with a long name': (db) => db.function(LONG, () => 1),
	'aggregate with a long name': (db) => db.aggregate(LONG, { step() {} }),
	'serialize of no schema': (db) => db.serialize({ attached: 'nowhere' }),
	'session of no schema': (db) => db.session({ db: 'nowhere' }).changeset(),
	'changeset that is none': (db) => db.applyChangeset(Buffer.from('Tno changeset')),
	'extension that is not there': (db) => db.loadExtension('/no/such/extension'),
	'backup of no schema': (db, dir) => db.backup(path.join(dir, 'copy.db'), { attached: 'nowhere' }),
	'backup to a directory': (db, dir) => db.backup(dir),
	'image that is none': () => new litekeel(Buffer.from('nothing like a database, but long enough to be looked at by SQLite: '.repeat(20))).prepare('SELECT * FROM t').all(),
	'file that is none': (db, dir) => new litekeel(path.join(dir, '.')),
	'constraint': (db) => db.prepare('INSERT INTO t VALUES (1)').run(),
	'row that cannot be committed': (db) => { db.pragma('foreign_keys = ON'); return db.prepare('INSERT INTO child VALUES (7) RETURNING p').get(); },
	'script': (db) => db.exec('INSERT INTO t VALUES (1)'),
	'iterator': (db) => { for (const row of db.prepare('INSERT INTO t VALUES (1) RETURNING a').iterate()) return row; return null; },
};

for (const [door, open] of [['an untuned', (dir) => new litekeel(path.join(dir, 'a.db'))], ['a tuned', (dir) => litekeel.open(`file:${dir}/a.db`)]]) {
	for (const [what, call] of Object.entries(CALLS)) {
		test(`${what}: ${door} connection tells of this call`, async (t) => {
			const dir = temporary(t);
			const db = open(dir);
			db.exec('CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE child(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)');
			const earlier = [() => db.prepare('SELEC'), () => db.prepare('SELECT missing FROM t'), () => db.prepare('INSERT INTO p VALUES (1), (1)').run()];
			for (const [at, fail] of earlier.entries()) {
				assert.throws(fail);
				await assert.rejects(async () => call(db, dir), (error) => {
					assert.doesNotMatch(error.message, [/SELEC/, /missing/, /p\.id/][at], error.message);
					assert.notStrictEqual(error.message, 'not an error');
					return true;
				});
			}
			db.close();
		});
	}
}

test('a name that is too long is told as misuse', () => {
	const db = new litekeel(':memory:');
	assert.throws(() => db.prepare('SELEC'), { code: 'SQLITE_ERROR', message: 'near "SELEC": syntax error' });
	assert.throws(() => db.function(LONG, () => 1), { code: 'SQLITE_MISUSE', message: 'bad parameter or other API misuse' });
	db.close();
});

test('a file that another connection could not open is not blamed', (t) => {
	const dir = temporary(t);
	const plain = new litekeel(path.join(dir, 'plain.db'));
	const tuned = litekeel.open(`file:${dir}/tuned.db`, { attach: 'any' });
	assert.throws(() => plain.exec(`ATTACH '${dir}/no/such/first.db' AS x`), { code: 'SQLITE_CANTOPEN' });
	assert.throws(() => tuned.exec(`ATTACH '${dir}/no/such/second.db' AS x`), (error) => {
		assert.match(error.message, /second\.db/);
		assert.doesNotMatch(error.message, /first\.db/);
		return true;
	});
	plain.close();
	tuned.close();
});
