'use strict';
// Every way out of the process and of a worker closes: the -wal is gone, what was committed is there, nothing is half.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const litekeel = require('../lib');
const temporary = require('./temporary');
const runtimes = require('./runtimes');
require('./prepare')();

const module_ = JSON.stringify(path.join(__dirname, '..'));
/** A committed row, and a transaction and an iterator in flight. */
const FLIGHT = `db.exec('CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)');
	const rows = db.prepare('SELECT 1 UNION ALL SELECT 2').iterate(); rows.next(); globalThis.kept = [db, rows];`;

function closed(directory, said) {
	assert.ok(!fs.existsSync(path.join(directory, 'a.db-wal')), `the -wal is left: ${said}`);
	const db = litekeel.open('file:a.db', { baseDir: directory });
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), [1], said);
	assert.strictEqual(db.pragma('integrity_check', { simple: true }), 'ok');
	db.close();
}

/** Runs a program to its own end. */
function run(t, major, script) {
	const directory = temporary(t);
	const file = path.join(directory, 'main.js');
	fs.writeFileSync(file, `const litekeel = require(${module_});\n${script}`);
	const result = spawnSync(runtimes.node(major), [file], { cwd: directory, encoding: 'utf8', timeout: 60_000 });
	return { ...result, directory };
}

/** Runs a program until it prints `ready`, sends it the signals, and waits for its end. */
async function signalled(t, major, script, ...signals) {
	const directory = temporary(t);
	const file = path.join(directory, 'main.js');
	fs.writeFileSync(file, `const litekeel = require(${module_});\n${script}\nconsole.log('ready'); setInterval(() => {}, 1000);`);
	const child = spawn(runtimes.node(major), [file], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	child.stderr.on('data', (text) => { said += text; });
	await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(([status]) => { throw new Error(`it ended with ${status}: ${said}`); })]);
	const end = once(child, 'exit');
	for (const signal of signals) child.kill(signal);
	const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
	const [status, by] = await end;
	clearTimeout(timer);
	return { status, signal: by, said, directory };
}

for (const major of runtimes.majors) {
	for (const [way, ending, status] of [
		['the natural end', '', 0],
		['process.exit()', 'process.exit(3)', 3],
		['an uncaught error', 'throw new Error("on purpose")', 1],
		['an unhandled rejection', 'Promise.reject(new Error("on purpose"))', 1],
	]) {
		test(`${way} closes, Node ${major}`, (t) => {
			const result = run(t, major, `const db = litekeel.open('file:a.db'); ${FLIGHT} ${ending}`);
			assert.strictEqual(result.status, status, result.stderr);
			closed(result.directory, result.stderr);
		});
	}

	for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
		test(`${signal} closes and ends the process as ever, Node ${major}`, { skip: process.platform === 'win32' }, async (t) => {
			const result = await signalled(t, major, `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM', 'SIGINT', 'SIGHUP'] }); ${FLIGHT}`, signal);
			assert.deepStrictEqual([result.status, result.signal], [null, signal], result.said);
			closed(result.directory, result.said);
		});
	}

	test(`several connections, an asynchronous transaction and readers are closed too, Node ${major}`, async (t) => {
		const result = await signalled(t, major, `
			const dbs = [1, 2, 3].map(() => litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] }));
			dbs[0].exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
			dbs[1].transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (2)'); await new Promise(() => {}); }).catch(() => {});
			dbs[2].readAsync('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n').catch(() => {});`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
		closed(result.directory, result.said);
	});

	test(`the application's own listener decides, and closing happens on its way out, Node ${major}`, async (t) => {
		const result = await signalled(t, major, `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] });
			db.exec('CREATE TABLE t(a)');
			process.on('SIGTERM', () => setTimeout(() => { db.exec('INSERT INTO t VALUES (1)'); process.exit(5); }, 50));`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [5, null], result.said);
		closed(result.directory, result.said);
	});

	test(`without the option a signal leaves the -wal, Node ${major}`, async (t) => {
		const result = await signalled(t, major, `const db = litekeel.open('file:a.db'); ${FLIGHT}`, 'SIGTERM');
		assert.strictEqual(result.signal, 'SIGTERM');
		assert.ok(fs.existsSync(path.join(result.directory, 'a.db-wal')));
	});

	for (const [way, inside, outside] of [
		['ends', '', ''],
		['throws', 'throw new Error("on purpose")', ''],
		['exits', 'process.exit(2)', ''],
		['is terminated', 'require("worker_threads").parentPort.postMessage(0); setInterval(() => {}, 1000)', 'worker.terminate()'],
		['is terminated in the middle of a statement', 'require("worker_threads").parentPort.postMessage(0); db.function("spin", () => 1); rows.return(); db.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + spin() FROM n) SELECT max(i) FROM n")', 'setTimeout(() => worker.terminate(), 100)'],
		['lives when the process exits', 'require("worker_threads").parentPort.postMessage(0); setInterval(() => {}, 1000)', 'process.exit(0)'],
	]) {
		test(`a worker that ${way} closes, Node ${major}`, (t) => {
			const worker = `const litekeel = require(${module_}); const db = litekeel.open('file:a.db'); ${FLIGHT} ${inside}`;
			const result = run(t, major, `const { Worker } = require('node:worker_threads');
				const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
				worker.on('error', () => {});
				worker.on('message', () => { ${outside} });`);
			assert.strictEqual(result.status, 0, result.stderr);
			closed(result.directory, result.stderr);
		});
	}

	test(`in a worker the option is refused, Node ${major}`, (t) => {
		const worker = `require('assert').throws(() => require(${module_}).open('file:b.db', { shutdownOn: ['SIGTERM'] }), { code: 'KEEL_MAIN_THREAD_ONLY' })`;
		const result = run(t, major, `new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })`);
		assert.strictEqual(result.status, 0, result.stderr);
	});
}

test('the listener goes with the last connection, and wrong signals are refused', (t) => {
	const baseDir = temporary(t);
	const open = () => litekeel.open('file:a.db', { baseDir, shutdownOn: ['SIGUSR2', 'SIGUSR2'] });
	const [first, second] = [open(), open()];
	assert.strictEqual(process.listenerCount('SIGUSR2'), 1);
	first.close();
	assert.strictEqual(process.listenerCount('SIGUSR2'), 1);
	second.close();
	assert.strictEqual(process.listenerCount('SIGUSR2'), 0);
	const refused = (shutdownOn, expected) => assert.throws(() => litekeel.open('file:b.db', { baseDir, shutdownOn }), expected);
	refused(['SIGKILL'], { code: 'KEEL_ARGUMENT', hint: /SIGTERM/ });
	refused(['nonsense'], { code: 'KEEL_ARGUMENT' });
	refused('SIGTERM', TypeError);
	refused([15], TypeError);
	assert.ok(!fs.existsSync(path.join(baseDir, 'b.db')));
});
