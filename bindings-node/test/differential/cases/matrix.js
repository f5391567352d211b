'use strict';
const path = require('node:path');

// Everything that may be called on a connection, each on its own, in each state a connection can be in.
const actions = {
	prepare: ({ db }) => db.prepare('SELECT 1').reader,
	exec: ({ db }) => db.exec('SELECT 1') === db,
	pragma: ({ db }) => db.pragma('user_version'),
	explain: ({ db, major }) => (major >= 13 ? db.explain('SELECT 1').length > 0 : 'no explain'),
	transaction: ({ tx }) => tx(),
	function: ({ db }) => db.function('later', () => 1) === db,
	aggregate: ({ db }) => db.aggregate('later', { step() {} }) === db,
	table: ({ db }) => db.table('later', { columns: ['a'], *rows() {} }) === db,
	loadExtension: ({ db }) => db.loadExtension('/nonexistent.so'),
	serialize: ({ db }) => db.serialize().length > 0,
	defaultSafeIntegers: ({ db }) => db.defaultSafeIntegers(false) === db,
	close: ({ db }) => db.close() === db,
	inTransaction: ({ db }) => db.inTransaction,
	run: ({ writer }) => writer.run().changes,
	runSelect: ({ reader }) => reader.run().changes,
	get: ({ reader }) => reader.get(),
	getReturning: ({ returning }) => returning.get(),
	all: ({ reader }) => reader.all().length,
	iterate: ({ reader }) => { const it = reader.iterate(); const out = it.next(); it.return(); return out; },
	bind: ({ unbound }) => unbound.bind(1) === unbound,
	pluck: ({ reader }) => reader.pluck(false) === reader,
	raw: ({ reader }) => reader.raw(false) === reader,
	expand: ({ reader }) => reader.expand(false) === reader,
	safeIntegers: ({ reader }) => reader.safeIntegers(false) === reader,
	columns: ({ reader }) => reader.columns().length,
	unsafeMode: ({ db }) => db.unsafeMode(false) === db,
};

const fresh = ({ Database, major }) => {
	const db = new Database(':memory:');
	db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3); CREATE TABLE w(a)');
	return { db, major, tx: db.transaction(() => 'done'), reader: db.prepare('SELECT a FROM t'), loop: db.prepare('SELECT a FROM t'), writer: db.prepare('INSERT INTO w VALUES (1)'), returning: db.prepare('INSERT INTO w VALUES (1) RETURNING a'), unbound: db.prepare('SELECT ?') };
};

const states = {
	idle: (s, act) => act(),
	'in a transaction': (s, act) => { s.db.exec('BEGIN'); act(); },
	iterating: (s, act) => { for (const _ of s.loop.iterate()) { act(); break; } },
	'iterating unsafely': (s, act) => { s.db.unsafeMode(); for (const _ of s.loop.iterate()) { act(); break; } },
	'iterating the same statement': (s, act) => { const it = s.reader.iterate(); it.next(); act(); it.return(); },
	'after iterating': (s, act) => { for (const _ of s.loop.iterate()) break; act(); },
	'in a function': (s, act) => { s.db.function('now', () => { act(); return 1; }); s.db.prepare('SELECT now()').get(); },
	'in a function, unsafely': (s, act) => { s.db.unsafeMode(); s.db.function('now', () => { act(); return 1; }); s.db.prepare('SELECT now()').get(); },
	'in a function of exec': (s, act) => { s.db.function('now', () => { act(); return 1; }); s.db.exec('SELECT now()'); },
	'in an aggregate': (s, act) => { s.db.aggregate('now', { start: 0, step: () => { act(); } }); s.db.prepare('SELECT now() FROM (SELECT 1)').get(); },
	'in a virtual table': (s, act) => { s.db.table('now', { columns: ['a'], *rows() { act(); yield [1]; } }); s.db.prepare('SELECT * FROM now').get(); },
	'in verbose': null,
	closed: (s, act) => { s.db.close(); act(); },
};

for (const [state, enter] of Object.entries(states)) {
	module.exports[state] = ({ Database, o, major }) => {
		for (const [name, action] of Object.entries(actions)) {
			if (enter) {
				const s = fresh({ Database, major });
				o.call(`enter for ${name}`, () => enter(s, () => o.call(state === 'closed' && name === 'unsafeMode' ? 'closed unsafeMode' : name, () => action(s))));
				o.call(`afterwards ${name}`, () => s.db.open && s.reader.all().length);
			} else {
				let s; let armed = false;
				const Logged = function (file) { return new Database(file, { verbose: () => { if (armed) { armed = false; o.call(name, () => action(s)); } } }); };
				s = fresh({ Database: Logged, major });
				const probe = s.db.prepare('SELECT 5');
				armed = true;
				o.call(`enter for ${name}`, () => probe.get());
				armed = false;
			}
		}
	};
}
void path;
