'use strict';
// The Database of a libSQL server where none answers: what it refuses, and how long it waits. The real server is beside
// test/scale/remote.test.js.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const Database = require('../lib');
const library = require('./library');
const { scripted, described, begun, cursor, cursorEnd, all } = require('./scripted-server');
const temporary = require('./temporary');

const LIB = path.join(__dirname, '..', 'lib');

/** A port that takes connections and never answers. */
async function hole(t) {
	const sockets = new Set();
	const listener = net.createServer((socket) => { sockets.add(socket); socket.on('error', () => {}); }).listen(0, '127.0.0.1');
	await once(listener, 'listening');
	t.after(() => { for (const socket of sockets) socket.destroy(); listener.close(); });
	return `127.0.0.1:${listener.address().port}`;
}

test('opening sends nothing, and takes what the URL or the options say', () => {
	const db = Database.open('libsql://db.example.org?authToken=s3cret', { statementTimeout: '2s', mode: 'ro' });
	assert.ok(db instanceof Database && db.open && db.readonly && !db.memory && !db.inTransaction);
	assert.strictEqual(db.name, 'https://db.example.org');
	assert.ok(!JSON.stringify([db, db.report]).includes('s3cret'));
	db.close().close();
	assert.strictEqual(db.open, false);
	for (const use of [() => db.prepare('SELECT 1'), () => db.exec(''), () => db.batch([]), () => db.transaction(() => {})()]) assert.throws(use, { name: 'TypeError', message: 'The database connection is not open' });
	for (const [url, options, code] of [
		['libsql://db.example.org', { busyTimeout: 5 }, 'KEEL_CONFLICT'],
		['libsql://db.example.org?journal_mode=wal', {}, 'KEEL_CONFLICT'],
		['libsql://db.example.org', { nonsense: 1 }, 'KEEL_UNKNOWN_PARAM'],
		['libsql://db.example.org', { statementTimeout: '1min' }, 'KEEL_INVALID_VALUE'],
		['libsql://db.example.org', { mode: 'memory' }, 'KEEL_INVALID_VALUE'],
		['libsql://db.example.org', { extensions: ['x'] }, 'KEEL_REMOTE_UNSUPPORTED'],
		['libsql://user@db.example.org', {}, 'KEEL_INVALID_AUTHORITY'],
		['https://db.example.org/path', {}, 'KEEL_INVALID_AUTHORITY'],
	]) assert.throws(() => Database.open(url, options), { code }, `${url} ${JSON.stringify(options)}`);
});

test('DATABASE_URL may name a server', (t) => {
	const script = `const { open } = require(${JSON.stringify(LIB)}); console.log(open().name); open(null, { env: 'ignore', inspect: true });`;
	const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library, DATABASE_URL: 'libsql://db.example.org' }, cwd: temporary(t) });
	assert.match(stderr, /data.sqlite\.db/, 'without the environment it is a file, which is not there');
	assert.strictEqual(stdout, 'https://db.example.org\n');
});

test('what a server does not have says so, and what to do', () => {
	const db = Database.open('libsql://db.example.org');
	const has = ['prepare', 'exec', 'transaction', 'close', 'defaultSafeIntegers', 'transactionAsync'];
	const refused = [];
	for (const name of Object.getOwnPropertyNames(Database.prototype)) {
		if (name === 'constructor' || has.includes(name)) continue;
		assert.throws(() => db[name]?.(), (error) => error instanceof Database.KeelError && error.code === 'KEEL_REMOTE_UNSUPPORTED' && error.message.replace('()', '').startsWith(`${name} is not`) && error.hint.length > 10, name);
		refused.push(name);
	}
	for (const name of ['function', 'aggregate', 'table', 'backup', 'serialize', 'loadExtension', 'pragma', 'readAsync']) assert.ok(refused.includes(name), name);
	db.close();
	// A file has them still.
	const file = new Database(':memory:');
	assert.strictEqual(file.pragma('user_version', { simple: true }), 0);
	file.close();
});

test('a port that never answers is given up at the deadline, and the loop turns meanwhile', async (t) => {
	const place = await hole(t);
	for (const scheme of ['http', 'https', 'libsql']) {
		const db = Database.open(`${scheme}://${place}?connect_timeout=400ms&statement_timeout=300ms`);
		const began = performance.now();
		assert.throws(() => db.prepare('SELECT 1'), { code: 'KEEL_REMOTE' });
		const took = performance.now() - began;
		assert.ok(took >= 290 && took < 10_000, `${took} ms`);
		let turns = 0;
		const timer = setInterval(() => { turns += 1; }, 1);
		await assert.rejects(db.prepareAsync('SELECT 1'), { code: 'KEEL_REMOTE' });
		clearInterval(timer);
		assert.ok(turns > 3, `${turns} turns`);
		db.close();
	}
});

test('a process and a worker end while an answer is awaited', async (t) => {
	const place = await hole(t);
	const script = `require(${JSON.stringify(LIB)}).open('http://${place}?statement_timeout=60s').prepareAsync('SELECT 1').catch(() => {});`;
	const began = performance.now();
	const { status, signal } = spawnSync(process.execPath, ['-e', `${script} setTimeout(() => process.exit(7), 300);`], { env: { ...process.env, LITEKEEL_LIBRARY: library }, timeout: 50_000 });
	assert.deepStrictEqual([status, signal], [7, null]);
	const worker = new Worker(`${script} require('node:worker_threads').parentPort.postMessage('asked');`, { eval: true });
	await once(worker, 'message');
	await worker.terminate();
	assert.ok(performance.now() - began < 50_000);
});

test('who leaves an iteration waits for no server, and who closes for a second', async (t) => {
	const { url } = await scripted(t, [described(true, 'a'), ...Array(4).fill(cursor(1, 2, 3))]);
	const db = Database.open(url('&statement_timeout=6s'));
	const read = db.prepare('SELECT a FROM t');
	const began = performance.now();
	for (let times = 0; times < 4; ++times) {
		for (const { a } of read.iterate()) {
			assert.strictEqual(a, 1);
			break;
		}
	}
	db.close();
	assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`);
});

test('what nobody closes is ended at the server without its thread waiting', async (t) => {
	const { url, hears } = await scripted(t, [begun, described(true, 'a'), cursor(1)]);
	// The answer to its end never comes.
	const script = `
		const { open } = require(${JSON.stringify(LIB)});
		(() => { open(${JSON.stringify(url('&statement_timeout=30s'))}).exec('BEGIN'); })();
		(() => { open(${JSON.stringify(url('&statement_timeout=30s'))}).prepare('SELECT a FROM t').iterate().next(); })();
		const began = performance.now();
		let most = 0;
		let last = began;
		const timer = setInterval(() => {
			const now = performance.now();
			most = Math.max(most, now - last);
			last = now;
			globalThis.gc();
			if (now - began > 1500) { clearInterval(timer); console.log(JSON.stringify({ most })); process.exit(0); }
		}, 5);`;
	const child = spawn(process.execPath, ['--expose-gc', '-e', script], { env: { ...process.env, LITEKEEL_LIBRARY: library }, stdio: ['ignore', 'pipe', 'inherit'] });
	child.stdout.setEncoding('utf8');
	let said = '';
	child.stdout.on('data', (text) => { said += text; });
	await once(child, 'close');
	assert.ok(await hears('{"baton":"b1","requests":[{"type":"close"}]}'));
	assert.ok(await hears('{"baton":"c1","requests":[{"type":"close"}]}'));
	assert.ok(JSON.parse(said).most < 20_000, said);
});

test('whether a transaction is open is known while a call runs', async (t) => {
	const { url } = await scripted(t, [begun]);
	const db = Database.open(url('&statement_timeout=8s'));
	db.exec('BEGIN');
	const writing = assert.rejects(db.execAsync('INSERT INTO t VALUES(1)'), { code: 'KEEL_TRANSACTION_EXPIRED' });
	await new Promise((resolve) => { setTimeout(resolve, 300); });
	const began = performance.now();
	assert.strictEqual(db.inTransaction, true);
	assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`);
	await writing;
	db.close();
});

test('a database is not closed while its rows are iterated', async (t) => {
	const { url } = await scripted(t, [described(true, 'a'), [cursor(1, 2), cursorEnd], all(1, 2)]);
	const remote = Database.open(url());
	const file = new Database(':memory:');
	for (const [db, sql] of [[file, 'SELECT 1 AS a UNION SELECT 2'], [remote, 'SELECT a FROM t']]) {
		const read = db.prepare(sql);
		for (const { a } of read.iterate()) assert.throws(() => db.close(), { name: 'TypeError', message: 'This database connection is busy executing a query' }, `${a}`);
		assert.ok(db.open && !read.busy);
	}
	file.close();
	// One that was left, by a break or by hand, is in nobody's way.
	for (const { a } of remote.prepare('SELECT a FROM t').iterate()) if (a === 1) break;
	remote.close();
});

test('a statement whose rows are iterated is busy, as on a file', async (t) => {
	const { url } = await scripted(t, [described(true, 'a'), [cursor(1, 2), cursorEnd], all(5)]);
	const remote = Database.open(url());
	const file = new Database(':memory:');
	const message = 'This statement is busy executing a query';
	for (const [db, sql] of [[file, 'SELECT 1 AS a UNION SELECT 2'], [remote, 'SELECT a FROM t']]) {
		const read = db.prepare(sql);
		const seen = [];
		for (const row of read.iterate()) {
			seen.push(row);
			for (const method of ['pluck', 'raw', 'get', 'all', 'iterate', 'bind', 'safeIntegers']) assert.throws(() => read[method](), { name: 'TypeError', message }, method);
		}
		assert.deepStrictEqual(seen, [{ a: 1 }, { a: 2 }]);
		assert.strictEqual(typeof read.pluck().get(), 'number');
		db.close();
	}
	const read = Database.open((await scripted(t, [described(true, 'a'), cursor(1)])).url()).prepare('SELECT a FROM t');
	for (const row of read.iterate()) {
		assert.deepStrictEqual(row, { a: 1 });
		for (const method of ['getAsync', 'allAsync']) await assert.rejects(read[method](), { name: 'TypeError', message }, method);
		break;
	}
});

test('values that do not fit are refused by bind, as on a file', async (t) => {
	const parameters = (...names) => ({ ...described(true, 'a'), results: [{ type: 'ok', response: { type: 'describe', result: { params: names.map((name) => ({ name })), cols: [{ name: 'a', decltype: null }], is_readonly: true, is_explain: false } } }] });
	const { url } = await scripted(t, [parameters(null), parameters(':a'), parameters(), all(1)]);
	const remote = Database.open(url());
	const file = new Database(':memory:');
	for (const [sql, wrong, right] of [['SELECT ? AS a', [[], [1, 2]], [1]], ['SELECT :a AS a', [[], [{ b: 1 }]], [{ a: 1 }]], ['SELECT 1 AS a', [[1]], []]]) {
		const [there, here] = [remote, file].map((db) => db.prepare(sql));
		for (const values of wrong) {
			const outcome = (statement) => { try { statement.bind(...values); } catch (error) { return [error.name, error.message]; } return undefined; };
			const expected = outcome(here);
			assert.ok(expected !== undefined, sql);
			assert.deepStrictEqual(outcome(there), expected, sql);
		}
		for (const statement of [there, here]) {
			assert.strictEqual(statement.bind(...right), statement);
			assert.throws(() => statement.bind(...right), { name: 'TypeError', message: 'The bind() method can only be invoked once per statement object' });
			assert.throws(() => statement.get(1), { name: 'TypeError', message: 'This statement already has bound parameters' });
		}
	}
	assert.deepStrictEqual(remote.prepare('SELECT 1 AS a').bind().get(), { a: 1 });
});

test('a transaction whose COMMIT fails ends without the event loop waiting for the server', async (t) => {
	const failed = { baton: 'b2', base_url: null, results: [{ type: 'ok', response: { type: 'batch', result: { step_results: [null], step_errors: [{ message: 'SQLite error: FOREIGN KEY constraint failed', code: 'SQLITE_CONSTRAINT' }] } } }, { type: 'ok', response: { type: 'get_autocommit', is_autocommit: false } }] };
	const times = 12;
	const { url, hears } = await scripted(t, Array(times).fill([begun, failed]).flat());
	const db = Database.open(url('&statement_timeout=60s'));
	const began = performance.now();
	for (let at = 0; at < times; ++at) await assert.rejects(db.transactionAsync(() => {}), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' });
	// A second for each, were it waited for.
	assert.ok(performance.now() - began < 9000, `${performance.now() - began} ms`);
	assert.ok(await hears('{"baton":"b2","requests":[{"type":"close"}]}'));
	db.close();
});

test('a signal is heard while a transaction waits to begin, which is undone when it has', async (t) => {
	const silent = await scripted(t, []);
	const db = Database.open(silent.url('&statement_timeout=20s'));
	const stop = new AbortController();
	const began = performance.now();
	const waiting = db.transactionAsync(() => assert.fail('it never began'), { signal: stop.signal });
	assert.ok(await silent.hears('BEGIN IMMEDIATE'));
	stop.abort();
	await assert.rejects(waiting, { name: 'AbortError' });
	assert.ok(performance.now() - began < 15_000, `${performance.now() - began} ms`);
	db.close();
	const done = { baton: 'b2', base_url: null, results: [{ type: 'ok', response: { type: 'batch', result: { step_results: [{ cols: [], rows: [] }], step_errors: [null] } } }, { type: 'ok', response: { type: 'get_autocommit', is_autocommit: true } }] };
	const slow = await scripted(t, [begun, done]);
	const other = Database.open(slow.url('&statement_timeout=20s'));
	const later = new AbortController();
	const aborted = assert.rejects(other.transactionAsync(() => assert.fail('it was aborted'), { signal: later.signal }), { name: 'AbortError' });
	later.abort();
	await aborted;
	assert.ok(await slow.hears('ROLLBACK'));
	other.close();
});

test('an option that transactionAsync does not have is refused, as on a file', async (t) => {
	const file = Database.open(`file:${path.join(temporary(t), 'a.db')}`);
	const remote = Database.open('libsql://db.example.org');
	for (const db of [file, remote]) {
		for (const options of [{ signall: 1 }, { signal: 'now' }, { signal: null }, 5]) await assert.rejects(db.transactionAsync(() => {}, options), { name: 'TypeError' }, JSON.stringify(options));
		await assert.rejects(db.transactionAsync(5), { name: 'TypeError', message: 'Expected first argument to be a function' });
		await assert.rejects(db.transactionAsync(() => {}, { signal: AbortSignal.abort() }), { name: 'AbortError' });
		db.close();
	}
});

test('what waits when its environment ends is not sent, and what runs does not hold it', async (t) => {
	const { url, requests, hears } = await scripted(t, []);
	const script = `
		const { parentPort } = require('node:worker_threads');
		const db = require(${JSON.stringify(LIB)}).open(${JSON.stringify(url('&statement_timeout=3s'))});
		for (let at = 0; at < 12; ++at) db.execAsync('INSERT INTO t VALUES(' + at + ')').catch(() => {});
		parentPort.postMessage('asked');`;
	const worker = new Worker(script, { eval: true, env: { ...process.env, LITEKEEL_LIBRARY: library } });
	await once(worker, 'message');
	assert.ok(await hears('VALUES(7)'), 'eight of them run at a time');
	await worker.terminate();
	// As long as those that ran would have waited.
	await new Promise((resolve) => { setTimeout(resolve, 4000); });
	assert.deepStrictEqual(requests.filter((body) => /VALUES\((?:8|9|10|11)\)/.test(body)), []);
});
