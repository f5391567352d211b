'use strict';
// `PRAGMA busy_timeout`, however it is run, reads and sets the timeout of a tuned connection, which goes on waiting fairly.
const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const litekeel = require('../lib');
const temporary = require('./temporary');

const effective = (db) => db.pragma('busy_timeout', { simple: true });

/** Whether the connection waits as `busy=fair` does: such a wait is told of with `waitedMs`, and SQLite's own is not. */
async function waited(db, holder) {
	const begun = performance.now();
	let error;
	try { db.exec('BEGIN IMMEDIATE'); db.exec('ROLLBACK'); } catch (thrown) { error = thrown; }
	assert.strictEqual(error?.code, 'SQLITE_BUSY', String(holder));
	return { took: performance.now() - begun, told: error.waitedMs };
}

test('exec and prepare keep the fair wait and answer what is in force', async (t) => {
	const directory = temporary(t);
	const db = litekeel.open('file:a.db?busy_timeout=700', { baseDir: directory }).exec('CREATE TABLE t(a)');
	const holder = spawn(process.execPath, ['-e', `
		const db = require(${JSON.stringify(path.join(__dirname, '../lib'))})(${JSON.stringify(`${directory}/a.db`)});
		db.exec('BEGIN IMMEDIATE'); console.log('held'); setInterval(() => {}, 1000);`], { stdio: ['ignore', 'pipe', 'inherit'] });
	t.after(() => holder.kill());
	await once(holder.stdout, 'data');
	const cases = [
		['exec', 120, () => db.exec('PRAGMA busy_timeout = 120')],
		['exec in a script', 130, () => db.exec('SELECT 1; /* ü */ pragma main.BUSY_TIMEOUT(130); SELECT 2')],
		['exec at the end of a script', 140, () => db.exec("SELECT 'ü'; PRAGMA busy_timeout='140' -- so long")],
		['exec that reads', 140, () => db.exec('PRAGMA busy_timeout')],
		['run', 150, () => db.prepare('PRAGMA busy_timeout = 150').run()],
		['get', 160, () => assert.deepStrictEqual(db.prepare('-- a comment\nPRAGMA busy_timeout=160').get(), { timeout: 160 })],
		['all', 160, () => assert.deepStrictEqual(db.prepare('pragma busy_timeout').all(), [{ timeout: 160 }])],
		['pluck', 160, () => assert.strictEqual(db.prepare(' PRAGMA busy_timeout;').pluck().get(), 160)],
		['raw iterate', 170, () => assert.deepStrictEqual([...db.prepare('PRAGMA busy_timeout=170').raw().iterate()], [[170]])],
		['pragma', 180, () => db.pragma('busy_timeout = 180')],
	];
	for (const [how, ms, run] of cases) {
		run();
		assert.strictEqual(effective(db), ms, how);
		const { took, told } = await waited(db, how);
		assert.ok(took >= ms * 0.9 && told >= ms * 0.9, `${how}: waited ${took} ms, told ${told}, of ${ms}`);
	}
	for (const bad of ['PRAGMA busy_timeout = ten', 'SELECT 1; PRAGMA busy_timeout = ten']) {
		assert.throws(() => db.exec(bad), { code: 'KEEL_INVALID_VALUE' });
		assert.strictEqual(effective(db), 180);
		const { took, told } = await waited(db, bad);
		assert.ok(took >= 160 && told >= 160, `${bad}: waited ${took} ms, told ${told}`);
	}
	assert.throws(() => db.prepare('PRAGMA busy_timeout = ten'), { code: 'KEEL_INVALID_VALUE' });
	// The statement keeps its answer, as SQLite's, even when all statements are compiled anew.
	const statement = db.prepare('PRAGMA busy_timeout = 110');
	assert.strictEqual(statement.source, 'PRAGMA busy_timeout = 110');
	assert.deepStrictEqual([statement.reader, statement.readonly], [true, true]);
	assert.deepStrictEqual(statement.columns(), [{ name: 'timeout', column: null, table: null, database: null, type: null }]);
	db.pragma('busy_timeout = 115');
	db.function('f', () => 1);
	assert.deepStrictEqual(statement.get(), { timeout: 110 });
	assert.strictEqual(effective(db), 115);
	const { told } = await waited(db);
	assert.ok(told >= 100, `${told}`);
	// Texts that only look like it.
	assert.deepStrictEqual(db.prepare("SELECT 'PRAGMA busy_timeout=5' AS x").get(), { x: 'PRAGMA busy_timeout=5' });
	db.exec("SELECT 'PRAGMA busy_timeout=5'; SELECT 1 /* ; PRAGMA busy_timeout=5 */");
	assert.strictEqual(effective(db), 115);
	db.close();
	assert.throws(() => db.prepare('PRAGMA busy_timeout'), TypeError);
});

test('busy=sqlite and the constructor have SQLite\'s own', (t) => {
	const directory = temporary(t);
	for (const db of [litekeel.open('file:a.db?busy=sqlite&busy_timeout=700', { baseDir: directory }), new litekeel(`${directory}/b.db`, { timeout: 700 })]) {
		assert.deepStrictEqual(db.prepare('PRAGMA busy_timeout').get(), { timeout: 700 });
		db.exec('PRAGMA busy_timeout=300');
		assert.deepStrictEqual(db.prepare('PRAGMA busy_timeout').get(), { timeout: 300 });
		assert.deepStrictEqual(db.prepare('PRAGMA busy_timeout=200').all(), [{ timeout: 200 }]);
		assert.strictEqual(effective(db), 200);
		db.close();
	}
});
