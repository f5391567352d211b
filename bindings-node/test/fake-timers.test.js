'use strict';
// A runner of tests may have put its own timers and clocks in the place of the real ones before the module is loaded:
// those stand still, and nothing here may wait for them.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
require('./prepare')();

const fakes = JSON.stringify(path.join(__dirname, 'node_modules', '@sinonjs', 'fake-timers'));
const ours = JSON.stringify(path.join(__dirname, '..'));
const PROGRAM = (install) => `
	const { Worker } = require('worker_threads');
	const real = { setTimeout };
	${install}
	const litekeel = require(${ours});
	(async () => {
		const db = litekeel.open('file:a.db', { busyTimeout: 20000 }).exec('CREATE TABLE t(a)');
		const worker = new Worker(${JSON.stringify(`const db = require(${ours}).open('file:a.db'); db.exec('BEGIN IMMEDIATE'); require('worker_threads').parentPort.postMessage(1); setTimeout(() => { db.exec('COMMIT'); db.close(); }, 100)`)}, { eval: true });
		await new Promise((resolve) => { worker.once('message', resolve); });
		await Promise.all([1, 2].map((value) => db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (' + value + ')'); })));
		await db.backup('copy.db', { progress: () => 1 });
		const stuck = litekeel.open('file:a.db', { busyTimeout: 50 });
		let end;
		const long = db.transactionAsync(() => new Promise((resolve) => { end = resolve; }));
		await new Promise((resolve) => { new (require('worker_threads').MessageChannel)().port1.on('message', resolve).unref(); real.setTimeout.call(globalThis, resolve, 0); Promise.resolve().then(resolve); });
		const error = await stuck.transactionAsync(async () => {}).then(() => null, (error) => error);
		end();
		await long;
		stuck.close();
		console.log(error.code, error.waitedMs >= 50, db.prepare('SELECT count(*) FROM t').pluck().get());
		db.close();
	})();`;

const INSTALL = `const fake = require(${fakes}).install({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'Date', 'hrtime', 'performance'] });`;
for (const major of runtimes.majors) {
	test(`Node ${major}: with the timers faked before it is loaded`, (t) => {
		const { status, signal, stdout, stderr } = spawnSync(runtimes.node(major), ['-e', PROGRAM(INSTALL)], { cwd: temporary(t), encoding: 'utf8', timeout: 60_000 });
		assert.deepStrictEqual([status, signal, stdout], [0, null, 'SQLITE_BUSY true 2\n'], stderr);
	});
}

test('the control: those timers do stand still', (t) => {
	const { stdout } = spawnSync(runtimes.node(24), ['-e', `${INSTALL} require('timers').setTimeout(() => console.log('timer'), 1); setImmediate(() => console.log('immediate')); process.on('exit', () => console.log('end'));`], { cwd: temporary(t), encoding: 'utf8', timeout: 60_000 });
	assert.strictEqual(stdout, 'end\n');
});

test('what waits keeps the process alive, and nothing does afterwards', (t) => {
	const program = `const db = require(${ours}).open('file:a.db').exec('CREATE TABLE t(a)'); const { Worker } = require('worker_threads'); db.exec('BEGIN IMMEDIATE'); const other = require(${ours}).open('file:a.db', { busyTimeout: 20000 });
		other.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (1)'); }).then(() => console.log('done'), (error) => console.log(error.message)); setTimeout(() => db.exec('COMMIT'), 50).unref();`;
	const began = performance.now();
	const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: temporary(t), encoding: 'utf8', timeout: 60_000 });
	assert.deepStrictEqual([status, stdout], [0, 'done\n'], stderr);
	assert.ok(performance.now() - began < 30_000);
});
