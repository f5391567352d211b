'use strict';
const vm = require('node:vm');

const table = (Database) => {
	const db = new Database(':memory:');
	db.exec("CREATE TABLE t(a TEXT, b INTEGER, c REAL, d BLOB, e TEXT)");
	const insert = db.prepare("INSERT INTO t VALUES ('foo', ?, 3.14, x'dddddddd', NULL)");
	for (let i = 1n; i <= 10n; i += 1n) insert.run(i);
	return db;
};

module.exports = {
	'run': ({ Database, o }) => {
		const db = table(Database);
		o.call('insert', () => db.prepare("INSERT INTO t(b) VALUES (11)").run());
		o.call('update', () => db.prepare('UPDATE t SET a = 1 WHERE b > 5').run());
		o.call('no change', () => db.prepare('UPDATE t SET a = 1 WHERE b > 500').run());
		o.call('select', () => db.prepare('SELECT 1').run());
		o.call('ddl', () => db.prepare('CREATE TABLE u(a)').run());
		o.call('returning', () => db.prepare('INSERT INTO u VALUES (1) RETURNING *').run());
		o.call('safe', () => db.prepare('INSERT INTO u VALUES (1)').safeIntegers().run());
		o.call('big rowid', () => db.prepare('INSERT INTO u(rowid, a) VALUES (9007199254740993, 1)').run());
		o.call('big rowid safe', () => db.prepare('INSERT INTO u(rowid, a) VALUES (9007199254740995, 1)').safeIntegers().run());
		o.call('get of a writer', () => db.prepare('INSERT INTO u VALUES (1)').get());
		db.exec('CREATE TABLE log(x); CREATE TRIGGER tr AFTER INSERT ON u BEGIN INSERT INTO log VALUES (1); INSERT INTO log VALUES (2); END');
		o.call('trigger', () => db.prepare('INSERT INTO u VALUES (2)').run());
		o.call('delete', () => db.prepare('DELETE FROM t').run());
	},
	'get, all, modes': ({ Database, o }) => {
		const db = table(Database);
		const sql = 'SELECT * FROM t ORDER BY b';
		o.call('get', () => db.prepare(sql).get());
		o.call('all', () => db.prepare(sql).all().length);
		o.call('none', () => db.prepare('SELECT * FROM t WHERE b > 100').get());
		for (const mode of ['pluck', 'raw', 'expand']) {
			o.call(mode, () => db.prepare(sql)[mode]().get());
			o.call(`${mode} all`, () => db.prepare(sql)[mode](true).all());
			o.call(`${mode} off`, () => db.prepare(sql)[mode]()[mode](false).get());
			for (const value of [undefined, null, 1, 'x']) o.call(`${mode} ${value}`, () => db.prepare(sql)[mode](value).get());
			for (const then of ['pluck', 'raw', 'expand']) {
				o.call(`${mode} then ${then}`, () => db.prepare(sql)[mode]()[then]().get());
				o.call(`${mode} then ${then} off`, () => db.prepare(sql)[mode]()[then](false).get());
			}
			o.call(`${mode} of a writer`, () => db.prepare('DELETE FROM t WHERE 0')[mode]());
		}
		o.call('expand', () => db.prepare('SELECT x.a, y.a, 1 AS one, x.b + 1 FROM t x JOIN t y USING (b) LIMIT 1').expand().get());
		o.call('duplicates', () => db.prepare('SELECT 1 AS a, 2 AS b, 3 AS a').get());
		o.call('integer names', () => db.prepare('SELECT 1 AS z, 2 AS "1", 3 AS "0"').get());
		o.call('__proto__', () => db.prepare('SELECT 1 AS a, 2 AS "__proto__"').get());
		o.call('constructor', () => db.prepare('SELECT 1 AS "constructor", 2 AS "toString"').get());
		o.call('columns', () => db.prepare('SELECT a, b AS bb, 1, t.c + 1 AS s FROM t').columns());
		o.call('columns of a writer', () => db.prepare('DELETE FROM t WHERE 0').columns());
		const sticky = db.prepare(sql).raw();
		o.note('sticky', [Array.isArray(sticky.get()), Array.isArray(sticky.get()), Array.isArray(db.prepare(sql).get())]);
		const s = db.prepare('SELECT * FROM t');
		s.get();
		db.exec('ALTER TABLE t ADD COLUMN f DEFAULT 7');
		o.call('after alter', () => [s.get(), s.columns().map((c) => c.name)]);
	},
	'values': ({ Database, o }) => {
		const db = new Database(':memory:');
		for (const expr of ['9007199254740993', '-9223372036854775808', '9223372036854775807', '2147483648', '1e300*1e300', '-0.0', "x''", "x'00ff'", "''", "'é'", "'日本'", "'😀'", "CAST(x'ff41' AS TEXT)", "CAST(x'c3' AS TEXT)", "'a' || char(0) || 'b'", 'NULL', '1.5', '1.0', "zeroblob(3)"]) {
			o.call(expr, () => db.prepare(`SELECT ${expr} AS v`).get().v);
			o.call(`safe ${expr}`, () => db.prepare(`SELECT ${expr} AS v`).safeIntegers().pluck().get());
		}
		o.call('long latin', () => db.prepare('SELECT ?').pluck().get('é'.repeat(5000)).length);
		o.call('long', () => db.prepare('SELECT ?').pluck().get('x'.repeat(100000)).length);
		o.call('many columns', () => db.prepare(`SELECT ${Array.from({ length: 300 }, (_, i) => `${i} AS c${i}`)}`).get().c299);
		const blob = db.prepare("SELECT x'0102030405060708' AS v").get().v;
		o.note('own buffer', [blob.byteOffset, blob.buffer.byteLength]);
	},
	'binding': ({ Database, o }) => {
		const db = new Database(':memory:');
		const s = db.prepare('SELECT typeof(?) AS t');
		const v = db.prepare('SELECT ? AS v');
		class Custom { constructor() { this.a = 1; } }
		const values = { number: 25, negative: -1.5, nan: NaN, infinity: Infinity, minusZero: -0, bigint: 5n, bigintMax: 9223372036854775807n, tooBig: 9223372036854775808n, string: 'x', unicode: 'ü日😀', empty: '', nul: 'a\0b', buffer: Buffer.from('ab'), emptyBuffer: Buffer.alloc(0), uint8: new Uint8Array([1, 2]), uint8sub: new Uint8Array([1, 2, 3]).subarray(1), uint16: new Uint16Array([1, 2]), float64: new Float64Array([1]), arrayBuffer: new ArrayBuffer(2), null: null, undefined: undefined, true: true, date: new Date(0), symbol: Symbol('s'), function: () => {}, map: new Map(), regexp: /x/, boxed: new String('x'), boxedNumber: new Number(1), custom: new Custom(), promise: Promise.resolve() };
		for (const [name, value] of Object.entries(values)) {
			o.call(`typeof ${name}`, () => s.get(value));
			o.call(`value ${name}`, () => v.get(value));
			o.call(`in array ${name}`, () => v.get([value]));
			o.call(`named ${name}`, () => db.prepare('SELECT :v AS v').get({ v: value }));
		}
		o.call('DataView', () => v.get(new DataView(new ArrayBuffer(2))));
		o.call('lone surrogate', () => v.get('\ud800'));
		const two = db.prepare('SELECT ? AS a, ? AS b');
		for (const args of [[], [1], [1, 2], [1, 2, 3], [[1, 2]], [[1], 2], [[1], [2]], [[]], [[,]], [[, 2]], [1, [, ]], [{}], [1, {}], [1, 2, {}], [1, {}, 2], [[1, [2]]], [{}, {}]]) o.call(`two ${JSON.stringify(args)}`, () => two.get(...args));
		const named = db.prepare('SELECT :a AS a, @b AS b, $c AS c, ? AS d');
		for (const args of [[{ a: 1, b: 2, c: 3 }, 4], [4, { a: 1, b: 2, c: 3 }], [[4], { a: 1, b: 2, c: 3, z: 9 }], [{ a: 1, b: 2 }, 4], [4], [{ a: 1, b: 2, c: 3 }], [{ a: 1, b: 2, c: 3 }, 4, 5], [{ a: 1 }, { b: 2 }, 4], [{ a: undefined, b: null, c: 3 }, 4], [], [{ ':a': 1, '@b': 2, $c: 3 }, 4], [Object.create({ a: 1, b: 2, c: 3 }), 4], [Object.assign(Object.create(null), { a: 1, b: 2, c: 3 }), 4], [new Custom(), 4], [new Map([['a', 1]]), 4]]) o.call(`named ${args.map((a) => JSON.stringify(a)).join()}`, () => named.get(...args));
		o.call('cross realm', () => db.prepare('SELECT :a AS a').get(vm.runInNewContext('({ a: 1 })')));
		o.call('cross realm array', () => v.get(vm.runInNewContext('[5]')));
		o.call('getter', () => db.prepare('SELECT :a AS a').get({ get a() { throw new Error('getter'); } }));
		o.call('getter null', () => db.prepare('SELECT :a AS a').get({ get a() { throw null; } }));
		o.call('array getter', () => { const a = [1]; Object.defineProperty(a, 0, { get() { throw new Error('index'); } }); return v.get(a); });
		o.call('proxy', () => db.prepare('SELECT :a AS a').get(new Proxy({ a: 3 }, {})));
		o.call('?NNN', () => db.prepare('SELECT ?2 AS a, ?1 AS b').get(1, 2));
		o.call('?3 gaps', () => db.prepare('SELECT ?3 AS a').get(1, 2, 3));
		o.call('same name', () => db.prepare('SELECT :a AS x, :a AS y, $a AS z').get({ a: 4 }));
		o.call('no params', () => db.prepare('SELECT 1 AS a').get({}));
		o.call('no params, custom', () => db.prepare('SELECT 1 AS a').get(new Custom()));
	},
	'bind': ({ Database, o }) => {
		const db = new Database(':memory:');
		const s = db.prepare('SELECT ? AS v');
		o.note('returns this', s.bind(5) === s);
		o.call('twice', () => s.bind(6));
		o.call('get', () => s.get()); o.call('get with', () => s.get(1)); o.call('all', () => s.all()); o.call('iterate', () => [...s.iterate()]);
		const bytes = Buffer.from('abc'); const b = db.prepare('SELECT ? AS v').bind(bytes); bytes.fill(0);
		o.call('copied', () => b.get());
		const f = db.prepare('SELECT ?, ? AS v');
		o.call('bad', () => f.bind(1)); o.call('then good', () => f.bind(1, 2).get());
		o.call('bind none', () => db.prepare('SELECT 1').bind().get());
		o.call('named', () => db.prepare('SELECT :a AS v').bind({ a: 1 }).get());
	},
	'iterate': ({ Database, o }) => {
		const db = table(Database);
		const s = db.prepare('SELECT b FROM t ORDER BY b');
		const it = s.iterate();
		o.note('shape', [typeof it.next, typeof it.return, typeof it.throw, it[Symbol.iterator]() === it, Object.keys(it), it.statement === s, s.busy]);
		o.call('next', () => it.next()); o.note('busy', s.busy);
		o.call('get busy', () => s.get()); o.call('bind busy', () => s.bind()); o.call('pluck busy', () => s.pluck()); o.call('safe busy', () => s.safeIntegers()); o.call('columns busy', () => s.columns());
		o.call('return', () => it.return()); o.call('next after', () => it.next()); o.call('return again', () => it.return(5));
		o.call('spread', () => [...s.iterate()].length);
		o.call('pluck', () => [...s.pluck().iterate()]);
		o.call('break', () => { for (const x of s.iterate()) { if (x === 3) break; } return s.busy; });
		o.call('throw', () => { for (const x of s.iterate()) throw new Error(`at ${x}`); });
		o.note('free', s.busy);
		o.call('writer', () => db.prepare('DELETE FROM t WHERE 0').iterate());
		o.call('args', () => db.prepare('SELECT ?').iterate());
		o.call('error in the middle', () => { const out = []; try { for (const r of db.prepare("SELECT CASE WHEN b = 4 THEN json('{') ELSE b END AS v FROM t ORDER BY b").iterate()) out.push(r.v); } catch (e) { out.push(e); } return out; });
		o.call('infinite', () => { for (const r of db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c').iterate()) if (r.x >= 1000) return r; });
		o.call('deletes seen', () => { const out = []; const del = db.prepare('DELETE FROM t WHERE b = ? RETURNING b'); for (const r of db.prepare('SELECT b FROM t').iterate()) { out.push(r.b); if (r.b < 10) del.get(r.b + 1); } return out; });
	},
	'safe integers': ({ Database, o }) => {
		const db = new Database(':memory:');
		const sql = 'SELECT 9007199254740993 AS v, 1.5 AS r';
		const before = db.prepare(sql);
		o.note('returns', db.defaultSafeIntegers() === db);
		o.call('before', () => before.get()); o.call('after', () => db.prepare(sql).get()); o.call('off', () => db.prepare(sql).safeIntegers(false).get());
		db.defaultSafeIntegers(false);
		o.call('default off', () => db.prepare(sql).get()); o.call('raw', () => db.prepare(sql).safeIntegers().raw().get());
		for (const value of [undefined, null, 1, 'x']) { o.call(`default ${value}`, () => db.defaultSafeIntegers(value)); o.call(`statement ${value}`, () => before.safeIntegers(value)); o.call(`unsafeMode ${value}`, () => db.unsafeMode(value)); }
		o.call('pragma', () => db.defaultSafeIntegers().pragma('user_version'));
	},
	'toString': ({ Database, o, major }) => {
		if (major < 13) { o.note('nothing', 1); return; }
		const db = new Database(':memory:');
		o.call('13: plain', () => String(db.prepare('SELECT 1')));
		o.call('13: unbound', () => String(db.prepare('SELECT ?, :a')));
		o.call('13: bound', () => String(db.prepare('SELECT ?, :a').bind(25, { a: "it's" })));
		o.call('13: after get', () => { const s = db.prepare('SELECT ?'); s.get(3); return String(s); });
		o.call('13: arguments', () => db.prepare('SELECT ?').toString(4));
	},
};
