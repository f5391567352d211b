'use strict';
const { check } = require('../keel-error');
const { on } = require('../extension/options');
const { fixed, hidden, put } = require('../own-properties');
const { native } = require('../state');
const unsupported = require('./unsupported');
const { DESCRIBE_ANEW, QUERY, FITS, now, later, given, requireOpen, requireInside } = require('./call');
const { TypeError } = require('../plain-errors');

const FLAT = 0;
const PLUCK = 1;
const RAW = 2;
/** The most rows that are asked for at a time. */
const MAX_AHEAD = 512;

let making = null;

/** A statement of a server's database, as better-sqlite3's. It has no native statement: each call sends its text. */
class Statement {
	#state;
	#mode = FLAT;
	#safe;
	#bound = null;
	#writes;
	// Declared, so that they are its own even where every object has a setter of that name.
	reader;
	readonly;
	source;
	database;
	busy = false;

	constructor() {
		if (making === null) throw new TypeError('Statements can only be constructed by the db.prepare() method');
		const { state, sql, description: [[readonly], , columns] } = making;
		making = null;
		this.#state = state;
		this.#safe = state.safeIntegers;
		this.#writes = readonly === 0;
		this.reader = columns.length > 0;
		this.readonly = readonly === 1;
		this.source = sql;
		this.database = state.database;
	}

	run(...args) { return effect(now(...this.#query(args)), this.#safe); }

	get(...args) {
		this.#requireReader();
		return this.#rows(now(...this.#query(args)))[0];
	}

	all(...args) {
		this.#requireReader();
		return this.#rows(now(...this.#query(args)));
	}

	/** As `run`, off the event loop. */
	async runAsync(...args) { return effect(await later(...this.#query(args)), this.#safe); }

	/** As `get`, off the event loop. */
	async getAsync(...args) {
		this.#requireReader();
		return this.#rows(await later(...this.#query(args)))[0];
	}

	/** As `all`, off the event loop. */
	async allAsync(...args) {
		this.#requireReader();
		return this.#rows(await later(...this.#query(args)));
	}

	iterate(...args) {
		this.#requireReader();
		const [state, , sql, values, names] = this.#query(args);
		requireOpen(state);
		const cursor = check(native.openCursor(state.handle, sql, values, names));
		this.busy = true;
		state.iterators += 1;
		const release = () => {
			this.busy = false;
			state.iterators -= 1;
		};
		return rowsOf(this, cursor, this.#safe, (rows) => this.#made(rows), release);
	}

	bind(...args) {
		if (this.#bound !== null) throw new TypeError('The bind() method can only be invoked once per statement object');
		requireOpen(this.#state);
		this.#requireIdle();
		const values = given(this.#state, args);
		// Without asking the server: it has described the text when it was prepared.
		now(this.#state, FITS, this.source, ...values);
		this.#bound = values;
		return this;
	}

	pluck(...args) { return this.#setMode('pluck', PLUCK, args); }
	raw(...args) { return this.#setMode('raw', RAW, args); }
	expand() { throw unsupported('expand()', 'the server does not say which table a column is of: name the columns apart, as in SELECT t.a AS t_a'); }

	safeIntegers(...args) {
		this.#requireIdle();
		this.#safe = on(args);
		return this;
	}

	/** Of the schema as it is now: asked anew. */
	columns() {
		if (!this.reader) throw new TypeError('The columns() method is only for statements that return data');
		const [, , columns] = now(this.#state, DESCRIBE_ANEW, this.source);
		return columns.map(([name, type]) => ({ name, column: null, table: null, database: null, type }));
	}

	toString() { return this.source; }

	#requireReader() {
		if (!this.reader) throw new TypeError('This statement does not return data. Use run() instead');
	}

	/** An iteration goes on as it began. */
	#requireIdle() {
		if (this.busy) throw new TypeError('This statement is busy executing a query');
	}

	#setMode(name, wanted, args) {
		if (!this.reader) throw new TypeError(`The ${name}() method is only for statements that return data`);
		this.#requireIdle();
		if (on(args)) this.#mode = wanted;
		else if (this.#mode === wanted) this.#mode = FLAT;
		return this;
	}

	/** The arguments of a call that runs it. */
	#query(args) {
		const state = this.#state;
		requireOpen(state);
		this.#requireIdle();
		if (this.#writes) requireInside(state);
		if (this.#bound !== null && args.length > 0) throw new TypeError('This statement already has bound parameters');
		const [values, names] = this.#bound ?? given(state, args);
		return [state, QUERY, this.source, values, names, this.#safe];
	}

	#rows([, rows]) { return this.#made(rows); }

	/** Rows in the statement's mode, of a list that begins with the columns' names. */
	#made(list) {
		const [names] = list;
		const rows = list.slice(1);
		if (this.#mode === RAW) return rows;
		if (this.#mode === PLUCK) return rows.map((row) => row[0]);
		return rows.map((row) => record(names, row));
	}
}

function record(names, row) {
	const out = {};
	for (let at = 0; at < row.length; ++at) put(out, names[at], row[at]);
	return out;
}

function effect([[changes, rowid]], safe) {
	return { changes, lastInsertRowid: safe ? rowid : Number(rowid) };
}

/** Never asks for more rows than the consumer has taken. */
function rowsOf(statement, cursor, safe, made, release) {
	let rows = [];
	let at = 0;
	let taken = 0;
	let open = true;
	const end = () => {
		if (!open) return;
		open = false;
		rows = [];
		at = 0;
		release();
		native.closeCursor(cursor);
	};
	const fetch = () => {
		const limit = Math.max(1, Math.min(taken, MAX_AHEAD));
		try {
			rows = made(check(native.cursorRows(cursor, limit, safe)));
		} catch (error) {
			end();
			throw error;
		}
		at = 0;
		if (rows.length === 0) end();
	};
	const iterator = {
		next() {
			if (open && at === rows.length) fetch();
			if (at === rows.length) return { value: undefined, done: true };
			taken += 1;
			return { value: rows[at++], done: false };
		},
		return() {
			end();
			return { value: undefined, done: true };
		},
		[Symbol.iterator]() { return iterator; },
	};
	if (typeof Symbol.dispose === 'symbol') Object.defineProperty(iterator, Symbol.dispose, hidden(end));
	return Object.defineProperty(iterator, 'statement', fixed(statement, true));
}

for (const name of ['run', 'get', 'all', 'iterate', 'bind', 'pluck', 'raw', 'expand', 'safeIntegers', 'columns', 'toString']) {
	Object.defineProperty(Statement.prototype, name, { __proto__: null, enumerable: true });
}
if (typeof Symbol.dispose === 'symbol') Object.defineProperty(Statement.prototype, Symbol.dispose, hidden(() => {}));

/** The statement of a text that the server has described. */
const make = (state, sql, description) => {
	making = { state, sql, description };
	return new Statement();
};

module.exports = { make, record, effect };
