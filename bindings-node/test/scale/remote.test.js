'use strict';
// A Database of a libSQL server beside one of a file, and what only a server can do to it.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { inspect } = require('node:util');
const { setTimeout: sleep } = require('node:timers/promises');
const Database = require('../../lib');
const library = require('../library');
const { server } = require('./server');

const KILLS = Number(process.env.KILLS ?? 10);

/** What `fn` gives, or how it fails. */
function outcome(fn) {
	try {
		return { value: fn() };
	} catch (error) {
		return { name: error.name, code: error.code, message: error.message };
	}
}

test('it does what a file does', async (t) => {
	const { url, directory } = await server(t);
	const remote = Database.open(url());
	const file = Database.open(`file:${path.join(directory, 'beside.db')}`);
	t.after(() => { remote.close(); file.close(); });
	assert.ok(remote instanceof Database);
	const blob = Buffer.from([0, 255, 1]);
	/** Each of them on both, in order. */
	const steps = [
		(db) => db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB, d REAL, e); CREATE TABLE u(x UNIQUE, y NOT NULL CHECK(y > 0))') === db,
		(db) => db.prepare('INSERT INTO t VALUES(?, ?, ?, ?, ?)').run(1, 'é\0☃𝄞', blob, 1.5, null),
		(db) => db.prepare('INSERT INTO t VALUES(?, ?, ?, ?, ?)').run([9007199254740993n, '', Buffer.alloc(0), -0, NaN]),
		(db) => db.prepare('INSERT INTO t VALUES(:a, @b, $c, :d, :e)').run({ a: -(2n ** 63n), b: 'x'.repeat(100_000), c: new Uint8Array(70_000), d: 1e-308, e: 7 }),
		(db) => db.prepare('SELECT * FROM t ORDER BY a').all(),
		(db) => db.prepare('SELECT *, typeof(e) FROM t ORDER BY a').safeIntegers().all(),
		(db) => db.prepare('SELECT a, b FROM t ORDER BY a').raw().all(),
		(db) => db.prepare('SELECT b FROM t ORDER BY a').pluck().get(),
		(db) => [...db.prepare('SELECT d FROM t WHERE a > ? ORDER BY a').iterate(0)],
		(db) => db.prepare('SELECT a FROM t WHERE a = ?').get(12345),
		(db) => db.prepare('SELECT ?1 AS p, ?2 AS q').get({ 1: 'one', 2: 'two' }),
		(db) => db.prepare('SELECT ? AS p').bind('kept').get(),
		(db) => db.prepare('SELECT typeof(?) AS number, typeof(?) AS big, typeof(?) AS text').get(1, 1n, '1'),
		(db) => db.prepare('SELECT 1 AS a, 2 AS a').get(),
		(db) => db.prepare('SELECT 1 AS a, 2 AS a').raw().get(),
		(db) => db.prepare('INSERT INTO u VALUES(1, 1), (2, 2) RETURNING x').all(),
		(db) => db.prepare('INSERT INTO u VALUES(3, 3) RETURNING x').run(),
		(db) => db.prepare('UPDATE u SET y = y + 1').run().changes,
		(db) => db.prepare('INSERT INTO u VALUES(1, 1)').run(),
		(db) => db.prepare('INSERT INTO u VALUES(9, NULL)').run(),
		(db) => db.prepare('INSERT INTO u VALUES(9, -1)').run(),
		(db) => db.prepare('CREATE TABLE u(x)').run(),
		(db) => db.prepare('SELECT 1').reader && db.prepare('SELECT 1').readonly,
		(db) => [db.prepare('DELETE FROM u WHERE 0').reader, db.prepare('DELETE FROM u WHERE 0').readonly],
		(db) => db.prepare('SELECT x FROM u').columns().map(({ name, type }) => [name, type]),
		(db) => db.prepare('SELECT a AS b, 1 + 1 FROM t').columns().map(({ name, type }) => [name, type]),
		(db) => db.prepare('DELETE FROM u WHERE 0').get(),
		(db) => db.prepare('DELETE FROM u WHERE 0').pluck(),
		(db) => db.prepare('DELETE FROM u WHERE 0').columns(),
		...['', ' ; ', '/* nothing */', 'SELECT 1; SELECT 2'].map((sql) => (db) => db.prepare(sql)),
		...['SELECT 1;', 'SELECT 1; -- more', '; SELECT 1'].map((sql) => (db) => db.prepare(sql).get()),
		(db) => db.prepare(7),
		...[[], [1], [1, 2, 3], [{ a: 1 }], [true], [new Date(0)], [{ a: 1 }, { b: 2 }], [Symbol.iterator]].map((args) => (db) => db.prepare('SELECT ?, ?').get(...args)),
		...[[], [1], [{}], [{ p: 1, q: 2 }], [{ p: 2n ** 63n }], [{ p: [] }]].map((args) => (db) => db.prepare('SELECT :p AS v').get(...args)),
		(db) => db.transaction((n) => { db.prepare('INSERT INTO u VALUES(?, ?)').run(n, n); return db.inTransaction; })(50),
		(db) => db.transaction(() => { db.exec('DELETE FROM u'); throw new Error('undo'); }).deferred(),
		(db) => db.transaction(() => {
			db.exec('INSERT INTO u VALUES(60, 60)');
			try { db.transaction(() => { db.exec('INSERT INTO u VALUES(61, 61)'); throw new Error('inner'); })(); } catch {}
			db.transaction(() => db.exec('INSERT INTO u VALUES(62, 62)'))();
		}).exclusive(),
		(db) => db.transaction(async () => {})(),
		(db) => db.transaction(7),
		(db) => db.inTransaction,
		(db) => db.prepare('SELECT x FROM u ORDER BY x').pluck().all(),
		(db) => db.exec('INSERT INTO u VALUES(70, 70); INSERT INTO nowhere VALUES(1); INSERT INTO u VALUES(71, 71)'),
		(db) => db.prepare('SELECT x FROM u WHERE x >= 70').pluck().all(),
		(db) => db.defaultSafeIntegers().prepare('SELECT 1 AS a').get(),
		(db) => db.defaultSafeIntegers(false).prepare('SELECT 1 AS a').get(),
	];
	/** What a server words otherwise, without the difference. */
	const plain = ({ message, code, ...rest }) => ({ ...rest, ...(code && { code }), ...(message && { message: message.replace(/^SQL input error: | \(at offset \d+\)$/g, '') }) });
	for (const step of steps) assert.deepStrictEqual(plain(outcome(() => step(remote))), plain(outcome(() => step(file))), String(step));
	assert.throws(() => remote.prepare('SELECT ?').get(Infinity), { code: 'SQLITE_MISMATCH' });
	assert.throws(() => remote.prepare('SELECT 9e999 AS a').get(), { code: 'SQLITE_MISMATCH' });
	assert.throws(() => remote.prepare('SELECT ?').get('x'.repeat(5_000_001)), { code: 'SQLITE_TOOBIG' });
	assert.strictEqual(remote.prepare('SELECT length(?)').pluck().get('x'.repeat(5_000_000)), 5_000_000);
	assert.throws(() => remote.prepare('SELECT ?, :a').get(1, { a: 1 }), { code: 'KEEL_REMOTE_UNSUPPORTED' });
});

test('off the event loop it gives the same', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	await db.execAsync('CREATE TABLE t(a INTEGER PRIMARY KEY, b)');
	const insert = await db.prepareAsync('INSERT INTO t(b) VALUES(?)');
	assert.deepStrictEqual(await insert.runAsync('x'), { changes: 1, lastInsertRowid: 1 });
	const read = await db.prepareAsync('SELECT b FROM t WHERE a = :a');
	assert.deepStrictEqual([await read.getAsync({ a: 1 }), await read.allAsync({ a: 1 }), await read.getAsync({ a: 2 })], [{ b: 'x' }, [{ b: 'x' }], undefined]);
	await assert.rejects(db.prepareAsync('SELEC'), { code: 'SQLITE_ERROR' });
	await assert.rejects(db.prepareAsync('SELECT 1; SELECT 2'), RangeError);
	await assert.rejects(read.getAsync({}), { name: 'RangeError', message: 'Missing named parameter "a"' });
	await assert.rejects(insert.getAsync(1), TypeError);
	const results = await Promise.all(Array.from({ length: 100 }, (_, at) => insert.runAsync(at)));
	assert.strictEqual(new Set(results.map(({ lastInsertRowid }) => lastInsertRowid)).size, 100);
	// The loop turns while the server works.
	let turns = 0;
	const timer = setInterval(() => { turns += 1; }, 1);
	const slow = await db.prepareAsync('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) AS c FROM n');
	assert.deepStrictEqual(await slow.getAsync(), { c: 1_000_000 });
	clearInterval(timer);
	assert.ok(turns > 3, `${turns} turns`);
	assert.deepStrictEqual(await db.batchAsync([['INSERT INTO t VALUES(?, ?)', 1000, 'y'], ['SELECT b FROM t WHERE a = :a', { a: 1000 }]]), [
		{ changes: 1, lastInsertRowid: 1000, rows: [] }, { changes: 0, lastInsertRowid: 0, rows: [{ b: 'y' }] },
	]);
	await assert.rejects(db.batchAsync(['INSERT INTO t VALUES(2000, 1)', 'INSERT INTO t VALUES(2000, 1)']), { code: 'SQLITE_CONSTRAINT_UNIQUE' });
	assert.strictEqual(await (await db.prepareAsync('SELECT count(*) FROM t WHERE a = 2000')).pluck().getAsync(), 0);
});

test('an asynchronous transaction is a connection of its own', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a)');
	const count = () => db.prepare('SELECT count(*) FROM t').pluck().get();
	const result = await db.transactionAsync(async (tx) => {
		await (await tx.prepareAsync('INSERT INTO t VALUES(?)')).runAsync(1);
		assert.strictEqual(count(), 0, 'nobody else sees it');
		assert.ok(tx.inTransaction && !db.inTransaction);
		for (const write of [() => db.exec('DELETE FROM t'), () => db.prepare('DELETE FROM t').run(), () => db.batch(['DELETE FROM t']), () => db.transaction(() => {})()]) {
			assert.throws(write, { code: 'KEEL_ARGUMENT' });
		}
		await assert.rejects(db.execAsync('DELETE FROM t'), { code: 'KEEL_ARGUMENT' });
		await assert.rejects(db.transactionAsync(async () => {}), { code: 'KEEL_ARGUMENT' });
		await assert.rejects(tx.transactionAsync(async (inner) => { await inner.execAsync('INSERT INTO t VALUES(2)'); throw new Error('undo'); }), /undo/);
		await Promise.all([3, 4].map((value) => tx.transactionAsync((inner) => inner.execAsync(`INSERT INTO t VALUES(${value})`))));
		return 'done';
	});
	assert.deepStrictEqual([result, db.prepare('SELECT a FROM t ORDER BY a').pluck().all()], ['done', [1, 3, 4]]);
	await assert.rejects(db.transactionAsync(async (tx) => { await tx.execAsync('DELETE FROM t'); throw new Error('no'); }), /no/);
	await assert.rejects(db.transactionAsync(async (tx) => { await tx.execAsync('COMMIT'); }), { code: 'KEEL_ARGUMENT' });
	assert.strictEqual(count(), 3);
	let kept;
	await db.transactionAsync(async (tx) => { kept = tx; });
	assert.throws(() => kept.exec('DELETE FROM t'), TypeError);
	// Afterwards the database may be written to again.
	db.exec('DELETE FROM t');
	assert.strictEqual(count(), 0);
});

test('a call beside a synchronous transaction does not become part of it', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a)');
	const insert = db.prepare('INSERT INTO t VALUES(?)');
	const undone = db.transaction(() => { insert.run('undone'); throw new Error('undo'); });
	const acknowledged = [];
	for (let round = 0; round < 10; round++) {
		const calls = [0, 1, 2].map((n) => insert.runAsync(`${round}-${n}`).then(() => acknowledged.push(`${round}-${n}`)));
		assert.throws(undone, { code: 'KEEL_ARGUMENT', message: /under way/ });
		assert.throws(() => db.exec('BEGIN'), { code: 'KEEL_ARGUMENT' });
		await Promise.all(calls);
		assert.throws(undone, { message: 'undo' });
	}
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all().sort(), acknowledged.sort());
	let inside;
	db.transaction(() => { inside = insert.runAsync('too late'); })();
	await assert.rejects(inside, { code: 'KEEL_ARGUMENT', message: /cannot wait/ });
	assert.strictEqual(db.inTransaction, false);
});

test('savepoints that are asked for side by side run one after the other', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a)');
	await db.transactionAsync(async (tx) => {
		const insert = await tx.prepareAsync('INSERT INTO t VALUES(?)');
		const undone = tx.transactionAsync(async () => { await insert.runAsync('a'); await sleep(100); throw new Error('undo'); });
		undone.catch(() => {});
		await sleep(30);
		await tx.transactionAsync(async () => {
			await insert.runAsync('b');
			await tx.transactionAsync(async () => { await insert.runAsync('c'); });
		});
		await assert.rejects(undone, { message: 'undo' });
	});
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), ['b', 'c']);
});

test('of a transaction that the server takes away nothing is committed', async (t) => {
	const { url, raw } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a)');
	const other = () => raw(['INSERT INTO t VALUES(\'other\')']);
	// As a plain client does it: what comes after the one error is committed alone.
	const { baton } = await raw(['BEGIN IMMEDIATE', 'INSERT INTO t VALUES(1)']);
	await other();
	const lost = await raw(['INSERT INTO t VALUES(2)', 'INSERT INTO t VALUES(3)'], baton);
	assert.deepStrictEqual(lost.results.map(({ type }) => type), ['error', 'ok']);
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), ['other', 3], 'the control: half of it is there');
	db.exec('DELETE FROM t');
	const error = await db.transactionAsync(async (tx) => {
		await tx.execAsync('INSERT INTO t VALUES(1)');
		await other();
		for (const value of [2, 3]) await tx.execAsync(`INSERT INTO t VALUES(${value})`).catch((failure) => assert.strictEqual(failure.code, 'KEEL_TRANSACTION_EXPIRED'));
		await tx.execAsync('INSERT INTO t VALUES(4)');
	}).catch((failure) => failure);
	assert.strictEqual(error.code, 'KEEL_TRANSACTION_EXPIRED');
	assert.match(error.hint, /run the whole transaction again/);
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), ['other']);
});

test('what is read only writes nothing', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	const reader = Database.open(url(), { mode: 'ro' });
	t.after(() => { db.close(); reader.close(); });
	db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)');
	assert.deepStrictEqual([db.readonly, reader.readonly], [false, true]);
	assert.strictEqual(reader.transaction(() => reader.prepare('SELECT a FROM t').pluck().get())(), 1);
	for (const write of [() => reader.exec('DELETE FROM t'), () => reader.prepare('DELETE FROM t').run(), () => reader.prepare('DELETE FROM t RETURNING a').all(), () => [...reader.prepare('DELETE FROM t RETURNING a').iterate()], () => reader.batch(['DELETE FROM t']), () => reader.transaction(() => reader.exec('DROP TABLE t'))()]) {
		assert.throws(write, { code: 'SQLITE_READONLY' });
	}
	assert.strictEqual(db.prepare('SELECT count(*) FROM t').pluck().get(), 1);
});

test('rows are iterated in bounded memory, and can be left', async (t) => {
	const { url } = await server(t);
	const db = Database.open(url());
	t.after(() => db.close());
	db.exec('CREATE TABLE one(a); INSERT INTO one VALUES(1)');
	const many = db.prepare('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, hex(zeroblob(500)) AS h FROM n').raw();
	let seen = 0;
	for (const [i] of many.iterate(10_000)) assert.strictEqual(i, ++seen);
	assert.strictEqual(seen, 10_000);
	const before = process.memoryUsage.rss();
	let most = 0;
	for (const [i] of many.iterate(200_000)) if (i % 1000 === 0) most = Math.max(most, process.memoryUsage.rss() - before);
	// 200 MB of texts have passed.
	assert.ok(most < 100 << 20, `${most >> 20} MB more`);
	for (let left = 0; left < 200; ++left) {
		for (const [i] of many.iterate(1e9)) if (i > left % 7) break;
	}
	assert.throws(() => { for (const row of db.prepare('SELECT abs(CASE i WHEN 500 THEN -9223372036854775808 ELSE i END) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n)').iterate()) assert.ok(row); }, /overflow/);
	assert.strictEqual(db.prepare('SELECT count(*) FROM one').pluck().get(), 1);
});

test('a primary that is gone and comes back, and one that is killed amid writes: nothing acknowledged is lost', async (t) => {
	const primary = await server(t);
	const db = Database.open(primary.url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY)');
	const insert = db.prepare('INSERT INTO t VALUES(?)');
	const acknowledged = [];
	let next = 0;
	let unknown = 0;
	for (let kill = 0; kill < KILLS; ++kill) {
		let down = false;
		const writer = async () => {
			while (!down) {
				const value = ++next;
				try {
					await insert.runAsync(value);
					acknowledged.push(value);
				} catch (error) {
					assert.ok(['KEEL_REMOTE', 'KEEL_COMMIT_UNKNOWN'].includes(error.code), inspect(error));
					unknown += 1;
					return;
				}
			}
		};
		const writers = [writer(), writer(), writer()];
		const enough = acknowledged.length + 20;
		while (acknowledged.length < enough) await sleep(1);
		await primary.kill();
		down = true;
		await Promise.all(writers);
		assert.throws(() => insert.run(0), { code: 'KEEL_REMOTE', hint: /Nothing was sent/ });
		await primary.start();
	}
	const there = new Set(db.prepare('SELECT a FROM t').pluck().all());
	assert.deepStrictEqual(acknowledged.filter((value) => !there.has(value)), []);
	t.diagnostic(`${acknowledged.length} acknowledged, ${unknown} of unknown outcome, 0 lost`);
});

test('a replica shows one\'s own writes', async (t) => {
	const primary = await server(t);
	const replica = await server(t, { replicaOf: primary });
	const db = Database.open(replica.url());
	t.after(() => db.close());
	db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY)');
	const insert = db.prepare('INSERT INTO t VALUES(?)');
	const newest = db.prepare('SELECT max(a) FROM t').pluck();
	for (let value = 1; value <= 200; ++value) {
		if (value % 3 === 0) await db.transactionAsync((tx) => tx.execAsync(`INSERT INTO t VALUES(${value})`));
		else if (value % 3 === 1) await insert.runAsync(value);
		else insert.run(value);
		assert.strictEqual(value % 2 ? newest.get() : await newest.getAsync(), value);
	}
});

test('a token is needed, may have expired, and is shown nowhere', async (t) => {
	const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
	const encode = (value) => Buffer.from(value).toString('base64url');
	const token = (claims) => {
		const text = `${encode(JSON.stringify({ alg: 'EdDSA', typ: 'JWT' }))}.${encode(JSON.stringify(claims))}`;
		return `${text}.${crypto.sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
	};
	const directory = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'litekeel-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	const key = path.join(directory, 'key.pem');
	fs.writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
	const { url } = await server(t, { options: ['--auth-jwt-key-file', key] });
	const now = Math.floor(Date.now() / 1000);
	const cases = [
		[undefined, 401, /wants a token/], [token({ exp: now - 3600 }), 401, /expired: get a new one/],
		[`${token({})}x`, 401, /not one of this server's/], [token({ a: 'ro' }), 403, /reading only/],
	];
	for (const [given, status, hint] of cases) {
		const db = Database.open(url(), given === undefined ? {} : { authToken: given });
		const errors = [outcomeOf(() => db.exec('CREATE TABLE refused(a)')), await db.execAsync('CREATE TABLE refused(a)').catch((error) => error)];
		for (const error of errors) {
			assert.strictEqual(error.code, 'KEEL_REMOTE', inspect(error));
			assert.match(error.message, new RegExp(`HTTP ${status}`));
			assert.match(error.hint, hint);
			if (given !== undefined) assert.ok(!`${inspect(error)} ${error.stack} ${inspect(db)} ${db.name} ${JSON.stringify(db.report)}`.includes(given));
		}
		db.close();
	}
	const db = Database.open(url(`&authToken=${token({})}`));
	db.exec('CREATE TABLE t(a)');
	assert.deepStrictEqual(db.prepare('SELECT * FROM t').all(), []);
	db.close();
});

function outcomeOf(fn) {
	try {
		return fn();
	} catch (error) {
		return error;
	}
}

for (const [name, next] of [['drizzle', false], ['drizzle 1', true]]) {
	test(`${name} on a server`, async (t) => {
		const ecosystem = require('../ecosystem')();
		const { url } = await server(t);
		const project = next ? ecosystem.next : ecosystem.directory;
		const directory = fs.mkdtempSync(path.join(project, 'run-'));
		t.after(() => fs.rmSync(directory, { recursive: true }));
		const script = path.join(ecosystem.directory, next ? 'drizzle-1' : 'orm', 'drizzle-remote.mjs');
		const child = spawn(process.execPath, ['--no-warnings', script], { cwd: directory, env: { ...process.env, LITEKEEL_LIBRARY: library, REMOTE_URL: url() } });
		let output = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk; });
		const [status] = await once(child, 'close');
		assert.strictEqual(status, 0, output);
		assert.match(output, /on litekeel\n$/);
	});
}
