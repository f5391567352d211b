'use strict';
// Which connections may share an asynchronous transaction: those to the same file that do the same with a statement.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const litekeel = require('../lib');
const temporary = require('./temporary');

const rows = (db) => db.prepare('SELECT a FROM t ORDER BY rowid').pluck().all();
const opened = (t) => litekeel.open('file:a.db', { baseDir: temporary(t), busyTimeout: 5000 }).exec('CREATE TABLE t(a)');

const different = {
	foreign_keys: { foreignKeys: false },
	synchronous: { synchronous: 'full' },
	recursive_triggers: { recursiveTriggers: true },
	'bindBooleans and bindDates': { bindBooleans: true },
};
for (const [name, options] of Object.entries(different)) {
	test(`another connection's transaction inside, opened with another ${name}, is refused at once`, async (t) => {
		const db = opened(t);
		const other = litekeel.open(`file:${db.name}`, options);
		let called = false;
		await db.transactionAsync(async (tx) => {
			tx.exec('INSERT INTO t VALUES (1)');
			await assert.rejects(other.transactionAsync(async () => { called = true; }), (error) => {
				assert.deepStrictEqual([error.name, error.code], ['KeelError', 'KEEL_ARGUMENT']);
				assert.ok(error.message.includes(`(${name})`), error.message);
				return /same settings/.test(error.hint);
			});
		});
		assert.deepStrictEqual([called, rows(db)], [false, [1]]);
		// Beside each other they wait their turn, each as it was opened.
		await Promise.all([db, other].map((one) => one.transactionAsync(async (tx) => { await sleep(1); tx.exec('INSERT INTO t VALUES (2)'); })));
		assert.deepStrictEqual(rows(db), [1, 2, 2]);
		other.close();
		db.close();
	});
}

test('connections that differ only in speed share one', async (t) => {
	const db = opened(t);
	const other = litekeel.open(`file:${db.name}`, { cacheSize: -2000, busyTimeout: 100 });
	await db.transactionAsync(async (tx) => { await other.transactionAsync(async (inner) => { assert.strictEqual(inner, tx); inner.exec('INSERT INTO t VALUES (1)'); }); });
	assert.deepStrictEqual(rows(db), [1]);
	other.close();
	db.close();
});

for (const [name, options] of [['mode=ro', { mode: 'ro' }], ['query_only', { queryOnly: true }]]) {
	test(`${name}: reads beside a writer, and a writer inside of it is one of its own`, async (t) => {
		const db = opened(t);
		const reader = litekeel.open(`file:${db.name}`, options);
		await reader.transactionAsync(async (outer) => {
			assert.deepStrictEqual(rows(outer), []);
			assert.throws(() => outer.exec('INSERT INTO t VALUES (0)'), { code: 'SQLITE_READONLY' });
			await db.transactionAsync(async (tx) => {
				assert.notStrictEqual(tx, outer);
				tx.exec('INSERT INTO t VALUES (1)');
				await reader.transactionAsync(async (inner) => {
					assert.deepStrictEqual(rows(inner), []);
					await db.transactionAsync(async (deep) => { assert.strictEqual(deep, tx); });
				});
			});
			assert.deepStrictEqual(rows(outer), []);
		});
		assert.deepStrictEqual(rows(reader), [1]);
		reader.close();
		db.close();
	});
}

test('a symbolic link and what it leads to are one file', async (t) => {
	const db = opened(t);
	const link = path.join(path.dirname(db.name), 'link.db');
	fs.symlinkSync(db.name, link);
	const other = litekeel.open(`file:${link}`, { busyTimeout: 300 });
	await db.transactionAsync(async (tx) => {
		tx.exec('INSERT INTO t VALUES (1)');
		await other.transactionAsync(async (inner) => { assert.strictEqual(inner, tx); inner.exec('INSERT INTO t VALUES (2)'); });
	});
	// And one queue: nobody polls.
	let inside = 0;
	await Promise.all([db, other, db, other].map((one) => one.transactionAsync(async (tx) => { assert.strictEqual(++inside, 1); await sleep(2); tx.exec('INSERT INTO t VALUES (3)'); inside -= 1; })));
	assert.deepStrictEqual(rows(db), [1, 2, 3, 3, 3, 3]);
	other.close();
	db.close();
});

test('options that there are not are refused', async (t) => {
	const db = opened(t);
	await assert.rejects(db.transactionAsync(async () => {}, { timeout: 5 }), { name: 'TypeError', message: 'transactionAsync() has no option "timeout": there are signal' });
	await assert.rejects(db.readAsync('SELECT 1', [], { Raw: true }), { name: 'TypeError', message: 'readAsync() has no option "Raw": there are signal, timeout, raw, safeIntegers' });
	assert.deepStrictEqual(await db.readAsync('SELECT 1 AS a', [], { raw: true, timeout: 0, safeIntegers: false, signal: undefined }), [[1]]);
	await db.transactionAsync(async () => {}, { signal: undefined });
	db.close();
	for (const [wrong, right] of [['extension', 'extensions'], ['bindBoolean', 'bindBooleans'], ['shutdown_on', 'shutdownOn']]) {
		assert.throws(() => litekeel.open('file::memory:', { [wrong]: ['x'] }), { name: 'TypeError', message: `There is no option "${wrong}" of open(): did you mean "${right}"?` });
	}
});

test('a promise out of transaction(): the hint names transactionAsync', (t) => {
	const db = opened(t);
	assert.throws(() => db.transaction(() => Promise.resolve())(), (error) => /^use transactionAsync\(fn\)/.test(error.hint) && error instanceof TypeError);
	assert.throws(() => new litekeel(':memory:').transaction(async () => {})(), (error) => /open a file with open\(\).*transactionAsync/.test(error.hint));
	assert.deepStrictEqual([rows(db), db.inTransaction], [[], false]);
	db.close();
});
