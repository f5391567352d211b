'use strict';
// Reads beside the event loop, on threads and connections of their own.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const litekeel = require('../lib');
const temporary = require('./temporary');

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) AS s FROM c';
const open = (t, options) => litekeel.open('file:a.db', { baseDir: temporary(t), ...options });
const filled = (t, options) => {
	const db = open(t, options);
	db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); INSERT INTO t VALUES (1, 'ä', x'00ff'), (2, 1.5, NULL), (9007199254740993, '', x'')");
	return db;
};

test('the rows are those of all(), for every kind of value, mode and parameter', async (t) => {
	const db = filled(t);
	const cases = [
		['SELECT * FROM t ORDER BY a'], ['SELECT 1 AS a, 2 AS a, 3 AS "1"'], ['SELECT * FROM t WHERE false'],
		['SELECT ? AS v, typeof(?) AS w', [25, 25]], ['SELECT ?', 'text'], ['SELECT ?', 7n], ['SELECT ?', Buffer.from('ab')],
		['SELECT ?, $x, @y, :z', [1, { x: 'X', y: null, z: undefined, extra: 1 }]], ['SELECT $x', { x: 5 }], ['SELECT ?', [null]], ['SELECT $a + $a', { a: 2 }],
		['SELECT ? -- comment\n ; ', [1]], ['PRAGMA user_version'], ['VALUES (1), (2)'],
	];
	for (const [sql, given] of cases) {
		const args = given === undefined ? [] : Array.isArray(given) ? given : [given];
		assert.deepStrictEqual(await db.readAsync(sql, given), db.prepare(sql).all(...args), sql);
		assert.deepStrictEqual(await db.readAsync(sql, given, { raw: true }), db.prepare(sql).raw().all(...args), sql);
		assert.deepStrictEqual(await db.readAsync(sql, given, { safeIntegers: true }), db.prepare(sql).safeIntegers().all(...args), sql);
	}
	db.close();
});

test('mistakes are rejected with the class and words of all()', async (t) => {
	const db = filled(t);
	const cases = [
		['SELECT ?'], ['SELECT ?', [1, 2]], ['SELECT ?1', [2]], ['SELECT $x'], ['SELECT $x', {}], ['SELECT $x', [{ x: 1 }, { x: 2 }]], ['SELECT ?', [2n ** 64n]], ['SELECT ?', [new Date()]],
		['SELECT ?', [true]], ['SELECT 1; SELECT 2'], ['SELECT 1; nonsense'], [''], [';'], ['nonsense'], ['SELECT * FROM missing'], ['INSERT INTO t VALUES (5, 5, 5)'],
	];
	for (const [sql, given] of cases) {
		const args = given === undefined ? [] : Array.isArray(given) ? given : [given];
		let expected;
		try { db.prepare(sql).all(...args); } catch (error) { expected = error; }
		await assert.rejects(db.readAsync(sql, given), (error) => {
			assert.deepStrictEqual([error.constructor, error.code, error.message], [expected.constructor, expected.code, expected.message], sql);
			return true;
		});
	}
	await assert.rejects(db.readAsync('INSERT INTO t VALUES (5, 5, 5) RETURNING a'), TypeError);
	for (const bad of [[5], ['SELECT 1', [], 5], ['SELECT 1', [], { timeout: -1 }], ['SELECT 1', [], { signal: 5 }], ['SELECT 1', [], { raw: 1 }]]) await assert.rejects(db.readAsync(...bad), TypeError);
	// As a library's own is that is older than throwIfAborted.
	for (const method of ['readAsync', 'replicated', 'waitFor']) {
		const args = { readAsync: ['SELECT 1', []], replicated: [], waitFor: ['0000000000000001'] }[method];
		await assert.rejects(db[method](...args, { signal: { aborted: false, addEventListener() {} } }), { name: 'TypeError', message: 'Expected the "signal" option to be an AbortSignal' });
	}
	db.close();
	await assert.rejects(db.readAsync('SELECT 1'), TypeError);
});

test('it sees what is committed, holds nobody up, and takes no lock that stays', async (t) => {
	const db = filled(t);
	db.exec('BEGIN; DELETE FROM t');
	assert.deepStrictEqual(await db.readAsync('SELECT count(*) FROM t', [], { raw: true }), [[3]]);
	db.exec('COMMIT');
	assert.deepStrictEqual(await db.readAsync('SELECT count(*) FROM t', [], { raw: true }), [[0]]);
	let turns = 0;
	const ticking = setInterval(() => { turns += 1; db.prepare('INSERT INTO t(b) VALUES (1)').run(); }, 5);
	await assert.rejects(db.readAsync(ENDLESS, [], { timeout: 200 }), { code: 'SQLITE_INTERRUPT' });
	clearInterval(ticking);
	// Held up, it would have had none.
	assert.ok(turns > 1, `${turns}`);
	db.close();
	assert.strictEqual(db.closeReport.walRemoved, true);
	assert.deepStrictEqual(fs.readdirSync(path.dirname(db.name)), ['a.db']);
	litekeel.assertNoLeaks();
});

test('signal and timeout stop a running and a waiting read', async (t) => {
	const db = filled(t);
	const reason = new Error('enough');
	await assert.rejects(db.readAsync('SELECT 1', [], { signal: AbortSignal.abort(reason) }), (error) => error === reason);
	const controller = new AbortController();
	const reads = Array.from({ length: 12 }, () => db.readAsync(ENDLESS, [], { signal: controller.signal }));
	setTimeout(() => controller.abort(reason), 30);
	for (const result of await Promise.allSettled(reads)) assert.strictEqual(result.reason, reason);
	const began = performance.now();
	await assert.rejects(db.readAsync(ENDLESS, [], { timeout: 50 }), (error) => error instanceof litekeel.SqliteError && error.code === 'SQLITE_INTERRUPT' && /50 ms/.test(error.message));
	assert.ok(performance.now() - began < 1000);
	// The threads are free again.
	assert.deepStrictEqual(await Promise.all(Array.from({ length: 40 }, (_, at) => db.readAsync('SELECT ?', [at], { raw: true }))), Array.from({ length: 40 }, (_, at) => [[at]]));
	db.close();
});

test('close() interrupts what reads and waits for it', async (t) => {
	const db = filled(t);
	const reads = Array.from({ length: 10 }, () => db.readAsync(ENDLESS));
	await sleep(30);
	const began = performance.now();
	db.close();
	assert.ok(performance.now() - began < 1500);
	assert.strictEqual(db.closeReport.walRemoved, true);
	for (const result of await Promise.allSettled(reads)) assert.ok(result.reason instanceof TypeError && /not open/.test(result.reason.message));
	litekeel.assertNoLeaks();
});

test('refused where there is nothing to read beside', async (t) => {
	const memory = litekeel.open(':memory:');
	await assert.rejects(memory.readAsync('SELECT 1'), { code: 'KEEL_NO_SIBLING' });
	memory.close();
	const rollback = open(t, { journalMode: 'delete' });
	rollback.exec('CREATE TABLE t(a)');
	await assert.rejects(rollback.readAsync('SELECT 1'), (error) => error instanceof litekeel.KeelError && error.code === 'KEEL_NO_SIBLING' && /WAL/.test(error.message));
	rollback.close();
	litekeel.assertNoLeaks();
});

const module_ = JSON.stringify(path.join(__dirname, '..'));
const child = (t, script) => spawnSync(process.execPath, ['-e', `const litekeel = require(${module_}); const db = litekeel.open('file:a.db'); const ENDLESS = ${JSON.stringify(ENDLESS)}; ${script}`], { cwd: temporary(t), encoding: 'utf8', timeout: 300_000 });

test('a promise keeps the process alive, nothing else of it does', (t) => {
	const waiting = child(t, "db.readAsync('SELECT 1 AS a').then((rows) => { console.log(JSON.stringify(rows)); db.close(); });");
	assert.deepStrictEqual([waiting.status, waiting.stdout], [0, '[{"a":1}]\n'], waiting.stderr);
});

for (const [way, ending, status] of [['process.exit()', 'process.exit(3)', 3], ['an uncaught error', "throw new Error('x')", 1]]) {
	test(`${way} during a read`, (t) => {
		const ended = child(t, `db.readAsync(ENDLESS); setTimeout(() => { ${ending} }, 50);`);
		assert.strictEqual(ended.status, status, ended.stderr);
	});
}

test('worker.terminate() during reads joins their threads', (t) => {
	const ended = child(t, `
		const { Worker } = require('worker_threads');
		(async () => {
			for (let n = 0; n < 10; n++) {
				const worker = new Worker("const db = require(" + ${JSON.stringify(module_)} + ").open('file:a.db'); for (let n = 0; n < 6; n++) db.readAsync(" + JSON.stringify(ENDLESS) + "); setInterval(() => {}, 1000); require('worker_threads').parentPort.postMessage(1)", { eval: true });
				await new Promise((resolve) => worker.once('message', resolve));
				await new Promise((resolve) => setTimeout(resolve, n * 3));
				await worker.terminate();
			}
			const left = require('fs').readdirSync('/proc/self/task').map((id) => require('fs').readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim()).filter((name) => name === 'litekeel-read');
			console.log(left.length);
			db.close();
		})();`);
	assert.deepStrictEqual([ended.status, ended.stdout], [0, '0\n'], ended.stderr);
});
