'use strict';
// What can be seen of the objects without calling anything: properties, names, order, how they print and copy.
const util = require('node:util');

const flags = ({ writable, enumerable, configurable, get, set }) => [writable, enumerable, configurable, typeof get, typeof set].join(' ');
// Assigning in both modes: the function constructor makes sloppy code.
const sloppy = new Function('object', 'key', 'value', 'object[key] = value; return object[key] === value;');
const strict = (object, key, value) => { object[key] = value; return object[key] === value; };

function watch(o, label, object, keys) {
	o.note(`${label} keys`, Object.keys(object));
	for (const key of keys) {
		o.call(`${label} descriptor ${key}`, () => flags(Object.getOwnPropertyDescriptor(object, key)));
		o.call(`${label} sloppy assignment to ${key}`, () => sloppy(object, key, 'other'));
		o.call(`${label} strict assignment to ${key}`, () => strict(object, key, 'other'));
		o.call(`${label} deleting ${key}`, () => delete object[key]);
	}
	o.note(`${label} tag`, Object.prototype.toString.call(object));
	o.note(`${label} extensible`, Object.isExtensible(object));
}

function members(o, label, prototype) {
	o.note(`${label} enumerable members`, Object.keys(prototype).sort());
	for (const name of Object.keys(prototype).sort()) {
		const { value } = Object.getOwnPropertyDescriptor(prototype, name);
		o.note(`${label}.${name}`, [value.name, value.length, flags(Object.getOwnPropertyDescriptor(prototype, name))]);
		// Whether it can be called with new.
		o.note(`${label}.${name} prototype`, Object.hasOwn(value, 'prototype'));
	}
}

module.exports = {
	'observable: Database'({ Database, o, major }) {
		if (major < 13) return o.note('seen in 13 only', true);
		members(o, 'Database', Database.prototype);
		const db = new Database(':memory:');
		o.note('database JSON', JSON.parse(JSON.stringify(db)));
		o.note('database spread', { ...db });
		o.note('database inspect', util.inspect(db));
		o.note('database for in', (() => { const all = []; for (const key in db) if (Object.hasOwn(db, key)) all.push(key); return all; })());
		watch(o, 'database', db, ['name', 'open', 'inTransaction', 'readonly', 'memory']);
		o.note('database after', [db.name, db.open, db.memory, Object.keys(db)]);
	},
	'observable: Statement'({ Database, o, major }) {
		if (major < 13) return o.note('seen in 13 only', true);
		const db = new Database(':memory:');
		for (const sql of ['SELECT 1 AS a', 'CREATE TABLE IF NOT EXISTS t(a)']) {
			const statement = db.prepare(sql);
			if (sql.startsWith('S')) members(o, 'Statement', Object.getPrototypeOf(statement));
			o.call(`statement JSON ${sql}`, () => JSON.parse(JSON.stringify(statement)));
			o.call('statement spread', () => Object.keys({ ...statement }));
			o.call('statement inspect', () => util.inspect(statement));
			watch(o, `statement ${sql}`, statement, ['reader', 'readonly', 'source', 'database', 'busy']);
			o.call(`statement still runs ${sql}`, () => (sql.startsWith('S') ? statement.get() : statement.run()));
		}
	},
	'observable: Iterator'({ Database, o, major }) {
		if (major < 13) return o.note('seen in 13 only', true);
		const db = new Database(':memory:');
		const rows = db.prepare('SELECT 1 AS a').iterate();
		const prototype = Object.getPrototypeOf(rows);
		members(o, 'Iterator', prototype);
		o.note('iterator own', Object.getOwnPropertyNames(rows));
		o.call('iterator spread', () => Object.keys({ ...rows }));
		watch(o, 'iterator', rows, ['statement']);
		o.call('iterator constructor', () => new rows.constructor());
		o.note('iterator constructor name', rows.constructor.name);
		o.note('iterator is itself', rows[Symbol.iterator]() === rows);
		rows.return();
	},
	'observable: columns after one\'s own DDL'({ Database, o, major }) {
		if (major < 13) return o.note('seen in 13 only', true);
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a INTEGER, b TEXT)');
		const statement = db.prepare('SELECT * FROM t');
		o.note('columns', statement.columns());
		db.exec('ALTER TABLE t ADD COLUMN c REAL');
		o.note('columns before it runs', statement.columns().map((column) => column.name));
		statement.all();
		o.note('columns after it ran', statement.columns());
		db.exec('ALTER TABLE t RENAME COLUMN a TO z');
		statement.get();
		o.note('columns renamed', statement.columns().map((column) => column.name));
		db.exec('DROP TABLE t');
		o.call('columns dropped', () => statement.columns().map((column) => column.name));
		o.call('dropped', () => statement.all());
		o.call('columns after failing', () => statement.columns().map((column) => column.name));
	},
	'observable: other objects'({ Database, o, major }) {
		if (major < 13) return o.note('seen in 13 only', true);
		const db = new Database(':memory:');
		const fn = db.transaction(function named(a, b) { return [a, b]; });
		for (const name of [null, 'default', 'deferred', 'immediate', 'exclusive']) {
			const of = name === null ? fn : fn[name];
			o.note(`transaction ${name}`, [of.name, of.length, Object.keys(of), Object.getOwnPropertyNames(of).sort()]);
			for (const key of ['default', 'database']) o.call(`transaction ${name} ${key}`, () => flags(Object.getOwnPropertyDescriptor(of, key)));
		}
		o.note('class', [Database.name, Database.length, Object.keys(Database), flags(Object.getOwnPropertyDescriptor(Database, 'prototype'))]);
		const { SqliteError } = Database;
		o.note('SqliteError', [SqliteError.name, SqliteError.length, Object.keys(SqliteError.prototype)]);
		const error = new SqliteError('text', 'SQLITE_X');
		o.note('error keys', Object.keys(error));
		for (const key of ['message', 'code', 'stack', 'name']) o.note(`error ${key}`, Object.hasOwn(error, key) ? flags({ ...Object.getOwnPropertyDescriptor(error, key) }) : 'inherited');
		o.note('run result', [Object.keys(db.prepare('CREATE TABLE t(a)').run()), Object.isExtensible(db.prepare('INSERT INTO t VALUES (1)').run())]);
	},
};
