'use strict';
// Waiting for the replica beside the event loop, with a daemon of the test's own that speaks Litestream's HTTP.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { once } = require('node:events');
const litekeel = require('../lib');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
require('./prepare')();

const module_ = JSON.stringify(path.join(__dirname, '..'));

/** What Litestream has copied lies beside the database. */
function copied(directory, txid) {
	const level = path.join(directory, '.a.db-litestream/ltx/0');
	const name = txid.toString(16).padStart(16, '0');
	fs.mkdirSync(level, { recursive: true });
	fs.writeFileSync(path.join(level, `${name}-${name}.ltx`), '');
}

/** Answers with what `answer(body)` gives, `[status, object]`; nothing: not at all. */
async function daemon(t, directory, answer) {
	const asked = [];
	const server = http.createServer((request, response) => {
		let text = '';
		request.on('data', (part) => { text += part; });
		request.on('end', async () => {
			asked.push(`${request.url} ${text}`);
			const given = await answer(text && JSON.parse(text), asked.length);
			if (given === undefined) return;
			response.writeHead(given[0]);
			response.end(JSON.stringify(given[1]));
		});
	});
	server.listen(path.join(directory, 's.sock'));
	await once(server, 'listening');
	t.after(() => { server.closeAllConnections(); server.close(); });
	return asked;
}

const open = (directory, options) => litekeel.open('file:a.db', { baseDir: directory, replication: 'litestream', replicationSocket: path.join(directory, 's.sock'), ...options });
const synced = (txid) => [200, { status: 'synced', txid, replicated_txid: txid }];
const fails = (step, text = /committed here, but not confirmed at the replica/) => (error) => {
	assert.deepStrictEqual([error.name, error.code, error.step], ['KeelError', 'KEEL_NOT_REPLICATED', step], error.stack);
	assert.match(error.message, text);
	return true;
};

test('the promise is fulfilled with the position, and the event loop goes on meanwhile', async (t) => {
	const directory = temporary(t);
	copied(directory, 26);
	let answer;
	const asked = await daemon(t, directory, () => new Promise((resolve) => { answer = () => resolve(synced(26)); }));
	const db = open(directory);
	db.exec('CREATE TABLE t(a)');
	const waits = db.replicated({ timeout: 60_000 });
	while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
	// The connection is free, and what is committed now is not waited for.
	db.exec('BEGIN; INSERT INTO t VALUES (1)');
	answer();
	assert.strictEqual(await waits, '000000000000001a');
	db.exec('COMMIT');
	assert.match(asked[0], /^\/sync \{"path":".*a\.db","wait":true,"timeout":60\}$/);
	db.close();
});

test('calls that come while one waits share the next question', async (t) => {
	const directory = temporary(t);
	copied(directory, 99);
	const answers = [];
	const asked = await daemon(t, directory, (_, number) => new Promise((resolve) => answers.push(() => resolve(synced(number)))));
	const db = open(directory, { replicationTimeout: 60_000 });
	const first = db.replicated();
	while (answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
	const others = Array.from({ length: 100 }, (_, at) => db.replicated({ timeout: 50_000 + at }));
	answers[0]();
	assert.strictEqual(await first, '0000000000000001', 'what came later is not told by an earlier question');
	while (answers.length === 1) await new Promise((resolve) => setTimeout(resolve, 1));
	answers[1]();
	assert.deepStrictEqual(new Set(await Promise.all(others)), new Set(['0000000000000002']));
	assert.strictEqual(asked.length, 2);
	db.close();
});

test('each failure has its step, and each call its own time', async (t) => {
	const directory = temporary(t);
	const db = open(directory);
	await assert.rejects(db.replicated(), fails('daemon_gone', /s\.sock/));
	let answer = [500, { error: 'write: no space left on device' }];
	await daemon(t, directory, () => answer);
	await assert.rejects(db.replicated(), fails('replica_refuses', /no space left/));
	answer = [409, { error: 'database is not open' }];
	await assert.rejects(db.replicated(), fails('stopped'));
	answer = synced(3);
	await assert.rejects(db.replicated(), fails('not_this_database'));
	answer = undefined;
	const long = db.replicated({ timeout: 60_000 });
	await assert.rejects(db.replicated({ timeout: 40 }), fails('timeout', /within 40 ms/));
	await assert.rejects(db.replicated({ timeout: 0 }), fails('timeout', /within 0 ms/));
	answer = synced(3);
	copied(directory, 3);
	// Litestream says nothing to the question that is open; the one that follows a call's end is answered.
	await db.replicated({ timeout: 60 }).catch(fails('timeout'));
	assert.strictEqual(await long, '0000000000000003');
	db.close();
});

test('what cannot be waited for is refused at once', async (t) => {
	const directory = temporary(t);
	const db = open(directory);
	db.exec('CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)');
	await assert.rejects(db.replicated(), { code: 'SQLITE_MISUSE', message: /a transaction is open/ });
	db.exec('COMMIT');
	for (const bad of [5, { timeout: -1 }, { timeout: '1' }, { timeout: NaN }, { timeout: 2 ** 31 }, { signal: 1 }, { tiemout: 5 }]) await assert.rejects(db.replicated(bad), TypeError);
	db.close();
	await assert.rejects(db.replicated(), TypeError);
	const memory = litekeel.open(':memory:');
	await assert.rejects(memory.replicated(), { code: 'KEEL_CONFLICT' });
	memory.close();
	const none = litekeel.open('file:b.db', { baseDir: directory, replication: 'none' });
	await assert.rejects(none.replicated(), { code: 'KEEL_CONFLICT' });
	none.close();
	const plain = new litekeel(path.join(directory, 'c.db'));
	await assert.rejects(plain.replicated(), TypeError);
	plain.close();
});

test('close(), an owner of a shared connection that closes, and a signal end the wait', async (t) => {
	const directory = temporary(t);
	await daemon(t, directory, () => undefined);
	const db = open(directory);
	const waits = [db.replicated({ timeout: 600_000 }), db.replicated({ timeout: 600_000 })];
	await new Promise((resolve) => setTimeout(resolve, 30));
	db.close();
	for (const wait of waits) await assert.rejects(wait, fails('cancelled', /closed meanwhile/));

	const [one, two] = [open(directory, { share: true }), open(directory, { share: true })];
	const other = two.replicated({ timeout: 3000 });
	const own = one.replicated({ timeout: 600_000 });
	one.close();
	await assert.rejects(own, fails('cancelled'));
	await assert.rejects(other, fails('timeout', /3000 ms/));
	two.close();

	const third = open(directory);
	const controller = new AbortController();
	const aborted = third.replicated({ timeout: 600_000, signal: controller.signal });
	const reason = new Error('on purpose');
	controller.abort(reason);
	await assert.rejects(aborted, (error) => error === reason);
	await assert.rejects(third.replicated({ signal: controller.signal }), (error) => error === reason);
	third.close();
});

// What has to end while a wait of ten minutes goes on. The test's own bound is half a minute: a busy machine may be slow.
const ENDS = {
	'worker.terminate()': `
		const { Worker } = require('worker_threads');
		const worker = new Worker(WAITS, { eval: true });
		worker.once('message', () => setTimeout(async () => { await worker.terminate(); process.stdout.write('ended'); }, 100));`,
	'process.exit()': `
		const { Worker } = require('worker_threads');
		const worker = new Worker(WAITS, { eval: true });
		worker.once('message', () => setTimeout(() => { process.stdout.write('ended'); process.exit(); }, 100));`,
	'process.exit() beside it': `require('vm').runInThisContext('require => {' + WAITS + '}')(require); setTimeout(() => { process.stdout.write('ended'); process.exit(); }, 100);`,
	'shutdownOn': `require('vm').runInThisContext('require => {' + WAITS + '}')(require); setTimeout(() => { process.stdout.write('ended'); process.kill(process.pid, 'SIGTERM'); }, 100);`,
};
for (const major of runtimes.majors) {
	test(`Node ${major}: a wait holds up neither the end of a worker nor that of the process`, async (t) => {
		for (const [name, body] of Object.entries(ENDS)) {
			const directory = temporary(t);
			await daemon(t, directory, () => undefined);
			const waits = `
				const litekeel = require(${module_});
				const db = litekeel.open('file:' + ${JSON.stringify(path.join(directory, 'a.db'))}, { replication: 'litestream', replicationSocket: ${JSON.stringify(path.join(directory, 's.sock'))} ${name === 'shutdownOn' ? ", shutdownOn: ['SIGTERM']" : ''} });
				db.replicated({ timeout: 600000 }).then(() => console.log('fulfilled'), (error) => console.log(error.step));
				require('worker_threads').parentPort?.postMessage(1);`;
			const { status, signal, stdout, stderr } = await run(t, major, `const WAITS = ${JSON.stringify(waits)};\n${body}`);
			assert.strictEqual(stdout.replace('cancelled\n', ''), 'ended', `${name}: ${stderr}`);
			assert.deepStrictEqual([status, signal], name === 'shutdownOn' ? [null, 'SIGTERM'] : [0, null], `${name}: ${stderr}`);
		}
	});
}

/** The daemon answers on this event loop, so nothing here may block it. */
async function run(t, major, program) {
	const child = spawn(runtimes.node(major), ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
	const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
	let [stdout, stderr] = ['', ''];
	child.stdout.on('data', (text) => { stdout += text; });
	child.stderr.on('data', (text) => { stderr += text; });
	const [status, signal] = await once(child, 'close');
	clearTimeout(timer);
	return { status, signal, stdout, stderr };
}

/** A daemon on a thread of its own, for calls that hold up this one; `count()` of the questions. */
async function besideDaemon(t, directory, txid) {
	const { Worker } = require('node:worker_threads');
	const asked = new Int32Array(new SharedArrayBuffer(4));
	const worker = new Worker(`
		const { workerData: { socket, answer, asked }, parentPort } = require('node:worker_threads');
		require('node:http').createServer((request, response) => {
			request.resume().on('end', () => { Atomics.add(asked, 0, 1); if (answer) response.end(answer); });
		}).listen(socket, () => parentPort.postMessage(1));`, { eval: true, workerData: { socket: path.join(directory, 's.sock'), answer: txid === null ? null : JSON.stringify(synced(txid)[1]), asked } });
	await once(worker, 'message');
	t.after(() => worker.terminate());
	return () => Atomics.load(asked, 0);
}

test('with durability: replicated, every way to commit waits, once', async (t) => {
	const directory = temporary(t);
	copied(directory, 5);
	const count = await besideDaemon(t, directory, 5);
	const db = open(directory, { replication: undefined, durability: 'replicated' });
	assert.deepStrictEqual([db.report.durability, db.report.replication, db.report.synchronous], ['replicated', 'litestream', 'full']);
	const asks = async (times, name, call) => {
		const before = count();
		await call();
		assert.strictEqual(count() - before, times, name);
	};
	await asks(1, 'exec', () => db.exec('CREATE TABLE t(a)'));
	const insert = db.prepare('INSERT INTO t VALUES (?)');
	await asks(1, 'run', () => assert.strictEqual(insert.run(1).changes, 1));
	await asks(1, 'a transaction', () => db.transaction(() => { insert.run(2); insert.run(3); })());
	await asks(1, 'nested ones', () => db.transaction(() => db.transaction(() => insert.run(4))())());
	await asks(0, 'a failed one', () => assert.throws(() => db.transaction(() => { insert.run(5); throw new Error('no'); })(), /no/));
	await asks(0, 'a read', () => db.prepare('SELECT * FROM t').all());
	await asks(1, 'get', () => db.prepare('INSERT INTO t VALUES (6) RETURNING a').get());
	await asks(1, 'all', () => db.prepare('INSERT INTO t VALUES (7) RETURNING a').all());
	await asks(1, 'iterate', () => { for (const row of db.prepare('INSERT INTO t VALUES (8) RETURNING a').iterate()) assert.strictEqual(row.a, 8); });
	await asks(1, 'pragma', () => db.pragma('user_version = 5'));
	await asks(1, 'transactionAsync', () => db.transactionAsync(async (tx) => { tx.exec('INSERT INTO t VALUES (9)'); await tx.transactionAsync((inner) => inner.exec('INSERT INTO t VALUES (10)')); }));
	await asks(0, 'a failed transactionAsync', () => assert.rejects(db.transactionAsync((tx) => { tx.exec('INSERT INTO t VALUES (11)'); throw new Error('no'); }), /no/));
	await asks(0, 'readAsync', () => db.readAsync('SELECT * FROM t'));
	await asks(0, 'close', () => db.close());
});

test('a durable commit that is not confirmed stands, and throws', async (t) => {
	const directory = temporary(t);
	const db = open(directory, { durability: 'replicated' });
	assert.throws(() => db.exec('CREATE TABLE t(a)'), fails('daemon_gone'));
	assert.throws(() => db.prepare('INSERT INTO t VALUES (1)').run(), fails('daemon_gone'));
	assert.throws(() => db.transaction(() => db.prepare('SELECT 1').all() && db.exec('INSERT INTO t VALUES (2)'))(), fails('daemon_gone'));
	await assert.rejects(db.transactionAsync((tx) => tx.exec('INSERT INTO t VALUES (3)')), fails('daemon_gone'));
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), [1, 2, 3]);
	assert.strictEqual(db.inTransaction, false);
	db.close();
});

for (const major of runtimes.majors) {
	test(`Node ${major}: a durable commit that waits lets its worker end`, async (t) => {
		const directory = temporary(t);
		await daemon(t, directory, () => undefined);
		const body = `
			const db = require(${module_}).open('file:' + ${JSON.stringify(path.join(directory, 'a.db'))}, { durability: 'replicated', replicationTimeout: 600000, replicationSocket: ${JSON.stringify(path.join(directory, 's.sock'))} });
			require('worker_threads').parentPort.postMessage(1);
			db.exec('CREATE TABLE t(a)');`;
		const { status, signal, stdout, stderr } = await run(t, major, `
			const { Worker } = require('worker_threads');
			const worker = new Worker(${JSON.stringify(body)}, { eval: true });
			worker.once('message', () => setTimeout(async () => { await worker.terminate(); process.stdout.write('ended'); }, 100));`);
		assert.deepStrictEqual([status, signal, stdout], [0, null, 'ended'], stderr);
	});
}
