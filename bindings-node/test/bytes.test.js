'use strict';
// Bytes are stored whole, and as they were at one moment.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const litekeel = require('../lib');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
require('./prepare')();

/** Every kind of view that the runtime has, wherever a connection takes bytes. */
const everyKind = `'use strict';
	const assert = require('assert');
	const litekeel = require(${JSON.stringify(path.join(__dirname, '..'))});
	const TypedArray = Object.getPrototypeOf(Uint8Array);
	const kinds = Object.getOwnPropertyNames(globalThis).filter((name) => { try { return globalThis[name].prototype instanceof TypedArray; } catch { return false; } });
	const db = new litekeel(':memory:');
	let given;
	db.function('give', () => given);
	(async () => {
		const file = litekeel.open('file:a.db');
		for (const name of kinds) {
			const Kind = globalThis[name];
			for (const Memory of [ArrayBuffer, SharedArrayBuffer]) {
				const memory = new Memory(64);
				const all = new Uint8Array(memory).map((_, at) => 255 - at);
				new Uint8Array(memory).set(all);
				for (const view of [new Kind(memory), new Kind(memory, 16, 2), new Kind(memory, 0, 0)]) {
					given = view;
					const bytes = Buffer.from(all.slice(view.byteOffset, view.byteOffset + view.byteLength));
					const label = name + ' ' + Memory.name + ' ' + view.length;
					assert.deepStrictEqual(db.prepare('SELECT ?').pluck().get(view), bytes, label);
					assert.deepStrictEqual(db.prepare('SELECT ?').bind(view).pluck().get(), bytes, label);
					assert.deepStrictEqual(db.prepare('SELECT $v').pluck().get({ v: view }), bytes, label);
					assert.deepStrictEqual(db.prepare('SELECT give()').pluck().get(), bytes, label);
					assert.deepStrictEqual((await file.readAsync('SELECT ? AS v', [view]))[0].v, bytes, label);
				}
			}
		}
		file.close();
		console.log(kinds.join());
	})();`;

for (const major of runtimes.majors) {
	test(`Node ${major}: every typed array, by every way in`, (t) => {
		const result = spawnSync(runtimes.node(major), ['-e', everyKind], { cwd: temporary(t), encoding: 'utf8', timeout: 60_000 });
		assert.strictEqual(result.status, 0, result.stderr);
		const kinds = result.stdout.trim().split(',');
		assert.ok(kinds.length >= 11, result.stdout);
		assert.strictEqual(kinds.includes('Float16Array'), major >= 24, result.stdout);
	});
}

test('bytes that a worker changes meanwhile are the same in the table and in its indexes', async () => {
	const LENGTH = 1 << 16;
	const memory = new SharedArrayBuffer(LENGTH + 8);
	const state = new Int32Array(memory, LENGTH);
	const worker = new Worker(`
		const memory = require('worker_threads').workerData;
		const [bytes, state] = [new Uint8Array(memory, 0, ${LENGTH}), new Int32Array(memory, ${LENGTH})];
		for (let turn = 1; Atomics.load(state, 0) === 0; turn++) { bytes.fill(turn); Atomics.store(state, 1, turn); }`, { eval: true, workerData: memory });
	const db = new litekeel(':memory:').exec('CREATE TABLE t(a, b, c); CREATE INDEX i ON t(a); CREATE INDEX j ON t(a, b); CREATE INDEX k ON t(a, c)');
	const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)');
	const bytes = new Uint8Array(memory, 0, LENGTH);
	try {
		while (Atomics.load(state, 1) === 0) await new Promise((resolve) => { setImmediate(resolve); });
		for (let i = 0; i < 100; i++) insert.run(bytes, i, i);
	} finally {
		Atomics.store(state, 0, 1);
		await new Promise((resolve) => { worker.once('exit', resolve); });
	}
	assert.deepStrictEqual(db.pragma('integrity_check', { simple: true }), 'ok');
	db.close();
});

for (const calls of [1, 300]) {
	test(`bytes that a later getter takes away are not stored empty or cut, after ${calls} calls`, () => {
		const db = new litekeel(':memory:').exec('CREATE TABLE t(a, b)');
		const insert = db.prepare('INSERT INTO t VALUES ($a, $b)');
		const rest = db.prepare('INSERT INTO t VALUES (?, ?)');
		for (let i = 1; i < calls; i++) insert.run({ a: Buffer.from('whole'), b: i });
		const resizable = () => new Uint8Array(new ArrayBuffer(8, { maxByteLength: 8 }));
		const ways = [[new Uint8Array(8), (view) => structuredClone(view, { transfer: [view.buffer] })], [resizable(), (view) => view.buffer.resize(3)], [resizable(), (view) => view.buffer.resize(0)]];
		for (const [view, take] of ways) {
			const given = { a: view, get b() { take(view); return 1; } };
			assert.throws(() => insert.run(given), { name: 'TypeError', message: 'The bytes of a parameter were detached or resized while the others were read' });
		}
		const view = new Uint8Array(8);
		const list = [view, 1];
		Object.defineProperty(list, 1, { get() { structuredClone(view, { transfer: [view.buffer] }); return 1; } });
		assert.throws(() => rest.run(list), TypeError);
		// The control: a getter that leaves them alone, and null beside them.
		insert.run({ a: new Uint8Array(3), get b() { return null; } });
		assert.deepStrictEqual(db.prepare('SELECT DISTINCT length(a) FROM t ORDER BY 1').pluck().all(), calls === 1 ? [3] : [3, 5]);
		db.close();
	});
}

test('serialize() of a schema that there is not tells of that, whatever failed before', () => {
	const db = new litekeel(':memory:');
	for (const before of [() => {}, () => assert.throws(() => db.exec('SELECT * FROM missing'), /missing/)]) {
		before();
		assert.throws(() => db.serialize({ attached: 'nope' }), { name: 'SqliteError', code: 'SQLITE_ERROR', message: 'unknown database' });
	}
	db.exec('CREATE TABLE t(a)');
	assert.ok(db.serialize().length > 0 && db.serialize({ attached: 'MAIN' }).length > 0);
	db.close();
});
