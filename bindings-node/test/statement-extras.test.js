'use strict';
// What statements and connections do beyond better-sqlite3: limits of time, diagnostics, dispose, further types to
// bind, the lock that transactions begin with, pragmas that SQLite would ignore or misread.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const diagnostics = require('node:diagnostics_channel');
const path = require('node:path');
const Database = require('../lib');
const runtimes = require('./runtimes');
const temporary = require('./temporary');

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c';
const ROWS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c';
const both = (t) => [new Database(':memory:'), Database.open(':memory:'), Database.open('file:a.db', { baseDir: temporary(t) })];

test('a limit of time ends each kind of execution', (t) => {
	for (const db of both(t)) {
		const limited = db.prepare(ENDLESS);
		assert.strictEqual(limited.timeout(30), limited);
		const late = (error) => error instanceof Database.SqliteError && error.code === 'SQLITE_INTERRUPT' && /took longer than its timeout of 30 ms/.test(error.message);
		for (const call of [() => limited.get(), () => limited.all(), () => limited.run(), () => [...limited.iterate()], () => db.prepare(ENDLESS).timeout(30).pluck().get()]) {
			const began = performance.now();
			assert.throws(call, late);
			const took = performance.now() - began;
			assert.ok(took >= 29 && took < 1000, `${took} ms`);
		}
		// The whole execution has one limit, and what is quick enough none of it.
		assert.throws(() => db.prepare(`${ROWS} WHERE x % 1000 = 0`).timeout(30).all(), late);
		const iterator = db.prepare(ROWS).timeout(1000).iterate();
		for (let n = 1; n < 100; n++) assert.deepStrictEqual(iterator.next().value, { x: n });
		iterator[Symbol.dispose]?.();
		iterator.return();
		assert.deepStrictEqual(db.prepare('SELECT 1 AS a').timeout(1000).all(), [{ a: 1 }]);
		db.defaultTimeout(30);
		assert.throws(() => db.exec(ENDLESS), late);
		assert.throws(() => db.prepare(ENDLESS).get(), late);
		assert.deepStrictEqual(db.prepare(`${ROWS} LIMIT 1`).timeout(0).get(), { x: 1 });
		db.defaultTimeout(0);
		for (const bad of [-1, 1.5, '5', null, undefined, 2 ** 31, 5n]) {
			assert.throws(() => limited.timeout(bad), TypeError);
			assert.throws(() => db.defaultTimeout(bad), TypeError);
		}
		// The statement after it is not concerned.
		assert.strictEqual(db.prepare(`SELECT count(*) FROM (${ROWS} LIMIT 300000)`).pluck().get(), 300000);
		db.close();
	}
});

test('a limit of time also ends a wait for a lock', (t) => {
	const db = Database.open('file:a.db', { baseDir: temporary(t) }).exec('CREATE TABLE t(a)');
	const other = Database.open(`file:${db.name}`);
	other.exec('BEGIN IMMEDIATE');
	const began = performance.now();
	assert.throws(() => db.prepare('INSERT INTO t VALUES (1)').timeout(60).run(), /timeout of 60 ms|locked/);
	assert.ok(performance.now() - began < 2000);
	other.close();
	db.close();
});

test('interrupt() ends what iterates, and needs an open connection', () => {
	const db = new Database(':memory:');
	db.function('stop', () => { db.interrupt(); return 1; });
	assert.throws(() => db.prepare(`SELECT stop() FROM (${ROWS})`).all(), { code: 'SQLITE_INTERRUPT' });
	assert.strictEqual(db.interrupt(), db);
	assert.deepStrictEqual(db.prepare('SELECT 1 AS a').get(), { a: 1 });
	db.close();
	assert.throws(() => db.interrupt(), TypeError);
});

test('diagnostics_channel gets what ran, once per execution, as from node:sqlite', () => {
	const script = (Connection, lines) => {
		const channel = require('node:diagnostics_channel');
		const listener = ({ sql, database, duration }, name) => {
			if (!(database instanceof Connection) || typeof duration !== 'number' || duration < 0) lines.push('malformed');
			lines.push(`${name}: ${sql.replace(/;$/, '')}`);
		};
		channel.subscribe('sqlite.db.query', listener);
		const db = new Connection(':memory:');
		db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)');
		const select = db.prepare('SELECT ? AS x');
		select.get(5);
		select.all('abc');
		for (const row of select.iterate(7)) lines.push(String(row.x));
		for (const _ of db.prepare('SELECT a FROM t').iterate()) break;
		db.prepare('INSERT INTO t VALUES (?)').run(null);
		try { db.prepare("SELECT json('{')").get(); } catch { lines.push('failed'); }
		channel.unsubscribe('sqlite.db.query', listener);
		db.exec('SELECT 1');
		select.get(6);
		db.close();
		return lines;
	};
	const expected = spawnSync(runtimes.node(26), ['--no-warnings', '-e', `console.log(JSON.stringify((${script})(require('node:sqlite').DatabaseSync, [])))`], { encoding: 'utf8' });
	assert.strictEqual(expected.status, 0, expected.stderr);
	const actual = script(Database, []);
	// node:sqlite tells of a loop that is left when its statement is collected, and of a failure before it throws.
	assert.deepStrictEqual(new Set(actual), new Set(JSON.parse(expected.stdout)));
	assert.ok(actual.length >= 10 && !actual.includes('malformed'));
});

test('a subscriber may use the connection, and verbose and transactions are told too', () => {
	const told = [];
	const verbose = [];
	const db = new Database(':memory:', { verbose: (sql) => verbose.push(sql) });
	let depth = 0;
	const listener = ({ sql }) => {
		told.push(sql);
		if (depth++ === 0) assert.deepStrictEqual(db.prepare('SELECT 7 AS seven').get(), { seven: 7 });
	};
	diagnostics.subscribe('sqlite.db.query', listener);
	try {
		assert.deepStrictEqual(db.prepare('SELECT 1 AS one').all(), [{ one: 1 }]);
		db.transaction(() => db.exec('CREATE TABLE t(a)'))();
	} finally {
		diagnostics.unsubscribe('sqlite.db.query', listener);
	}
	assert.deepStrictEqual(told, ['SELECT 7 AS seven', 'SELECT 1 AS one', 'BEGIN', 'CREATE TABLE t(a)', 'COMMIT'].sort((a, b) => told.indexOf(a) - told.indexOf(b)));
	assert.deepStrictEqual([...verbose].sort(), [...told].sort());
	db.close();
});

test('dispose ends a statement, an iterator and a connection', { skip: typeof Symbol.dispose !== 'symbol' }, () => {
	const db = new Database(':memory:');
	const statement = db.prepare('SELECT 1 AS a UNION ALL SELECT 2');
	const twin = db.prepare('SELECT 1 AS a UNION ALL SELECT 2');
	const iterator = statement.iterate();
	iterator.next();
	assert.throws(() => statement[Symbol.dispose](), TypeError);
	iterator[Symbol.dispose]();
	assert.deepStrictEqual(iterator.next(), { value: undefined, done: true });
	statement[Symbol.dispose]();
	statement[Symbol.dispose]();
	for (const name of ['get', 'all', 'run', 'iterate', 'columns', 'bind']) assert.throws(() => statement[name](), TypeError, name);
	assert.strictEqual(twin.all().length, 2);
	const bound = db.prepare('SELECT ?').bind(5);
	bound[Symbol.dispose]();
	assert.throws(() => bound.get(), TypeError);
	db[Symbol.dispose]();
	assert.strictEqual(db.open, false);
});

test('what refuses a boolean or a date says how to bind it', () => {
	const db = new Database(':memory:');
	const refused = (value, hint) => {
		for (const bind of [() => db.prepare('SELECT ?').get(value), () => db.prepare('SELECT ?').get([value]), () => db.prepare('SELECT $a').get({ a: value }), () => db.prepare('SELECT ?').bind(value)]) {
			assert.throws(bind, (error) => error instanceof TypeError && error.message === 'SQLite3 can only bind numbers, strings, bigints, buffers, and null' && (hint === undefined ? !('hint' in error) : hint.test(error.hint)));
		}
	};
	refused(true, /bindBooleans: true/);
	refused(new Date(0), /bindDates: 'text'/);
	refused(new Map(), undefined);
	db.close();
});

test('bindBooleans and bindDates', (t) => {
	const date = new Date(Date.UTC(2026, 10, 25, 12, 30, 15, 678));
	const open = [(options) => new Database(':memory:', options), (options) => Database.open('file:a.db', { baseDir: temporary(t), ...options })];
	for (const make of open) {
		const plain = make({});
		for (const value of [true, false, date]) assert.throws(() => plain.prepare('SELECT ?').get(value), TypeError);
		plain.close();
		const db = make({ bindBooleans: true, bindDates: 'text' });
		const types = db.prepare('SELECT ? AS v, typeof(?1) AS t').raw();
		const one = db.prepare('SELECT v, typeof(v) FROM (SELECT ? AS v)').raw();
		for (const [value, expected] of [[true, [1, 'integer']], [false, [0, 'integer']], [date, ['2026-11-25T12:30:15.678Z', 'text']], [5, [5, 'real']], [null, [null, 'null']], ['x', ['x', 'text']]]) {
			assert.deepStrictEqual(one.get(value), expected);
			assert.deepStrictEqual(one.all([value])[0], expected);
			assert.deepStrictEqual(db.prepare('SELECT v, typeof(v) FROM (SELECT $v AS v)').raw().bind({ v: value }).get(), expected);
		}
		assert.throws(() => types.get(Symbol('s'), 1), TypeError);
		assert.throws(() => one.get(new Date(NaN)), RangeError);
		assert.throws(() => db.prepare('SELECT $v').get({ w: true }), RangeError);
		db.close();
		const numbers = make({ bindDates: 'seconds' });
		assert.strictEqual(numbers.prepare("SELECT datetime(?, 'unixepoch')").pluck().get(date), '2026-11-25 12:30:15');
		assert.throws(() => numbers.prepare('SELECT ?').get(true), TypeError);
		numbers.close();
		const milliseconds = make({ bindDates: 'milliseconds' });
		assert.strictEqual(milliseconds.prepare('SELECT ?').pluck().get(date), date.getTime());
		milliseconds.close();
		for (const bad of [{ bindBooleans: 1 }, { bindDates: 'x' }, { bindDates: true }]) assert.throws(() => make(bad), TypeError);
	}
});

test('bindBooleans reaches readAsync and transactionAsync', async (t) => {
	const db = Database.open('file:a.db', { baseDir: temporary(t), bindBooleans: true });
	assert.deepStrictEqual(await db.readAsync('SELECT ?, $v', [true, { v: false }], { raw: true }), [[1, 0]]);
	assert.strictEqual(await db.transactionAsync((tx) => tx.prepare('SELECT ?').pluck().get(true)), 1);
	db.close();
});

test('transactions of open() take the write lock at their beginning; an explicit txlock replaces "deferred"', (t) => {
	const begun = (db, kinds = ['default', 'deferred', 'immediate', 'exclusive']) => {
		const told = [];
		const listener = ({ sql, database }) => { if (database === db) told.push(sql); };
		diagnostics.subscribe('sqlite.db.query', listener);
		const transaction = db.transaction(() => {});
		for (const kind of kinds) transaction[kind]();
		diagnostics.unsubscribe('sqlite.db.query', listener);
		db.close();
		return told.filter((sql) => sql.startsWith('BEGIN')).map((sql) => sql.slice('BEGIN '.length).toLowerCase());
	};
	const baseDir = temporary(t);
	const open = (options) => Database.open('file:a.db', { baseDir, ...options });
	assert.deepStrictEqual(begun(new Database(':memory:')), ['', 'deferred', 'immediate', 'exclusive']);
	assert.deepStrictEqual(begun(open()), ['immediate', 'deferred', 'immediate', 'exclusive']);
	assert.deepStrictEqual(begun(open({ txlock: 'immediate' })), ['immediate', 'immediate', 'immediate', 'exclusive']);
	assert.deepStrictEqual(begun(open({ txlock: 'exclusive' })), ['exclusive', 'exclusive', 'immediate', 'exclusive']);
	assert.deepStrictEqual(begun(open({ txlock: 'deferred' })), ['deferred', 'deferred', 'immediate', 'exclusive']);
	assert.deepStrictEqual(begun(open({ queryOnly: true }), ['default']), ['']);
});

test('PRAGMA busy_timeout answers and changes the timeout that is in force, and the wait stays fair', (t) => {
	const db = Database.open('file:a.db', { baseDir: temporary(t), busyTimeout: 1234 }).exec('CREATE TABLE t(a)');
	assert.deepStrictEqual(db.pragma('busy_timeout'), [{ timeout: 1234 }]);
	assert.strictEqual(db.pragma('busy_timeout = 80', { simple: true }), 80);
	assert.strictEqual(db.pragma('busy_timeout', { simple: true }), 80);
	const other = Database.open(`file:${db.name}`);
	other.exec('BEGIN IMMEDIATE');
	const began = performance.now();
	assert.throws(() => db.exec('BEGIN IMMEDIATE'), (error) => error.code === 'SQLITE_BUSY' && error.kind === 'timeout' && error.holders.length === 1);
	const took = performance.now() - began;
	assert.ok(took >= 75 && took < 2000, `${took} ms`);
	other.close();
	db.close();
	const plain = new Database(':memory:', { timeout: 77 });
	assert.deepStrictEqual(plain.pragma('busy_timeout'), [{ timeout: 77 }]);
	plain.close();
});

test('a synchronous write beside an own asynchronous transaction fails at once', async (t) => {
	const db = Database.open('file:a.db', { baseDir: temporary(t) }).exec('CREATE TABLE t(a)');
	await db.transactionAsync(async (tx) => {
		tx.exec('INSERT INTO t VALUES (1)');
		await null;
		const began = performance.now();
		assert.throws(() => db.exec('INSERT INTO t VALUES (2)'), (error) => error.code === 'SQLITE_BUSY' && error.kind === 'own_async_transaction');
		assert.ok(performance.now() - began < 1000);
		assert.strictEqual(db.prepare('SELECT count(*) FROM t').pluck().get(), 0);
	});
	assert.strictEqual(db.prepare('SELECT count(*) FROM t').pluck().get(), 1);
	db.exec('INSERT INTO t VALUES (3)');
	db.close();
});

test('PRAGMA foreign_keys inside a transaction is warned of', (t) => {
	const run = (script) => spawnSync(process.execPath, ['-e', `const Database = require(${JSON.stringify(path.join(__dirname, '..'))}); const db = new Database(':memory:'); ${script}`], { cwd: temporary(t), encoding: 'utf8' }).stderr;
	for (const script of ["db.exec('BEGIN'); db.pragma('foreign_keys = OFF')", "db.exec('BEGIN'); db.exec('PRAGMA foreign_keys=OFF')", "db.exec('CREATE TABLE t(a); BEGIN; PRAGMA foreign_keys(0); COMMIT')", "db.transaction(() => db.prepare('pragma main.\"foreign_keys\" = off').run())()"]) {
		assert.match(run(script), /KEEL_FOREIGN_KEYS_IN_TRANSACTION.*no effect inside a transaction[^]*Run it before BEGIN.*litekeel refuses that/, script);
	}
	for (const script of ["db.pragma('foreign_keys = OFF'); db.exec('PRAGMA foreign_keys = ON; BEGIN'); db.pragma('foreign_keys')", "db.exec('BEGIN; CREATE TABLE t(foreign_keys)')", "db.exec(\"BEGIN; SELECT 'PRAGMA foreign_keys = OFF'\")"]) {
		assert.strictEqual(run(script), '', script);
	}
});

test('works where code may not be generated, and when only a worker loads it', (t) => {
	const script = `const { Worker } = require('worker_threads');
		const body = ${JSON.stringify(`const Database = require(${JSON.stringify(path.join(__dirname, '..'))}); const db = Database.open('file:a.db', { bindBooleans: true }); const s = db.prepare('SELECT $a AS a, 2 AS b'); for (let n = 0; n < 500; n++) if (s.get({ a: true }).a !== 1 || s.all({ a: n }).length !== 1) throw new Error('wrong'); db.on('checkpointed', () => {}); db.readAsync('SELECT 1 AS a').then(([row]) => { db.close(); console.log(row.a); });`)};
		if (process.argv[1] === 'worker') new Worker(body, { eval: true }).on('exit', (code) => process.exit(code)); else (0, module.constructor.prototype._compile ? () => new module.constructor()._compile(body, 'body.js') : eval)();`;
	for (const [flags, where] of [[['--disallow-code-generation-from-strings'], 'main'], [[], 'worker']]) {
		const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script, where], { cwd: temporary(t), encoding: 'utf8' });
		assert.deepStrictEqual([status, stdout], [0, '1\n'], stderr);
	}
});

test('everything of it may be collected while it is open', (t) => {
	const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', `
		const Database = require(${JSON.stringify(path.join(__dirname, '..'))});
		const make = (n) => {
			const db = n % 2 ? new Database(':memory:') : Database.open('file:a.db');
			db.exec('CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY)');
			db.onUpdate(() => db.open).onCommit(() => {}).onRollback(() => {});
			const session = db.session();
			db.prepare('SELECT 1 UNION SELECT 2').timeout(1000).iterate().next();
			if (n % 2 === 0) { db.handle; db.on('checkpointed', () => db.open); if (n % 10 === 0) return db.readAsync('SELECT 1'); }
			return session.changeset();
		};
		(async () => {
			for (let n = 0; n < 60; n++) { await make(n); if (n % 20 === 0) { gc(); await new Promise((resolve) => setImmediate(resolve)); } }
			gc();
			console.log('done');
		})();`], { cwd: temporary(t), encoding: 'utf8', timeout: 300_000 });
	assert.deepStrictEqual([status, stdout], [0, 'done\n'], stderr.slice(-2000));
});
