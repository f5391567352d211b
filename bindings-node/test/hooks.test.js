'use strict';
// What a connection tells while it works.
const { test } = require('node:test');
const assert = require('node:assert');
const Database = require('../lib');

const open = () => new Database(':memory:').exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b)');
const rows = (db) => db.prepare('SELECT a, b FROM t').raw().all();

test('onUpdate names each row, in every kind of call', () => {
	const db = open();
	const seen = [];
	assert.strictEqual(db.onUpdate((change) => seen.push(Object.values(change).join(' '))), db);
	db.prepare('INSERT INTO t VALUES (1, 2), (5, 6)').run();
	db.prepare('UPDATE t SET b = 3 WHERE a = 5 RETURNING b').get();
	db.exec("ATTACH ':memory:' AS other; CREATE TABLE other.u(c); INSERT INTO other.u VALUES (1)");
	for (const row of db.prepare('DELETE FROM t WHERE a = 1 RETURNING a').iterate()) assert.deepStrictEqual(row, { a: 1 });
	assert.deepStrictEqual(seen, ['insert main t 1', 'insert main t 5', 'update main t 5', 'insert other u 1', 'delete main t 1']);
	db.onUpdate(null);
	db.exec('DELETE FROM t WHERE true');
	assert.strictEqual(seen.length, 5);
	db.close();
});

test('a hook on the commit may use another connection, and the row stays as it was', () => {
	const other = new Database(':memory:').exec("CREATE TABLE u(x, y, z); INSERT INTO u VALUES (7, 'another text', 9)");
	const db = open();
	const read = () => { other.prepare('SELECT * FROM u').get(); };
	db.onCommit(read).onUpdate(read);
	const insert = db.prepare("INSERT INTO t VALUES (NULL, 'abc'), (NULL, 'd') RETURNING b, a");
	assert.deepStrictEqual(insert.get(), { b: 'abc', a: 1 });
	assert.deepStrictEqual(insert.all(), [{ b: 'abc', a: 3 }, { b: 'd', a: 4 }]);
	for (const row of insert.iterate()) { assert.deepStrictEqual(row, { b: 'abc', a: 5 }); break; }
	assert.deepStrictEqual(rows(db).map(([a]) => a), [1, 2, 3, 4, 5, 6]);
	db.close();
	other.close();
});

test('rowids are bigints where integers are', () => {
	const db = open().defaultSafeIntegers();
	let rowid;
	db.onUpdate((change) => { rowid = change.rowid; });
	db.prepare('INSERT INTO t VALUES (9007199254740993, NULL)').run();
	assert.strictEqual(rowid, 9007199254740993n);
	db.close();
});

test('onCommit and onRollback, and a commit that is refused', () => {
	const db = open();
	const seen = [];
	db.onCommit(() => { seen.push('commit'); }).onRollback(() => { seen.push('rollback'); });
	db.exec('INSERT INTO t VALUES (1, 1)');
	db.exec('BEGIN; INSERT INTO t VALUES (2, 2); ROLLBACK');
	assert.deepStrictEqual(seen, ['commit', 'rollback']);
	const no = new Error('no');
	db.onCommit(() => { throw no; });
	for (const attempt of [() => db.exec('INSERT INTO t VALUES (3, 3)'), () => db.prepare('INSERT INTO t VALUES (3, 3)').run(), db.transaction(() => db.exec('INSERT INTO t VALUES (3, 3)'))]) {
		assert.throws(attempt, (error) => error === no);
		assert.strictEqual(db.inTransaction, false);
	}
	assert.deepStrictEqual(seen.filter((name) => name === 'rollback').length, 4);
	db.onCommit(null);
	assert.deepStrictEqual(rows(db), [[1, 1]]);
	db.close();
});

test('what onUpdate throws is thrown by the call, and undone outside a transaction', () => {
	const db = open();
	const stop = new RangeError('stop');
	db.onUpdate(() => { throw stop; });
	for (const attempt of [() => db.exec('INSERT INTO t VALUES (1, 1)'), () => db.prepare('INSERT INTO t VALUES (1, 1)').run(), db.transaction(() => db.prepare('INSERT INTO t VALUES (1, 1)').run())]) {
		assert.throws(attempt, (error) => error === stop);
	}
	db.onUpdate(null);
	assert.deepStrictEqual(rows(db), []);
	db.close();
});

test('the connection is busy inside a hook; hooks need an idle one, and functions', () => {
	const db = open();
	let inside;
	db.onUpdate(() => { try { db.prepare('SELECT 1'); } catch (error) { inside = error; } });
	db.exec('INSERT INTO t VALUES (1, 1)');
	assert.ok(inside instanceof TypeError);
	assert.throws(() => db.onUpdate(5), TypeError);
	const iterator = db.prepare('SELECT 1 UNION SELECT 2').iterate();
	iterator.next();
	assert.throws(() => db.onCommit(() => {}), TypeError);
	iterator.return();
	db.close();
	assert.throws(() => db.onUpdate(() => {}), TypeError);
});

test('hooks end with the connection', () => {
	const db = open();
	const seen = [];
	db.onRollback(() => seen.push('rollback'));
	db.exec('BEGIN; INSERT INTO t VALUES (1, 1)');
	db.close();
	assert.deepStrictEqual(seen, []);
});
