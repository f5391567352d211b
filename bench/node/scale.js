'use strict';
// What the plans of docs/scaling.md are calculated from: reads and writes of one process on a file, on a copy that follows a
// replica, on a libSQL server, with a wait for the replica after each commit; and the time of a restore.
//   LITEKEEL_LIBRARY=target/release/liblitekeel.so node bench/node/scale.js
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { open } = require('../../bindings-node');

const root = path.join(__dirname, '../..');
const program = (name) => execFileSync(path.join(root, 'scripts/scale-server'), [name], { encoding: 'utf8' }).trim();
const [litestream, sqld] = [program('litestream'), program('sqld')];
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-'));
const at = (name) => path.join(directory, name);
const started = [];
function start(command, ...options) {
	const log = fs.openSync(at('log'), 'a');
	started.push(spawn(command, options, { stdio: ['ignore', log, log] }));
	fs.closeSync(log);
}

const ROWS = 100_000;
const SECONDS = 3;
const lines = [];
const say = (what, figure) => { lines.push([what, figure]); console.log(`${what.padEnd(66)} ${figure}`); };
/** How often a second, and the middle one and the slowest of a hundred in microseconds. */
function rate(what, run) {
	const times = [];
	for (const end = performance.now() + SECONDS * 1000; performance.now() < end;) {
		const began = performance.now();
		run(1 + Math.floor(Math.random() * ROWS));
		times.push(performance.now() - began);
	}
	times.sort((a, b) => a - b);
	const total = times.reduce((sum, time) => sum + time, 0);
	say(what, `${Math.round(times.length / total * 1000)} a second; middle ${(times[times.length >> 1] * 1000).toFixed(0)} µs, 99 of 100 within ${(times[Math.floor(times.length * 0.99)] * 1000).toFixed(0)} µs`);
}
const SCHEMA = 'CREATE TABLE t(id INTEGER PRIMARY KEY, data TEXT); CREATE TABLE w(id INTEGER PRIMARY KEY, data TEXT)';
const FILL = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${ROWS}) INSERT INTO t SELECT i, hex(randomblob(50)) FROM n`;
const READ = 'SELECT data FROM t WHERE id = ?';
const WRITE = "INSERT INTO w(data) VALUES(hex(randomblob(50)))";

async function main() {
	console.log(`${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)}; node ${process.version}`);
	const url = `file:${at('a.db')}?profile=litestream&replication_socket=${at('s.sock')}`;
	const db = open(url);
	db.exec(SCHEMA);
	db.exec(FILL);
	fs.writeFileSync(at('litestream.yml'), `socket: {enabled: true, path: ${at('s.sock')}}\ndbs:\n  - path: ${at('a.db')}\n    replica: {type: file, path: ${at('replica')}}\n`);
	start(litestream, 'replicate', '-config', at('litestream.yml'));
	while (await db.replicated({ timeout: 5000 }).then(() => false, () => true)) await sleep(100);
	const read = db.prepare(READ);
	rate('a point read of the file', (id) => read.get(id));
	const write = db.prepare(WRITE);
	rate('a commit of one row to the file, beside Litestream', () => write.run());
	const durable = open(`${url}&durability=replicated`);
	const confirmed = durable.prepare(WRITE);
	rate('the same with durability=replicated, the replica on the same disk', () => confirmed.run());
	durable.close();

	start(litestream, 'restore', '-f', '-follow-interval', '200ms', '-o', at('copy.db'), `file://${at('replica')}`);
	while (!fs.existsSync(at('copy.db-txid'))) await sleep(50);
	const copy = open(`file:${at('copy.db')}?role=follower`);
	const readCopy = copy.prepare(READ);
	rate('a point read of a copy that follows', (id) => readCopy.get(id));
	const ten = copy.transaction(() => { for (let i = 0; i < 10; ++i) readCopy.get(1 + Math.floor(Math.random() * ROWS)); });
	rate('ten of them in one transaction', () => ten.deferred());
	const waits = [];
	for (let i = 0; i < 20; ++i) {
		write.run();
		const position = await db.replicated();
		const began = performance.now();
		await copy.waitFor(position);
		waits.push(performance.now() - began);
		await sleep(Math.random() * 300);
	}
	waits.sort((a, b) => a - b);
	say('from the replica to the copy (200 ms)', `middle ${waits[10].toFixed(0)} ms, most ${waits[19].toFixed(0)} ms of 20`);
	copy.close();

	db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500) INSERT INTO w(data) SELECT randomblob(100000) FROM n`);
	await db.replicated({ timeout: 120_000 });
	db.close();
	process.env.LITEKEEL_LITESTREAM = litestream;
	const began = performance.now();
	const restored = open(`file:${at('restored/a.db')}?restore=required&restore_from=file://${at('replica')}`);
	const took = performance.now() - began;
	const size = fs.statSync(at('restored/a.db')).size;
	say('a restore at open, with quick_check', `${(size / 1e6).toFixed(0)} MB in ${(took / 1000).toFixed(1)} s: ${(size / 1e3 / took).toFixed(0)} MB a second`);
	restored.close();

	const listener = net.createServer().listen(0, '127.0.0.1');
	await once(listener, 'listening');
	const { port } = listener.address();
	listener.close();
	start(sqld, '--no-welcome', '--db-path', at('sqld'), '--http-listen-addr', `127.0.0.1:${port}`);
	while (!await fetch(`http://127.0.0.1:${port}/health`).then((answer) => answer.ok, () => false)) await sleep(50);
	const remote = open(`libsql://127.0.0.1:${port}?tls=0`);
	remote.exec(SCHEMA);
	remote.exec(FILL);
	const [readRemote, writeRemote] = [remote.prepare(READ), remote.prepare(WRITE)];
	rate('a point read of a libSQL server on the same machine', (id) => readRemote.get(id));
	rate('a commit of one row there', () => writeRemote.run());
	remote.close();
}

main().finally(() => {
	for (const child of started) child.kill('SIGKILL');
	fs.rmSync(directory, { recursive: true });
}).catch((error) => { console.error(error); process.exitCode = 1; });
