'use strict';
// What a call costs, counted instead of timed, so that a busy machine changes nothing: machine instructions by Valgrind's
// callgrind, system calls by a library that is preloaded and, where time is no matter, by strace, which needs ptrace.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const MODULE = path.join(__dirname, '..');

/** Skips the test, with the reason where a log shows it. */
function skip(t, reason) {
	console.error(`SKIPPED: ${t.name} (${reason})`);
	t.skip(reason);
}

/** Runs `tool` on this Node and the script; null if the tool is missing or may not do its work. */
function under(t, tool, options, script, directory) {
	const file = path.join(directory, 'script.js');
	fs.writeFileSync(file, script);
	if (process.platform !== 'linux') return skip(t, `${tool} is for Linux`) ?? null;
	const trial = spawnSync(tool, [...options(path.join(directory, 'trial')), 'true'], { encoding: 'utf8' });
	if (trial.error || trial.status !== 0) return skip(t, trial.error ? `${tool} is missing` : `${tool} does not work here: ${trial.stderr.trim().split('\n').at(-1)}`) ?? null;
	const done = spawnSync(tool, [...options(path.join(directory, 'out')), process.execPath, '--single-threaded', '--no-warnings', file, MODULE, directory], { encoding: 'utf8', timeout: 600_000 });
	assert.strictEqual(done.status, 0, done.stderr);
	return path.join(directory, 'out');
}

function temporary(t) {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-costs-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	return directory;
}

test('all() of one row takes little more than get(), raw or not', (t) => {
	const CALLS = 400;
	const SLICES = 6;
	const script = `
		const Database = require(process.argv[2]);
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT)');
		const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?, ?)');
		for (let n = 1; n <= 500; n++) insert.run(n, n * 7, n / 3, 'this is the text of row ' + n);
		const sql = 'SELECT id, a, b, c FROM t WHERE id = ?';
		const [one, all, raw] = [db.prepare(sql), db.prepare(sql), db.prepare(sql).raw()];
		const ways = [
			(n) => { for (let at = 0; at < n; at++) one.get(1 + at % 500); },
			(n) => { for (let at = 0; at < n; at++) all.all(1 + at % 500); },
			(n) => { for (let at = 0; at < n; at++) raw.all(1 + at % 500); },
		];
		for (let round = 0; round < 8; round++) for (const way of ways) way(1500);
		for (let slice = 0; slice < ${SLICES}; slice++) for (const way of ways) {
			// The counts are written, and begin anew, where SQLite's function of that name is entered.
			db.interrupt();
			way(${CALLS});
		}
		db.interrupt();`;
	const out = under(t, 'valgrind', (file) => ['--tool=callgrind', '--dump-before=sqlite3_interrupt', `--callgrind-out-file=${file}`], script, temporary(t));
	if (out === null) return;
	const counts = Array.from({ length: 3 * SLICES }, (_, at) => Number(/^summary: (\d+)/m.exec(fs.readFileSync(`${out}.${at + 2}`, 'utf8'))[1]));
	// A slice in which V8 compiles or collects says nothing of the call.
	const [get, all, raw] = [0, 1, 2].map((way) => Math.min(...counts.filter((_, at) => at % 3 === way)) / CALLS);
	t.diagnostic(`instructions: get ${Math.round(get)}, all ${Math.round(all)}, raw ${Math.round(raw)}`);
	assert.ok(get > 1000 && get < 20_000, `get() takes ${get} instructions`);
	assert.ok(all <= 1.15 * get, `all() takes ${all} instructions, get() ${get}`);
	assert.ok(raw <= 1.15 * get, `raw().all() takes ${raw} instructions, get() ${get}`);
});

test('a read and a commit on a file make as few system calls as they did', (t) => {
	const CALLS = 100;
	const SLICES = 40;
	const script = `
		const fs = require('node:fs');
		const Database = require(process.argv[2]);
		const mark = (name) => { try { fs.accessSync('/mark-' + name); } catch { /* it is there for strace to see */ } };
		process.env.LITEKEEL_READ_LOCK = 'kept';
		const plain = new Database(process.argv[3] + '/plain.db');
		plain.pragma('journal_mode = WAL');
		plain.pragma('synchronous = NORMAL');
		process.env.LITEKEEL_READ_LOCK = 'released';
		const released = new Database(process.argv[3] + '/released.db');
		released.pragma('journal_mode = WAL');
		released.pragma('synchronous = NORMAL');
		for (const [name, db] of [['plain', plain], ['tuned', Database.open('file:' + process.argv[3] + '/tuned.db?read_lock=kept')], ['released', released]]) {
			db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
			const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
			db.transaction(() => { for (let n = 1; n <= 200; n++) insert.run(n, n); })();
			const get = db.prepare('SELECT a FROM t WHERE id = ?');
			const run = db.prepare('UPDATE t SET a = ? WHERE id = ?');
			for (let at = 0; at < 20; at++) { get.get(at); run.run(-at, at); }
			for (let at = 0; at < 2000; at++) get.get(1);
			for (let slice = 0; slice < ${SLICES}; slice++) {
				mark(name + '-get-' + slice);
				for (let at = 0; at < ${CALLS}; at++) get.get(1 + at);
			}
			mark(name + '-get-' + ${SLICES});
			for (let slice = 0; slice < ${SLICES / 4}; slice++) {
				mark(name + '-run-' + slice);
				// What a row has already is not written again.
				for (let at = 0; at < ${CALLS}; at++) run.run(1000 * (slice + 1) + at, 1 + at);
			}
			mark(name + '-run-' + ${SLICES / 4});
			db.close();
		}`;
	const directory = temporary(t);
	if (process.platform !== 'linux') return skip(t, 'the calls are counted on Linux');
	const counter = path.join(directory, 'count-calls.so');
	const compiled = spawnSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', counter, path.join(__dirname, 'count-calls.c'), '-ldl'], { encoding: 'utf8' });
	if (compiled.error) return skip(t, 'cc is missing');
	assert.strictEqual(compiled.status, 0, compiled.stderr);
	const file = path.join(directory, 'script.js');
	fs.writeFileSync(file, script);
	const measured = () => {
		const [databases, out] = [temporary(t), path.join(directory, 'counts')];
		const done = spawnSync(process.execPath, ['--single-threaded', '--no-warnings', file, MODULE, databases], { encoding: 'utf8', timeout: 600_000, env: { ...process.env, LD_PRELOAD: counter, COUNTS: out } });
		assert.strictEqual(done.status, 0, done.stderr);
		const counts = new Map(fs.readFileSync(out, 'utf8').trim().split('\n').map((line) => line.split(' ').reverse()));
		// A slice in which the thread was held up says nothing of the call: its lock has gone back.
		const fewest = (what, slices) => Math.min(...Array.from({ length: slices }, (_, slice) => Number(counts.get(`${what}-${slice + 1}`)))) / CALLS;
		return ['plain', 'tuned', 'released'].map((name) => {
			const [get, run] = [fewest(`${name}-get`, SLICES), fewest(`${name}-run`, SLICES / 4)];
			t.diagnostic(`system calls, ${name}: get ${get}, run ${run}`);
			// Two for a read: its lock and the release; none where the lock is kept. Six for a commit, five where its read lock's byte
			// stays locked. One in twenty more, for what is done now and then.
			const [read, commit] = name === 'released' ? [2, 6] : [0, 5];
			return { name, get, run, good: get >= read && get <= read * 1.05 && run >= commit - 0.5 && run <= commit * 1.05 };
		});
	};
	// On a busy machine reads can be so far apart, all the time, that no lock is worth keeping: what counts is what can be reached.
	let results;
	for (let attempt = 0; attempt < 4; attempt++) {
		results = measured();
		if (results.every(({ good }) => good)) break;
	}
	for (const { name, get, run, good } of results) assert.ok(good, `get() makes ${get} system calls on a ${name} connection, run() ${run}`);
});

test('opening a database takes as many system calls beside a hundred others as alone', (t) => {
	const OTHERS = 100;
	const script = `
		const fs = require('node:fs');
		const Database = require(process.argv[2]);
		const mark = (name) => { try { fs.accessSync('/mark-' + name); } catch { /* it is there for strace to see */ } };
		const others = [];
		const open = (name) => { const db = Database.open('file:' + process.argv[3] + '/' + name + '.db'); db.prepare('SELECT 1').get(); return db; };
		open('target').close();
		open('target').close();
		mark('alone');
		open('target').close();
		mark('alone-end');
		for (let n = 0; n < ${OTHERS}; n++) others.push(open('other-' + n));
		mark('beside');
		open('target').close();
		mark('beside-end');
		for (const other of others) other.close();`;
	const out = under(t, 'strace', (file) => ['-o', file, '-e', 'trace=!mmap,munmap,mprotect,madvise,brk,futex,getrusage,clock_gettime,sched_yield'], script, temporary(t));
	if (out === null) return;
	const trace = fs.readFileSync(out, 'utf8').split('\n').filter((line) => /^\w+\(/.test(line));
	const at = (name) => trace.findIndex((line) => line.includes(`"/mark-${name}"`));
	const between = (name) => trace.slice(at(name) + 1, at(`${name}-end`));
	const [alone, beside] = [between('alone'), between('beside')];
	t.diagnostic(`system calls: alone ${alone.length}, beside ${OTHERS} others ${beside.length}`);
	assert.ok(alone.length > 50, `${alone.length} system calls`);
	// A longer list of descriptors is read in a few more pieces.
	assert.ok(beside.length <= alone.length + 5, `alone ${alone.length} system calls, beside ${OTHERS} others ${beside.length}`);
	// Its length grows with the locks of the whole system, and the kernel writes it anew each time.
	assert.ok(!beside.some((line) => line.includes('/proc/locks')), 'the table of all locks was read');
});
