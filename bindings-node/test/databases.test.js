'use strict';
// Many databases, one for each tenant: how many are open, what a name may be, what is left to the next user.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const temporary = require('./temporary');
const litekeel = require('../lib');
const { databases } = litekeel;

const table = (db) => { db.exec('CREATE TABLE IF NOT EXISTS t(a)'); };
const many = (t, options) => {
	const dir = temporary(t);
	const tenants = databases({ dir, onOpen: table, ...options });
	t.after(() => tenants.close());
	return tenants;
};
const insert = (db, value) => db.prepare('INSERT INTO t VALUES (?)').run(value);
const rows = (db) => db.prepare('SELECT a FROM t ORDER BY a').pluck().all();
const handles = ({ directory }) => litekeel.openHandles().filter(({ path: file }) => file?.startsWith(directory + path.sep));
const descriptors = () => (process.platform === 'linux' ? fs.readdirSync('/proc/self/fd').length : 0);
const is = (code) => (error) => { assert.strictEqual(error.code, code, error.stack); assert.ok(error.hint, error.message); return true; };

test('the least recently used one is closed for the next, and opened again with what it had', (t) => {
	const opened = [];
	const tenants = many(t, { max: 2, onOpen: (db, name) => { opened.push(name); table(db); } });
	for (const name of ['a', 'b', 'c']) tenants.use(name, (db) => insert(db, name), { create: true });
	assert.strictEqual(tenants.size, 2);
	tenants.use('b', (db) => insert(db, 'again'));
	assert.deepStrictEqual(opened, ['a', 'b', 'c'], 'it was open');
	assert.deepStrictEqual(tenants.use('a', rows), ['a']);
	assert.deepStrictEqual(opened, ['a', 'b', 'c', 'a']);
	// c was the oldest, b is still open.
	assert.deepStrictEqual(tenants.use('b', rows), ['again', 'b']);
	assert.deepStrictEqual(tenants.use('c', rows), ['c']);
	assert.deepStrictEqual(opened, ['a', 'b', 'c', 'a', 'c']);
	// What is closed leaves one file.
	const left = fs.readdirSync(tenants.directory).filter((name) => name.startsWith('a.'));
	assert.deepStrictEqual(left, ['a.db']);
});

test('a thousand databases take no more descriptors and threads than may be open', (t) => {
	const tenants = many(t, { max: 8 });
	const count = process.env.LITEKEEL_LONG ? 10_000 : 1_000;
	tenants.create('0').release('0');
	for (let n = 1; n < count; ++n) fs.copyFileSync(path.join(tenants.directory, '0.db'), path.join(tenants.directory, `${n}.db`));
	for (let n = 0; n < 20; ++n) tenants.use(String(n), (db) => insert(db, n));
	const threads = () => (process.platform === 'linux' ? fs.readdirSync('/proc/self/task').length : 0);
	const [before, running] = [descriptors(), threads()];
	for (let n = 0; n < count; ++n) tenants.use(String(n), (db) => insert(db, 'x'));
	assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, ${before} before`);
	assert.ok(threads() <= running + 1, `${threads()} threads, ${running} before`);
	assert.strictEqual(handles(tenants).length, 8);
	assert.deepStrictEqual(tenants.use(String(count - 1), rows), ['x']);
});

test('an open one is never closed under its user', async (t) => {
	const tenants = many(t, { max: 2 });
	for (const name of ['a', 'b', 'c']) tenants.create(name);
	await tenants.useAsync('a', async (a) => {
		tenants.use('b', (b) => {
			assert.throws(() => tenants.use('c', rows), is('KEEL_ALL_IN_USE'));
			insert(b, 1);
			tenants.use('b', (again) => assert.strictEqual(again, b));
		});
		await null;
		// b is free now, and a is still used.
		tenants.use('c', (c) => insert(c, 2));
		tenants.use('b', (b) => assert.deepStrictEqual(rows(b), [1]));
		insert(a, 3);
	});
	assert.deepStrictEqual(tenants.use('a', rows), [3]);
});

test('useAsync() waits for a place, first come, first served', async (t) => {
	const tenants = many(t, { max: 1 });
	for (const name of ['a', 'b', 'c']) tenants.create(name);
	const order = [];
	let end;
	const first = tenants.useAsync('a', () => new Promise((resolve) => { end = resolve; }));
	await new Promise(setImmediate);
	const others = ['b', 'c', 'b'].map((name, at) => tenants.useAsync(name, (db) => { order.push(name + at); return rows(db); }));
	tenants.use('a', () => { order.push('a'); });
	assert.deepStrictEqual(order, ['a'], 'that one is open');
	await new Promise(setImmediate);
	end('done');
	assert.strictEqual(await first, 'done');
	assert.deepStrictEqual(await Promise.all(others), [[], [], []]);
	assert.deepStrictEqual(order, ['a', 'b0', 'c1', 'b2']);
	// Who cannot be let in is told, and holds up nobody.
	const hold = tenants.useAsync('a', () => new Promise((resolve) => { end = resolve; }));
	await new Promise(setImmediate);
	const [none, after] = [tenants.useAsync('none', rows), tenants.useAsync('b', rows)];
	end();
	await hold;
	await assert.rejects(none, is('KEEL_NO_DATABASE'));
	assert.deepStrictEqual(await after, []);
});

test('a transaction that was left open is undone, and not the next user’s', async (t) => {
	const tenants = many(t);
	tenants.create('a');
	assert.throws(() => tenants.use('a', (db) => { db.exec('BEGIN'); insert(db, 1); }), is('KEEL_IN_TRANSACTION'));
	await assert.rejects(tenants.useAsync('a', async (db) => { db.exec('BEGIN'); insert(db, 2); }), is('KEEL_IN_TRANSACTION'));
	assert.throws(() => tenants.use('a', (db) => { db.exec('BEGIN'); insert(db, 3); throw new Error('mine'); }), /^Error: mine$/);
	tenants.use('a', (db) => { assert.ok(!db.inTransaction); assert.deepStrictEqual(rows(db), []); });
	// An inner use of the same database is part of the outer one's.
	tenants.use('a', (db) => db.transaction(() => { insert(db, 4); tenants.use('a', (same) => insert(same, 5)); })());
	assert.deepStrictEqual(tenants.use('a', rows), [4, 5]);
});

test('no name leads out of the directory, and none is another database’s side file', (t) => {
	const tenants = many(t);
	fs.writeFileSync(path.join(path.dirname(tenants.directory), 'outside.db'), '');
	t.after(() => fs.rmSync(path.join(path.dirname(tenants.directory), 'outside.db')));
	for (const name of ['', '.', '..', '../outside', 'a/b', 'a\\b', '.hidden', '-x', 'a\0', 'a\n', 'ä', 'a b', 'a?mode=memory', 'a%2fb', 'a#b', ':memory:', 'file:a', 'x'.repeat(201)]) {
		assert.throws(() => tenants.use(name, rows, { create: true }), is('KEEL_ARGUMENT'), JSON.stringify(name));
		assert.throws(() => tenants.release(name), is('KEEL_ARGUMENT'));
	}
	for (const name of [undefined, null, 1, {}, ['a']]) assert.throws(() => tenants.use(name, rows), TypeError);
	fs.symlinkSync(path.join('..', 'outside.db'), path.join(tenants.directory, 'link.db'));
	assert.throws(() => tenants.use('link', rows), (error) => error.code === 'KEEL_PATH_NOT_ALLOWED' || error.code === 'SQLITE_CANTOPEN_SYMLINK');
	assert.strictEqual(fs.statSync(path.join(path.dirname(tenants.directory), 'outside.db')).size, 0);
	// False alarms: what is ordinary works, and two names are two files.
	for (const name of ['acme', 'Acme', '0', '42', 'a.b', 'a-wal', 'b.db', 'b', '_x', 'x'.repeat(200), '3f2a-11', 'a..b']) tenants.use(name, (db) => insert(db, name), { create: true });
	for (const name of ['acme', 'Acme', 'a-wal', 'b.db', 'b']) assert.deepStrictEqual(tenants.use(name, rows), [name]);
	assert.throws(() => databases({ dir: tenants.directory, extension: '.db-wal' }).use('a', rows), is('KEEL_ARGUMENT'));
});

test('a directory with odd characters, given by a relative path or a link, is that directory', (t) => {
	const dir = temporary(t);
	const odd = path.join(dir, 'what?a=b#c %41 ü');
	databases({ dir: odd }).create('a');
	assert.ok(fs.existsSync(path.join(odd, 'a.db')));
	fs.symlinkSync(odd, path.join(dir, 'link'));
	const tenants = databases({ dir: path.relative(process.cwd(), path.join(dir, 'link')) });
	assert.strictEqual(tenants.directory, odd);
	// Where the link leads later is nobody's business.
	fs.unlinkSync(path.join(dir, 'link'));
	fs.symlinkSync('/nowhere', path.join(dir, 'link'));
	tenants.use('a', table);
	tenants.create('b');
	assert.ok(fs.existsSync(path.join(odd, 'b.db')));
});

test('a database that is not there is not created by a typing error', (t) => {
	const tenants = many(t);
	assert.throws(() => tenants.use('acme', rows), is('KEEL_NO_DATABASE'));
	assert.deepStrictEqual(fs.readdirSync(tenants.directory), []);
	tenants.create('acme').create('acme');
	assert.deepStrictEqual(tenants.use('acme', rows), []);
});

test('one that cannot be opened takes no place, and is tried again', (t) => {
	const tenants = many(t, { max: 1 });
	fs.writeFileSync(path.join(tenants.directory, 'bad.db'), 'this is no database, and that is so'.repeat(100));
	tenants.create('good');
	for (let n = 0; n < 3; ++n) assert.throws(() => tenants.use('bad', rows), (error) => error.code === 'SQLITE_NOTADB');
	assert.deepStrictEqual(tenants.use('good', rows), []);
	let fails = true;
	const migrated = many(t, { onOpen: (db) => { table(db); if (fails) throw new Error('migration'); } });
	assert.throws(() => migrated.create('a'), /migration/);
	assert.strictEqual(migrated.size, 0);
	fails = false;
	assert.deepStrictEqual(migrated.create('a').use('a', rows), []);
	const promising = many(t, { onOpen: async () => {} });
	assert.throws(() => promising.create('a'), /no promise/);
});

test('release() closes one, so that its file can be replaced', async (t) => {
	const tenants = many(t);
	for (const name of ['a', 'b']) tenants.use(name, (db) => insert(db, name), { create: true });
	assert.throws(() => tenants.use('a', () => tenants.release('a')), is('KEEL_ALL_IN_USE'));
	assert.strictEqual(tenants.release('a'), true);
	assert.strictEqual(tenants.release('a'), false);
	tenants.release('b');
	fs.renameSync(path.join(tenants.directory, 'b.db'), path.join(tenants.directory, 'a.db'));
	assert.deepStrictEqual(tenants.use('a', rows), ['b']);
	assert.throws(() => tenants.use('b', rows), is('KEEL_NO_DATABASE'));
	// Its user may close it as well.
	tenants.use('a', (db) => { db.close(); });
	assert.deepStrictEqual(tenants.use('a', rows), ['b']);
});

test('close() closes what is idle at once, what is used when it is free, and refuses the rest', async (t) => {
	const tenants = many(t, { max: 3 });
	for (const name of ['a', 'b']) tenants.create(name);
	let end;
	const used = tenants.useAsync('a', (db) => new Promise((resolve) => { end = resolve; }).then(() => insert(db, 1)));
	await new Promise(setImmediate);
	let closed = false;
	const closing = tenants.close().then(() => { closed = true; });
	assert.strictEqual(tenants.size, 1);
	assert.throws(() => tenants.use('b', rows), is('KEEL_CLOSED'));
	await assert.rejects(tenants.useAsync('b', rows), is('KEEL_CLOSED'));
	await new Promise(setImmediate);
	assert.ok(!closed);
	end();
	await Promise.all([used, closing]);
	assert.strictEqual(tenants.size, 0);
	assert.deepStrictEqual(databases({ dir: tenants.directory }).use('a', rows), [1]);
});

test('two who use one database are not in one transaction, and what was acknowledged stays', async (t) => {
	const tenants = many(t);
	tenants.create('a');
	let end;
	const failing = tenants.useAsync('a', async (db) => { db.exec('BEGIN'); insert(db, 1); await new Promise((resolve) => { end = resolve; }); throw new Error('mine'); });
	await new Promise(setImmediate);
	// It would be undone with the other's.
	assert.throws(() => tenants.use('a', (db) => insert(db, 2)), is('KEEL_IN_TRANSACTION'));
	const later = tenants.useAsync('a', (db) => { assert.ok(!db.inTransaction); insert(db, 3); });
	end();
	await assert.rejects(failing, /mine/);
	await later;
	assert.deepStrictEqual(tenants.use('a', rows), [3]);
	// Without one, who is quick need not wait; and who leaves one open is blamed for it, not who waits.
	const idle = tenants.useAsync('a', async (db) => { await new Promise((resolve) => { end = resolve; }); insert(db, 5); });
	await new Promise(setImmediate);
	tenants.use('a', (db) => insert(db, 4));
	assert.throws(() => tenants.use('a', (db) => { db.exec('BEGIN'); insert(db, 6); }), is('KEEL_IN_TRANSACTION'));
	end();
	await idle;
	assert.deepStrictEqual(tenants.use('a', rows), [3, 4, 5]);
});

test('work inside work of the same database is part of it', async (t) => {
	const tenants = many(t, { max: 1 });
	await tenants.useAsync('a', async (db) => {
		db.exec('BEGIN');
		await null;
		tenants.use('a', (same) => insert(same, 1));
		await tenants.useAsync('a', async (same) => { assert.strictEqual(same, db); insert(same, 2); });
		db.exec('COMMIT');
	}, { create: true });
	assert.deepStrictEqual(tenants.use('a', rows), [1, 2]);
});

test('use() takes no promise', async (t) => {
	const tenants = many(t);
	tenants.create('a');
	assert.throws(() => tenants.use('a', async () => { throw new Error('nobody’s'); }), /useAsync/);
	assert.throws(() => tenants.use('a', () => ({ get then() { throw new Error('odd'); } })), /odd/);
	await new Promise(setImmediate);
	assert.strictEqual(tenants.release('a'), true, 'nobody uses it');
});

test('an iterator that was left open ends with its use, and holds nobody up', async (t) => {
	const tenants = many(t, { max: 1 });
	tenants.use('a', (db) => { insert(db, 1); insert(db, 2); }, { create: true });
	let kept;
	const leaves = (db) => { kept = db.prepare('SELECT a FROM t').iterate(); kept.next(); };
	assert.throws(() => tenants.use('a', leaves), is('KEEL_IN_TRANSACTION'));
	assert.throws(() => kept.next());
	kept.return();
	tenants.create('b');
	assert.throws(() => tenants.use('a', (db) => { db.exec('BEGIN'); insert(db, 3); leaves(db); }), is('KEEL_IN_TRANSACTION'));
	assert.throws(() => tenants.use('a', (db) => { leaves(db); throw new Error('mine'); }), /mine/);
	tenants.use('a', (db) => { assert.ok(!db.inTransaction); assert.deepStrictEqual(rows(db), [1, 2]); insert(db, 4); });
	await tenants.close();
	assert.deepStrictEqual(handles(tenants), []);
});

test('a file that was deleted or replaced meanwhile is not the one that was open', (t) => {
	const tenants = many(t);
	tenants.use('a', (db) => insert(db, 'old'), { create: true });
	for (const name of ['a.db', 'a.db-wal', 'a.db-shm']) fs.rmSync(path.join(tenants.directory, name), { force: true });
	assert.throws(() => tenants.use('a', rows), is('KEEL_NO_DATABASE'));
	assert.deepStrictEqual(tenants.create('a').use('a', rows), []);
});

test('no SQL reaches another one’s file', (t) => {
	const tenants = many(t);
	tenants.create('a').use('b', (db) => insert(db, 'secret'), { create: true });
	assert.throws(() => tenants.use('a', (db) => db.exec(`ATTACH '${path.join(tenants.directory, 'b.db')}' AS other`)));
	const open = many(t, { attach: 'existing' });
	open.create('a').create('b');
	open.use('a', (db) => db.exec(`ATTACH '${path.join(open.directory, 'b.db')}' AS other`));
});

test('onOpen may use others within the bound, not the one that is opened', (t) => {
	const tenants = many(t, { max: 2, onOpen: (db, name) => { table(db); if (name === 'a') { tenants.create('b'); assert.throws(() => tenants.use('a', rows), is('KEEL_ARGUMENT')); } } });
	tenants.create('a');
	assert.strictEqual(tenants.size, 2);
	const one = many(t, { max: 1, onOpen: (db, name) => { table(db); if (name === 'a') one.create('b'); } });
	assert.throws(() => one.create('a'), is('KEEL_ALL_IN_USE'));
	assert.strictEqual(one.size, 0);
	assert.deepStrictEqual([handles(tenants).length, handles(one).length], [2, 0]);
});

test('a name without a file costs nobody their place', (t) => {
	const tenants = many(t, { max: 2 });
	tenants.create('a').create('b');
	assert.throws(() => tenants.use('c', rows), is('KEEL_NO_DATABASE'));
	assert.strictEqual(tenants.size, 2);
});

test('options: what decides where the files lie is refused, the rest is open()’s', (t) => {
	const dir = temporary(t);
	for (const wrong of [undefined, null, {}, { dir: '' }, { dir, max: 0 }, { dir, max: 1.5 }, { dir, max: '3' }, { dir, extension: 'db' }, { dir, extension: '/../x' }, { dir, onOpen: 1 }, { dir, mode: 'rwc' }, { dir, baseDir: dir }, { dir, env: 'ignore' }, { dir, nofollow: false }, { dir, allowedRoots: [dir] }]) {
		assert.throws(() => databases(wrong), TypeError, JSON.stringify(wrong));
	}
	const tenants = databases({ dir, busyTimeout: 1234, profile: 'durable', extension: '.sqlite' });
	t.after(() => tenants.close());
	tenants.create('a').use('a', (db) => {
		assert.match(db.report.busy_timeout, /^1234/);
		assert.strictEqual(db.report.synchronous, 'full');
	});
	assert.ok(fs.existsSync(path.join(dir, 'a.sqlite')));
	assert.throws(() => databases({ dir, busyTimout: 1 }).create('b'), is('KEEL_UNKNOWN_PARAM'));
	if (process.env.DATABASE_URL === undefined) {
		process.env.DATABASE_URL = 'file:elsewhere.db';
		t.after(() => { delete process.env.DATABASE_URL; });
		assert.strictEqual(tenants.use('a', (db) => db.name), path.join(dir, 'a.sqlite'));
	}
});

test('a process that ends with databases open leaves no -wal', (t) => {
	const dir = temporary(t);
	execFileSync(process.execPath, ['-e', `
		const { databases } = require(${JSON.stringify(path.join(__dirname, '..', 'lib'))});
		const tenants = databases({ dir: ${JSON.stringify(dir)}, max: 5, onOpen: (db) => db.exec('CREATE TABLE IF NOT EXISTS t(a)') });
		for (let n = 0; n < 9; ++n) tenants.use('t' + n, (db) => db.exec('INSERT INTO t VALUES (1)'), { create: true });
	`]);
	assert.deepStrictEqual(fs.readdirSync(dir).sort(), Array.from({ length: 9 }, (_, n) => `t${n}.db`));
});

test('what could not be closed is told by close(), of which file it is, and nothing of it is lost', async (t) => {
	const dir = temporary(t);
	const spoil = (db, message) => Object.defineProperty(db, 'close', { configurable: true, value() { throw new Error(message); } });
	for (const names of [['a'], ['a', 'b', 'c']]) {
		// The first ones are closed for the place of the next, the last one at the end.
		const tenants = databases({ dir, max: 1 });
		const spoilt = [];
		for (const name of names) tenants.use(name, (db) => { spoilt.push(spoil(db, `no end of ${name}`)); }, { create: true });
		const error = await tenants.close().then(() => null, (reason) => reason);
		const each = names.length === 1 ? [error] : error.errors;
		assert.deepStrictEqual(each.map(({ message, path: file }) => [message, path.basename(file)]), names.map((name) => [`no end of ${name}`, `${name}.db`]));
		if (names.length > 1) {
			assert.ok(error instanceof AggregateError);
			assert.match(error.message, /^3 databases could not be closed: no end of a; no end of b; no end of c$/);
		}
		// What was asked for is told at once, and once.
		for (const db of spoilt) {
			delete db.close;
			db.close();
		}
	}
	const tenants = databases({ dir });
	let spoilt;
	tenants.use('a', (db) => { spoilt = spoil(db, 'not now'); });
	assert.throws(() => tenants.release('a'), { message: 'not now', path: path.join(fs.realpathSync(dir), 'a.db') });
	await tenants.close();
	delete spoilt.close;
	spoilt.close();
	// Work that left something open, too.
	const others = databases({ dir });
	assert.throws(() => others.use('a', (db) => { spoilt = spoil(db, 'not now'); db.exec('BEGIN'); }), { code: 'KEEL_IN_TRANSACTION' });
	await assert.rejects(others.close(), { message: 'not now' });
	delete spoilt.close;
	spoilt.close();
});
