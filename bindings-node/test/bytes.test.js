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
		const result = spawnSync(runtimes.node(major), ['-e', everyKind], { cwd: temporary(t), encoding: 'utf8', timeout: 300_000 });
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

const detached = () => {
	const view = Buffer.from(new ArrayBuffer(8));
	structuredClone(view.buffer, { transfer: [view.buffer] });
	return view;
};
const beyond = () => {
	const memory = new ArrayBuffer(16, { maxByteLength: 32 });
	const view = Buffer.from(memory, 8, 8);
	memory.resize(10);
	return view;
};
for (const [how, gone] of Object.entries({ detached, 'beyond the end of their buffer': beyond })) {
	test(`bytes that are ${how} are refused, not stored as empty ones`, async (t) => {
		const db = litekeel.open('file:a.db', { baseDir: temporary(t), bindBooleans: true }).exec('CREATE TABLE t(a)');
		const refused = (what, fn) => assert.rejects(async () => fn(), { name: 'TypeError', message: /are gone|invalid value/ }, what);
		for (const door of [db, new litekeel(':memory:').exec('CREATE TABLE t(a)')]) {
			await refused('an argument', () => door.prepare('INSERT INTO t VALUES (?)').run(gone()));
			await refused('in an array', () => door.prepare('INSERT INTO t VALUES (?)').run([gone()]));
			await refused('by name', () => door.prepare('INSERT INTO t VALUES ($a)').run({ a: gone() }));
			await refused('bound', () => door.prepare('INSERT INTO t VALUES (?)').bind(gone()));
			await refused('iterated', () => [...door.prepare('SELECT ?').iterate(gone())]);
			const insert = door.prepare('INSERT INTO t VALUES ($a)');
			for (let n = 0; n < 300; n++) insert.run({ a: Buffer.alloc(0) });
			await refused('by name, generated', () => insert.run({ a: gone() }));
			assert.strictEqual(door.prepare("SELECT count(*) FROM t WHERE a != x''").pluck().get(), 0);
			assert.strictEqual(door.prepare('SELECT count(*) FROM t').pluck().get(), 300, 'those that are empty are stored');
		}
		for (const params of [[gone()], gone(), { a: gone() }]) await refused('readAsync', () => db.readAsync(params.a === undefined ? 'SELECT ?' : 'SELECT $a', params));
		await refused('a changeset', () => db.applyChangeset(gone()));
		await refused('an image', () => new litekeel(gone()));
		if (gone === detached) {
			db.function('give', gone);
			await refused('a result', () => db.prepare('SELECT give()').get());
			db.table('rows', { columns: ['x'], * rows() { yield [gone()]; } });
			await refused('a row', () => db.prepare('SELECT * FROM rows').get());
		}
		db.close();
	});
}

test('memory that can grow and shrink is stored as it is at the call', async (t) => {
	const db = litekeel.open('file:a.db', { baseDir: temporary(t) });
	for (const Memory of [ArrayBuffer, SharedArrayBuffer]) {
		const memory = new Memory(8, { maxByteLength: 16 });
		const tracking = new Uint8Array(memory, 2).fill(7);
		const resize = (size) => (memory.resize === undefined ? memory.grow(size) : memory.resize(size));
		for (const size of [8, 12, 16]) {
			resize(size);
			const bytes = Buffer.from(tracking);
			assert.strictEqual(bytes.length, size - 2);
			assert.deepStrictEqual(db.prepare('SELECT ?').pluck().get(tracking), bytes);
			assert.deepStrictEqual(db.prepare('SELECT $a').pluck().get({ a: tracking }), bytes);
			assert.deepStrictEqual((await db.readAsync('SELECT ?', [tracking], { raw: true }))[0][0], bytes);
		}
	}
	db.close();
});

test('the image of a database that ends in the middle of a page is refused, whatever memory it is in', () => {
	const db = new litekeel(':memory:').exec("CREATE TABLE t(a); INSERT INTO t VALUES ('whole')");
	const image = db.serialize();
	const inside = Buffer.concat([Buffer.alloc(3), image, Buffer.alloc(5)]).subarray(3, 3 + image.length);
	const shared = Buffer.from(new SharedArrayBuffer(image.length));
	const growing = Buffer.from(new ArrayBuffer(image.length, { maxByteLength: 2 * image.length }));
	for (const memory of [shared, growing]) memory.set(image);
	for (const readonly of [false, true]) {
		for (const whole of [image, inside, shared, growing]) {
			const copy = new litekeel(whole, { readonly });
			assert.strictEqual(copy.prepare('SELECT a FROM t').pluck().get(), 'whole');
			copy.close();
		}
		for (const cut of [1, 100, image.length - 600]) {
			assert.throws(() => new litekeel(image.subarray(0, image.length - cut), { readonly }), { code: 'SQLITE_CORRUPT', message: /middle of a page/ });
		}
	}
	// No image at all is SQLite's to tell, and nothing is an empty database.
	assert.throws(() => new litekeel(Buffer.from('x'.repeat(999))).prepare('SELECT * FROM sqlite_schema').all(), { code: 'SQLITE_NOTADB' });
	assert.deepStrictEqual(new litekeel(Buffer.alloc(0)).prepare('SELECT * FROM sqlite_schema').all(), []);
	db.close();
});
