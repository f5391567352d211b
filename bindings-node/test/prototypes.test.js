'use strict';
// Whatever somebody puts into the prototypes of all objects and arrays, rows and parameters are what they would be: a
// setter there is not called, so that it can neither swallow a value nor run a query while others are read.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const litekeel = require('../lib');

const ROWS = 5;
const modes = { flat: (s) => s, raw: (s) => s.raw(), pluck: (s) => s.pluck(), expand: (s) => s.expand() };
const setters = {
	'Object.prototype.b': [Object.prototype, 'b'],
	'Array.prototype[0]': [Array.prototype, 0],
};
// More than it takes until the code for a statement is generated, and fewer.
for (const calls of [1, 300]) {
	for (const [where, [prototype, key]] of Object.entries(setters)) {
		test(`a setter as ${where}, after ${calls} calls`, () => {
			const db = new litekeel(':memory:').exec('CREATE TABLE t(a, b, c)');
			const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)');
			const text = (n, c) => `${'€'.repeat(n)} a text of row ${n}, column ${c}, longer than what is held beside`;
			for (let n = 0; n < ROWS; n++) insert.run(text(n, 'a'), text(n, 'b'), text(n, 'c'));
			const other = db.prepare("SELECT 'x' AS x, zeroblob(3) AS y UNION ALL SELECT 'yy', 1").raw();
			let ran = 0;
			const trapped = (fn) => {
				Object.defineProperty(prototype, key, { set() { ran += 1; other.all(); }, configurable: true });
				try {
					return fn();
				} finally {
					delete prototype[key];
				}
			};
			for (const [mode, as] of Object.entries(modes)) {
				const statement = as(db.prepare('SELECT a, b, c FROM t ORDER BY length(a)'));
				for (let i = 1; i < calls; i++) statement.all();
				const expected = { all: statement.all(), get: statement.get(), rest: [...statement.iterate()] };
				assert.deepStrictEqual(trapped(() => statement.all()), expected.all, mode);
				assert.deepStrictEqual(trapped(() => statement.get()), expected.get, mode);
				const rows = trapped(() => { const found = []; let at = 0; for (const row of statement.iterate()) Object.defineProperty(found, at++, { value: row, writable: true, enumerable: true, configurable: true }); return found; });
				assert.deepStrictEqual(rows, expected.rest, mode);
			}
			assert.strictEqual(ran, 0);
			const bound = [['?, ?, ?', [['x'.repeat(100), Buffer.from('y'), 2n ** 40n]]], ['$a, $b, $c', [{ a: 'x'.repeat(100), b: Buffer.from('y'), c: 2n ** 40n }]], ['?, ?, ?', ['x'.repeat(100), Buffer.from('y'), 2n ** 40n]]];
			for (const [parameters, args] of bound) {
				const statement = db.prepare(`SELECT ${parameters}`).raw();
				for (let i = 1; i < calls; i++) statement.get(...args);
				const expected = statement.get(...args);
				assert.strictEqual(expected[0], 'x'.repeat(100));
				assert.deepStrictEqual(trapped(() => Reflect.apply(statement.get, statement, args)), expected);
			}
			assert.strictEqual(ran, 0);
			db.close();
		});
	}
}

test('the control: such a setter is called by an assignment', () => {
	let ran = 0;
	Object.defineProperty(Array.prototype, 0, { set() { ran += 1; }, configurable: true });
	const list = [];
	list[0] = 1;
	delete Array.prototype[0];
	assert.deepStrictEqual([ran, list.length], [1, 0]);
});

test('a frozen prototype does not keep a column from its name', () => {
	const script = `'use strict'; const db = new (require(${JSON.stringify(require.resolve('../lib'))}))(':memory:'); Object.freeze(Object.prototype); console.log(JSON.stringify(db.prepare('SELECT 1 AS toString, 2 AS valueOf').get()));`;
	const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
	assert.strictEqual(stdout, '{"toString":1,"valueOf":2}\n', stderr);
});

for (const name of ['id', 'sql', 'columns', 'state', 'reader', 'source', 'busy', 'taken', 'kind', 'shape', 'width', 'mode']) {
	test(`a setter as Object.prototype.${name} stands for nothing of ours`, async (t) => {
		const db = litekeel.open('file:a.db', { baseDir: require('./temporary')(t) }).exec('CREATE TABLE t(a)');
		db.prepare('INSERT INTO t VALUES (1)').run();
		let ran = 0;
		let found;
		Object.defineProperty(Object.prototype, name, { get() { return 0; }, set() { ran += 1; }, configurable: true });
		try {
			const insert = db.prepare('INSERT INTO t VALUES (2)');
			const select = db.prepare(`SELECT a AS "${name}", 'x' FROM t ORDER BY a`);
			insert.run();
			found = [select.all(), select.get(), [...select.iterate()], select.source, select.reader, insert.reader, select.database === db, Object.keys(select), await db.readAsync(`SELECT a AS "${name}", 'x' FROM t ORDER BY a`)];
		} finally {
			delete Object.prototype[name];
		}
		const rows = [1, 2].map((a) => ({ [name]: a, "'x'": 'x' }));
		assert.deepStrictEqual(found, [rows, rows[0], rows, `SELECT a AS "${name}", 'x' FROM t ORDER BY a`, true, false, true, ['reader', 'readonly', 'source', 'database', 'busy'], rows]);
		assert.strictEqual(ran, 0);
		db.close();
	});
}
