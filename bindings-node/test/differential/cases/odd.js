'use strict';
// Odd values wherever a connection takes something, the same on both sides: SEED fixes them, ODD says how many rounds. What
// the values are asked on the way (getters, traps of proxies, conversions) is compared too.
const vm = require('node:vm');
const generator = require('../generator');

const seed = Number(process.env.SEED || 1);
const rounds = Number(process.env.ODD || 150);

class Instance { x = 1; y = 2; }
class List extends Array {}
class Bytes extends Uint8Array {}

/** Makers of values; `told` is called with what is asked of them, `one` makes a further value. */
const makers = (told, one) => {
	const asked = (name, value) => ({ configurable: true, enumerable: true, get() { told(`get ${name}`); return value; } });
	const traps = (label) => new Proxy({}, {
		get: (_, trap) => (target, key, ...rest) => {
			told(`${label} ${trap} ${typeof key === 'symbol' ? String(key) : typeof key === 'string' ? key : ''}`);
			return Reflect[trap](target, key, ...rest);
		},
	});
	const simple = [
		0, -0, NaN, Infinity, -Infinity, 1.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 63, 5e-324, 0n, -1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 2n ** 200n, -(2n ** 64n),
		'', 'x', '\0', 'a\0b', 'é', '€uro', '😀', '\udc00', 'a\ud800', 'x'.repeat(41), 'ä'.repeat(200), '€'.repeat(130), null, undefined, true, false, Symbol('s'), Symbol.iterator, Symbol.for('x'),
	];
	const made = [
		() => new String('boxed'), () => new Number(1), () => new Boolean(true), () => Object(1n), () => Object(Symbol('s')),
		() => new Date(0), () => new Date(NaN), () => /x/g, () => new Map([['x', 1]]), () => new Set([1]), () => new WeakMap(), () => new Error('e'), () => Promise.resolve(1), () => new URL('a:b'), () => globalThis.Intl, () => Math, () => JSON,
		() => () => 1, () => function named(a, b) { return a + b; }, () => async () => 1, () => function* () { yield 1; }, () => class {},
		() => [], () => [1], () => [1, 2], () => [, 1], () => [undefined, null], () => [[1], 2], () => [[[]]], () => [1, [2, 3]], () => Object.freeze([1, 2]), () => List.from([1, 2]), () => new List(), () => Object.assign([1, 2], { x: 3 }), () => vm.runInNewContext('[1, 2]'), () => new Array(3),
		() => { const list = [1, 2]; Object.defineProperty(list, 1, asked('[1]', 7)); return list; },
		() => Object.defineProperty([1, 2], 0, { get() { told('throws [0]'); throw new RangeError('element'); } }),
		() => ({}), () => ({ x: 1 }), () => ({ x: 1, y: 2 }), () => ({ y: 2, x: 1, z: 3 }), () => ({ ':x': 1, '@y': 2 }), () => ({ $x: 1, x: 2, y: 3 }), () => ({ X: 1, Y: 2 }), () => ({ 0: 1, 1: 2, length: 2 }), () => ({ x: one(), y: one() }), () => ({ x: one(), y: one() }), () => ({ x: [1], y: { x: 1 } }),
		() => Object.freeze({ x: 1, y: 2 }), () => Object.seal({ x: 1, y: 2 }), () => Object.assign(Object.create(null), { x: 1, y: 2 }), () => Object.create({ x: 1, y: 2 }), () => Object.create({ x: 1 }, { y: { value: 2, enumerable: true } }), () => Object.create(null, { x: { value: 1 }, y: { value: 2 } }), () => Object.create(Object.create(null), { x: { value: 1 }, y: { value: 2 } }),
		() => new Instance(), () => Object.setPrototypeOf({ x: 1, y: 2 }, Array.prototype), () => Object.setPrototypeOf([1, 2], Object.prototype), () => Object.setPrototypeOf([1, 2], null), () => vm.runInNewContext('({ x: 1, y: 2 })'), () => vm.runInNewContext('Object.create(null, { x: { value: 1, enumerable: true }, y: { value: 2, enumerable: true } })'), () => (function () { return arguments; }(1, 2)),
		() => Object.defineProperties({}, { x: asked('x', 1), y: asked('y', one()) }), () => Object.defineProperties({}, { y: asked('y', 1), x: { get() { told('throws x'); throw new TypeError('getter'); } } }), () => Object.defineProperty({ x: 1 }, 'y', { value: 2 }), () => ({ x: 1, y: 2, __proto__: null }), () => ({ x: 1, y: 2, [Symbol('z')]: 3 }),
		() => ({ valueOf() { told('valueOf'); return 1; }, toString() { told('toString'); return 'x'; }, toJSON() { told('toJSON'); return 1; }, [Symbol.toPrimitive]() { told('toPrimitive'); return 1; } }), () => ({ then(f) { told('then'); f(1); } }), () => ({ * [Symbol.iterator]() { told('iterator'); yield 1; } }),
		() => new Proxy({ x: 1, y: 2 }, {}), () => new Proxy(() => 1, {}), () => new Proxy(Buffer.from('x'), {}), () => new Proxy({ x: 1, y: 2 }, { getPrototypeOf: () => null }), () => new Proxy({}, { getPrototypeOf() { throw new Error('trap'); } }), () => new Proxy({}, { has: () => true, get: () => 1, getOwnPropertyDescriptor: () => ({ value: 1, configurable: true }) }),
		() => Buffer.from('buffer'), () => Buffer.alloc(0), () => Buffer.from('outside').subarray(3), () => new Uint8Array([1, 2]), () => new Uint16Array([1, 2]), () => new Int8Array(3), () => new Float32Array([1.5]), () => new Float64Array([1.5]), () => new BigInt64Array([1n]), () => new Uint8ClampedArray([300]), () => new Bytes([1, 2]), () => Object.assign(Buffer.from('x'), { x: 1 }), () => vm.runInNewContext('new Uint8Array([1, 2])'), () => new ArrayBuffer(2), () => new SharedArrayBuffer(2),
	];
	// Proxies last: what is asked of them is told.
	const watched = [() => new Proxy({ x: 1, y: 2 }, traps('object')), () => new Proxy(new Instance(), traps('instance'))];
	return { simple, made, watched };
};

const SQL = [
	'SELECT ?, typeof(?1), quote(?1)', 'SELECT ?, ?', 'SELECT $x, @y', 'SELECT :x, :y, ?', 'SELECT :x', 'SELECT ?2, ?1', 'SELECT ?5', 'SELECT @x, $x, :x', 'SELECT 1', 'INSERT INTO t VALUES (?, ?)', 'INSERT INTO t VALUES (:x, :y)', 'SELECT typeof(?), typeof(?), typeof(?)', 'SELECT quote($x), quote($y)', 'SELECT * FROM t WHERE a IS ?',
];

for (let n = 0; n < rounds; n++) {
	const own = seed * 7919 + n;
	module.exports[`odd ${own}`] = ({ Database, o, major }) => {
		// 12 knows other kinds of bytes, and has no explain().
		if (major === 12) return o.note('compared with 13', true);
		const random = generator(own);
		const pick = (list) => list[Math.floor(random() * list.length)];
		let log = [];
		let depth = 0;
		const one = () => {
			if (++depth > 3) { depth -= 1; return 1; }
			const { simple, made } = makers((text) => log.push(text), one);
			const value = random() < 0.45 ? pick(simple) : pick(made)();
			depth -= 1;
			return value;
		};
		const any = () => (random() < 0.1 ? pick(makers((text) => log.push(text), one).watched)() : one());
		const args = () => Array.from({ length: pick([0, 1, 1, 1, 2, 2, 3]) }, any);
		const db = new Database(':memory:');
		db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (2, NULL), (3.5, x'00')");
		const call = (label, fn) => {
			log = [];
			o.call(label, fn);
			o.note(`${label} asked`, log.filter((text) => !WATCHED.test(text)));
		};
		for (let step = 0; step < 12; step++) {
			const sql = pick(SQL);
			const statement = db.prepare(sql);
			const kind = Math.floor(random() * 12);
			if (kind < 5) { const a = args(); const how = pick(['get', 'all', 'run', 'raw']); call(`${step} ${how} ${sql}`, () => (how === 'raw' ? statement.raw().get(...a) : statement[how](...a))); }
			else if (kind === 5) { const a = args(); call(`${step} bind ${sql}`, () => { statement.bind(...a); return [String(statement), statement.all()]; }); }
			else if (kind === 6) { const a = args(); call(`${step} iterate ${sql}`, () => [...statement.iterate(...a)]); }
			else if (kind === 7) { const value = any(); call(`${step} result of a function`, () => { db.function('give', () => value); return db.prepare('SELECT give() AS g, typeof(give()) AS t').get(); }); }
			else if (kind === 8) { const value = any(); const as = pick([(v) => v, (v) => [v, 1], (v) => ({ x: v, y: 1 })]); call(`${step} rows of a table`, () => { db.table('rows', { columns: ['x', 'y'], * rows() { yield as(value); } }); return db.prepare('SELECT x, typeof(x) AS t, y FROM rows').all(); }); }
			else if (kind === 9) { const value = any(); const [start, result] = [pick([0, null]), pick([undefined, (sum) => sum])]; call(`${step} aggregate`, () => { db.aggregate('collect', { start, step: () => value, ...(result && { result }) }); return db.prepare('SELECT collect(a) AS c, typeof(collect(a)) AS t FROM t').get(); }); }
			else if (kind === 10) { const [method, a] = [pick(['prepare', 'exec', 'pragma', 'function', 'aggregate', 'table', 'transaction', 'defaultSafeIntegers', 'unsafeMode', 'serialize', 'explain', 'loadExtension']), args().map(without)]; call(`${step} ${method}`, () => { const r = db[method]?.(...a); return r === db ? 'this' : typeof r === 'function' ? 'function' : Buffer.isBuffer(r) ? r.length : r instanceof statement.constructor ? String(r) : r; }); }
			else { const [key, value] = [pick(['readonly', 'fileMustExist', 'timeout', 'verbose']), without(any())]; call(`${step} option ${key}`, () => { const other = new Database(':memory:', { [key]: value }); other.close(); return other.open; }); }
			call(`${step} rows`, () => db.prepare('SELECT count(*), total(length(b)) FROM t').raw().get());
		}
		db.close();
		return undefined;
	};
}

/** Texts with a NUL, which are refused here and cut there, and a negative zero, which is not a number of milliseconds there. */
const without = (value) => (typeof value === 'string' ? value.replaceAll('\0', '0') : Object.is(value, -0) ? 0 : value);

/** What a Proxy is asked beside its values is nobody's business. */
const WATCHED = /^(object|instance) (?!get \w+$)/;
