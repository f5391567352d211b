'use strict';
// Every way out of the process and of a worker closes: the -wal is gone, what was committed is there, nothing is half.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
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
const run = (t, major, script) => runIn(t, runtimes.node(major), script);

function runIn(t, command, script) {
	const directory = temporary(t);
	const file = path.join(directory, 'main.js');
	fs.writeFileSync(file, `const litekeel = require(${module_});\n${script}`);
	const result = spawnSync(command, [file], { cwd: directory, encoding: 'utf8', timeout: 60_000 });
	return { ...result, directory };
}

/** Runs a program until it prints `ready`, sends it the signals, and waits for its end. */
function signalled(t, major, script, ...signals) {
	return startled(t, [runtimes.node(major)], `${script}\nready(); setInterval(() => {}, 1000);`, ...signals);
}

/** As `signalled`, for a program that calls `ready()` by itself. */
async function startled(t, [command, ...words], script, ...signals) {
	const directory = temporary(t);
	const file = path.join(directory, 'main.js');
	fs.writeFileSync(file, `const litekeel = require(${module_});\nconst ready = () => require('fs').writeSync(1, 'ready');\n${script}`);
	const child = spawn(command, [...words, file], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	child.stderr.on('data', (text) => { said += text; });
	await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(([status]) => { throw new Error(`it ended with ${status}: ${said}`); })]);
	const end = once(child, 'exit');
	// `unshare` waits for the program, which is its child.
	const target = command !== 'unshare' ? child.pid : Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
	for (const signal of signals) process.kill(target, signal);
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

	for (const [what, busy] of [
		['a loop in JavaScript', 'for (;;);'],
		['a long query', 'try { db.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"); } catch {} for (;;);'],
		['a long statement that writes', 'try { db.exec("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"); } catch {} for (;;);'],
	]) {
		test(`a signal ends ${what} and closes, Node ${major}`, async (t) => {
			const result = await startled(t, [runtimes.node(major)], `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] });
				db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)'); ready(); ${busy}`, 'SIGTERM');
			assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
			closed(result.directory, result.said);
		});
	}

	for (const [whose, waits] of [['a tuned connection', 'db'], ['an untuned one', 'plain']]) {
		test(`a signal ends the wait of ${whose} for another process's lock, Node ${major}`, async (t) => {
			const holder = `const db = new (require(${module_}))('a.db'); db.exec('BEGIN IMMEDIATE'); console.log('held'); process.stdin.on('end', () => process.exit()).resume();`;
			const result = await startled(t, [runtimes.node(major)], `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'], busyTimeout: 600000 });
				db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
				const plain = new litekeel('a.db', { timeout: 600000 });
				const holder = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(holder)}], { stdio: ['pipe', 'pipe', 'inherit'] });
				holder.stdout.once('data', () => { ready(); ${waits}.exec('INSERT INTO t VALUES (2)'); });`, 'SIGTERM');
			assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
			assert.match(result.said, waits === 'db' ? /^$|SQLITE_INTERRUPT|KEEL_SHUTTING_DOWN/ : /^$/);
		});
	}

	test(`a worker's connection is closed by a signal too, Node ${major}`, async (t) => {
		const worker = `const db = require(${module_}).open('file:a.db'); ${FLIGHT} require('worker_threads').parentPort.postMessage(0); setInterval(() => {}, 1000)`;
		const result = await startled(t, [runtimes.node(major)], `litekeel.open(':memory:', { shutdownOn: ['SIGTERM'] });
			new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true }).on('message', ready);`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
		closed(result.directory, result.said);
	});

	test(`when the application's last listener is gone, the signal closes, Node ${major}`, async (t) => {
		const result = await signalled(t, major, `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] }); ${FLIGHT}
			const ours = () => {}; process.on('SIGTERM', ours); process.off('SIGTERM', ours);
			process.once('SIGTERM', ours).emit('SIGTERM');`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
		closed(result.directory, result.said);
	});

	test(`the first process of a container is closed and ended by a signal, Node ${major}`, async (t) => {
		if (spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status !== 0) return t.skip('no PID namespace can be made here');
		const result = await startled(t, ['unshare', '-pf', '--mount-proc', runtimes.node(major)], `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] });
			${FLIGHT} ready(); setInterval(() => {}, 1000);`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [143, null], result.said);
		closed(result.directory, result.said);
	});

	test(`whatever JavaScript is doing meanwhile, a signal closes and nothing crashes, Node ${major}`, async (t) => {
		// As the first process it lives on for half a second after everything is closed, and uses what is gone.
		const first = spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status === 0;
		for (let round = 0; round < 10; round++) {
			const inside = first && round % 2 === 1;
			const result = await startled(t, [...(inside ? ['unshare', '-pf', '--mount-proc'] : []), runtimes.node(major), '--expose-gc'], `
				const left = {};
				const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] });
				db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
				db.function('same', (x) => x);
				const calls = [
					() => db.inTransaction, () => db.interrupt(), () => db.pragma('page_count'),
					() => db.prepare('SELECT ' + Math.random() + ' + same(a) FROM t').all(),
					() => { for (const row of db.prepare('SELECT a FROM t UNION ALL SELECT 2').iterate()) if (row) break; },
					() => { const session = db.session(); session.changeset(); if (Math.random() < 0.5) session.close(); },
					() => db.transaction(() => db.inTransaction)(), () => db.function('f' + Math.floor(Math.random() * 9), (x) => x),
					() => new Array(1e5).fill({}), () => db.unsafeMode(false), () => db.holders(), () => db.serialize(),
				];
				left.rows = db.prepare('SELECT a FROM t UNION ALL SELECT 2'); left.rows.all();
				left.session = db.session();
				ready();
				for (let at = ${round}, refused = 0;; at++) try {
					if (refused === 20) { left.rows = left.session = null; gc(); }
					if (refused === 40) db.close();
					calls[at % calls.length]();
				} catch (error) {
					if (error.code === 'KEEL_SHUTTING_DOWN') refused += 1;
					else if (error.code !== 'SQLITE_INTERRUPT' && !/not open/.test(error.message)) { console.error(error); process.exit(9); }
				}`, 'SIGTERM');
			assert.deepStrictEqual([result.status, result.signal], inside ? [143, null] : [null, 'SIGTERM'], result.said);
			closed(result.directory, result.said);
		}
	});

	test(`in a worker the option is refused, Node ${major}`, (t) => {
		const worker = `require('assert').throws(() => require(${module_}).open('file:b.db', { shutdownOn: ['SIGTERM'] }), { code: 'KEEL_MAIN_THREAD_ONLY' })`;
		const result = run(t, major, `new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })`);
		assert.strictEqual(result.status, 0, result.stderr);
	});
}

test('what a signal does is as before when the last connection is closed, and wrong signals are refused', (t) => {
	const baseDir = temporary(t);
	// One that no runner of tests catches: Node's own has SIGUSR2 from 24.19 on.
	const open = () => litekeel.open('file:a.db', { baseDir, shutdownOn: ['SIGQUIT', 'SIGQUIT'] });
	const caught = () => {
		const mask = BigInt('0x' + /SigCgt:\t(\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
		return (mask >> BigInt(os.constants.signals.SIGQUIT - 1) & 1n) === 1n;
	};
	assert.strictEqual(caught(), false);
	const [first, second] = [open(), open()];
	assert.strictEqual(caught(), true);
	first.close();
	assert.strictEqual(caught(), true);
	second.close();
	assert.strictEqual(caught(), false);
	assert.strictEqual(process.listenerCount('SIGQUIT'), 0);
	const refused = (shutdownOn, expected) => assert.throws(() => litekeel.open('file:b.db', { baseDir, shutdownOn }), expected);
	refused(['SIGKILL'], { code: 'KEEL_ARGUMENT', hint: /SIGTERM/ });
	refused(['nonsense'], { code: 'KEEL_ARGUMENT' });
	refused('SIGTERM', TypeError);
	refused([15], TypeError);
	assert.ok(!fs.existsSync(path.join(baseDir, 'b.db')));
});

/** A committed row and statements that nobody ends; in Bun, which runs no exit handler of C's but those of quick_exit. */
const LEFT = `db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
	const rows = db.prepare('SELECT 1 UNION ALL SELECT 2').iterate(); rows.next(); globalThis.kept = [db, rows];`;

for (const [way, ending, status, query = ''] of [
	['the natural end', '', 0],
	['process.exit()', 'process.exit(3)', 3],
	['an uncaught error', 'throw new Error("on purpose")', 1],
	['a leak under profile=test', '', 1, '?profile=test'],
	['a leak under profile=test and process.exit()', 'process.exit(0)', 1, '?profile=test'],
]) {
	test(`Bun: ${way} closes`, (t) => {
		const result = runIn(t, runtimes.bun, `const db = litekeel.open('file:a.db${query}'); ${LEFT} ${ending}`);
		assert.strictEqual(result.status, status, result.stderr);
		closed(result.directory, result.stderr);
	});
}

test('Bun: an untuned connection is closed at the natural end and at process.exit()', (t) => {
	for (const ending of ['', 'process.exit(0)']) {
		const result = runIn(t, runtimes.bun, `const db = new litekeel('a.db'); db.pragma('journal_mode = WAL'); ${LEFT} ${ending}`);
		assert.strictEqual(result.status, 0, result.stderr);
		closed(result.directory, result.stderr);
	}
});

for (const [way, inside, outside] of [
	['ends', '', ''],
	['throws', 'throw new Error("on purpose")', ''],
	['exits', 'process.exit(2)', ''],
	['is terminated', 'require("worker_threads").parentPort.postMessage(0); setInterval(() => {}, 1000)', 'worker.terminate()'],
	['lives when the process exits', 'require("worker_threads").parentPort.postMessage(0); setInterval(() => {}, 1000)', 'process.exit(0)'],
]) {
	test(`Bun: a worker that ${way} closes`, (t) => {
		const worker = `const litekeel = require(${module_}); const db = litekeel.open('file:a.db'); ${LEFT} ${inside}`;
		const result = runIn(t, runtimes.bun, `const { Worker } = require('node:worker_threads');
			const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
			worker.on('error', () => {});
			worker.on('message', () => { ${outside} });`);
		assert.strictEqual(result.status, 0, result.stderr);
		closed(result.directory, result.stderr);
	});
}

test('Bun: a worker whose error ends the process is closed before that', (t) => {
	const worker = `const litekeel = require(${module_}); const db = litekeel.open('file:a.db'); ${LEFT} throw new Error('on purpose');`;
	for (let round = 0; round < 10; round++) {
		const result = runIn(t, runtimes.bun, `new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true });`);
		assert.strictEqual(result.status, 1, result.stderr);
		closed(result.directory, result.stderr);
	}
});

test('Bun: a signal closes, in a loop too, and ends the process as ever', async (t) => {
	for (const busy of ['setInterval(() => {}, 1000)', 'for (;;);']) {
		const result = await startled(t, [runtimes.bun], `const db = litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] }); ${LEFT} ready(); ${busy}`, 'SIGTERM');
		assert.deepStrictEqual([result.status, result.signal], [null, 'SIGTERM'], result.said);
		closed(result.directory, result.said);
	}
});
