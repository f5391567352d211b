'use strict';
// A copy that follows a replica, as Litestream leaves it: its position, and waiting for one. core/tests tests how it is read.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');
require('./prepare')();

const position = (number) => number.toString(16).padStart(16, '0');

function copy(t) {
	const directory = temporary(t);
	const made = litekeel.open('file:copy.db', { baseDir: directory });
	made.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)');
	made.close();
	const note = (number) => {
		fs.writeFileSync(path.join(directory, 'new'), `${position(number)}\n`);
		fs.renameSync(path.join(directory, 'new'), path.join(directory, 'copy.db-txid'));
	};
	note(26);
	const db = litekeel.open('file:copy.db', { baseDir: directory, role: 'follower', replicationTimeout: 50 });
	t.after(() => db.close());
	return { db, note, directory };
}

const behind = (error) => {
	assert.deepStrictEqual([error.name, error.code, error.step], ['KeelError', 'KEEL_BEHIND', 'timeout'], error.stack);
	return true;
};

test('the position of a copy is told and waited for, and the event loop goes on meanwhile', async (t) => {
	const { db, note } = copy(t);
	assert.strictEqual(db.position(), '000000000000001a');
	assert.strictEqual(await db.waitFor(position(3)), '000000000000001a');
	await assert.rejects(db.waitFor(position(27)), (error) => behind(error) && /has 000000000000001a, and 000000000000001b.*within 50 ms/.test(error.message));
	await assert.rejects(db.waitFor(position(27), { timeout: 0 }), behind);
	const waits = db.waitFor(position(27), { timeout: 60_000 });
	await new Promise((resolve) => { setTimeout(resolve, 30); });
	note(28);
	assert.strictEqual(await waits, position(28));
	assert.strictEqual(db.prepare('SELECT a FROM t').pluck().get(), 1);
	assert.throws(() => db.exec('INSERT INTO t VALUES(2)'), { code: /^SQLITE_READONLY/ });
});

/** As Litestream writes a transaction into a copy: in place, by another process, and the file's own counter of changes stays. */
function apply(directory, value) {
	const next = litekeel.open('file:next.db', { baseDir: directory });
	next.exec(`CREATE TABLE IF NOT EXISTS t(a); DELETE FROM t; INSERT INTO t VALUES(${value})`);
	next.close();
	execFileSync(process.execPath, ['-e', `
		const fs = require('node:fs');
		const [copy, next] = ['copy.db', 'next.db'].map((file) => fs.readFileSync(file));
		for (const [from, to] of [[24, 28], [92, 100]]) copy.copy(next, from, from, to);
		const file = fs.openSync('copy.db', 'r+');
		fs.writeSync(file, next, 0, next.length, 0);
		fs.closeSync(file);`], { cwd: directory });
}

test('rows that are read beside the event loop are those of the position, and no reader holds the copy', async (t) => {
	const { db, note, directory } = copy(t);
	const sql = 'SELECT a FROM t';
	const read = () => db.readAsync(sql, [], { raw: true });
	assert.deepStrictEqual(await read(), [[1]]);
	for (let value = 2; value < 8; ++value) {
		apply(directory, value);
		note(25 + value);
		assert.strictEqual(await db.waitFor(position(25 + value)), position(25 + value));
		// Several, so that each of the threads that may have read before is asked.
		for (const rows of await Promise.all(Array.from({ length: 8 }, read))) assert.deepStrictEqual(rows, [[value]]);
		assert.strictEqual(db.prepare(sql).pluck().get(), value);
		// A lock would keep Litestream's own out.
		if (process.platform === 'linux') {
			const { ino } = fs.statSync(path.join(directory, 'copy.db'));
			const held = fs.readFileSync('/proc/locks', 'utf8').split('\n').filter((line) => line.includes(`:${ino} `) && (line.includes(` ${process.pid} `) || line.includes(' -1 ')));
			assert.deepStrictEqual(held, [], `${value}`);
		}
	}
	await assert.rejects(db.readAsync('INSERT INTO t VALUES(9)'), (error) => /^SQLITE_READONLY|^KEEL_/.test(error.code) || error instanceof TypeError);
});

test('a wait ends with its signal and with the connection', async (t) => {
	const { db } = copy(t);
	const reason = new Error('enough');
	const controller = new AbortController();
	const aborted = db.waitFor(position(99), { timeout: 60_000, signal: controller.signal });
	controller.abort(reason);
	await assert.rejects(aborted, (error) => error === reason);
	await assert.rejects(db.waitFor(position(99), { signal: controller.signal }), (error) => error === reason);
	const waits = db.waitFor(position(99), { timeout: 60_000 });
	db.close();
	await assert.rejects(waits, { message: 'The database connection is not open' });
	assert.throws(() => db.position(), { message: 'The database connection is not open' });
});

test('what is no position, and what is no such copy, is refused', async (t) => {
	const { db, directory } = copy(t);
	for (const wrong of [undefined, 26, null]) await assert.rejects(db.waitFor(wrong), TypeError);
	for (const wrong of ['', '1a', 'a position of that']) await assert.rejects(db.waitFor(wrong), { code: 'KEEL_INVALID_VALUE' });
	await assert.rejects(db.waitFor(position(1), { timeout: -1 }), TypeError);
	await assert.rejects(db.waitFor(position(1), { seconds: 1 }), TypeError);
	const plain = litekeel.open('file:other.db', { baseDir: directory });
	t.after(() => plain.close());
	assert.throws(() => plain.position(), { code: 'KEEL_CONFLICT' });
	await assert.rejects(plain.waitFor(position(1)), { code: 'KEEL_CONFLICT' });
	assert.throws(() => litekeel.open('file:other.db', { baseDir: directory, role: 'follower' }), { code: 'KEEL_BEHIND', step: 'no_position' });
});
