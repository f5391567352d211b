'use strict';
// A connection that nobody has any more is collected and closed, whatever was registered on it and whatever that
// refers to.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
require('./prepare')();

/** What makes a connection harder to let go of. `db` is the connection; what they register refers to it. */
const registrations = {
	'nothing': () => {},
	'function': (db) => { db.function('f', () => db.name.length); db.prepare('SELECT f()').get(); },
	'function, replaced': (db) => { for (let i = 0; i < 3; i++) db.function('f', () => db.name.length); },
	'aggregate': (db) => { db.aggregate('g', { start: 0, step: (n, a) => n + a + db.name.length, inverse: (n, a) => n - a - db.name.length, result: (n) => n && db.name }); db.prepare('SELECT g(a) OVER () FROM t').all(); },
	'table': (db) => { db.table('v', { columns: ['a'], *rows() { yield [db.name]; } }); db.prepare('SELECT * FROM v').all(); },
	'table made of a module': (db) => { db.table('v', () => ({ columns: ['a'], *rows() { yield [db.name]; } })); db.exec('CREATE VIRTUAL TABLE temp.w USING v'); db.prepare('SELECT * FROM w').all(); },
	'table, read half': (db) => { db.table('v', { columns: ['a'], *rows() { yield [db.name]; yield [1]; } }); db.prepare('SELECT * FROM v').iterate().next(); },
	'iterator, read half': (db) => { db.prepare('SELECT 1 UNION ALL SELECT 2').iterate().next(); },
	'transaction': (db) => { db.transaction(() => db.prepare('SELECT 1').get())(); },
	'backup': async (db) => { await db.backup(`${db.name}.${process.hrtime.bigint()}`, { progress: () => db.name.length }); },
};
const ours = {
	'verbose': (db) => { db.prepare('SELECT 1').get(); },
	'onUpdate': (db) => { db.onUpdate(() => db.name); db.exec('BEGIN; INSERT INTO t VALUES (1); ROLLBACK'); },
	'onCommit': (db) => { db.onCommit(() => { void db.name; }); },
	'onRollback': (db) => { db.onRollback(() => db.name); db.exec('BEGIN; INSERT INTO t VALUES (1); ROLLBACK'); },
	'session': (db) => { db.session(); },
	'applyChangeset': (db) => { const session = db.session(); db.applyChangeset(session.changeset(), { filter: () => db, onConflict: () => db.name.length }); session.close(); },
};
const tuned = {
	'on': (db) => { db.on('busy_wait', () => db.name).on('checkpointed', () => db.name); },
	'on, then off': (db) => { const fn = () => db.name; db.on('busy_wait', fn); db.off('busy_wait', fn); },
	'readAsync': async (db) => { await db.readAsync('SELECT 1'); },
	'replicated': async (db) => { await db.replicated({ timeout: 0 }).catch(() => {}); },
	'transactionAsync': async (db) => { await db.transactionAsync(async (tx) => tx.exec(`SELECT ${db.name.length}`)); },
	'shutdownOn': (db) => { db.prepare('SELECT 1').get(); },
};

const COUNT = 40;
/** Prints how many of `COUNT` connections are alive after collecting, and how many descriptors more there are. */
const script = (module, open, name, use, keep) => `'use strict';
	const fs = require('node:fs');
	const litekeel = require(${JSON.stringify(module)});
	const open = ${open};
	const use = ${use};
	new litekeel('a.db').exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)').close();
	const files = () => fs.readdirSync('/proc/self/fd').length;
	const kept = [];
	(async () => {
		const round = async (alive) => { const db = open(); alive.push(new WeakRef(db)); await use(db); if (${keep}) kept.push(db); };
		const settle = async (alive) => {
			for (let i = 0; i < 100; i++) {
				globalThis.gc();
				await new Promise((done) => setImmediate(done));
				if (i > 5 && alive.every((weak) => weak.deref() === undefined)) break;
			}
		};
		// Whatever is opened once is open from now on.
		await round([]);
		await settle([]);
		const before = files();
		const alive = [];
		for (let i = 0; i < ${COUNT}; i++) await round(alive);
		// What was used last may still be remembered somewhere.
		const last = open();
		last.transaction(() => last.prepare('SELECT 1').get())();
		await last.backup('copy.db');
		last.close();
		await settle(alive);
		for (let i = 0; i < 100 && files() > before; i++) { globalThis.gc(); await new Promise((done) => setTimeout(done, 10)); }
		console.log(JSON.stringify([alive.filter((weak) => weak.deref() !== undefined).length, files() - before]));
		process.exit(0);
	})();`;

function left(t, major, module, open, name, use, keep = false) {
	const cwd = temporary(t);
	const result = spawnSync(runtimes.node(major), ['--expose-gc', '-e', script(module, open, name, use, keep)], { cwd, encoding: 'utf8', timeout: 120_000 });
	assert.strictEqual(result.status, 0, result.stderr);
	return JSON.parse(result.stdout);
}

const DOORS = {
	'new Database': ["() => new litekeel('a.db', { verbose: () => kept.length })", { ...registrations, ...ours }],
	'open': ["() => litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] })", { ...registrations, ...ours, ...tuned }],
};

for (const major of runtimes.majors) {
	for (const [door, [open, uses]] of Object.entries(DOORS)) {
		test(`Node ${major}, ${door}`, { skip: process.platform !== 'linux' }, async (t) => {
			for (const [name, use] of Object.entries(uses)) {
				await t.test(name, (t) => assert.deepStrictEqual(left(t, major, runtimes.ours(major), open, name, use), [0, 0]));
			}
		});
	}

	test(`Node ${major}: a connection that somebody has stays (control)`, (t) => {
		const [alive] = left(t, major, runtimes.ours(major), DOORS['new Database'][0], 'function', registrations.function, true);
		assert.strictEqual(alive, COUNT);
	});

	test(`Node ${major}: better-sqlite3 lets go of a connection with a function (control)`, { skip: process.platform !== 'linux' }, (t) => {
		const [alive] = left(t, major, runtimes.real(major), "() => new litekeel('a.db')", 'function', (db) => { db.function('f', (x) => x); });
		assert.strictEqual(alive, 0);
	});
}

const survives = (module) => `'use strict';
	const assert = require('assert');
	const litekeel = require(${JSON.stringify(module)});
	const settle = async () => { for (let i = 0; i < 10; i++) { globalThis.gc(); await new Promise((done) => setImmediate(done)); } };
	const register = (db, name) => {
		db.function('f' + name, (x) => x + 1);
		db.aggregate('g' + name, { start: 0, step: (n, a) => n + a, inverse: (n, a) => n - a, result: (n) => n });
		db.table('v' + name, { columns: ['a'], *rows() { yield [1]; yield [2]; } });
		db.table('m' + name, () => ({ columns: ['a'], *rows() { yield [3]; } }));
		db.exec('CREATE VIRTUAL TABLE temp.w' + name + ' USING m' + name);
	};
	const use = (db, name) => {
		assert.strictEqual(db.prepare('SELECT f' + name + '(1)').pluck().get(), 2);
		assert.deepStrictEqual(db.prepare('SELECT g' + name + '(a) OVER (ORDER BY a) FROM v' + name).pluck().all(), [1, 3]);
		assert.deepStrictEqual(db.prepare('SELECT a FROM w' + name).pluck().all(), [3]);
	};
	(async () => {
		const told = [];
		const db = litekeel.open('file:a.db').exec('CREATE TABLE IF NOT EXISTS t(a)');
		register(db, 1);
		db.onUpdate(({ operation }) => told.push(operation)).onCommit(() => { told.push('commit'); }).onRollback(() => told.push('rollback'));
		db.on('busy_wait', (event) => told.push(event.name));
		await settle();
		use(db, 1);
		const rows = db.prepare('SELECT a FROM v1').pluck().iterate();
		rows.next();
		await settle();
		assert.deepStrictEqual([...rows], [2]);
		db.exec('INSERT INTO t VALUES (1); BEGIN; ROLLBACK');
		const other = litekeel.open('file:a.db', { busyTimeout: 0 }).exec('BEGIN IMMEDIATE');
		db.pragma('busy_timeout = 150');
		assert.throws(() => db.exec('DELETE FROM t'), /locked/);
		other.close();
		for (let i = 0; i < 500 && !told.includes('busy_wait'); i++) await new Promise((done) => setTimeout(done, 10));
		assert.deepStrictEqual(told, ['insert', 'commit', 'rollback', 'busy_wait']);

		// Those of a shared connection stay as long as anybody has it, also when the one who made them has gone.
		let last = (() => {
			const first = litekeel.open('file:b.db');
			register(first, 1);
			const second = litekeel.fromHandle(first.handle);
			register(first, 2);
			first.close();
			return second;
		})();
		await settle();
		use(last, 1);
		use(last, 2);
		const gone = new WeakRef(last);
		last = undefined;
		await settle();
		assert.strictEqual(gone.deref(), undefined);
		db.close();
		litekeel.assertNoLeaks();
		console.log('done');
	})();`;

for (const major of runtimes.majors) {
	test(`Node ${major}: what is registered stays while the connection does`, (t) => {
		const result = spawnSync(runtimes.node(major), ['--expose-gc', '-e', survives(runtimes.ours(major))], { cwd: temporary(t), encoding: 'utf8', timeout: 60_000 });
		assert.strictEqual(result.stdout, 'done\n', result.stderr);
	});
}
