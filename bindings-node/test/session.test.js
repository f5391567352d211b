'use strict';
// Sessions and changesets: the same script in node:sqlite and here, as far as node:sqlite has it.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const Database = require('../lib');
const runtimes = require('./runtimes');
require('./prepare')();

/** Runs in the child with `Connection`, `constants` and `report`. */
function script(Connection, constants, report) {
	// By its name in node:sqlite a library would take one of ours for one of its connections.
	const begin = (db, options) => (db.session ?? db.createSession).call(db, options);
	const make = (rows) => {
		const db = new Connection(':memory:');
		db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB); CREATE TABLE u(a INTEGER PRIMARY KEY, b); CREATE TABLE nokey(a)');
		for (const [a, b] of rows) db.prepare('INSERT INTO t VALUES (?, ?, NULL)').run(a, b);
		return db;
	};
	const rows = (db) => db.prepare('SELECT * FROM t ORDER BY a').all().map((row) => Object.values(row).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)).join());
	const changed = (options) => {
		const db = make([[1, 'one'], [2, 'two'], [3, 'three']]);
		const session = begin(db, options);
		db.exec("INSERT INTO t VALUES (4, 'four', x'0001'); UPDATE t SET b = 'TWO' WHERE a = 2; DELETE FROM t WHERE a = 3; INSERT INTO u VALUES (1, 1.5); INSERT INTO nokey VALUES (1)");
		return session;
	};
	for (const options of [{}, { table: 't' }, { table: 'u' }, { table: 'nokey' }, { table: 'missing' }, { db: 'main' }, { db: 'temp' }]) {
		const session = changed(options);
		report(`changes ${JSON.stringify(options)}`, () => [session.changeset(), session.patchset()].map((bytes) => `${bytes.constructor.name} ${Buffer.from(bytes).toString('hex')}`));
		report('close', () => session.close());
	}
	const both = changed({});
	const sets = { changeset: both.changeset(), patchset: both.patchset() };
	const choices = [undefined, constants.SQLITE_CHANGESET_OMIT, constants.SQLITE_CHANGESET_REPLACE, constants.SQLITE_CHANGESET_ABORT];
	for (const [kind, bytes] of Object.entries(sets)) {
		for (const [name, content] of Object.entries({ same: [[1, 'one'], [2, 'two'], [3, 'three']], other: [[2, 'zwei'], [3, 'drei'], [4, 'vier']], missing: [] })) {
			for (const choice of choices) {
				const db = make(content);
				const asked = [];
				const options = choice === undefined ? undefined : { onConflict: (type) => { asked.push(type); return choice === 1 && (type === 2 || type === 4) ? 0 : choice; } };
				report(`${kind} on ${name}, ${choice}`, () => [db.applyChangeset(bytes, options), ...rows(db), ...asked]);
			}
		}
		const tables = [];
		const db = make([[1, 'one'], [2, 'two'], [3, 'three']]);
		report(`${kind} filtered`, () => [db.applyChangeset(bytes, { filter: (table) => { tables.push(table); return table === 'u'; } }), ...rows(db), db.prepare('SELECT count(*) AS n FROM u').get().n, ...tables]);
	}
}

test('as node:sqlite on Node 24', () => {
	const program = `(${script})(require('node:sqlite').DatabaseSync, require('node:sqlite').constants, (name, fn) => { let found; try { found = fn(); } catch { found = 'throws'; } lines.push([name, JSON.stringify(found) ?? null]); });`;
	const expected = JSON.parse(execFileSync(runtimes.node(24), ['--no-warnings', '-e', `const lines = []; ${program} console.log(JSON.stringify(lines))`], { encoding: 'utf8' }));
	const actual = [];
	script(Database, Database.constants, (name, fn) => { let found; try { found = fn(); } catch { found = 'throws'; } actual.push([name, JSON.stringify(found) ?? null]); });
	assert.ok(expected.length > 30, `${expected.length}`);
	assert.deepStrictEqual(actual, expected);
});

test('arguments and states', () => {
	const db = new Database(':memory:').exec('CREATE TABLE t(a INTEGER PRIMARY KEY)');
	for (const bad of [5, 'x', { table: 5 }, { table: '' }, { db: null }]) assert.throws(() => db.session(bad), TypeError, JSON.stringify(bad));
	for (const bad of [undefined, 'x', [1], new ArrayBuffer(8)]) assert.throws(() => db.applyChangeset(bad), TypeError);
	for (const bad of [{ filter: 1 }, { onConflict: 'omit' }]) assert.throws(() => db.applyChangeset(new Uint8Array(0), bad), TypeError);
	assert.throws(() => db.applyChangeset(Uint8Array.of(1, 2, 3)), (error) => error instanceof Database.SqliteError && error.code === 'SQLITE_CORRUPT');
	const session = db.session();
	assert.throws(() => new session.constructor(), TypeError);
	session.close();
	assert.throws(() => session.close(), TypeError);
	assert.throws(() => session.changeset(), TypeError);
	const left = db.session();
	db.close();
	assert.throws(() => left.changeset(), TypeError);
	assert.throws(() => db.session(), TypeError);
});

test('what a callback throws is thrown, and nothing is applied', () => {
	const source = new Database(':memory:').exec('CREATE TABLE t(a INTEGER PRIMARY KEY)');
	const session = source.session();
	source.exec('INSERT INTO t VALUES (1)');
	const target = new Database(':memory:').exec('CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)');
	const mine = new Error('mine');
	for (const options of [{ onConflict() { throw mine; } }, { filter() { throw mine; } }]) assert.throws(() => target.applyChangeset(session.changeset(), options), (error) => error === mine);
	assert.throws(() => target.applyChangeset(session.changeset(), { onConflict() { target.exec('DELETE FROM t'); } }), TypeError);
	assert.strictEqual(target.prepare('SELECT count(*) FROM t').pluck().get(), 1);
	source.close();
	target.close();
});

test('a library that looks by a name for which database it has takes it for better-sqlite3', () => {
	const db = new Database(':memory:');
	// As better-auth does.
	assert.ok('aggregate' in db && !('createSession' in db) && !('fileControl' in db));
	db.close();
});
