'use strict';
// `share=1`: one connection of the process for every host and thread that asks, each of whose calls stands alone.
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { once } = require('node:events');
const litekeel = require('../lib');
const temporary = require('./temporary');
const { c, KEEL_NUL, textOf } = require('./c-host');

const shared = (error) => error instanceof litekeel.KeelError && error.code === 'KEEL_SHARED';
const ROWS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5) SELECT x FROM c';

/** A worker that runs `body` with `litekeel`, `url`, `said(value)` and `told()`, the next message to it. */
function worker(url, body) {
	const program = `
		const { parentPort, workerData: url } = require('node:worker_threads');
		const litekeel = require(${JSON.stringify(path.join(__dirname, '../lib'))});
		const said = (value) => parentPort.postMessage(value);
		const told = () => new Promise((resolve) => parentPort.once('message', resolve));
		(async () => { ${body} })().catch((error) => said({ error: String(error.stack), code: error.code })).finally(() => parentPort.unref());`;
	const made = new Worker(program, { eval: true, workerData: url });
	// It may end before anybody waits for that.
	return Object.assign(made, { exited: once(made, 'exit') });
}

test('both ways of asking give the process\'s one connection', (t) => {
	const url = `file:${temporary(t)}/a.db`;
	const one = litekeel.open(url, { share: true });
	const other = litekeel.open(`${url}?share=1`);
	assert.deepStrictEqual(litekeel.openHandles().map((handle) => handle.shared), [true]);
	one.exec('CREATE TABLE t(a); CREATE TEMP TABLE mine(a)');
	other.exec('INSERT INTO mine VALUES (1)');
	assert.strictEqual(one.prepare('SELECT count(*) FROM mine').pluck().get(), 1);
	// What was prepared before the other changed the schema.
	const star = one.prepare('SELECT * FROM t');
	assert.deepStrictEqual(star.all(), []);
	other.exec('ALTER TABLE t ADD COLUMN b; INSERT INTO t VALUES (1, 2)');
	assert.deepStrictEqual(star.all(), [{ a: 1, b: 2 }]);
	assert.deepStrictEqual(star.get(), { a: 1, b: 2 });
	const own = litekeel.open(url);
	assert.throws(() => own.exec('SELECT * FROM mine'), /no such table/);
	own.close();
	one.close();
	assert.strictEqual(one.closeReport.ownersLeft, 1);
	assert.strictEqual(one.closeReport.walRemoved, false);
	assert.throws(() => one.exec('SELECT 1'), TypeError);
	assert.deepStrictEqual(other.prepare('SELECT a FROM t').pluck().all(), [1]);
	other.close();
	assert.strictEqual(other.closeReport.ownersLeft, 0);
	assert.strictEqual(other.closeReport.walRemoved, true);
	litekeel.assertNoLeaks();
});

test('other settings are refused with the place of the first open', (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const one = litekeel.open(url);
	assert.throws(() => litekeel.open(`${url}&synchronous=full`), (error) => {
		assert.strictEqual(error.code, 'KEEL_MISMATCH');
		assert.match(error.message, /synchronous is \w+, not full/);
		assert.match(error.message, /first opened at .*shared\.test\.js:\d+/);
		return true;
	});
	one.close();
	const full = litekeel.open(`${url}&synchronous=full`);
	assert.strictEqual(full.pragma('synchronous', { simple: true }), 2);
	full.close();
	assert.throws(() => litekeel.open(':memory:?share=1'), { code: 'KEEL_CONFLICT' });
	litekeel.assertNoLeaks();
});

test('every call begins and ends in autocommit', async (t) => {
	const db = litekeel.open(`file:${temporary(t)}/a.db?share=1`).exec('CREATE TABLE t(a)');
	for (const begin of ['BEGIN', 'BEGIN IMMEDIATE', 'SAVEPOINT s', 'BEGIN; INSERT INTO t VALUES (1)']) {
		assert.throws(() => db.exec(begin), shared, begin);
		assert.strictEqual(db.inTransaction, false);
	}
	assert.throws(() => db.prepare('BEGIN').run(), shared);
	for (const name of ['default', 'deferred', 'immediate', 'exclusive']) {
		let called = false;
		assert.throws(() => db.transaction(() => { called = true; })[name](), shared);
		assert.strictEqual(called, false);
	}
	assert.strictEqual(db.prepare('SELECT count(*) FROM t').pluck().get(), 0);
	// A whole transaction in one call, and one on a connection of its own.
	db.exec('BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT');
	await db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); });
	assert.deepStrictEqual(await db.readAsync('SELECT a FROM t'), [{ a: 1 }, { a: 2 }, { a: 3 }]);
	db.close();
	litekeel.assertNoLeaks();
});

test('no iterator stays open, and all() is one call', (t) => {
	const db = litekeel.open(`file:${temporary(t)}/a.db?share=1`).exec('CREATE TABLE t(a)');
	const statement = db.prepare(ROWS);
	for (const configure of [(s) => s, (s) => s.raw(), (s) => s.pluck(true), (s) => s.expand()]) {
		const rows = configure(statement).iterate();
		assert.throws(() => rows.next(), shared);
		assert.deepStrictEqual(rows.next(), { value: undefined, done: true });
		assert.strictEqual(statement.busy, false);
	}
	assert.throws(() => { for (const _ of db.prepare(`${ROWS} LIMIT 1`).iterate()); }, shared);
	// Nothing to hold open: the end comes with the first call.
	assert.deepStrictEqual([...db.prepare('SELECT 1 WHERE 0').iterate()], []);
	db.exec('INSERT INTO t VALUES (1)');
	assert.throws(() => db.prepare('UPDATE t SET a = a + 1 RETURNING a').iterate().next(), shared);
	assert.deepStrictEqual(db.prepare(ROWS).pluck().all(), [1, 2, 3, 4, 5]);
	assert.deepStrictEqual(db.prepare(ROWS).raw().all(), [[1], [2], [3], [4], [5]]);
	assert.deepStrictEqual(db.prepare(ROWS).safeIntegers().pluck().all(), [1n, 2n, 3n, 4n, 5n]);
	assert.deepStrictEqual(db.prepare('SELECT t.a, 1 AS one FROM t').expand().all(), [{ t: { a: db.prepare('SELECT a FROM t').pluck().get() }, $: { one: 1 } }]);
	db.close();
	litekeel.assertNoLeaks();
});

test('all() of one thread never sees half of what another one\'s call does', async (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a, b)');
	db.exec(`INSERT INTO t SELECT x, 0 FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 4000) SELECT x FROM c)`);
	const writer = worker(url, `
		const db = litekeel.open(url);
		said('ready');
		let stop = false;
		told().then(() => { stop = true; });
		let n = 0;
		while (!stop) {
			// On one connection a reader would see the first half of this without the lock.
			db.exec('BEGIN; UPDATE t SET b = b + 1 WHERE a <= 2000; UPDATE t SET b = b + 1 WHERE a > 2000; COMMIT');
			n += 1;
			await new Promise(setImmediate);
		}
		db.close();
		said(n);`);
	assert.deepStrictEqual(await once(writer, 'message'), ['ready']);
	const seen = new Set();
	const statement = db.prepare('SELECT b FROM t').pluck();
	const until = Date.now() + 700;
	while (Date.now() < until || seen.size < 3) {
		const values = new Set(statement.all());
		assert.strictEqual(values.size, 1, `half of a call: ${[...values]}`);
		seen.add([...values][0]);
		assert.strictEqual(db.inTransaction, false);
	}
	writer.postMessage('stop');
	const [count] = await once(writer, 'message');
	assert.ok(count >= seen.size - 1, JSON.stringify(count));
	assert.strictEqual(db.prepare('SELECT DISTINCT b FROM t').pluck().get(), count);
	db.close();
	await writer.exited;
	litekeel.assertNoLeaks();
});

test('a JavaScript function runs in its own thread only', async (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a)');
	const threads = [];
	db.function('f', (x) => { threads.push('main'); return x; });
	db.aggregate('total', { start: 0, step: (sum, x) => { threads.push('main'); return sum + x; } });
	db.table('numbers', { columns: ['n'], rows: function* () { threads.push('main'); yield [1]; } });
	db.onUpdate(() => threads.push('hook'));
	const other = worker(url, `
		const db = litekeel.open(url);
		const answers = {};
		for (const sql of ['SELECT f(1)', 'SELECT total(1)', 'SELECT n FROM numbers', 'INSERT INTO t VALUES (f(1))', 'INSERT INTO t VALUES (1)']) {
			for (const [how, call] of Object.entries({ prepared: () => db.prepare(sql)[sql.startsWith('S') ? 'all' : 'run'](), script: () => db.exec(sql) })) {
				try { call(); answers[how + ' ' + sql] = 'ran'; } catch (error) { answers[how + ' ' + sql] = error.code + ' ' + error.message; }
			}
		}
		db.close();
		said(answers);`);
	const [answers] = await once(other, 'message');
	assert.strictEqual(answers.error, undefined);
	for (const [call, answer] of Object.entries(answers)) {
		if (call.endsWith('(1)') && call.includes('INSERT INTO t VALUES (1)')) assert.strictEqual(answer, 'ran', call);
		else assert.match(answer, /^SQLITE_ERROR .*its own thread only/, call);
	}
	assert.deepStrictEqual(threads, []);
	assert.deepStrictEqual(db.prepare('SELECT f(7), (SELECT total(a) FROM t), (SELECT n FROM numbers)').raw().get(), [7, 2, 1]);
	db.close();
	await other.exited;
	litekeel.assertNoLeaks();
});

test('an owner\'s end takes its own functions, hooks and sessions along and nobody else\'s', async (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a INTEGER PRIMARY KEY)');
	const seen = [];
	db.onUpdate(({ rowid }) => seen.push(rowid));
	const session = db.session();
	for (let n = 0; n < 3; n++) {
		const other = worker(url, `
			const db = litekeel.open(url);
			db.function('theirs', () => 1);
			db.onUpdate(() => said('theirs'));
			db.onCommit(() => {});
			db.session();
			db.prepare('SELECT theirs()').get();
			db.exec('INSERT INTO t VALUES (${n + 1})');
			said('ready');
			await told();
			${n === 1 ? 'db.close();' : ''}`);
		const [told] = await once(other, 'message');
		assert.strictEqual(told, 'theirs');
		const [ready] = await once(other, 'message');
		assert.strictEqual(ready, 'ready');
		db.exec(`INSERT INTO t VALUES (${n + 11})`);
		other.postMessage('end');
		await other.exited;
		db.exec(`INSERT INTO t VALUES (${n + 21})`);
		assert.throws(() => db.prepare('SELECT theirs()').get(), /own thread only/);
	}
	assert.deepStrictEqual(seen, [11, 21, 12, 22, 13, 23]);
	assert.ok(session.changeset().length > 0);
	db.close();
	litekeel.assertNoLeaks();
});

test('what a thread that has ended registered is never called in the thread that comes after it', async (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a)');
	for (let n = 1; n < 13; n++) {
		const other = worker(url, `
			const db = litekeel.open(url);
			const answers = [];
			for (const sql of ['SELECT f${n - 1}(1)', 'SELECT sum${n - 1}(1)', 'SELECT * FROM v${n - 1}']) {
				try { db.prepare(sql).get(); answers.push('ran ' + sql); } catch (error) { answers.push(error.message); }
			}
			db.function('f${n}', (x) => x);
			db.aggregate('sum${n}', { start: 0, step: (sum, x) => sum + x });
			db.table('v${n}', { columns: ['x'], rows: function* () { yield [1]; } });
			answers.push(...db.prepare('SELECT f${n}(7), sum${n}(8), (SELECT x FROM v${n})').raw().get());
			said(answers);`);
		const [answers] = await once(other, 'message');
		const own = answers.splice(3);
		assert.deepStrictEqual(own, [7, 8, 1], JSON.stringify(answers));
		for (const answer of answers) assert.match(answer, n === 1 ? /^no such/ : /own thread only/);
		await other.exited;
	}
	db.close();
	litekeel.assertNoLeaks();
});

test('two owners in one thread: what a function of the one throws arrives at the other', (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const one = litekeel.open(url).exec('CREATE TABLE t(a)');
	const other = litekeel.open(url);
	const thrown = { mine: true };
	one.function('f', (x) => { if (x === 3) throw thrown; return other.name.length > 0 ? x : null; });
	const seen = [];
	one.onUpdate(({ rowid }) => seen.push(['one', rowid]));
	other.onUpdate(({ rowid }) => { seen.push(['other', rowid]); });
	const caught = (fn) => { try { fn(); } catch (error) { return error; } return undefined; };
	for (const call of [() => other.prepare('SELECT f(3)').get(), () => other.prepare('SELECT f(3)').all(), () => other.prepare('INSERT INTO t VALUES (f(3))').run(), () => other.exec('SELECT f(3)'), () => [...other.prepare('SELECT f(3)').iterate()]]) {
		assert.strictEqual(caught(call), thrown, String(call));
	}
	assert.deepStrictEqual(other.prepare('SELECT f(column1) FROM (VALUES (1), (2))').pluck().all(), [1, 2]);
	other.exec('INSERT INTO t VALUES (f(5))');
	assert.deepStrictEqual(seen, [['one', 1], ['other', 1]]);
	// Inside a callback neither may use the connection.
	const inside = [];
	one.function('again', () => { inside.push(caught(() => other.prepare('SELECT 1')), caught(() => one.exec('SELECT 1'))); return 1; });
	one.prepare('SELECT again()').get();
	assert.deepStrictEqual(inside.map((error) => error.code ?? error.name), ['SQLITE_MISUSE', 'TypeError']);
	other.onUpdate(null);
	one.exec('INSERT INTO t VALUES (6)');
	other.close();
	one.exec('INSERT INTO t VALUES (7)');
	assert.deepStrictEqual(seen.slice(2), [['one', 2], ['one', 3]]);
	one.close();
	litekeel.assertNoLeaks();
});

test('a worker that is stopped in the middle of a shared call leaves the connection whole', async (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a)');
	for (let n = 0; n < 6; n++) {
		const other = worker(url, `
			const db = litekeel.open(url);
			db.function('f', (x) => x);
			said('opened');
			await told();
			said('ready');
			db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT ${n % 2 ? 'x' : 'f(x)'} + 1 FROM c) SELECT sum(x) FROM c').get();`);
		await once(other, 'message');
		// A later owner's interest in its own end does not take the earlier one's away.
		const later = litekeel.open(url);
		other.postMessage('go');
		await once(other, 'message');
		await new Promise((resolve) => setTimeout(resolve, 20));
		const began = performance.now();
		await other.terminate();
		assert.ok(performance.now() - began < 2000, `${performance.now() - began} ms`);
		later.exec('INSERT INTO t VALUES (1)');
		later.close();
	}
	assert.strictEqual(db.prepare('SELECT count(*) FROM t').pluck().get(), 6);
	db.close();
	assert.strictEqual(db.closeReport.ownersLeft, 0);
	litekeel.assertNoLeaks();
});

test('C and Node meet by the same URL', (t) => {
	const url = `file:${temporary(t)}/a.db?share=1`;
	const [handle, error] = [[0n], [0n]];
	assert.strictEqual(c.open(url, KEEL_NUL, handle, error), 0);
	const db = litekeel.open(url);
	assert.strictEqual(litekeel.openHandles().length, 1);
	db.exec('CREATE TEMP TABLE mine(a)');
	assert.strictEqual(c.exec(handle[0], 'INSERT INTO mine VALUES (1)', KEEL_NUL, error), 0);
	assert.strictEqual(db.prepare('SELECT count(*) FROM mine').pluck().get(), 1);
	assert.notStrictEqual(c.open(`${url}&synchronous=full`, KEEL_NUL, [0n], error), 0);
	assert.match(textOf(error), /synchronous/);
	assert.strictEqual(c.close(handle[0], error), 0);
	db.exec('INSERT INTO mine VALUES (2)');
	db.close();
	assert.strictEqual(db.closeReport.ownersLeft, 0);
	litekeel.assertNoLeaks();
});

test('a backup of a shared connection lets the other owners work between its steps', async (t) => {
	const directory = temporary(t);
	const url = `file:${directory}/a.db?share=1`;
	const db = litekeel.open(url).exec('CREATE TABLE t(a)');
	db.exec(`INSERT INTO t SELECT zeroblob(3000) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 500) SELECT x FROM c)`);
	const writer = worker(url, `
		const db = litekeel.open(url);
		said('ready');
		let stop = false;
		told().then(() => { stop = true; });
		let n = 0;
		for (; !stop; n++) {
			db.exec('INSERT INTO t VALUES (zeroblob(3000))');
			if (n % 4 === 0) await new Promise(setImmediate);
		}
		db.close();
		said(n);`);
	await once(writer, 'message');
	await db.backup(`${directory}/b.db`, { progress: () => 20 });
	writer.postMessage('stop');
	const [count] = await once(writer, 'message');
	assert.ok(count > 0, JSON.stringify(count));
	const copy = litekeel.open(`file:${directory}/b.db`);
	assert.strictEqual(copy.pragma('integrity_check', { simple: true }), 'ok');
	assert.ok(copy.prepare('SELECT count(*) FROM t').pluck().get() >= 500);
	copy.close();
	db.close();
	await writer.exited;
	litekeel.assertNoLeaks();
});
