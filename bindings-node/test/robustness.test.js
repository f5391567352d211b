'use strict';
// Ways out of a process, workers stopped in the middle of a call, garbage collection.
// WORKERS: how many workers are stopped (default 50). STATEMENTS: how many are made for the memory test (default 50000).
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const runtimes = require('./runtimes');
require('./prepare')();

const module_ = JSON.stringify(runtimes.ours(24));
const run = (major, script, ...flags) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-robust-'));
	const file = path.join(directory, 'a.db');
	const result = spawnSync(runtimes.node(major), [...flags, '-e', `const Database = require(${module_}); const file = ${JSON.stringify(file)}; ${script}`], { encoding: 'utf8', timeout: 120_000 });
	const left = fs.readdirSync(directory);
	fs.rmSync(directory, { recursive: true });
	return { ...result, left };
};

const OPEN = "const db = new Database(file); db.pragma('journal_mode = WAL'); db.function('f', () => 1); db.exec('CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)'); const it = db.prepare('SELECT 1').iterate(); it.next();";
const ways = { 'natural end': ['', 0], 'process.exit()': ['process.exit(3)', 3], 'uncaught error': ['throw new Error("x")', 1], 'unhandled rejection': ['Promise.reject(new Error("x"))', 1] };

for (const major of runtimes.majors) {
	for (const [way, [script, code]] of Object.entries(ways)) {
		test(`Node ${major}: ${way} in a transaction closes the database`, () => {
			const { status, left, stderr } = run(major, OPEN + script);
			assert.strictEqual(status, code, stderr);
			assert.deepStrictEqual(left, ['a.db']);
		});
	}

	test(`Node ${major}: a killed process does leave its log (control)`, () => {
		assert.ok(run(major, `${OPEN} process.kill(process.pid, 'SIGKILL')`).left.includes('a.db-wal'));
	});

	test(`Node ${major}: process.exit() inside a function of SQLite's`, () => {
		assert.strictEqual(run(major, "const db = new Database(file); db.function('f', () => process.exit(7)); db.prepare('SELECT f()').get()").status, 7);
	});

	test(`Node ${major}: worker.terminate() in the middle of calls`, () => {
		const { status, stderr } = run(major, `
			const { Worker } = require('worker_threads');
			const bodies = [
				"db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT f(x) FROM c LIMIT 50000) SELECT sum(x) FROM c').get()",
				"for (const r of db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000) SELECT x FROM c').iterate());",
				"db.transaction(() => db.prepare('SELECT f(1)').all())()",
			];
			(async () => {
				for (let n = 0; n < ${Number(process.env.WORKERS || 50)}; n++) {
					const w = new Worker(\`const Database = require(${module_.replace(/"/g, "'")}); const db = new Database(':memory:'); db.function('f', (x) => x + 1); require('worker_threads').parentPort.postMessage(1); for (;;) { \${bodies[n % bodies.length]} }\`, { eval: true });
					await new Promise((resolve, reject) => { w.once('message', resolve); w.once('error', reject); });
					await new Promise((resolve) => setTimeout(resolve, n % 7));
					await w.terminate();
				}
			})();`);
		assert.strictEqual(status, 0, stderr);
	});

	test(`Node ${major}: garbage collection of everything that is open`, () => {
		const { status, stderr } = run(major, `
			for (let n = 0; n < 200; n++) { const db = new Database(':memory:'); const s = db.prepare('SELECT 1'); db.function('f', () => 1); db.aggregate('g', { step() {} }); s.iterate().next(); if (n % 20 === 0) gc(); }
			gc(); setImmediate(() => { gc(); });`, '--expose-gc');
		assert.strictEqual(status, 0, stderr);
	});

	test(`Node ${major}: memory stays flat over many statements`, () => {
		const { status, stdout, stderr } = run(major, `
			const db = new Database(':memory:');
			const round = () => { for (let n = 0; n < ${Number(process.env.STATEMENTS || 50000) / 5}; n++) db.prepare('SELECT ' + n).get(); };
			(async () => {
				const sizes = [];
				for (let n = 0; n < 5; n++) { round(); gc(); await new Promise((resolve) => setTimeout(resolve, 20)); gc(); sizes.push(process.memoryUsage().rss / 1e6); }
				console.log(sizes[4] - sizes[1]);
			})();`, '--expose-gc');
		assert.strictEqual(status, 0, stderr);
		assert.ok(Number(stdout) < 30, `grew by ${stdout} MB`);
	});
}

test('a RETURNING row whose commit fails is no result', () => {
	// SQLite commits when the statement is reset, after the row was read; better-sqlite3's get() returns that row.
	const Database = require('../lib');
	const db = new Database(':memory:');
	db.exec('CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)');
	const insert = db.prepare('INSERT INTO c VALUES (5) RETURNING p');
	const leave = () => { for (const row of insert.iterate()) { assert.deepStrictEqual(row, { p: 5 }); break; } };
	for (const use of [() => insert.get(), () => insert.all(), () => insert.run(), () => [...insert.iterate()], leave]) {
		assert.throws(use, { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' });
		assert.strictEqual(db.prepare('SELECT count(*) FROM c').pluck().get(), 0);
	}
	db.close();
});

test('Bun loads the module', () => {
	const { status, stdout, stderr } = spawnSync(runtimes.bun, ['-e', `const D = require(${module_}); const db = new D(':memory:'); db.function('f', (a) => a + 1); console.log(JSON.stringify(db.prepare('SELECT f(1) AS a, ? AS b').all('x')))`], { encoding: 'utf8' });
	assert.strictEqual(status, 0, stderr);
	assert.strictEqual(stdout.trim(), '[{"a":2,"b":"x"}]');
});

for (const [name, runtime] of [['Node', process.execPath], ['Bun', runtimes.bun]]) {
	test(`${name}: loaded twice in one thread, with a property that makes every object look like Bun's, it ends as ever`, () => {
		const program = `
			Object.defineProperty(Object.prototype, 'bun', { value: '1', configurable: true });
			for (let n = 0; n < 2; n++) {
				for (const file of Object.keys(require.cache)) if (file.startsWith(${module_})) delete require.cache[file];
				const D = require(${module_});
				new D(':memory:').exec('CREATE TABLE t(a)');
				// What Bun's environments are asked for, several times.
				const native = require(${JSON.stringify(path.join(__dirname, '..', 'lib', 'native.js'))});
				for (let m = 0; m < 2; m++) native.closeWithEnvironment();
			}
			console.log('ended');`;
		const { status, signal, stdout, stderr } = spawnSync(runtime, ['-e', program], { encoding: 'utf8' });
		assert.deepStrictEqual([status, signal, stdout], [0, null, 'ended\n'], stderr);
	});
}
