'use strict';
// The WAL's read lock is kept between close reads of `new Database` and of open(), as the environment, the URL and the call
// say, and it is nobody's way while JavaScript does something else.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const library = require('./library');
const temporary = require('./temporary');

const linux = { skip: process.platform !== 'linux' };
const prelude = `
	const Database = require(${JSON.stringify(path.join(__dirname, '..'))});
	const fs = require('node:fs');
	const file = process.argv[1];
	const looked = (id) => { try { return fs.readFileSync('/proc/self/task/' + id + '/comm', 'utf8'); } catch { return ''; } };
	const keeps = () => fs.readdirSync('/proc/self/task').some((id) => looked(id) === 'litekeel-lock\\n');
	const said = (text) => process.stdout.write(text);`;

/** What a program prints; `variable` is LITEKEEL_READ_LOCK. */
function run(program, file, variable) {
	const env = { ...process.env, LITEKEEL_LIBRARY: library };
	delete env.DATABASE_URL;
	delete env.LITEKEEL_READ_LOCK;
	if (variable !== undefined) env.LITEKEEL_READ_LOCK = variable;
	const result = spawnSync(process.execPath, ['-e', prelude + program, file], { encoding: 'utf8', env });
	assert.strictEqual(result.status, 0, result.stderr);
	return result.stdout;
}

/** Reads until a lock is kept: on a machine under load it takes a few attempts. */
const reads = (db) => `
	const db = ${db};
	db.pragma('journal_mode = WAL');
	db.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a); INSERT OR IGNORE INTO t VALUES(1, 2)');
	const read = db.prepare('SELECT a FROM t WHERE id = ?');
	const burst = () => { for (let n = 0; n < 2000; ++n) read.get(1); return keeps(); };
	const tries = (most) => { for (let n = 0; n < most; ++n) if (burst()) return true; return false; };`;

test('the environment decides for new Database, the URL and the call before it for open()', linux, (t) => {
	const directory = temporary(t);
	const file = path.join(directory, 'a.db');
	for (const [db, variable, kept] of [
		['new Database(file)', 'kept', true],
		['new Database(file)', 'released', false],
		["Database.open('file:' + file)", 'kept', true],
		["Database.open('file:' + file)", 'released', false],
		["Database.open('file:' + file + '?read_lock=released')", 'kept', false],
		["Database.open('file:' + file, { readLock: 'kept' })", 'released', true],
	]) {
		const found = run(`${reads(db)}
			said(String(tries(${kept ? 1000 : 20})))`, file, variable);
		assert.strictEqual(found, String(kept), `${db} ${variable}`);
	}
});

test('what the environment cannot say is refused', linux, (t) => {
	const file = path.join(temporary(t), 'a.db');
	const told = run('try { new Database(file); } catch (error) { said(error.code + " " + error.message); }', file, 'lost');
	assert.strictEqual(told, "SQLITE_MISUSE the environment's LITEKEEL_READ_LOCK: read_lock=lost is not a valid value: read_lock takes one of kept released; or unset LITEKEEL_READ_LOCK");
	assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), []);
});

test('a lock that was kept is in nobody\'s way while JavaScript does something else', linux, (t) => {
	const file = path.join(temporary(t), 'a.db');
	const other = `const Database = require(${JSON.stringify(path.join(__dirname, '..'))}); const db = new Database(process.argv[1], { timeout: 0 });
		db.exec('INSERT INTO t(a) VALUES(1)'); process.stdout.write(String(db.pragma('wal_checkpoint(TRUNCATE)', { simple: true })))`;
	const told = run(`${reads('new Database(file)')}
		const { spawnSync } = require('node:child_process');
		const busy = () => said(spawnSync(process.execPath, ['-e', ${JSON.stringify(other)}, file], { encoding: 'utf8' }).stdout);
		for (let n = 0; n < 3; ++n) { tries(1000); busy(); }
		// Control: a read that goes on.
		const rows = read.iterate(1);
		db.unsafeMode();
		rows.next();
		busy();`, file, 'kept');
	assert.strictEqual(told, '0001');
});
