'use strict';
// A NUL ends a text for SQLite and for the operating system: what has one in it would be another path, another name, or
// half of the SQL.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const NUL = { name: 'TypeError', message: /NUL/ };

test('no path is cut: nothing is opened, made or removed', async (t) => {
	const cwd = temporary(t);
	const file = path.join(cwd, 'a.db');
	const db = litekeel(file).exec('CREATE TABLE t(a)');
	const before = fs.readFileSync(file);
	for (const name of [`${file}\0x`, `${file}\0`, `${path.join(cwd, 'b.db')}\0`]) {
		assert.throws(() => new litekeel(name), NUL);
		assert.throws(() => litekeel.open(name), { code: 'KEEL_CONTROL_CHARACTER' });
		await assert.rejects(db.backup(name), NUL);
		await assert.rejects(db.backup(name, { progress: () => { throw new Error('stop'); } }), NUL);
		assert.throws(() => db.loadExtension(name), NUL);
	}
	assert.throws(() => db.loadExtension('none', 'entry\0x'), NUL);
	assert.deepStrictEqual(fs.readdirSync(cwd), ['a.db']);
	assert.deepStrictEqual(fs.readFileSync(file), before);
	db.close();
});

test('half a character does not make two names one', async (t) => {
	const HALF = { name: 'TypeError', message: /half a character/ };
	const cwd = temporary(t);
	const db = new litekeel(path.join(cwd, 'whole 😀.db')).exec('CREATE TABLE t(a)');
	for (const half of ['\ud800', '\udc00', '\ud83dx']) {
		const file = path.join(cwd, `a${half}.db`);
		assert.throws(() => new litekeel(file), HALF);
		for (const url of [file, `file:${file}`, `${file}\0`]) assert.throws(() => litekeel.open(url), HALF);
		assert.throws(() => litekeel.databaseFile(file), HALF);
		await assert.rejects(db.backup(file), HALF);
	}
	await db.backup(path.join(cwd, 'copy 😀.db'));
	assert.deepStrictEqual(fs.readdirSync(cwd).sort(), ['copy 😀.db', 'whole 😀.db']);
	db.close();
});

for (const [door, open] of [['new Database', () => new litekeel(':memory:')], ['open', () => litekeel.open(':memory:')]]) {
	test(`${door}: no SQL is cut`, () => {
		const db = open();
		for (const sql of ['SELECT 1;\0 SELECT 2', 'SELECT 1\0x', '\0SELECT 1', "SELECT 'a\0b'", 'CREATE TABLE a(x);\0CREATE TABLE b(x)', 'PRAGMA foreign_keys = off;\0SELECT 1']) {
			for (const call of [() => db.prepare(sql), () => db.exec(sql), () => db.explain(sql), () => db.pragma(sql)]) assert.throws(call, NUL, JSON.stringify(sql));
		}
		db.defaultTimeout(1000);
		assert.throws(() => db.exec('CREATE TABLE a(x);\0CREATE TABLE b(x)'), NUL);
		assert.throws(() => db.pragma('busy_timeout = 1\0x'), NUL);
		assert.deepStrictEqual(db.prepare('SELECT name FROM sqlite_schema').all(), []);
		// Nothing follows: nothing is lost. And values are no SQL.
		assert.strictEqual(db.prepare('SELECT 1\0').pluck().get(), 1);
		db.exec('CREATE TABLE c(x);\0\0');
		assert.deepStrictEqual(db.prepare('SELECT ? AS a, length(CAST(? AS BLOB)) AS b').get('a\0b', 'a\0b'), { a: 'a\0b', b: 3 });
		db.close();
	});

	test(`${door}: no name is cut`, async () => {
		const db = open().exec('CREATE TABLE t(a)');
		assert.throws(() => db.function('f\0x', () => 1), NUL);
		assert.throws(() => db.aggregate('f\0x', { step() {} }), NUL);
		assert.throws(() => db.table('f\0x', { columns: ['a'], *rows() {} }), NUL);
		assert.throws(() => db.serialize({ attached: 'main\0x' }), NUL);
		assert.throws(() => db.session({ table: 't\0x' }), NUL);
		assert.throws(() => db.session({ db: 'main\0x' }), NUL);
		await assert.rejects(db.backup('never.db', { attached: 'main\0x' }), NUL);
		assert.ok(!fs.existsSync('never.db'));
		assert.throws(() => db.prepare('SELECT f()'), /no such function/);
		db.close();
	});
}

test('readAsync', async (t) => {
	const db = litekeel.open('file:a.db', { baseDir: temporary(t) });
	await assert.rejects(db.readAsync('SELECT 1;\0 SELECT 2'), NUL);
	assert.deepStrictEqual(await db.readAsync('SELECT ? AS a', ['a\0b']), [{ a: 'a\0b' }]);
	db.close();
});
