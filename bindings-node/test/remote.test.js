'use strict';
// The Database of a libSQL server where none answers: what it refuses, and how long it waits. The real server is beside
// test/scale/remote.test.js.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const Database = require('../lib');
const library = require('./library');
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
