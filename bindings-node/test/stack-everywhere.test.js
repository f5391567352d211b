'use strict';
// The stack trace of every error begins in the file of the caller: whatever is called wrongly, and after an await too.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { setImmediate: turn } = require('node:timers/promises');
const { spawnSync } = require('node:child_process');
const litekeel = require('../lib');
const library = require('./library');
const runtimes = require('./runtimes');
const temporary = require('./temporary');

const LIB = path.join(__dirname, '..', 'lib') + path.sep;
const frames = (error) => error.stack.split('\n').filter((line) => /^\s+at /.test(line));
const GARBAGE = [undefined, null, -1, 'x', true, {}, [], Symbol.iterator, () => {}, 10n, new Date(), 'a\0b', { signal: 3 }, { nonsense: 1 }, new DataView(new ArrayBuffer(1))];

/** What a call ends with if that is an error. */
async function caught(work) {
	try {
		await work();
	} catch (error) {
		if (error instanceof Error) return error;
	}
	return null;
}

/** A result that is to be waited for; an iterator is ended. */
const end = (result) => (typeof result?.return === 'function' ? result.return() : result);

/** Methods of a class by their names. */
const methodsOf = (prototype) => Object.getOwnPropertyNames(prototype)
	.filter((name) => name !== 'constructor' && typeof Object.getOwnPropertyDescriptor(prototype, name).value === 'function');

test('whatever is called with whatever arguments, on what is open and on what is closed', async (t) => {
	const directory = temporary(t);
	const before = process.cwd();
	process.chdir(directory);
	t.after(() => process.chdir(before));
	const seen = new Map();
	const elsewhere = new Set();
	const judge = (name, error) => {
		if (error === null) return;
		seen.set(error.name, (seen.get(error.name) ?? 0) + 1);
		if (!frames(error)[0]?.includes(__filename)) elsewhere.add(`${name}: ${error.stack.split('\n').slice(0, 3).join(' ')}`);
	};
	const ofDatabase = methodsOf(litekeel.prototype).filter((name) => name !== 'interrupt' && name !== 'retainHandle');
	const ofStatement = methodsOf(Object.getPrototypeOf(litekeel(':memory:').prepare('SELECT 1')));
	const opened = { open: () => litekeel.open(`file:${directory}/app.db`), new: () => new litekeel(`${directory}/other.db`) };
	for (const [kind, open] of Object.entries(opened)) {
		for (const closed of [false, true]) {
			let db;
			const subjects = () => {
				if (!db?.open) db = open().exec('CREATE TABLE IF NOT EXISTS t(a)');
				const made = [[ofDatabase, db], [ofStatement, db.prepare('SELECT ? AS a')], [ofStatement, db.prepare('INSERT INTO t VALUES(?)')]];
				if (closed) db.close();
				return made;
			};
			for (const args of [[], ...GARBAGE.map((one) => [one]), ...GARBAGE.map((one) => ['SELECT 1', one]), ...GARBAGE.map((one) => [() => {}, one])]) {
				for (const which of [0, 1, 2]) {
					for (const name of subjects()[which][0]) {
						const [, subject] = subjects()[which];
						judge(`${kind}${closed ? ', closed' : ''}, ${name}`, await caught(() => end(subject[name](...args))));
					}
				}
			}
			for (const name of ofDatabase) judge(`${name} of nothing`, await caught(() => litekeel.prototype[name].call({}, 'x')));
			db.close();
		}
	}
	for (const one of GARBAGE) {
		judge('new', await caught(() => new litekeel(one).close()));
		for (const name of ['open', 'databases', 'databaseFile', 'fromHandle']) judge(name, await caught(() => litekeel[name](one)?.close?.()));
		for (const key of ['timeout', 'verbose', 'readonly', 'journalFd', 'bindDates', 'nativeBinding']) judge(`new, ${key}`, await caught(() => new litekeel(':memory:', { [key]: one }).close()));
		for (const key of ['shutdownOn', 'extensions', 'busyTimeout', 'allowedRoots', 'bindBooleans', 'bindDates']) judge(`open, ${key}`, await caught(() => litekeel.open(':memory:', { [key]: one }).close()));
	}
	assert.deepStrictEqual([...elsewhere], []);
	for (const [name, least] of [['TypeError', 1000], ['RangeError', 10], ['SqliteError', 10], ['KeelError', 10]]) assert.ok(seen.get(name) >= least, `${name}: ${seen.get(name)}`);
});

/** Asynchronous calls that fail after they have waited for something. Each is awaited by a function of this file. */
async function failing(t) {
	const directory = temporary(t);
	const db = litekeel.open(`file:${directory}/app.db`).exec('CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)');
	t.after(() => db.close());
	const listener = net.createServer().listen(0, '127.0.0.1');
	await once(listener, 'listening');
	const { port } = listener.address();
	await new Promise((closed) => { listener.close(closed); });
	// Nobody listens there.
	const remote = litekeel.open(`libsql://127.0.0.1:${port}?tls=0`);
	t.after(() => remote.close());
	const tenants = litekeel.databases({ dir: path.join(directory, 'tenants'), max: 1 });
	t.after(() => tenants.close());
	return {
		readAsync: async () => { await db.readAsync('SELECT * FROM nowhere'); },
		'readAsync, its time': async () => { await db.readAsync('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n', [], { timeout: 20 }); },
		'Promise.all of reads': async () => { await Promise.all([db.readAsync('SELECT * FROM nowhere'), db.readAsync('SELECT 1')]); },
		'readAsync, RangeError': async () => { await db.readAsync('SELECT ?', []); },
		'transactionAsync, its end': async () => { await db.transactionAsync(async (tx) => { await turn(); tx.exec('COMMIT'); }); },
		'transactionAsync, its COMMIT': async () => { await db.transactionAsync(async (tx) => { await turn(); tx.exec('PRAGMA defer_foreign_keys = ON; CREATE TABLE IF NOT EXISTS k(a REFERENCES t(a)); INSERT INTO k VALUES (7)'); }); },
		'transactionAsync in another': async () => { await db.transactionAsync(async (tx) => { await turn(); await tx.transactionAsync(async (inner) => { await turn(); inner.exec('ROLLBACK'); }); }); },
		backup: async () => { await db.backup(path.join(directory, 'nowhere', 'copy.db')); },
		'backup, its progress': async () => { await db.backup(path.join(directory, 'copy.db'), { progress: () => 'x' }); },
		'backup, its connection': async () => { const own = litekeel.open(`file:${directory}/app.db`); await own.backup(path.join(directory, 'second.db'), { progress: () => { setImmediate(() => own.close()); return 0; } }); },
		replicated: async () => { await db.replicated({ timeout: 10 }); },
		waitFor: async () => { await db.waitFor('0000000000000001', { timeout: 10 }); },
		'useAsync, for a place': async () => {
			let leave;
			const first = tenants.useAsync('a', () => new Promise((resolve) => { leave = resolve; }), { create: true });
			await turn();
			setImmediate(() => leave());
			try {
				await tenants.useAsync('nowhere', () => {});
			} finally {
				await first;
			}
		},
		prepareAsync: async () => { await remote.prepareAsync('SELECT 1'); },
		execAsync: async () => { await remote.execAsync('SELECT 1'); },
		batchAsync: async () => { await remote.batchAsync(['SELECT 1']); },
		'transactionAsync of a server': async () => { await remote.transactionAsync(async () => {}); },
	};
}

test('an asynchronous call that is awaited: there too', async (t) => {
	for (const [name, work] of Object.entries(await failing(t))) {
		const error = await caught(work);
		assert.ok(error, `${name} ended well`);
		const [first, second] = frames(error);
		assert.ok((/at async Promise\.all/.test(first) ? second : first)?.includes(__filename), `${name}: ${error.stack}`);
		assert.ok(error.stack.startsWith(`${error.name}: ${error.message}\n`), error.stack);
		assert.ok(!frames(error).some((line) => line.includes(LIB)) || /in another|server/.test(name), `${name}: ${error.stack}`);
	}
});

test("a function's own error keeps its trace", async (t) => {
	const { open } = litekeel;
	const db = open(`file:${temporary(t)}/app.db`);
	t.after(() => db.close());
	const own = new RangeError('mine');
	const { stack } = own;
	const thrower = () => { throw own; };
	for (const work of [
		() => db.transaction(thrower)(), () => db.transactionAsync(async () => { await turn(); thrower(); }), () => db.backup(path.join(path.dirname(db.name), 'b.db'), { progress: thrower }),
		() => { db.function('f', thrower); db.prepare('SELECT f()').get(); },
		async () => { await db.readAsync('SELECT 1', [], { signal: AbortSignal.abort(own) }); },
	]) {
		const error = await caught(work);
		assert.strictEqual(error, own);
		assert.strictEqual(error.stack, stack);
	}
});

test("the program's formatter and limit hold for TypeErrors and after an await", async (t) => {
	const calls = await failing(t);
	const db = litekeel.open(':memory:');
	t.after(() => db.close());
	calls.prepare = () => db.prepare(5);
	const { prepareStackTrace, stackTraceLimit } = Error;
	t.after(() => Object.assign(Error, { prepareStackTrace, stackTraceLimit }));
	for (const [name, work] of Object.entries(calls)) {
		// It gets our frames as well.
		Error.stackTraceLimit = 50;
		Error.prepareStackTrace = (one, sites) => `${one instanceof Error} ${sites.some((site) => site.getFileName() === __filename)}`;
		const error = await caught(work);
		if (!name.includes('useAsync')) assert.strictEqual(error.stack, 'true true', name);
		Error.prepareStackTrace = prepareStackTrace;
		for (const limit of [0, 1]) {
			Error.stackTraceLimit = limit;
			const few = await caught(work);
			assert.deepStrictEqual([frames(few).length, Error.stackTraceLimit], [limit, limit], `${name}: ${few.stack}`);
		}
		Error.stackTraceLimit = stackTraceLimit;
	}
});

test('on every runtime a TypeError and a read begin in the program', (t) => {
	const file = path.join(temporary(t), 'program.js');
	fs.writeFileSync(file, `const { open } = require(${JSON.stringify(path.join(__dirname, '..'))}); const db = open('file:app.db');
		const first = (error) => console.log(error.stack.split('\\n').find((line) => /^\\s+at /.test(line)));
		(async () => { try { db.prepare(5); } catch (error) { first(error); }
			try { await db.readAsync('SELECT * FROM nowhere'); } catch (error) { first(error); } db.close(); })();`);
	for (const runtime of [...runtimes.majors.map(runtimes.node), runtimes.bun]) {
		const { stdout, stderr, error } = spawnSync(runtime, [file], { encoding: 'utf8', cwd: path.dirname(file), env: { ...process.env, LITEKEEL_LIBRARY: library } });
		if (error?.code === 'ENOENT') {
			assert.notStrictEqual(process.env.CI, 'true', `${runtime} is missing`);
			t.diagnostic(`skipped: ${runtime}`);
			continue;
		}
		const lines = stdout.trim().split('\n');
		assert.strictEqual(lines.length, 2, stdout + stderr);
		assert.ok(lines[0].includes('program.js:'), stdout);
		// Bun keeps no trace of who awaits what.
		if (runtime !== runtimes.bun) assert.ok(lines[1].includes('program.js:'), stdout);
	}
});
