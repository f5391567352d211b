'use strict';
// What an error says beside SQLite's message: which argument is wrong, and what helps.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const opened = (t) => litekeel.open('file:a.db', { baseDir: temporary(t) });

test('a NUL is told with the argument that it is in, and where', async (t) => {
	const db = opened(t);
	const copy = path.join(path.dirname(db.name), 'copy.db');
	for (const [call, expected] of [
		[() => db.function('a\0b', () => 1), 'The name of a function cannot contain a NUL character, as at index 1'],
		[() => db.aggregate('ab\0', { step() {} }), 'The name of an aggregate cannot contain a NUL character, as at index 2'],
		[() => db.table('\0', { columns: ['x'], * rows() {} }), 'The name of a virtual table module cannot contain a NUL character, as at index 0'],
		[() => db.loadExtension('a\0b'), 'The path of an extension cannot contain a NUL character, as at index 1'],
		[() => db.loadExtension('a', 'b\0'), 'The entry point of an extension cannot contain a NUL character, as at index 1'],
		[() => db.serialize({ attached: 'main\0' }), 'The "attached" option cannot contain a NUL character, as at index 4'],
		[() => db.backup(copy, { attached: 'main\0' }), 'The "attached" option cannot contain a NUL character, as at index 4'],
		[() => db.session({ table: 't\0' }), 'The "table" option cannot contain a NUL character, as at index 1'],
		[() => db.session({ db: 'main\0' }), 'The "db" option cannot contain a NUL character, as at index 4'],
	]) await assert.rejects(async () => call(), { name: 'TypeError', message: expected });
	assert.ok(!fs.existsSync(copy));
	db.close();
});

test('an extension that cannot be loaded is told with what to look at', (t) => {
	const db = opened(t);
	const plain = new litekeel(':memory:');
	for (const one of [db, plain]) {
		assert.throws(() => one.loadExtension('/no/such/extension'), { code: 'SQLITE_ERROR', hint: /check that the file is there/ });
		// SQLite's message is about another name then.
		assert.throws(() => one.loadExtension(__filename), { code: 'SQLITE_ERROR', hint: /hints\.test\.js is there: check that it is a library/ });
	}
	assert.throws(() => litekeel.open(`file:${db.name}`, { extensions: ['/no/such/extension'] }), { step: 'load_extension', path: '/no/such/extension', hint: /check that the file is there/ });
	db.close();
	plain.close();
});

test('what a connection does not have is told with how it would get it', async (t) => {
	const db = opened(t).exec('CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); CREATE TEMP TABLE here(a)');
	db.function('ours', () => 1);
	assert.throws(() => db.prepare('SELECT nobodys(1)'), { message: 'no such function: nobodys', hint: /register it on this one, or load the extension/ });
	assert.throws(() => db.prepare("SELECT 'a' COLLATE nobodys = 'b'"), { message: 'no such collation sequence: nobodys', hint: /the program that wrote the file has it/ });
	// What the sqlite3 shell's .dump writes for a table of FTS5.
	const dump = "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES ('table', 'f', 'f', 0, 'CREATE VIRTUAL TABLE f USING fts5(a)')";
	assert.throws(() => db.exec(dump), { message: 'table sqlite_master may not be modified', hint: /\.dump .* defensive=off/ });
	litekeel.open(':memory:?defensive=off').exec(`${dump}; PRAGMA writable_schema = OFF`).close();
	assert.throws(() => db.exec('CREATE VIRTUAL TABLE v USING nobodys'), { message: 'no such module: nobodys', hint: /extension/ });
	const fails = (run, hint) => assert.throws(run, { message: 'FOREIGN KEY constraint failed', code: 'SQLITE_CONSTRAINT_FOREIGNKEY', hint });
	fails(() => db.prepare('INSERT INTO c VALUES (7)').run(), /a new row of c refers \(c\.\w+ to p\(\w+\)\)/);
	fails(() => db.prepare('INSERT INTO c VALUES (7) RETURNING *').get(), /a new row of c refers/);
	fails(() => db.prepare('INSERT INTO c VALUES (7) RETURNING *').all(), /a new row of c refers/);
	fails(() => db.exec('SELECT 1; INSERT INTO c VALUES (7)'), /a new row of c refers/);
	db.exec('PRAGMA defer_foreign_keys=on; BEGIN; PRAGMA defer_foreign_keys=on; INSERT INTO c VALUES (7)');
	fails(() => db.exec('COMMIT'), /the row of c\.\w+ with rowid \d+ refers to a row of p\(\w+\) that is not there/);
	db.exec('ROLLBACK');
	await assert.rejects(db.readAsync('SELECT ours()'), { message: 'no such function: ours', hint: /a connection of its own, which has the extensions of this one but not its functions/ });
	await assert.rejects(db.readAsync('SELECT * FROM here'), { message: 'no such table: here', hint: /no temporary tables/ });
	// A false alarm would send the reader elsewhere.
	assert.throws(() => db.prepare('SELECT abs(1, 2)'), { message: 'wrong number of arguments to function abs()', hint: '' });
	assert.throws(() => db.prepare('INSERT INTO p VALUES (1), (1)').run(), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY', hint: '' });
	db.close();
});

test('readAsync names the way out for booleans and dates, as the others do', async (t) => {
	const db = opened(t);
	for (const [value, hint] of [[true, /bindBooleans/], [new Date(), /bindDates/]]) {
		assert.throws(() => db.prepare('SELECT ?').get(value), { name: 'TypeError', hint });
		for (const params of [[value], value, { a: value }]) await assert.rejects(db.readAsync(params?.a === undefined ? 'SELECT ?' : 'SELECT $a', params), { name: 'TypeError', hint });
	}
	await assert.rejects(db.readAsync('SELECT ?', [2n ** 64n]), { name: 'RangeError', message: 'The bound string, buffer, or bigint is too big' });
	db.close();
});
