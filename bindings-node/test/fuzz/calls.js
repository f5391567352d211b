'use strict';
// node calls.js <seed> <calls>: calls every method with random values, also from inside getters, functions and hooks.
const fs = require('node:fs');
const vm = require('node:vm');
const Database = require('../..');

const [seed, limit] = process.argv.slice(2).map(Number);
let state = seed >>> 0;
const random = (n) => {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor((state / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];

// Nothing here may end the process or wait for a person.
const SQL = [
	'SELECT 1', 'SELECT ?', 'SELECT $a, :b, @c', 'SELECT * FROM t', 'INSERT INTO t VALUES (?, ?)', 'UPDATE t SET b = 1 RETURNING a', 'DELETE FROM t', 'SELECT 1; SELECT 2', '',
	'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s', 'CREATE TABLE IF NOT EXISTS t(a, b)', 'DROP TABLE IF EXISTS u', 'user_version', 'user_version = 5', 'journal_mode', 'SELECT f(1)',
	'SELECT g(a) FROM t', 'SELECT * FROM v', 'nonsense', 'SELECT \'\u0000\'', 'VALUES (1), (2), (3)', 'ATTACH \':memory:\' AS x', 'DETACH x', 'EXPLAIN SELECT 1', 'f', 'g', 'v', 't', 'main',
	'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000) SELECT x, f(x) FROM c',
];
const proxy = () => new Proxy({}, { get() { return pick(values)(); }, has: () => true, ownKeys: () => ['a', 'b'], getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true, value: 1 }), getPrototypeOf: () => Object.prototype });
const values = [
	() => undefined, () => null, () => true, () => false, () => 0, () => -0, () => 1, () => -1, () => 1.5, () => NaN, () => Infinity, () => 2 ** 31, () => 2 ** 53, () => 1e308, () => 0n, () => -1n, () => 2n ** 63n, () => 2n ** 64n, () => 2n ** 200n,
	() => '', () => 'a', () => '\u0000', () => '\ud800', () => 'ä€😀', () => 'x'.repeat(random(5000)), () => pick(SQL), () => pick(SQL), () => pick(SQL), () => pick(SQL),
	() => Symbol('s'), () => Symbol.iterator, () => () => pick(values)(), () => function* () { yield [1]; yield [2]; }, () => async () => 1, () => class {}, () => () => { throw pick(values)(); },
	() => [], () => [1, 2], () => [, 1], () => [[1]], () => [pick(values)(), pick(values)()], () => ({}), () => ({ a: 1, b: 2, c: 3 }), () => ({ get a() { return call(); }, b: 1, c: 2 }), () => Object.create(null), () => Object.assign(Object.create(null), { a: 1 }), () => new (class A { a = 1; })(),
	() => new Date(), () => /x/, () => new Map(), () => new Error('e'), () => Promise.resolve(1), () => new Proxy([], {}), proxy, () => vm.runInNewContext('({ a: 1 })'), () => vm.runInNewContext('[1]'),
	() => Buffer.alloc(0), () => Buffer.from('abc'), () => new Uint8Array(random(3000)), () => new DataView(new ArrayBuffer(8)), () => new Float64Array(3), () => new BigInt64Array(2), () => new ArrayBuffer(8), () => new SharedArrayBuffer(8), () => new Uint8Array(new SharedArrayBuffer(8)), detached, () => Database.prototype, () => globalThis.arguments_,
	() => pick(objects()), () => pick(objects()), () => ({ simple: pick(values)() }), () => ({ step: () => 1, start: pick(values)(), inverse: () => 1, result: (x) => x }), () => ({ rows: function* () { yield pick(values)(); }, columns: ['x'] }), () => ({ rows: function* (y) { yield [y]; }, columns: pick(values)(), parameters: pick(values)() }),
	() => ({ readonly: pick(values)(), fileMustExist: pick(values)(), timeout: pick(values)(), verbose: pick(values)() }), () => ({ journalFd: pick(values)() }), () => ({ table: 't' }), () => ({ filter: () => pick(values)(), onConflict: () => pick(values)() }), () => ({ signal: AbortSignal.abort() }), () => ({ signal: AbortSignal.timeout(1) }), () => ({ timeout: pick(values)() }), () => ({ attached: pick(values)(), progress: pick(values)() }),
];

function detached() {
	const bytes = new Uint8Array(16);
	structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
	return bytes;
}

let db;
let tuned;
let pool = [];
const objects = () => [db, tuned, ...pool];

function renew() {
	for (const old of [db, tuned]) {
		for (const one of pool) { try { one?.return?.(); } catch { /* not an iterator, or busy */ } }
		try { old?.close(); } catch { /* busy: it is collected */ }
	}
	pool = [];
	db = new Database(':memory:');
	tuned = Database.open('file:fuzz.db', { env: 'ignore' });
	for (const one of [db, tuned]) {
		try {
			one.exec('CREATE TABLE IF NOT EXISTS t(a, b); DELETE FROM t; INSERT INTO t VALUES (1, 2), (3, 4)');
			one.function('f', () => call());
			one.aggregate('g', { start: 0, step: () => call() });
			one.table('v', { columns: ['x'], rows: function* () { yield [call()]; } });
		} catch { /* it stays without */ }
	}
}

// What would end the process, write where it should not, or leave the test's directory.
const LEFT_OUT = new Set(['constructor', 'backup', 'loadExtension', 'assertNoLeaks', 'databaseFile', 'library', 'constants', 'prototype', 'SqliteError', 'KeelError', 'length', 'name', 'retainHandle', 'arguments', 'caller']);
const methodsOf = (object) => {
	const names = new Set();
	for (let at = object; at !== null && at !== Object.prototype && at !== Function.prototype; at = Object.getPrototypeOf(at)) for (const name of Reflect.ownKeys(at)) if (!LEFT_OUT.has(name)) names.add(name);
	return [...names];
};

let calls = 0;
let returned = 0;
let depth = 0;
const kinds = new Set();

function call() {
	if (depth > 3) return 1;
	depth += 1;
	calls += 1;
	const target = random(12) === 0 ? Database : pick(objects());
	let receiver = target;
	try {
		const names = methodsOf(target);
		if (names.length === 0) return 1;
		const key = pick(names);
		// Some of it on a receiver that it was not made for.
		if (random(12) === 0) receiver = pick(values)();
		const args = Array.from({ length: random(5) }, () => pick(values)());
		if (key === 'open' && typeof args[0] === 'string') args[0] = ':memory:';
		// A path would name a file outside of the test's directory at worst.
		const member = Reflect.get(target, key, receiver);
		if (typeof member !== 'function') return member;
		const result = key === 'open' && receiver === Database ? opened(args) : Reflect.apply(member, receiver, args);
		returned += 1;
		if (result !== null && (typeof result === 'object' || typeof result === 'function') && !Array.isArray(result) && !ArrayBuffer.isView(result)) {
			if (typeof result.then === 'function') result.then(() => {}, (error) => kinds.add(kindOf(error)));
			else if (pool.length < 20) pool.push(result);
			else pool[random(pool.length)] = result;
		}
		return result;
	} catch (error) {
		kinds.add(kindOf(error));
		return 1;
	} finally {
		depth -= 1;
	}
}

const opened = ([url, options]) => Database.open(typeof url === 'string' ? ':memory:' : url, typeof options === 'object' && options !== null && !('baseDir' in options) ? options : undefined);
const kindOf = (error) => {
	try { return typeof error === 'object' && error !== null ? String(error.code ?? error.name ?? 'object').slice(0, 40) : typeof error; } catch { return 'untold'; }
};

(async () => {
	process.on('unhandledRejection', (error) => kinds.add(kindOf(error)));
	process.on('uncaughtException', (error) => kinds.add(`uncaught ${kindOf(error)}`));
	process.on('warning', () => {});
	for (let at = 0; calls < limit; at += 1) {
		if (at % 50 === 0) {
			renew();
			await new Promise((resolve) => { setImmediate(resolve); });
		}
		if (at % 500 === 0) globalThis.gc?.();
		call();
	}
	renew();
	for (const old of [db, tuned]) try { old.close(); } catch { /* busy */ }
	fs.writeSync(1, `${JSON.stringify({ calls, returned, kinds: [...kinds].sort() })}\n`);
	process.exit(0);
})();
