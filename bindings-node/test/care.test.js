'use strict';
// Looking after a connection: locks, WAL, health, events, leaks, extensions.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const litekeel = require('../lib');
const temporary = require('./temporary');
require('./prepare')();

const open = (t, options) => litekeel.open('file:a.db', { baseDir: temporary(t), ...options }).exec('CREATE TABLE t(a)');
const module_ = JSON.stringify(path.join(__dirname, '..'));

test('holders() names another process, its role and command', { skip: process.platform !== 'linux' }, async (t) => {
	const db = open(t);
	assert.deepStrictEqual(db.holders(), []);
	const other = spawn(process.execPath, ['-e', `const db = require(${module_}).open(${JSON.stringify(`file:${db.name}`)}); db.exec('BEGIN IMMEDIATE'); console.log('locked'); setInterval(() => {}, 1000)`], { stdio: ['ignore', 'pipe', 'inherit'] });
	await once(other.stdout, 'data');
	const [holder] = db.holders();
	assert.strictEqual(holder.pid, other.pid);
	assert.strictEqual(holder.role, 'writer');
	assert.match(holder.command, /node/);
	other.kill('SIGKILL');
	await once(other, 'exit');
	assert.deepStrictEqual(db.holders(), []);
	db.close();
});

test('walStatus() and checkpoint()', (t) => {
	const db = open(t);
	const before = db.walStatus();
	assert.ok(before.frames > 0 && before.checkpointed < before.frames && before.pageSize === 4096 && before.bytes > 0);
	assert.deepStrictEqual(db.checkpoint(), { frames: before.frames, checkpointed: before.frames });
	assert.strictEqual(db.walStatus().checkpointed, before.frames);
	db.checkpoint('truncate');
	assert.strictEqual(fs.statSync(`${db.name}-wal`).size, 0);
	for (const bad of ['x', 5, null, 'toString', ['full'], Object.create(null)]) assert.throws(() => db.checkpoint(bad), { name: 'TypeError', message: /^Expected the mode/ });
	db.exec('BEGIN');
	assert.throws(() => db.checkpoint(), { code: 'KEEL_IN_TRANSACTION' });
	db.exec('COMMIT');
	const reader = litekeel.open(`file:${db.name}`);
	const iterator = reader.prepare('SELECT a FROM t UNION ALL SELECT 1').iterate();
	iterator.next();
	db.exec('INSERT INTO t VALUES (1)');
	assert.throws(() => db.checkpoint('truncate'), (error) => error instanceof litekeel.SqliteError && /^SQLITE_BUSY/.test(error.code));
	iterator.return();
	reader.close();
	const memory = litekeel.open(':memory:');
	assert.strictEqual(memory.walStatus(), null);
	memory.close();
	db.close();
	for (const name of ['holders', 'health', 'walStatus', 'checkpoint', 'interrupt']) assert.throws(() => db[name](), TypeError, name);
});

test('health() is good, and bad once the file has gone', (t) => {
	const db = open(t);
	assert.strictEqual(db.health().good, true);
	fs.renameSync(db.name, `${db.name}.moved`);
	const { good, checks } = db.health();
	assert.strictEqual(good, false);
	assert.ok(checks.some((check) => check.verdict === 'bad' && check.note && check.hint));
	fs.renameSync(`${db.name}.moved`, db.name);
	db.close();
});

test('events arrive on their own turn, and end with off() and close()', async (t) => {
	const db = open(t);
	const seen = [];
	const listener = (event) => seen.push(event);
	assert.strictEqual(db.on('checkpointed', listener).on('checkpointed', listener), db);
	db.checkpoint();
	assert.deepStrictEqual(seen, []);
	for (let turns = 0; seen.length === 0 && turns < 1000; turns += 1) await sleep(20);
	assert.strictEqual(seen.length, 1);
	assert.deepStrictEqual([seen[0].name, seen[0].database, seen[0].mode], ['checkpointed', db.name, 'passive']);
	db.off('checkpointed', listener).off('checkpointed', listener);
	db.checkpoint();
	await sleep(20);
	assert.strictEqual(seen.length, 1);
	db.on('checkpointed', listener);
	db.checkpoint();
	db.close();
	await sleep(20);
	assert.ok(seen.length <= 2);
	for (const bad of [[], ['x'], [5, () => {}]]) assert.throws(() => db.on(...bad), TypeError);
	assert.throws(() => db.on('checkpointed', listener), TypeError);
	assert.strictEqual(db.off('checkpointed', listener), db);
});

test('an event that does not exist is refused, and the names are those of the documentation', (t) => {
	const db = open(t);
	for (const call of ['on', 'off']) assert.throws(() => db[call]('bussy_wait', () => {}), { name: 'TypeError', message: /no event "bussy_wait".*busy_wait/ });
	db.close();
	const { NAMES } = require('../lib/additions/events');
	const documented = [...fs.readFileSync(path.join(__dirname, '../../docs/events.md'), 'utf8').matchAll(/^\| `(\w+)` \| .*/gm)];
	// Those of the process have no connection to hear them.
	const heard = documented.filter(([row]) => !row.includes('only subscribers of the process get it')).map(([, name]) => name);
	assert.ok(heard.length > 5 && heard.length < documented.length, 'the table of events has rows of both kinds');
	assert.deepStrictEqual([...NAMES].sort(), heard.sort());
	const types = fs.readFileSync(path.join(__dirname, '../lib/index.d.ts'), 'utf8');
	const body = types.slice(types.indexOf('interface Events {'), types.indexOf('type Event<'));
	assert.deepStrictEqual([...body.matchAll(/^\t\t(\w+): \{/gm)].map(([, name]) => name).sort(), [...NAMES].sort());
});

test('a listener does not keep the process alive', (t) => {
	const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', `const db = require(${module_}).open('file:a.db'); db.on('checkpointed', () => console.log('heard')); db.checkpoint(); process.on('exit', () => db.close())`], { cwd: temporary(t), encoding: 'utf8', timeout: 300_000 });
	assert.strictEqual(status, 0, stderr);
	assert.ok(['', 'heard\n'].includes(stdout));
});

test('openHandles() and assertNoLeaks() name connections of new Database too', (t) => {
	const file = path.join(temporary(t), 'plain.db');
	const opened = [new litekeel(file).exec('CREATE TABLE t(a)'), litekeel(':memory:')];
	opened.push(new litekeel(opened[0].serialize()), new (class extends litekeel {})(file, { readonly: true }));
	const handles = litekeel.openHandles();
	assert.deepStrictEqual(handles.map((handle) => [handle.path, handle.tuned, handle.shared]), [[file, false, false], [null, false, false], [null, false, false], [file, false, false]]);
	for (const { openedAt, ageMs } of handles) assert.ok(openedAt.startsWith(`${__filename}:`) && ageMs >= 0, openedAt);
	assert.throws(() => litekeel.assertNoLeaks(), (error) => error.code === 'KEEL_LEAK' && error.message.startsWith('4 connection(s) not closed') && error.message.includes(`${file}, opened at ${__filename}:`));
	for (const db of opened) db.close().close();
	assert.deepStrictEqual(litekeel.openHandles(), []);
	assert.throws(() => new litekeel(`${file}.none`, { fileMustExist: true }));
	litekeel.assertNoLeaks();
});

test('openHandles() and assertNoLeaks() name what is open and where it was opened', (t) => {
	litekeel.assertNoLeaks();
	const db = open(t);
	const [handle] = litekeel.openHandles();
	assert.strictEqual(handle.path, db.name);
	assert.match(handle.openedAt, /care\.test\.js:\d+/);
	assert.ok(handle.tuned && !handle.shared && handle.ageMs >= 0);
	assert.throws(() => litekeel.assertNoLeaks(), (error) => error instanceof litekeel.KeelError && error.code === 'KEEL_LEAK' && error.message.includes(db.name));
	db.close();
	litekeel.assertNoLeaks();
});

test('open() loads extensions, also for asynchronous transactions and readers', async (t) => {
	const vec = require(path.join(__dirname, 'node_modules/sqlite-vec'));
	const db = open(t, { extensions: [vec.getLoadablePath()] });
	const { version } = db.prepare('SELECT vec_version() AS version').get();
	assert.match(version, /^v0\.1/);
	db.exec('CREATE VIRTUAL TABLE v USING vec0(e float[2])');
	const insert = db.prepare('INSERT INTO v(rowid, e) VALUES (?, ?)');
	db.transaction(() => { for (let n = 1n; n < 5n; n++) insert.run(n, new Float32Array([Number(n), 0])); })();
	assert.deepStrictEqual(db.prepare('SELECT rowid FROM v WHERE e MATCH ? AND k = 2 ORDER BY distance').pluck().all(new Float32Array([3.2, 0])), [3, 4]);
	assert.strictEqual(await db.transactionAsync(async (tx) => tx.prepare('SELECT vec_version()').pluck().get()), version);
	const read = () => db.readAsync('SELECT rowid FROM v WHERE e MATCH ? AND k = 2 ORDER BY distance', [new Float32Array([3.2, 0])], { raw: true });
	assert.deepStrictEqual(await Promise.all([read(), read()]), [[[3], [4]], [[3], [4]]]);
	assert.throws(() => db.prepare(`SELECT load_extension('${vec.getLoadablePath()}')`).get(), { code: 'SQLITE_ERROR' });
	db.close();
	const plain = new litekeel(':memory:');
	assert.strictEqual(plain.loadExtension(vec.getLoadablePath(), 'sqlite3_vec_init').prepare('SELECT vec_version()').pluck().get(), version);
	plain.close();
	// Loaded later, readers that were there before get it too; SQL of theirs loads nothing.
	const late = open(t);
	await assert.rejects(Promise.all([late.readAsync('SELECT vec_version()'), late.readAsync('SELECT 1')]), /no such function/);
	vec.load(late);
	assert.deepStrictEqual(await late.readAsync('SELECT vec_version() AS version'), [{ version }]);
	await assert.rejects(late.readAsync('SELECT load_extension(?)', [vec.getLoadablePath()]), /not authorized/);
	assert.strictEqual(await late.transactionAsync(async (tx) => tx.prepare('SELECT vec_version()').pluck().get()), version);
	late.close();
	assert.throws(() => open(t, { extensions: ['/nowhere/x.so'] }), (error) => error instanceof litekeel.SqliteError && error.path === '/nowhere/x.so' && error.hint.length > 0);
	for (const bad of ['x', [5], [{}], [{ path: 'x', entryPoint: 5 }], null]) assert.throws(() => open(t, { extensions: bad }), TypeError);
	litekeel.assertNoLeaks();
});
