'use strict';
// One connection for Node and a C host (by koffi) of the same process.
const { test } = require('node:test');
const assert = require('node:assert');
const litekeel = require('../lib');
const temporary = require('./temporary');
const { c, KEEL_NUL, textOf } = require('./c-host');

/** Runs SQL as C would; the error's text, or null. */
function exec(db, sql) {
	const error = [0n];
	if (c.exec(db, sql, KEEL_NUL, error) === 0) return null;
	return textOf(error);
}
const open = (t) => litekeel.open('file:a.db', { baseDir: temporary(t) }).exec('CREATE TABLE t(a)');
const count = (db) => db.prepare('SELECT count(*) FROM t').pluck().get();

test('a borrowed handle is the same connection, until close', (t) => {
	const db = open(t);
	const { handle } = db;
	assert.strictEqual(typeof handle, 'bigint');
	assert.strictEqual(db.handle, handle);
	db.exec('CREATE TEMP TABLE mine(a)');
	assert.strictEqual(exec(handle, 'INSERT INTO temp.mine VALUES (1); INSERT INTO t VALUES (1)'), null);
	assert.strictEqual(count(db), 1);
	// The receiver may not end it.
	const error = [0n];
	assert.notStrictEqual(c.close(handle, error), 0);
	assert.match(c.message(error[0], [0]), /released|litekeel/);
	c.free(error[0]);
	c.release(handle);
	assert.strictEqual(exec(handle, 'INSERT INTO t VALUES (2)'), null);
	db.close();
	assert.match(exec(handle, 'SELECT 1'), /released/);
	assert.throws(() => db.handle, TypeError);
	litekeel.assertNoLeaks();
});

test('a callback may not come back in through C', (t) => {
	const db = open(t);
	const { handle } = db;
	let text;
	db.function('f', () => { text = exec(handle, 'INSERT INTO t VALUES (1)'); return 1; });
	db.prepare('SELECT f()').get();
	assert.match(text, /busy/);
	db.close();
});

test('another thread works on the shared connection, but JavaScript is not called there', async (t) => {
	const db = open(t);
	const handle = db.retainHandle();
	const changes = [];
	db.function('f', () => 1);
	db.onUpdate((change) => changes.push(change.rowid));
	const run = (sql) => new Promise((resolve, reject) => {
		const error = [0n];
		c.exec.async(handle, sql, KEEL_NUL, error, (failed, rc) => {
			if (failed) reject(failed);
			else if (rc === 0) resolve(null);
			else { resolve(c.message(error[0], [0])); c.free(error[0]); }
		});
	});
	const work = Promise.all(Array.from({ length: 50 }, () => run('INSERT INTO t VALUES (1)')));
	for (let n = 0; n < 200; n++) assert.ok(db.prepare('SELECT count(*) AS n, f() AS f FROM t').get().f === 1);
	assert.deepStrictEqual(new Set(await work), new Set([null]));
	assert.match(await run('SELECT f()'), /thread/);
	assert.strictEqual(count(db), 50);
	assert.deepStrictEqual(changes, []);
	db.exec('INSERT INTO t VALUES (2)');
	assert.strictEqual(changes.length, 1);
	db.close();
	c.release(handle);
	litekeel.assertNoLeaks();
});

test('a retained handle keeps the connection open', (t) => {
	const db = open(t);
	const handle = db.retainHandle();
	assert.strictEqual(exec(handle, 'INSERT INTO t VALUES (1)'), null);
	assert.strictEqual(count(db), 1);
	// No owner leaves a transaction open under the other.
	assert.match(exec(handle, 'BEGIN'), /shared/);
	db.close();
	assert.strictEqual(exec(handle, 'INSERT INTO t VALUES (2)'), null);
	assert.strictEqual(litekeel.openHandles().length, 1);
	c.release(handle);
	litekeel.assertNoLeaks();
});

test('fromHandle takes a connection that C opened', (t) => {
	const [handle, error] = [[0n], [0n]];
	const file = `${temporary(t)}/c.db`;
	assert.strictEqual(c.open(`file:${file}`, KEEL_NUL, handle, error), 0);
	const db = litekeel.fromHandle(BigInt(handle[0]));
	assert.ok(db instanceof litekeel);
	assert.deepStrictEqual([db.name, db.report.journal_mode], [file, 'wal']);
	db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
	assert.strictEqual(exec(handle[0], 'INSERT INTO t VALUES (2)'), null);
	assert.strictEqual(count(db), 2);
	assert.throws(() => db.exec('BEGIN'), (thrown) => thrown.code === 'KEEL_SHARED');
	assert.throws(() => db.transaction(() => {})(), (thrown) => thrown.code === 'KEEL_SHARED');
	db.close();
	assert.strictEqual(c.close(handle[0], error), 0);
	assert.throws(() => litekeel.fromHandle(BigInt(handle[0])), (thrown) => thrown instanceof litekeel.KeelError && thrown.code === 'KEEL_HANDLE');
	for (const bad of [5, '1', null, undefined, {}]) assert.throws(() => litekeel.fromHandle(bad), TypeError);
	for (const forged of [0n, 1n, -1n, 2n ** 64n, 0xdeadbeefn]) assert.throws(() => litekeel.fromHandle(forged), { code: 'KEEL_HANDLE' });
	litekeel.assertNoLeaks();
});
