'use strict';
// Loads every file of lib/ while all objects have the properties that the first argument lists, and prints what each of
// them offers after that. The runtime's own modules, and Drizzle, are loaded before.
const { readdirSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const traps = require('./pollution-traps');

const { names, kind, runtime } = JSON.parse(process.argv[2]);
const LIB = path.join(__dirname, '../lib');
for (const name of runtime) {
	// Some of what they offer is loaded when it is asked for.
	const offered = require(name);
	for (const key of Object.keys(offered)) void offered[key];
}
const from = createRequire(path.join(__dirname, 'ecosystem', 'index.js'));
const drizzle = {
	next: null, orm: from('drizzle-orm'), core: from('drizzle-orm/sqlite-core'), session: from('drizzle-orm/better-sqlite3/session'),
	migrations: { ...from('drizzle-orm/migrator'), ...from('drizzle-orm/better-sqlite3/migrator') },
};
const files = readdirSync(LIB, { recursive: true }).filter((name) => name.endsWith('.js') && path.basename(path.dirname(name)) !== 'drizzle');
const list = names.map((name) => [Object.prototype, name]);

const end = traps.set(list, kind);
let made;
try {
	require('../lib');
	for (let at = 0; at < files.length; at++) require(path.join(LIB, files[at]));
	made = [require('../lib/drizzle/driver')(drizzle), require('../lib/drizzle/remote')(() => ({}))];
} finally {
	end();
}
const kinds = (value) => Object.getOwnPropertyNames(value).map((name) => {
	const { value: own, get } = Object.getOwnPropertyDescriptor(value, name);
	return [name, get ? 'getter' : typeof own];
});
const offered = Object.entries(require.cache).filter(([file]) => file.startsWith(LIB + path.sep)).map(([file, { exports }]) => [path.relative(LIB, file), kinds(exports), exports.prototype ? kinds(exports.prototype) : null]);
const Database = require('../lib');
const db = new Database(':memory:');
const statement = db.prepare('SELECT 1 AS a, ? AS b');
console.log(JSON.stringify({ offered: offered.sort(), made: made.map(kinds), statement: kinds(Object.getPrototypeOf(statement)), row: statement.get('x') }));
