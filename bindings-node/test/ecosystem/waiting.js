'use strict';
// Everything that waits, once, with the timers that `fake()` has put in the place of the real ones.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** Another process that holds the write lock for a moment. */
function holder(file) {
	const program = `const db = new (require(${JSON.stringify(require.resolve('litekeel'))}))(${JSON.stringify(file)}); db.exec('BEGIN IMMEDIATE'); console.log('held'); setTimeout(() => { db.exec('COMMIT'); db.close(); }, 100);`;
	const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
	return new Promise((resolve) => { child.stdout.once('data', resolve); });
}

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c';
const code = (error) => error.code;

module.exports = async (fake, load) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-runner-'));
	const file = path.join(directory, 'a.db');
	let litekeel = load.before ? require('litekeel') : null;
	fake();
	litekeel ??= load.after();
	const db = litekeel.open(`file:${file}`, { busyTimeout: 20_000 }).exec('CREATE TABLE t(a)');
	const insert = (value) => db.transactionAsync(async (tx) => { tx.prepare('INSERT INTO t VALUES (?)').run(value); return value; });
	const found = [await Promise.all([1, 2].map(insert)), await db.readAsync('SELECT count(*) FROM t', [], { raw: true })];
	await db.backup(path.join(directory, 'copy.db'), { progress: () => 1 });
	await holder(file);
	found.push(await insert(3));
	await holder(file);
	db.exec('INSERT INTO t VALUES (4)');
	const short = litekeel.open(`file:${file}`, { busyTimeout: 50 });
	let end;
	const long = db.transactionAsync(() => new Promise((resolve) => { end = resolve; }));
	await Promise.resolve();
	found.push(await short.transactionAsync(async () => {}).catch(code));
	end();
	await long;
	short.close();
	found.push(await db.readAsync(ENDLESS, [], { timeout: 20 }).catch(code));
	try { db.prepare(ENDLESS).timeout(20).get(); } catch (error) { found.push(error.code); }
	const heard = new Promise((resolve) => { db.on('checkpointed', resolve); });
	db.exec('INSERT INTO t VALUES (5)');
	db.checkpoint('truncate');
	found.push((await heard).name, db.prepare('SELECT count(*) FROM t').pluck().get());
	db.close();
	fs.rmSync(directory, { recursive: true });
	return JSON.stringify(found);
};
module.exports.EXPECTED = JSON.stringify([[1, 2], [[2]], 3, 'SQLITE_BUSY', 'SQLITE_INTERRUPT', 'SQLITE_INTERRUPT', 'checkpointed', 5]);
