'use strict';
// A running statement does not hold up the end of its thread, and a limit of time ends it.
// TERMINATIONS: how many workers are stopped in the middle of calls (default 50).
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
require('./prepare')();

const ours = path.join(__dirname, '..');
const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c';
/** Milliseconds that `worker.terminate()` takes while `body` runs, for each of `bodies`, after `before` on the main thread. */
const measure = (t, major, module_, bodies, before = '') => {
	const program = `
		const { Worker } = require('worker_threads');
		const Database = require(${JSON.stringify(module_)});
		const path = process.cwd() + '/a.db';
		${before}
		(async () => {
			const took = [];
			for (const body of ${JSON.stringify(bodies)}) {
				const worker = new Worker('const MODULE = ' + JSON.stringify(${JSON.stringify(module_)}) + '; const Database = require(MODULE); const path = ' + JSON.stringify(process.cwd() + '/a.db') + '; const ENDLESS = ' + JSON.stringify(${JSON.stringify(ENDLESS)}) + '; const started = () => require("worker_threads").parentPort.postMessage(1);' + body, { eval: true });
				let ended = false;
				worker.once('exit', () => { ended = true; });
				await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
				await new Promise((resolve) => setTimeout(resolve, 50));
				if (ended) throw new Error('it ends by itself: ' + body);
				const began = performance.now();
				await worker.terminate();
				took.push(performance.now() - began);
			}
			console.log(JSON.stringify(took));
		})();`;
	const { status, stdout, stderr, signal } = spawnSync(runtimes.node(major), ['-e', program], { cwd: temporary(t), encoding: 'utf8', timeout: 120_000 });
	assert.deepStrictEqual([status, signal], [0, null], stderr);
	return JSON.parse(stdout);
};

const BODIES = {
	get: "const db = new Database(':memory:'); const s = db.prepare(ENDLESS); started(); s.get();",
	all: "const db = new Database(':memory:'); const s = db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0'); started(); s.all();",
	iterate: "const db = new Database(':memory:'); const s = db.prepare(ENDLESS); started(); for (const row of s.iterate());",
	exec: "const db = new Database(':memory:'); started(); db.exec(ENDLESS);",
	'write in a transaction': "const db = new Database(path); db.pragma('journal_mode = WAL'); db.exec('CREATE TABLE IF NOT EXISTS t(a); BEGIN IMMEDIATE'); started(); db.exec('INSERT INTO t ' + ENDLESS);",
	'a function': "const db = new Database(':memory:'); db.function('f', (x) => x); started(); db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT f(x) FROM c) SELECT sum(x) FROM c').get();",
	'tuned': "const db = Database.open('file:' + path); const s = db.prepare(ENDLESS); started(); s.get();",
};

for (const major of runtimes.majors) {
	test(`Node ${major}: worker.terminate() ends a running statement`, (t) => {
		const names = Object.keys(BODIES);
		const took = measure(t, major, ours, Object.values(BODIES));
		t.diagnostic(names.map((name, at) => `${name} ${took[at].toFixed(1)} ms`).join(', '));
		names.forEach((name, at) => assert.ok(took[at] < 10_000, `${name}: ${took[at]} ms`));
	});

	test(`Node ${major}: workers stopped in the middle of calls leave the process whole`, (t) => {
		const program = `
			const { Worker } = require('worker_threads');
			const bodies = ${JSON.stringify([
		"db.prepare(ENDLESS).get()", "db.prepare('INSERT INTO t VALUES (1)').run(); db.prepare('SELECT * FROM t LIMIT 100').all()", "db.transaction(() => { db.exec('INSERT INTO t VALUES (2)'); f.get(); })()",
		'for (const row of db.prepare("SELECT f(x) FROM v LIMIT 3000").iterate());', "db.readAsync(ENDLESS).catch(() => {}); s.get()", "db.onUpdate(() => {}); db.exec('INSERT INTO t VALUES (3)'); db.session().changeset()",
		"require(module_).open(url).close()", "new (require(module_))(':memory:').prepare('SELECT 1').all()", "db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (4)'); await null; }).catch(() => {}); db.checkpoint()",
	])};
			(async () => {
				for (let n = 0; n < ${Number(process.env.TERMINATIONS) || 50}; n++) {
					const worker = new Worker('const module_ = ' + JSON.stringify(${JSON.stringify(ours)}) + '; const ENDLESS = ' + JSON.stringify(${JSON.stringify(ENDLESS)}) + '; const url = "file:' + process.cwd() + '/a.db"; const db = require(module_).open(url, { busyTimeout: 10000 }); db.exec("CREATE TABLE IF NOT EXISTS t(a)"); db.function("f", (x) => x); db.table("v", { columns: ["x"], rows: function* () { for (let n = 0; ; n++) yield [n]; } }); const f = db.prepare("SELECT f(1)"), s = db.prepare("SELECT 1"); require("worker_threads").parentPort.postMessage(1); (async () => { for (let n = 0; ; n++) { try { ' + bodies[n % bodies.length] + ' } catch (error) { if (!/BUSY|READONLY|IN_TRANSACTION/.test(error.code)) throw error; } if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve)); } })();', { eval: true });
					await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
					await new Promise((resolve) => setTimeout(resolve, n % 13));
					await worker.terminate();
				}
				const litekeel = require(${JSON.stringify(ours)});
				const db = litekeel.open('file:' + process.cwd() + '/a.db');
				console.log(db.pragma('integrity_check', { simple: true }), litekeel.openHandles().length);
				db.close();
			})();`;
		const { status, stdout, stderr, signal } = spawnSync(runtimes.node(major), ['-e', program], { cwd: temporary(t), encoding: 'utf8', timeout: 240_000 });
		assert.deepStrictEqual([status, signal], [0, null], stderr.slice(-2000));
		assert.strictEqual(stdout, 'ok 1\n');
	});
}

/** All wait for a lock that the main thread has. */
const WAITS = {
	'a write': "const db = new Database(path, { timeout: 600000 }); started(); db.exec('INSERT INTO t VALUES (1)');",
	'a statement': "const db = new Database(path, { timeout: 600000 }); const s = db.prepare('INSERT INTO t VALUES (1)'); started(); s.run();",
	'a write, told by pragma': "const db = new Database(path); db.pragma('busy_timeout = 600000'); started(); db.exec('INSERT INTO t VALUES (1)');",
	'an attached database': "const db = new Database(':memory:', { timeout: 600000 }); db.prepare('ATTACH ? AS a').run(path); started(); db.exec('INSERT INTO a.t VALUES (1)');",
	'one of several': "const others = [1, 2, 3].map(() => new Database(path)); const db = new Database(path, { timeout: 600000 }); others[0].close(); started(); db.exec('INSERT INTO t VALUES (1)');",
	'tuned': "const db = Database.open('file:' + path, { busyTimeout: 600000 }); started(); db.exec('INSERT INTO t VALUES (1)');",
	'tuned, a transaction': "const db = Database.open('file:' + path, { busyTimeout: 600000 }); const f = db.transaction(() => {}); started(); f();",
	'tuned, behind another': "const { Worker } = require('worker_threads'); const db = Database.open('file:' + path, { busyTimeout: 600000 }); new Worker('const Database = require(' + JSON.stringify(MODULE) + '); require(\"worker_threads\").parentPort.postMessage(1); Database.open(' + JSON.stringify('file:' + path) + ', { busyTimeout: 600000 }).exec(\"INSERT INTO t VALUES (1)\")', { eval: true }).once('message', () => setTimeout(() => { started(); db.exec('INSERT INTO t VALUES (1)'); }, 100));",
	'tuned, opening': "started(); Database.open('file:' + path + '.rollback', { busyTimeout: 600000 });",
	'a read': "const db = new Database(path + '.exclusive', { timeout: 600000 }); started(); db.prepare('SELECT * FROM t').all();",
};
const LOCKED = `
		const holders = ['', '.rollback', '.exclusive'].map((end) => new Database(path + end));
		holders[0].exec('PRAGMA journal_mode = WAL');
		holders.forEach((db) => db.exec('CREATE TABLE t(a)'));
		holders.forEach((db, at) => db.exec('BEGIN ' + (at === 2 ? 'EXCLUSIVE' : 'IMMEDIATE')));`;

for (const major of runtimes.majors) {
	test(`Node ${major}: worker.terminate() ends a wait for a lock`, (t) => {
		const names = Object.keys(WAITS);
		const took = measure(t, major, ours, Object.values(WAITS), LOCKED);
		t.diagnostic(names.map((name, at) => `${name} ${took[at].toFixed(1)} ms`).join(', '));
		names.forEach((name, at) => assert.ok(took[at] < 30_000, `${name}: ${took[at]} ms`));
	});
}

test('control: without it, better-sqlite3 ends only with its wait', (t) => {
	const [took] = measure(t, 24, runtimes.real(24), ["const db = new Database(path, { timeout: 6000 }); started(); db.exec('INSERT INTO t VALUES (1)');"], LOCKED);
	assert.ok(took > 400, `${took} ms`);
});

test('control: without it, better-sqlite3 ends only with its statement', (t) => {
	const [took] = measure(t, 24, runtimes.real(24), ["const db = new Database(':memory:'); const s = db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 20000000) SELECT sum(x) FROM c'); started(); s.get();"]);
	assert.ok(took > 400, `${took} ms`);
});
