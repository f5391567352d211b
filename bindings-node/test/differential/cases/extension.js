'use strict';
const fs = require('node:fs');
const path = require('node:path');

const names = ['readonly', 'x'];

module.exports = {
	'function: registration': ({ Database, o }) => {
		const db = new Database(':memory:');
		o.note('returns this', db.function('a', () => 1) === db);
		for (const args of [[], [null, () => 1], ['', () => 1], [new String('b'), () => 1], ['b'], ['b', {}], ['b', null, null], ['b', 5, () => 1], ['b', () => 1, {}], ['b', { varargs: undefined }, () => 1], ['b', { varargs: 1 }, () => 1], ['b', { deterministic: undefined }, () => 1], ['b', { directOnly: 'x' }, () => 1], ['b', { safeIntegers: null }, () => 1], ['x'.repeat(300), () => 1]]) {
			o.call(`function ${args.length} ${JSON.stringify(args)}`, () => db.function(...args) === db);
		}
		for (const length of [-1, 0.5, NaN, '2', 101, 100, 0]) o.call(`length ${length}`, () => { const fn = () => 1; Object.defineProperty(fn, 'length', { value: length }); return db.function('l', fn) === db; });
		const fn = (a, b = 2, ...rest) => a;
		o.call('counted', () => { db.function('c', fn); return db.prepare('SELECT c(1)').pluck().get(); });
		o.call('wrong count', () => db.prepare('SELECT c(1, 2)').pluck().get());
		o.call('overload', () => { db.function('c', (a, b) => `two${a}${b}`); return db.prepare('SELECT c(1) AS a, c(1, 2) AS b').get(); });
		o.call('replace', () => { db.function('c', (a) => `new${a}`); return db.prepare('SELECT c(1) AS a, c(1, 2) AS b').get(); });
		o.call('replace built-in', () => { db.function('upper', (a) => `up${a}`); return db.prepare("SELECT upper('x')").pluck().get(); });
		o.call('varargs', () => { db.function('v', { varargs: true }, (...args) => args.length); return db.prepare('SELECT v() AS a, v(1) AS b, v(1, 2, 3, 4, 5, 6, 7) AS c').get(); });
		o.call('this', () => { db.function('t', function () { 'use strict'; return String(this); }); return db.prepare('SELECT t()').pluck().get(); });
	},
	'function: values': ({ Database, o }) => {
		const db = new Database(':memory:');
		const seen = [];
		db.function('see', (a) => { seen.push(a); return a; });
		db.function('sees', { safeIntegers: true }, (a) => { seen.push(a); return a; });
		for (const expr of ['1', '1.5', "'x'", "'日本😀'", "x'0102'", "x''", "''", 'NULL', '9007199254740993', "CAST(x'ff' AS TEXT)"]) {
			for (const fn of ['see', 'sees']) o.call(`${fn} ${expr}`, () => db.prepare(`SELECT ${fn}(${expr}) AS v, typeof(${fn}(${expr})) AS t`).get());
		}
		o.note('seen', seen);
		const results = { undefined: undefined, null: null, number: 1, nan: NaN, bigint: 3n, tooBig: 2n ** 64n, string: 'é', buffer: Buffer.from('ab'), uint8: new Uint8Array([1, 2]), empty: Buffer.alloc(0), true: true, object: {}, array: [], promise: Promise.resolve(), symbol: Symbol('x'), function: () => {}, date: new Date(0), float64: new Float64Array([1, 2]) };
		for (const [name, value] of Object.entries(results)) { db.function('r', () => value); o.call(`returns ${name}`, () => db.prepare('SELECT r() AS v, typeof(r()) AS t').get()); }
		for (const value of [null, undefined, '', 123.4, 'x', {}, new Error('mine'), new TypeError('t'), Symbol('s')]) {
			db.function('e', () => { throw value; });
			let caught = 'nothing';
			try { db.prepare('SELECT e()').get(); } catch (error) { caught = error; }
			o.note(`throws ${String(value)} by identity`, caught === value);
			for (const way of ['get', 'all', 'run']) { try { db.prepare('SELECT e()')[way](); } catch (error) { o.note(`${way}`, error === value); } }
			try { db.exec('SELECT e()'); } catch (error) { o.note('exec', error === value); }
			try { for (const r of db.prepare('SELECT e()').iterate()) o.note('row', r); } catch (error) { o.note('iterate', error === value); }
			o.call('then an SQLite error', () => db.prepare("SELECT json('{')").get());
		}
	},
	'function: busy, buffers, iterators': ({ Database, o, dir }) => {
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)');
		const other = db.prepare('SELECT a FROM t'); const writer = db.prepare('DELETE FROM t WHERE 0'); const tx = db.transaction(() => 1); const open = other.iterate; void open;
		const attempts = { prepare: () => db.prepare('SELECT 1'), exec: () => db.exec('SELECT 1'), get: () => other.get(), all: () => other.all(), iterate: () => other.iterate(), run: () => writer.run(), pragma: () => db.pragma('user_version'), transaction: () => tx(), close: () => db.close(), function: () => db.function('z', () => 1), aggregate: () => db.aggregate('z', { step() {} }), table: () => db.table('z', { columns: ['a'], *rows() {} }), serialize: () => db.serialize(), loadExtension: () => db.loadExtension('x'), safe: () => db.defaultSafeIntegers(false) === db, bind: () => db.name, columns: () => other.columns().length, inTransaction: () => db.inTransaction };
		db.function('each', (a) => { for (const [name, fn] of Object.entries(attempts)) o.call(`in function ${name}`, fn); return a; });
		o.call('select', () => db.prepare('SELECT each(1)').pluck().get());
		o.call('still usable', () => other.all());
		db.function('boom', (a) => { if (a === 2) throw new Error('two'); return a; });
		const s = db.prepare('SELECT boom(a) AS v FROM t ORDER BY a'); const it = s.iterate();
		o.call('first', () => it.next()); o.call('second', () => it.next()); o.note('closed', s.busy); o.call('third', () => it.next()); o.call('exec after', () => db.exec('SELECT 1') === db);
		const bytes = Buffer.from('abcd'); db.function('mutate', (b) => { bytes.fill(0); return b; });
		o.call('bound bytes', () => db.prepare('SELECT mutate(?) AS a, ? AS b').get(bytes, bytes));
		db.function('direct', { directOnly: true }, () => 1); db.exec('CREATE VIEW w AS SELECT direct() AS d');
		o.call('direct', () => db.prepare('SELECT direct()').pluck().get()); o.call('by view', () => db.prepare('SELECT * FROM w').get());
		let calls = 0; db.function('det', { deterministic: true }, () => { calls += 1; return calls; });
		o.call('deterministic', () => [db.prepare('SELECT det() FROM t').pluck().all(), calls]); o.call('index', () => db.exec('CREATE INDEX i ON t(det())') === db); db.function('nondet', () => 1); o.call('no index', () => db.exec('CREATE INDEX j ON t(nondet())'));
		o.call('defaults at registration', () => { db.defaultSafeIntegers(); db.function('s1', (a) => typeof a); db.defaultSafeIntegers(false); db.function('s2', (a) => typeof a); return db.prepare('SELECT s1(1) AS a, s2(1) AS b').get(); });
		void dir; void names;
	},
	'aggregate': ({ Database, o }) => {
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a, g); INSERT INTO t VALUES (3, 0), (5, 0), (7, 1), (11, 1), (13, 2); CREATE TABLE empty(a)');
		for (const args of [[], ['a'], ['', {}], [5, {}], ['a', null], ['a', {}], ['a', { step: null }], ['a', { step: 5 }], ['a', { step() {}, inverse: 5 }], ['a', { step() {}, result: 'x' }], ['a', { step() {}, varargs: 1 }], ['a', { step() {}, deterministic: undefined }], ['a', () => 1]]) o.call(`aggregate ${JSON.stringify(args)}`, () => db.aggregate(...args) === db);
		o.note('returns', db.aggregate('total2', { start: 0, step: (x, a) => x + a }) === db);
		const q = (sql) => o.call(sql, () => db.prepare(sql).all());
		q('SELECT total2(a) AS v FROM t'); q('SELECT total2(a) AS v FROM empty'); q('SELECT g, total2(a) AS v FROM t GROUP BY g'); q('SELECT total2(a) FILTER (WHERE a > 5) AS v FROM t'); q('SELECT total2(a) OVER () AS v FROM t'); q('SELECT total2() FROM t');
		const count = {};
		const counted = (name, fn) => { count[name] = 0; return (...args) => { count[name] += 1; return fn(...args); }; };
		const step = counted('step', (s, v) => s + v); const inverse = counted('inverse', (s, v) => s - v);
		Object.defineProperty(step, 'length', { value: 2 }); Object.defineProperty(inverse, 'length', { value: 2 });
		db.aggregate('win', { start: counted('start', () => 1000), step, inverse, result: counted('result', (s) => s + 0.5) });
		q('SELECT win(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS v FROM t'); o.note('counts', { ...count });
		q('SELECT win(a) AS v FROM t'); o.note('counts', { ...count }); q('SELECT g, win(a) OVER (PARTITION BY g ORDER BY a) AS v FROM t'); o.note('counts', { ...count }); q('SELECT win(a) AS v FROM empty'); o.note('counts', { ...count });
		db.aggregate('undef', { start: undefined, step: (s, v) => { o.note('state', s); } }); q('SELECT undef(a) AS v FROM t');
		db.aggregate('dflt', { step: (s, v) => (s === null ? v : undefined) }); q('SELECT dflt(a) AS v FROM t');
		db.aggregate('list', { start: () => [], step: (s, v) => { s.push(v); }, result: (s) => JSON.stringify(s) }); q('SELECT list(a) AS v FROM t'); q('SELECT g, list(a) AS v FROM t GROUP BY g');
		db.aggregate('var', { varargs: true, start: 0, step: (s, ...v) => s + v.length }); q('SELECT var(a, a, g) AS v FROM t'); q('SELECT var() AS v FROM t');
		db.aggregate('inv', { start: 0, step: (s) => s + 1, inverse: (s, a, b) => s }); q('SELECT inv(a, a) AS v FROM t');
		for (const key of ['start', 'step', 'inverse', 'result']) {
			for (const value of [new Error('mine'), null, 'text']) {
				const def = { start: () => 0, step: (s, v) => s + v, inverse: (s, v) => s - v, result: (s) => s };
				const length = def[key].length; def[key] = () => { throw value; }; Object.defineProperty(def[key], 'length', { value: length });
				db.aggregate('bad', def);
				for (const sql of ['SELECT bad(a) AS v FROM t', 'SELECT bad(a) AS v FROM empty', 'SELECT g, bad(a) AS v FROM t GROUP BY g', 'SELECT bad(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS v FROM t']) {
					let caught = 'none'; try { db.prepare(sql).all(); } catch (e) { caught = e; } o.note(`${key} throws in ${sql}`, [caught === value, caught === 'none']);
				}
				o.call('then an SQLite error', () => db.prepare("SELECT json('{')").get());
			}
		}
		for (const value of [{}, true, 2n ** 70n, Symbol('x')]) { db.aggregate('wrong', { start: 0, step() {}, result: () => value }); o.call(`result ${String(value)}`, () => db.prepare('SELECT wrong() FROM t').get()); }
		db.aggregate('safe', { safeIntegers: true, start: null, step: (s, v) => typeof v }); q('SELECT safe(a) AS v FROM t');
		db.aggregate('busy', { start: 0, step: (s, v) => { o.call('prepare in step', () => db.prepare('SELECT 1')); return s; } }); q('SELECT busy(a) AS v FROM t LIMIT 1');
	},
	'table': ({ Database, o, file }) => {
		const db = new Database(file);
		const good = { columns: ['a', 'b'], *rows() { yield [1, 'x']; yield { b: 'y', a: 2 }; } };
		for (const args of [[], ['', good], [5, good], ['v'], ['v', null], ['v', 5], ['v', {}], ['v', { rows: good.rows }], ['v', { columns: ['a'] }], ['v', { ...good, rows: () => [] }], ['v', { ...good, columns: [] }], ['v', { ...good, columns: 'ab' }], ['v', { ...good, columns: ['a', 5] }], ['v', { ...good, columns: ['a', 'a'] }], ['v', { ...good, parameters: 'x' }], ['v', { ...good, parameters: ['x', 'x'] }], ['v', { ...good, parameters: ['a'] }], ['v', { ...good, parameters: Array.from({ length: 33 }, (_, i) => `p${i}`) }], ['v', { ...good, safeIntegers: 1 }], ['v', { ...good, directOnly: undefined }], ['v', Object.create(good)]]) {
			o.call(`table ${JSON.stringify(args).slice(0, 90)} ${args[1] && typeof args[1].rows}`, () => db.table(...args) === db);
		}
		const q = (sql, ...args) => o.call(`${sql} ${JSON.stringify(args)}`, () => db.prepare(sql).all(...args));
		o.note('returns', db.table('vt', good) === db);
		q('SELECT rowid, * FROM vt'); q('SELECT * FROM vt WHERE a = 2'); q('SELECT * FROM vt LIMIT 1 OFFSET 1'); q('SELECT * FROM vt ORDER BY a DESC'); q('SELECT count(*) AS n FROM vt x, vt y'); q('CREATE VIRTUAL TABLE z USING vt'); q('INSERT INTO vt VALUES (1, 2)'); q("SELECT * FROM vt('x')");
		db.table('seq', { columns: ['value'], parameters: ['start', 'stop'], *rows(start, stop = 5) { o.note('started', [start, stop]); for (let i = start; i <= stop; ++i) yield [i]; } });
		q('SELECT * FROM seq(1, 3)'); q('SELECT * FROM seq(3)'); q('SELECT value FROM seq WHERE start = 2 AND stop = 3'); q('SELECT * FROM seq WHERE stop = 3 AND start = 1'); q('SELECT start, stop, value FROM seq(1, 2)'); q('SELECT * FROM seq(NULL, 3)'); q('SELECT * FROM seq(?, ?)', 1, 2); q('SELECT * FROM seq WHERE start > 1'); q('SELECT * FROM seq(1, 3) LIMIT 2'); q('SELECT * FROM seq(1, 5) WHERE value > 2 LIMIT 1 OFFSET 1'); q('SELECT a.value, b.value FROM seq(1, 2) a JOIN seq(1, a.value) b'); q('SELECT * FROM seq(1, 2, 3)');
		let produced = 0; db.table('lazy', { columns: ['n'], *rows() { for (;;) yield [++produced]; } });
		o.call('lazy', () => { const out = []; for (const row of db.prepare('SELECT n FROM lazy').iterate()) { out.push([row.n, produced]); if (row.n === 3) break; } return out; });
		db.table('dollar', { columns: ['v'], *rows(a, b) { yield [`${a},${b}`]; } }); q('SELECT * FROM dollar(1, 2)'); q('SELECT "$1", "$2", v FROM dollar(1, 2)');
		const bad = { scalar: 5, nul: null, short: [1], long: [1, 2, 3], extra: { a: 1, b: 2, c: 3 }, missing: { a: 1 }, wrong: [1, {}], big: [1, 2n ** 70n], empty: {}, bool: [true, 1] };
		for (const [name, value] of Object.entries(bad)) { db.table('bad', { columns: ['a', 'b'], *rows() { yield value; } }); q('SELECT * FROM bad', name); q('SELECT a FROM bad', name); o.call('then an SQLite error', () => db.prepare("SELECT json('{')").get()); }
		for (const value of [new Error('mine'), null, 'text']) { db.table('boom', { columns: ['a'], *rows() { yield [1]; throw value; } }); let c = 'none'; try { db.prepare('SELECT * FROM boom').all(); } catch (e) { c = e; } o.note('identity', c === value); const it = db.prepare('SELECT * FROM boom').iterate(); o.call('first', () => it.next()); try { it.next(); } catch (e) { o.note('second', e === value); } o.call('third', () => it.next()); }
		db.table('made', function (...args) { o.note('factory', [this, args]); return { columns: ['c'], *rows() { yield [args.join('|')]; } }; });
		o.call('create', () => db.exec("CREATE VIRTUAL TABLE made1 USING made(x, 'y z', 3)") === db); q('SELECT * FROM made1'); q('SELECT * FROM made'); o.call('drop', () => db.exec('DROP TABLE made1') === db);
		for (const value of [undefined, null, 5, {}, { columns: ['a'] }]) { db.table('nomake', () => value); o.call(`factory gives ${JSON.stringify(value)}`, () => db.exec('CREATE VIRTUAL TABLE n1 USING nomake')); }
		const mine = new Error('factory'); db.table('throws', () => { throw mine; }); let caught; try { db.exec('CREATE VIRTUAL TABLE n2 USING throws'); } catch (e) { caught = e; } o.note('factory identity', caught === mine);
		db.table('types', { columns: ['v'], parameters: ['p'], safeIntegers: true, *rows(p) { yield [typeof p]; } }); q('SELECT v FROM types(1)'); q("SELECT v FROM types(x'00')");
		db.table('direct', { directOnly: true, columns: ['v'], *rows() { yield [1]; } }); q('SELECT * FROM direct'); db.exec('CREATE VIEW dv AS SELECT * FROM direct'); q('SELECT * FROM dv');
		db.table('inside', { columns: ['v'], *rows() { o.call('prepare inside', () => db.prepare('SELECT 1')); o.call('close inside', () => db.close()); yield [1]; } }); q('SELECT * FROM inside');
		db.table('dup', good); o.call('again', () => db.table('dup', good) === db);
	},
	'backup': async ({ Database, o, dir, file }) => {
		const db = new Database(file);
		db.exec('CREATE TABLE t(a, b)');
		const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
		db.transaction(() => { for (let i = 0; i < 2000; i++) insert.run(i, 'x'.repeat(500)); })();
		const to = (name) => path.join(dir, name);
		for (const args of [[], [5], [''], [':memory:'], ['  '], [to('no/x.db')], [to('b'), 5], [to('b'), { attached: 5 }], [to('b'), { attached: '' }], [to('b'), { attached: 'nope' }], [to('b'), { progress: 5 }]]) {
			const p = (() => { try { const q = db.backup(...args); o.note('promise', q instanceof Promise); return q; } catch (e) { o.note('sync', e); return null; } })();
			await o.later(`backup ${JSON.stringify(args)}`, () => p);
		}
		o.note('nothing left', fs.readdirSync(dir));
		await o.later('plain', () => db.backup(to('one.db')));
		o.call('same rows', () => new Database(to('one.db'), { readonly: true }).prepare('SELECT count(*) AS n, max(a) AS m FROM t').get());
		const seen = []; let rates = [undefined, 10, 50.4, 0, Infinity];
		await o.later('progress', () => db.backup(to('two.db'), { progress: function (p) { seen.push([this === undefined, p]); return rates.shift(); } }));
		o.note('seen', seen);
		for (const value of ['x', null, NaN, {}]) await o.later(`progress gives ${value}`, () => db.backup(to('three.db'), { progress: () => value }));
		o.note('removed', fs.existsSync(to('three.db')));
		for (const value of [new Error('mine'), null, 7]) { let caught = 'none'; try { await db.backup(to('four.db'), { progress: () => { throw value; } }); } catch (e) { caught = e; } o.note('identity', caught === value); }
		o.note('removed', fs.existsSync(to('four.db')));
		const old = new Database(to('five.db')); old.exec('CREATE TABLE mine(a); INSERT INTO mine VALUES (42)'); old.close();
		await o.later('abort keeps an old file', () => db.backup(to('five.db'), { progress: () => { throw new Error('stop'); } }));
		o.call('old rows', () => new Database(to('five.db')).prepare('SELECT * FROM mine').all());
		await o.later('over an old file', () => db.backup(to('five.db')));
		o.call('new rows', () => new Database(to('five.db')).prepare('SELECT count(*) AS n FROM t').get());
		let wrote = false;
		await o.later('writes are carried along', () => db.backup(to('six.db'), { progress: () => { if (!wrote) { wrote = true; insert.run(-1, 'late'); } return 20; } }));
		o.call('late row', () => new Database(to('six.db')).prepare('SELECT b FROM t WHERE a = -1').get());
		const mem = new Database(':memory:'); mem.exec('CREATE TABLE m(a)'); mem.exec(`ATTACH '${file}' AS other`);
		await o.later('attached', () => mem.backup(to('seven.db'), { attached: 'other' })); o.call('tables', () => new Database(to('seven.db')).prepare('SELECT name FROM sqlite_master').all());
		const closing = db.backup(to('eight.db'), { progress: () => { db.close(); return 1; } });
		await o.later('close in the middle', () => closing); o.note('removed', fs.existsSync(to('eight.db')));
	},
	'serialize': ({ Database, o, file }) => {
		const db = new Database(file);
		db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)');
		for (const args of [[5], ['x'], [{ attached: 5 }], [{ attached: '' }], [null], [undefined], [{}], [{ attached: 'temp' }]]) o.call(`serialize ${JSON.stringify(args)}`, () => { const b = db.serialize(...args); return [Buffer.isBuffer(b), b.length]; });
		const image = db.serialize();
		o.call('reopen', () => { const c = new Database(image); const out = [c.name, c.memory, c.readonly, c.open, c.prepare('SELECT a FROM t').pluck().all()]; c.exec('INSERT INTO t VALUES (3)'); out.push(c.prepare('SELECT count(*) FROM t').pluck().get()); return out; });
		o.call('readonly', () => { const c = new Database(image, { readonly: true }); const out = [c.readonly]; try { c.exec('INSERT INTO t VALUES (3)'); } catch (e) { out.push(e); } return out; });
		o.call('untouched', () => new Database(image).prepare('SELECT count(*) FROM t').pluck().get());
		o.call('empty buffer', () => new Database(Buffer.alloc(0)).prepare('SELECT * FROM sqlite_master').all());
		o.call('garbage', () => new Database(Buffer.alloc(4096, 7)).prepare('SELECT * FROM sqlite_master').all());
		o.call('empty memory', () => new Database(':memory:').serialize().length);
		db.pragma('journal_mode = WAL');
		o.call('WAL image', () => new Database(db.serialize()).prepare('SELECT count(*) FROM t').pluck().get());
	},
	'loadExtension': ({ Database, o, dir }) => {
		const db = new Database(':memory:');
		for (const args of [[], [5], [null], ['x', 5], ['x', undefined]]) o.call(`load ${JSON.stringify(args)}`, () => db.loadExtension(...args));
		o.call('missing', () => db.loadExtension(path.join(dir, 'nope.so')));
		const built = process.env.LITEKEEL_TEST_EXTENSION;
		if (built) {
			o.call('load', () => db.loadExtension(built) === db);
			o.call('call', () => db.prepare('SELECT testExtensionFunction(NULL, 123, 99, 2) AS v').get());
			o.call('bad entry', () => new Database(':memory:').loadExtension(built, 'nope_init'));
		}
	},
};
