'use strict';
// The Database of a libSQL server. It inherits from better-sqlite3's class, and has what a server can do in its place.
const { on } = require('../extension/options');
const { signal: signalOf } = require('../additions/arguments');
const { assign, computed, fixed, hidden, own } = require('../own-properties');
const { native } = require('../state');
const { make, record, effect } = require('./statement');
const { transaction, transactionAsync, inTransaction } = require('./transaction');
const unsupported = require('./unsupported');
const { DESCRIBE, QUERY, EXEC, BATCH, MIGRATE, now, later, given, requireOpen, requireInside } = require('./call');
const { TypeError } = require('../plain-errors');

/** The state of a database, which nobody else can reach. */
const states = new WeakMap();

function stateOf(db) {
	const state = states.get(db);
	if (state === undefined) throw new TypeError('Illegal invocation');
	return state;
}

function text(sql) {
	if (typeof sql !== 'string') throw new TypeError('Expected first argument to be a string');
	return sql;
}

/** The arguments of a batch: `[sql, parameters]` or SQL alone for each statement. */
function statementsOf(state, list) {
	if (!Array.isArray(list)) throw new TypeError('Expected first argument to be an array of statements');
	requireOpen(state);
	requireInside(state);
	const parts = list.map((one) => {
		const [sql, ...args] = Array.isArray(one) ? one : [one];
		if (typeof sql !== 'string') throw new TypeError('Expected each statement to be a string, or an array of a string and its parameters');
		return [sql, ...given(state, args)];
	});
	const column = (at) => parts.map((part) => part[at]);
	return [state, BATCH, column(0), column(1), column(2), state.safeIntegers];
}

const outcomes = (state, results) => results.map((result) => {
	const [, [names, ...rows]] = result;
	return { ...effect(result, state.safeIntegers), rows: rows.map((row) => record(names, row)) };
});

const methods = {
	prepare(sql) {
		const state = stateOf(this);
		return make(state, text(sql), now(state, DESCRIBE, sql));
	},

	transaction(fn) { return transaction(this, stateOf(this), fn); },

	exec(sql) {
		const state = stateOf(this);
		requireOpen(state);
		requireInside(state);
		now(state, EXEC, text(sql));
		return this;
	},

	close() {
		const state = stateOf(this);
		if (!state.open) return this;
		if (state.scope !== null) throw new TypeError('The connection of a running transactionAsync() is closed by that');
		if (state.iterators > 0) throw new TypeError('This database connection is busy executing a query');
		state.open = false;
		native.closeRemote(state.handle);
		return this;
	},

	defaultSafeIntegers(...args) {
		stateOf(this).safeIntegers = on(args);
		return this;
	},
};

/** What better-sqlite3 does not have. */
const additions = {
	/** As `prepare`, off the event loop. */
	async prepareAsync(sql) {
		const state = stateOf(this);
		return make(state, text(sql), await later(state, DESCRIBE, sql));
	},

	/** As `exec`, off the event loop. */
	async execAsync(sql) {
		const state = stateOf(this);
		requireOpen(state);
		requireInside(state);
		await later(state, EXEC, text(sql));
		return this;
	},

	/** Statements in one request and one transaction, all of them or none: `{ changes, lastInsertRowid, rows }` of each. */
	batch(list) {
		const work = statementsOf(stateOf(this), list);
		return outcomes(work[0], now(...work));
	},

	/** As `batch`, off the event loop. */
	async batchAsync(list) {
		const work = statementsOf(stateOf(this), list);
		return outcomes(work[0], await later(...work));
	},

	async transactionAsync(fn, options) {
		const state = stateOf(this);
		if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
		const signal = signalOf(options, 'transactionAsync');
		return await transactionAsync(this, state, (handle, of) => sibling(this, handle, of), fn, signal);
	},
};

const ELSEWHERE = 'do that on the server, where the database is a file';
/** What to do instead. */
const HINTS = {
	function: 'the server has SQLite\'s own functions only: compute in JavaScript what it reads',
	aggregate: 'the server has SQLite\'s own functions only: compute in JavaScript what it reads',
	table: 'read into JavaScript, and compute there',
	backup: 'the server makes its own backups; for a copy, read its file where it lies',
	serialize: 'the server makes its own backups; for a copy, read its file where it lies',
	loadExtension: 'start the server with the extension (sqld: --extensions-path)',
	pragma: 'settings are the server\'s own; the pragmas that it answers, such as table_info, foreign_keys and user_version, go by prepare("PRAGMA …")',
	explain: 'use prepare("EXPLAIN QUERY PLAN …").all()',
	readAsync: 'use (await db.prepareAsync(sql)).allAsync(…)',
};

let prototype = null;

/** Made when the first one is opened: by then the class has all its methods. */
function prototypeOf(Database) {
	if (prototype !== null) return prototype;
	prototype = Object.create(Database.prototype);
	for (const name of Object.getOwnPropertyNames(Database.prototype)) {
		if (name === 'constructor') continue;
		const { get } = Object.getOwnPropertyDescriptor(Database.prototype, name);
		const refuse = { [name]() { throw unsupported(get ? name : `${name}()`, Object.hasOwn(HINTS, name) ? HINTS[name] : ELSEWHERE); } }[name];
		Object.defineProperty(prototype, name, get ? computed(refuse) : hidden(refuse));
	}
	for (const [name, method] of Object.entries(methods)) Object.defineProperty(prototype, name, own(method));
	for (const [name, method] of Object.entries(additions)) Object.defineProperty(prototype, name, hidden(method));
	return prototype;
}

function attach(db, handle, { name, readonly, convert, safeIntegers = false }) {
	// `pending`: promises that are not settled; `functions`: synchronous transactions whose function runs; `iterators`: those
	// that are not at their end.
	const state = { __proto__: null, database: db, handle, open: true, name, readonly, convert, safeIntegers, scope: null, pending: 0, functions: 0, iterators: 0 };
	states.set(db, state);
	Object.defineProperties(db, {
		name: computed(() => name, true),
		open: computed(() => state.open, true),
		inTransaction: computed(() => inTransaction(state), true),
		readonly: fixed(readonly, true),
		memory: fixed(false, true),
		report: fixed(assign({}, { rows: [], path: null, url: name, urlSource: 'argument', warnings: [] })),
	});
	return { db, state };
}

/** The connection of an asynchronous transaction. */
function sibling(db, handle, { name, readonly, convert, safeIntegers }) {
	return attach(Object.create(Object.getPrototypeOf(db)), handle, { name, readonly, convert, safeIntegers });
}

/** The Database of a native `[[readonly], database, url]`. */
const wrap = (Database, [[readonly], handle, name], convert) => attach(Object.create(prototypeOf(Database)), handle, { name, readonly: readonly === 1, convert }).db;

/** For adapters: the native result of one statement, `[[changes, rowid], [names, row, …]]`. */
const query = async (db, sql, args) => {
	const state = stateOf(db);
	return await later(state, QUERY, sql, ...given(state, args), state.safeIntegers);
};

/** For adapters: as `batchAsync`, with foreign keys that are not enforced if it `migrates`, and native results. */
const batch = async (db, list, migrates) => {
	const [state, , ...rest] = statementsOf(stateOf(db), list);
	return await later(state, migrates ? MIGRATE : BATCH, ...rest);
};

/** Whether it is the database of a server. */
const isRemote = (db) => states.has(db);

module.exports = { unsupported, wrap, query, batch, isRemote };
