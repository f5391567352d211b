'use strict';
// Where an error's stack trace begins: in the file that called litekeel, not in litekeel.
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const litekeel = require('../lib');
const runtimes = require('./runtimes');
const library = require('./library');

const LIB = path.join(__dirname, '..', 'lib') + path.sep;
const caught = (work) => { try { work(); } catch (error) { return error; } return assert.fail('nothing was thrown'); };
const frames = (error) => error.stack.split('\n').filter((line) => /^\s+at /.test(line));

/** Each of these throws. */
function throwing(db) {
	return {
		prepare: () => db.prepare('SELECT * FROM nowhere'),
		exec: () => db.exec('nonsense'),
		run: () => db.prepare('INSERT INTO t VALUES (1)').run(),
		pragma: () => db.pragma('('),
		iterate: () => [...db.prepare('SELECT abs(-9223372036854775808)').iterate()],
		open: () => litekeel.open('file:app.db?bussy_timeout=1'),
		construct: () => new litekeel('/no/such/directory/app.db', { fileMustExist: true }),
		'in a transaction': () => db.transaction(() => db.exec('nonsense'))(),
	};
}

test('the first frame is the caller, the message and the type are as ever', (t) => {
	const db = litekeel.open(':memory:').exec('CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)');
	t.after(() => db.close());
	for (const [name, work] of Object.entries(throwing(db))) {
		const error = caught(work);
		assert.ok(frames(error)[0].includes(__filename), `${name}: ${error.stack}`);
		assert.ok(error.stack.startsWith(`${error.name}: ${error.message}\n`), error.stack);
		assert.ok([litekeel.SqliteError, litekeel.KeelError, TypeError].some((Class) => error instanceof Class));
		assert.deepStrictEqual([Object.keys(error).includes('stack'), Object.hasOwn(error, 'stack')], [false, true]);
	}
	// What is between two of the program's functions stays: it says by what way they call each other.
	assert.ok(frames(caught(throwing(db)['in a transaction'])).some((line) => line.includes(LIB)));
});

test('there are as many frames as were asked for, and the limit is as it was', (t) => {
	const db = litekeel.open(':memory:');
	const limit = Error.stackTraceLimit;
	t.after(() => { Error.stackTraceLimit = limit; db.close(); });
	const deep = (depth, work) => (depth === 0 ? work() : deep(depth - 1, work));
	for (const wanted of [1, 3, 10]) {
		Error.stackTraceLimit = wanted;
		const error = caught(() => deep(20, () => db.prepare('SELECT * FROM nowhere')));
		assert.deepStrictEqual([frames(error).length, Error.stackTraceLimit], [wanted, wanted], error.stack);
	}
	Error.stackTraceLimit = 0;
	assert.deepStrictEqual(frames(caught(() => db.exec('nonsense'))), []);
});

test('a trace can be set, cloned, and formatted by the program', (t) => {
	const db = litekeel.open(':memory:');
	t.after(() => db.close());
	const error = caught(() => db.exec('nonsense'));
	assert.ok(structuredClone(error).stack.includes(__filename));
	error.stack = 'mine';
	assert.strictEqual(error.stack, 'mine');
	const before = Error.prepareStackTrace;
	t.after(() => { Error.prepareStackTrace = before; });
	Error.prepareStackTrace = (one, sites) => [one.name, one.message, sites.length > 0];
	assert.deepStrictEqual(caught(() => db.exec('nonsense')).stack, ['SqliteError', 'near "nonsense": syntax error', true]);
	// It is given the error, and a text that it makes stays as it is.
	Error.prepareStackTrace = (one, sites) => `${one instanceof litekeel.SqliteError} ${one.code} in ${sites[0].getFileName() !== null}`;
	const shown = caught(() => db.exec('nonsense'));
	assert.deepStrictEqual([shown.code, shown.stack.startsWith('true')], ['SQLITE_ERROR', true], shown.stack);
});

test("a program's own SqliteError begins where it was made; on every runtime the caller comes first", (t) => {
	const own = new litekeel.SqliteError('x', 'SQLITE_ERROR');
	assert.ok(frames(own)[0].includes(__filename), own.stack);
	const program = `const { open } = require(${JSON.stringify(path.join(__dirname, '..'))}); const db = open(':memory:');
		try { db.exec('nonsense'); } catch (error) { console.log(error.stack.split('\\n')[1]); } db.close();`;
	for (const runtime of [...runtimes.majors.map(runtimes.node), runtimes.bun]) {
		const { stdout, stderr, error } = spawnSync(runtime, ['-e', program], { encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library } });
		if (error?.code === 'ENOENT') {
			assert.notStrictEqual(process.env.CI, 'true', `${runtime} is missing`);
			t.diagnostic(`skipped: ${runtime}`);
			continue;
		}
		assert.match(stdout, /^\s+at .*eval/, stderr);
		assert.ok(!stdout.includes(LIB), stdout);
	}
});
