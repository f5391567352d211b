'use strict';
// A worker that waits for another thread, for a call on a shared connection or for an asynchronous transaction, holds up
// nobody's end: neither its own by terminate(), nor the process's, and what was committed is there afterwards.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');
const runtimes = require('./runtimes');
require('./prepare')();

/** A machine that has much to do takes this long for what needs less than a second; what hangs, for ever. */
const BOUND_MS = 60_000;
const module_ = JSON.stringify(path.join(__dirname, '..'));

/** Runs `main` with `start(body)`, a worker that has come to its `said()`. Both have `litekeel`, `soon(fn)` and an `ENDLESS` query. */
function run(t, major, main) {
	const directory = temporary(t);
	const shared = `const litekeel = require(${module_}); const { Worker, parentPort } = require('node:worker_threads');
		const soon = (fn) => setTimeout(fn, 100);
		const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c';`;
	const program = `${shared}
		const start = (body) => new Promise((resolve, reject) => {
			const worker = new Worker(${JSON.stringify(shared)} + 'const said = () => parentPort.postMessage(0);' + body, { eval: true });
			worker.ended = new Promise((end) => worker.once('exit', end));
			worker.once('message', () => resolve(worker));
			worker.once('error', reject);
		});
		(async () => { ${main} })();`;
	const file = path.join(directory, 'main.js');
	fs.writeFileSync(file, program);
	const { status, signal, stdout, stderr } = spawnSync(runtimes.node(major), [file], { cwd: directory, encoding: 'utf8', timeout: BOUND_MS, killSignal: 'SIGKILL' });
	fs.rmSync(file);
	const left = fs.readdirSync(directory);
	const db = litekeel.open('file:a.db', { baseDir: directory });
	const rows = db.prepare('SELECT a FROM t ORDER BY a').pluck().all();
	const whole = db.pragma('integrity_check', { simple: true });
	db.close();
	return { ended: [status, signal], left, rows, whole, stdout, stderr };
}

const SHARED = "const db = litekeel.open('file:a.db?share=1');";
/** Says that it runs from inside of itself. */
const ENDLESS_CALL = `${SHARED} db.function('tell', () => { said(); return 1; }); db.prepare(ENDLESS.replace('SELECT 1', 'SELECT tell()')).get();`;
/** Opened before the endless call begins, and then told to make its own, which waits for that. */
const WAITING_CALL = `${SHARED} said(); parentPort.once('message', () => { db.prepare('SELECT * FROM t').all(); said(); parentPort.unref(); });`;
/** To open needs the connection too. */
const WAITING_OPEN = `said(); ${SHARED}`;
/** `first` and `second`, workers that are in such calls. One whose end waits for the other's call ends with that. */
const CALLS = `const second = await start(${JSON.stringify(WAITING_CALL)});
		const first = await start(${JSON.stringify(ENDLESS_CALL)});
		const answered = new Promise((resolve) => second.once('message', resolve));
		second.postMessage('go');`;
const FILE = "const db = litekeel.open('file:a.db', { busyTimeout: 600000 });";
const OPEN_TRANSACTION = `${FILE} db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); said(); await new Promise(() => {}); }).catch(() => {}); setInterval(() => {}, 1000);`;
const WAITING_TRANSACTION = `${FILE} said(); db.transactionAsync(async (tx) => tx.exec('INSERT INTO t VALUES (4)')).catch(() => {}); setInterval(() => {}, 1000);`;
const WAITING_WRITE = `${FILE} said(); db.exec('INSERT INTO t VALUES (4)');`;
const TABLE = "db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');";

const CASES = {
	'a shared call that waits is terminated': [`${SHARED} ${TABLE}
		${CALLS}
		soon(async () => { await Promise.all([second.terminate(), first.terminate()]); db.exec('INSERT INTO t VALUES (5)'); db.close(); console.log(db.closeReport.ownersLeft); });`, 0, [1, 5], '0\n'],
	'a shared open that waits is terminated': [`${SHARED} ${TABLE}
		const first = await start(${JSON.stringify(ENDLESS_CALL)});
		const second = await start(${JSON.stringify(WAITING_OPEN)});
		soon(async () => { await Promise.all([second.terminate(), first.terminate()]); db.exec('INSERT INTO t VALUES (5)'); db.close(); console.log(db.closeReport.ownersLeft); });`, 0, [1, 5], '0\n'],
	'the shared call that is waited for is terminated': [`${SHARED} ${TABLE}
		${CALLS}
		soon(async () => { await first.terminate(); await answered; await second.terminate(); db.close(); console.log(db.closeReport.ownersLeft); });`, 0, [1], '0\n'],
	'the process exits while shared calls run and wait': [`${SHARED} ${TABLE}
		${CALLS}
		soon(() => process.exit(5));`, 5, [1], ''],
	'an error ends the process while shared calls run and wait': [`${SHARED} ${TABLE}
		${CALLS}
		soon(() => { throw new Error('on purpose'); });`, 1, [1], ''],
	'an open transactionAsync is terminated': [`${FILE} ${TABLE}
		const first = await start(${JSON.stringify(OPEN_TRANSACTION)});
		soon(async () => { await first.terminate(); db.exec('INSERT INTO t VALUES (5)'); db.close(); });`, 0, [1, 5], ''],
	'the process exits while a transactionAsync is open in a worker': [`${FILE} ${TABLE}
		await start(${JSON.stringify(OPEN_TRANSACTION)});
		soon(() => process.exit(5));`, 5, [1], ''],
	'a transactionAsync that waits for another thread is terminated': [`${FILE} ${TABLE}
		const first = await start(${JSON.stringify(OPEN_TRANSACTION)});
		const second = await start(${JSON.stringify(WAITING_TRANSACTION)});
		soon(async () => { await second.terminate(); await first.terminate(); db.exec('INSERT INTO t VALUES (5)'); });`, 0, [1, 5], ''],
	'a write that waits for a transactionAsync is terminated': [`${FILE} ${TABLE}
		const first = await start(${JSON.stringify(OPEN_TRANSACTION)});
		const second = await start(${JSON.stringify(WAITING_WRITE)});
		soon(async () => { await second.terminate(); await first.terminate(); db.exec('INSERT INTO t VALUES (5)'); });`, 0, [1, 5], ''],
	'the process exits while others wait for its own transactionAsync': [`${FILE} ${TABLE}
		db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); await new Promise(() => {}); }).catch(() => {});
		await start(${JSON.stringify(WAITING_TRANSACTION)});
		await start(${JSON.stringify(WAITING_WRITE)});
		soon(() => process.exit(5));`, 5, [1], ''],
	'an error ends the process while others wait for its own transactionAsync': [`${FILE} ${TABLE}
		db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (3)'); await new Promise(() => {}); }).catch(() => {});
		await start(${JSON.stringify(WAITING_TRANSACTION)});
		await start(${JSON.stringify(WAITING_WRITE)});
		soon(() => { throw new Error('on purpose'); });`, 1, [1], ''],
	'the worker itself exits while its transactionAsync is open': [`${FILE} ${TABLE}
		const first = await start(${JSON.stringify(`${OPEN_TRANSACTION} soon(() => process.exit(7));`)});
		console.log(await first.ended);`, 0, [1], '7\n'],
};

for (const major of runtimes.majors) {
	for (const [name, [main, status, rows, stdout]] of Object.entries(CASES)) {
		test(`${name}, Node ${major}`, (t) => {
			const result = run(t, major, main);
			assert.deepStrictEqual({ ...result, stderr: '' }, { ended: [status, null], left: ['a.db'], rows, whole: 'ok', stdout, stderr: '' }, result.stderr);
		});
	}
}
