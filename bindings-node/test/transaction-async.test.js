'use strict';
// Transactions that span turns of the event loop, on a connection of their own.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const litekeel = require('../lib');
const temporary = require('./temporary');

const open = (t, options) => litekeel.open('file:a.db', { baseDir: temporary(t), ...options }).exec('CREATE TABLE IF NOT EXISTS t(a)');
const rows = (db) => db.prepare('SELECT a FROM t ORDER BY rowid').pluck().all();

test('committed when the promise is fulfilled, rolled back when it is rejected', async (t) => {
	const db = open(t);
	const result = await db.transactionAsync(async (tx) => {
		assert.ok(tx instanceof litekeel && tx !== db && tx.inTransaction);
		tx.prepare('INSERT INTO t VALUES (?)').run(1);
		await sleep(5);
		// Nothing of it is seen outside, and what is done outside is no part of it.
		assert.deepStrictEqual(rows(db), []);
		assert.strictEqual(db.inTransaction, false);
		tx.prepare('INSERT INTO t VALUES (?)').run(2);
		return 'done';
	});
	assert.strictEqual(result, 'done');
	assert.deepStrictEqual(rows(db), [1, 2]);
	const no = new Error('no');
	await assert.rejects(db.transactionAsync(async (tx) => { tx.exec('DELETE FROM t'); await sleep(1); throw no; }), (error) => error === no);
	await assert.rejects(db.transactionAsync((tx) => { tx.exec('DELETE FROM t'); throw no; }), (error) => error === no);
	assert.deepStrictEqual(rows(db), [1, 2]);
	db.close();
	assert.strictEqual(db.closeReport.walRemoved, true);
	litekeel.assertNoLeaks();
});

test('several at once wait for each other', async (t) => {
	const db = open(t);
	const add = async (tx) => {
		const { n } = tx.prepare('SELECT count(*) AS n FROM t').get();
		await sleep(1);
		tx.prepare('INSERT INTO t VALUES (?)').run(n);
	};
	const second = litekeel.open(`file:${db.name}`);
	await Promise.all([...Array.from({ length: 10 }, () => db.transactionAsync(add)), ...Array.from({ length: 10 }, () => second.transactionAsync(add))]);
	assert.deepStrictEqual(rows(db), Array.from({ length: 20 }, (_, at) => at));
	second.close();
	db.close();
});

test('the transaction is over when the function is', async (t) => {
	const db = open(t);
	let kept;
	await db.transactionAsync(async (tx) => { kept = { tx, statement: tx.prepare('INSERT INTO t VALUES (1)') }; });
	// As everywhere, what still iterates stands in the way of a commit.
	let iterator;
	await assert.rejects(db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); iterator = tx.prepare('SELECT 1 UNION SELECT 2').iterate(); iterator.next(); }), TypeError);
	assert.throws(() => iterator.next(), TypeError);
	assert.throws(() => kept.statement.run(), TypeError);
	assert.throws(() => kept.tx.exec('SELECT 1'), TypeError);
	await assert.rejects(db.transactionAsync(async (tx) => { tx.exec('COMMIT'); }), { code: 'KEEL_ARGUMENT' });
	assert.deepStrictEqual(rows(db), []);
	db.close();
	litekeel.assertNoLeaks();
});

test('close() rolls back what is open', async (t) => {
	const db = open(t);
	const running = db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); await sleep(20); tx.exec('INSERT INTO t VALUES (2)'); });
	const waiting = db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); });
	await sleep(5);
	db.close();
	for (const result of await Promise.allSettled([running, waiting])) assert.ok(result.reason instanceof TypeError, String(result.reason));
	const again = litekeel.open(`file:${db.name}`);
	assert.deepStrictEqual(rows(again), []);
	again.close();
	litekeel.assertNoLeaks();
});

test('another thread\'s lock is waited for without holding up the event loop', async (t) => {
	const db = open(t, { busyTimeout: 3000 });
	const worker = new Worker(`const db = require(${JSON.stringify(path.join(__dirname, '..'))}).open(${JSON.stringify(`file:${db.name}`)}); db.exec('BEGIN IMMEDIATE'); require('worker_threads').parentPort.postMessage(1); setTimeout(() => { db.exec('COMMIT'); db.close(); }, 150)`, { eval: true });
	await new Promise((resolve) => { worker.once('message', resolve); });
	let turns = 0;
	const ticking = setInterval(() => { turns += 1; }, 5);
	await db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); });
	clearInterval(ticking);
	assert.ok(turns >= 5, `${turns}`);
	assert.deepStrictEqual(rows(db), [1]);
	db.close();
});

for (const [way, ending, status] of [['process.exit()', 'process.exit(3)', 3], ['an uncaught error', "throw new Error('x')", 1], ['an unhandled rejection', "Promise.reject(new Error('x'))", 1]]) {
	test(`${way} in the middle leaves nothing of it, and no log`, (t) => {
		const cwd = temporary(t);
		const script = `const db = require(${JSON.stringify(path.join(__dirname, '..'))}).open('file:a.db').exec('CREATE TABLE t(a)'); db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); setImmediate(() => { ${ending}; }); await new Promise(() => {}); });`;
		const ended = spawnSync(process.execPath, ['-e', script], { cwd, encoding: 'utf8', timeout: 300_000 });
		assert.strictEqual(ended.status, status, ended.stderr);
		assert.deepStrictEqual(fs.readdirSync(cwd), ['a.db']);
		const db = litekeel.open('file:a.db', { baseDir: cwd });
		assert.deepStrictEqual(rows(db), []);
		db.close();
	});
}

test('signal', async (t) => {
	const db = open(t);
	const reason = new Error('enough');
	await assert.rejects(db.transactionAsync(async () => assert.fail(), { signal: AbortSignal.abort(reason) }), (error) => error === reason);
	const controller = new AbortController();
	await assert.rejects(db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); controller.abort(reason); }, { signal: controller.signal }), (error) => error === reason);
	assert.deepStrictEqual(rows(db), []);
	db.close();
});

test('refused where no second connection can be', async () => {
	const memory = new litekeel(':memory:').exec('CREATE TABLE t(a)');
	const image = memory.serialize();
	memory.close();
	for (const db of [litekeel.open(':memory:'), new litekeel(':memory:'), new litekeel(''), new litekeel(image)]) {
		await assert.rejects(db.transactionAsync(async () => assert.fail()), (error) => error instanceof litekeel.KeelError && error.code === 'KEEL_NO_SIBLING' && error.hint.length > 0);
		await assert.rejects(db.transactionAsync('x'), TypeError);
		db.close();
	}
});

for (const [way, again] of [['the same connection', ({ db }) => db], ['its own', ({ tx }) => tx], ['another connection to the file', ({ other }) => other]]) {
	test(`one inside another is a savepoint of it: by ${way}`, async (t) => {
		const db = open(t);
		const other = litekeel.open(`file:${db.name}`);
		const insert = (tx, value) => tx.prepare('INSERT INTO t VALUES (?)').run(value);
		await db.transactionAsync(async (tx) => {
			const inside = (fn) => again({ db, tx, other }).transactionAsync(fn);
			insert(tx, 1);
			assert.strictEqual(await inside(async (inner) => {
				assert.strictEqual(inner, tx);
				await sleep(1);
				insert(inner, 2);
				await inside(async (deeper) => { await sleep(1); insert(deeper, 3); });
				await assert.rejects(inside(async (deeper) => { insert(deeper, -1); await sleep(1); throw new Error('undo'); }), /undo/);
				return 'value';
			}), 'value');
			await assert.rejects(inside(async (inner) => { insert(inner, -2); await inside((deeper) => insert(deeper, -3)); throw new Error('undo'); }), /undo/);
			// Side by side they take turns, and nothing of one is undone with another.
			const outcomes = await Promise.allSettled([inside(async (inner) => { await sleep(3); insert(inner, 4); }), inside(async (inner) => { insert(inner, -4); await sleep(1); throw new Error('undo'); }), inside((inner) => insert(inner, 5))]);
			assert.deepStrictEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
		});
		assert.deepStrictEqual(rows(db), [1, 2, 3, 4, 5]);
		// The whole is undone with what was kept inside it.
		await assert.rejects(db.transactionAsync(async (tx) => { await again({ db, tx, other }).transactionAsync(async (inner) => insert(inner, 6)); throw new Error('undo'); }), /undo/);
		assert.deepStrictEqual(rows(other), [1, 2, 3, 4, 5]);
		await db.transactionAsync(async (tx) => insert(tx, 6));
		assert.deepStrictEqual(rows(db), [1, 2, 3, 4, 5, 6]);
		other.close();
		db.close();
		litekeel.assertNoLeaks();
	});
}

test('what began inside and was not awaited still belongs to it', async (t) => {
	const db = open(t);
	let inner;
	await db.transactionAsync(async (tx) => {
		inner = db.transactionAsync(async () => { await sleep(5); tx.exec('INSERT INTO t VALUES (1)'); });
		tx.exec('INSERT INTO t VALUES (2)');
	});
	assert.deepStrictEqual(rows(db).sort(), [1, 2]);
	await inner;
	// What begins after its end, in its context, is one of its own.
	let later;
	await db.transactionAsync(async () => { later = sleep(20).then(() => db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); throw new Error('undo'); })); });
	await assert.rejects(later, /undo/);
	// Rolled back, it takes what runs inside with it.
	await assert.rejects(db.transactionAsync(async () => { inner = db.transactionAsync(async (tx) => { await sleep(5); tx.exec('INSERT INTO t VALUES (4)'); }); inner.catch(() => {}); await sleep(1); throw new Error('undo'); }), /undo/);
	await assert.rejects(inner, TypeError);
	assert.deepStrictEqual(rows(db).sort(), [1, 2]);
	db.close();
	litekeel.assertNoLeaks();
});

test('one inside another on another file is of its own; both may be undone alone', async (t) => {
	const [one, two] = [open(t), open(t)];
	await assert.rejects(one.transactionAsync(async (tx) => {
		tx.exec('INSERT INTO t VALUES (1)');
		await two.transactionAsync(async (inner) => {
			inner.exec('INSERT INTO t VALUES (1)');
			await one.transactionAsync(async (deep) => { assert.strictEqual(deep, tx); deep.exec('INSERT INTO t VALUES (2)'); });
		});
		throw new Error('undo');
	}), /undo/);
	assert.deepStrictEqual([rows(one), rows(two)], [[], [1]]);
	one.close();
	two.close();
});

test('readers wait for nobody', async (t) => {
	const db = open(t);
	const reader = litekeel.open(`file:${db.name}`, { mode: 'ro' });
	await db.transactionAsync(async (tx) => {
		tx.exec('INSERT INTO t VALUES (1)');
		await reader.transactionAsync(async (inner) => {
			assert.deepStrictEqual(rows(inner), []);
			await reader.transactionAsync(async (deeper) => assert.deepStrictEqual(rows(deeper), []));
		});
	});
	assert.deepStrictEqual(rows(reader), [1]);
	reader.close();
	db.close();
});

test('one that waits for itself unseen is told so, and the process does not end as if all were well', (t) => {
	const cwd = temporary(t);
	// The context is lost: the inner call is made for the outer one by code that was there before.
	const script = `const { EventEmitter } = require('events');
		const db = require(${JSON.stringify(path.join(__dirname, '..'))}).open('file:a.db', { busyTimeout: 300 }).exec('CREATE TABLE t(a)');
		const { AsyncResource } = require('async_hooks');
		const elsewhere = AsyncResource.bind(() => db.transactionAsync(async (tx) => tx.exec('INSERT INTO t VALUES (1)')));
		db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (2)'); await elsewhere(); }).catch((error) => {
			console.log(JSON.stringify([error.name, error.code, error.kind, typeof error.hint, error.waitedMs >= 300]));
			return db.transactionAsync(async (tx) => tx.exec('INSERT INTO t VALUES (3)')).then(() => console.log(db.prepare('SELECT a FROM t').pluck().all().join()));
		});`;
	const ended = spawnSync(process.execPath, ['-e', script], { cwd, encoding: 'utf8', timeout: 300_000 });
	assert.strictEqual(ended.stdout, '["SqliteError","SQLITE_BUSY","own_async_transaction","string",true]\n3\n', ended.stderr);
});

test('timers that a test has put in the place of the real ones change nothing', async (t) => {
	const db = open(t, { busyTimeout: 3000 });
	const worker = new Worker(`const db = require(${JSON.stringify(path.join(__dirname, '..'))}).open(${JSON.stringify(`file:${db.name}`)}); db.exec('BEGIN IMMEDIATE'); require('worker_threads').parentPort.postMessage(1); setTimeout(() => { db.exec('COMMIT'); db.close(); }, 50)`, { eval: true });
	await new Promise((resolve) => { worker.once('message', resolve); });
	const before = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, setImmediate: globalThis.setImmediate };
	const never = () => ({ unref() {} });
	Object.assign(globalThis, { setTimeout: never, clearTimeout: never, setImmediate: never });
	t.mock.method(performance, 'now', () => 0);
	try {
		await Promise.all([1, 2].map((value) => db.transactionAsync(async (tx) => { tx.exec(`INSERT INTO t VALUES (${value})`); })));
		await db.backup(`${db.name}.copy`);
	} finally {
		Object.assign(globalThis, before);
	}
	assert.deepStrictEqual(rows(db), [1, 2]);
	db.close();
});
