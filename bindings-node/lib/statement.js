'use strict';
const core = require('./core');
const bindAll = require('./bind');
const { native } = core;

const FLAT = 0;
const PLUCK = 1;
const EXPAND = 2;
const RAW = 3;
/** Rows fetched per native call by `all`. */
const CHUNK = 1024;
const MAX_ITERATORS = 65535;
const records = new WeakMap();
let making = null;

const recordOf = (statement) => {
	const record = records.get(statement);
	if (record === undefined) throw new TypeError('Illegal invocation');
	return record;
};

const requireUnlocked = (record) => {
	if (record.locked) throw new TypeError('This statement is busy executing a query');
};

class Statement {
	constructor() {
		if (making === null) throw new TypeError('Statements can only be constructed by the db.prepare() method');
		const record = making;
		making = null;
		records.set(this, record);
		const fixed = (value) => ({ value, enumerable: true });
		Object.defineProperties(this, {
			reader: fixed(record.reader),
			readonly: fixed(record.readonly),
			source: fixed(record.source),
			database: fixed(record.database),
			busy: { get: () => record.locked, enumerable: true },
		});
	}

	run(...args) {
		const record = recordOf(this);
		const { state } = record;
		begin(record, args, true);
		const [before] = native.changesOf(state.token, false);
		// One step: a statement that writes does all of its work in it, a SELECT stops at its first row.
		execute(record, () => fetch(record, 1));
		const [after, changes, lastInsertRowid] = native.changesOf(state.token, record.safe);
		return { changes: after === before ? 0 : changes, lastInsertRowid };
	}

	get(...args) {
		const record = recordOf(this);
		requireReader(record);
		begin(record, args, false);
		return execute(record, () => {
			const [row] = fetch(record, 1);
			return row === null ? undefined : shape(record)(row);
		});
	}

	all(...args) {
		const record = recordOf(this);
		requireReader(record);
		begin(record, args, false);
		return execute(record, () => {
			const out = [];
			let toRow = null;
			for (;;) {
				const rows = fetch(record, CHUNK);
				for (const row of rows) {
					if (row === null) return out;
					toRow = toRow || shape(record);
					out.push(toRow(row));
				}
			}
		});
	}

	iterate(...args) {
		const record = recordOf(this);
		requireReader(record);
		const { state } = record;
		begin(record, args, false, true);
		record.locked = true;
		state.iterators += 1;
		return new StatementIterator(this, record);
	}

	bind(...args) {
		const record = recordOf(this);
		if (record.bound) throw new TypeError('The bind() method can only be invoked once per statement object');
		core.requireNotBusy(record.state);
		requireUnlocked(record);
		bindArguments(record, args);
		record.bound = true;
		return this;
	}

	pluck(...args) { return setMode(this, 'pluck', PLUCK, args); }
	expand(...args) { return setMode(this, 'expand', EXPAND, args); }
	raw(...args) { return setMode(this, 'raw', RAW, args); }

	safeIntegers(...args) {
		const record = recordOf(this);
		if (record.state.busy !== 0) throw new TypeError('This database connection is busy executing a query');
		requireUnlocked(record);
		record.safe = flag(args);
		return this;
	}

	columns() {
		const record = recordOf(this);
		if (!record.reader) throw new TypeError('The columns() method is only for statements that return data');
		core.requireNotBusy(record.state);
		return native.columnsOf(record.handle, true).map(([name, column, table, database, type]) => ({ name, column, table, database, type }));
	}

	toString() {
		const record = recordOf(this);
		return record.bound && record.state.open ? native.expandedSql(record.handle) : record.source;
	}
}
for (const name of Object.getOwnPropertyNames(Statement.prototype)) {
	if (name !== 'constructor') Object.defineProperty(Statement.prototype, name, { enumerable: true });
}

const flag = (args) => {
	if (args.length === 0) return true;
	if (typeof args[0] !== 'boolean') throw new TypeError('Expected first argument to be a boolean');
	return args[0];
};

function setMode(statement, name, mode, args) {
	const record = recordOf(statement);
	if (!record.reader) throw new TypeError(`The ${name}() method is only for statements that return data`);
	if (record.state.busy !== 0) throw new TypeError('This database connection is busy executing a query');
	requireUnlocked(record);
	if (flag(args)) record.mode = mode;
	else if (record.mode === mode) record.mode = FLAT;
	return statement;
}

const requireReader = (record) => {
	if (!record.reader) throw new TypeError('This statement does not return data. Use run() instead');
};

/** Checks, in better-sqlite3's order, that a statement may run now; then binds. */
function begin(record, args, mutates, iterates = false) {
	const { state } = record;
	core.requireNotBusy(state);
	requireUnlocked(record);
	if (mutates) core.requireWritable(state);
	if (iterates && state.iterators === MAX_ITERATORS) throw new RangeError('Too many active database iterators');
	if (!record.bound) bindArguments(record, args);
	else if (args.length > 0) throw new TypeError('This statement already has bound parameters');
}

function bindArguments(record, args) {
	try {
		bindAll(record.handle, record.parameters, record.named, args);
	} catch (error) {
		if (record.state.open) native.clearBindings(record.handle);
		throw error;
	}
}

function execute(record, body) {
	try {
		core.log(record.state, record.handle);
		return body();
	} finally {
		finish(record);
	}
}

/** Leaves the statement reset, and without the values that belong to one call. */
function finish(record) {
	if (!record.state.open) return;
	native.resetStatement(record.handle);
	if (!record.bound) native.clearBindings(record.handle);
}

/** Up to `limit` rows; `null` after the last one. */
function fetch(record, limit) {
	const rows = native.stepRow(record.handle, record.safe, limit);
	if (typeof rows[rows.length - 1] === 'number') throw core.failure(record.state);
	return rows;
}

/** How a row of values becomes what the caller asked for. The names are asked anew: a statement may be re-prepared. */
function shape(record) {
	switch (record.mode) {
	case PLUCK: return (row) => row[0];
	case RAW: return (row) => row;
	case EXPAND: {
		const columns = native.columnsOf(record.handle, true);
		return (row) => {
			const out = {};
			for (let at = 0; at < row.length; ++at) {
				const table = columns[at][2] === null ? '$' : columns[at][2];
				if (!Object.prototype.hasOwnProperty.call(out, table)) out[table] = {};
				out[table][columns[at][0]] = row[at];
			}
			return out;
		};
	}
	default: {
		const names = native.columnsOf(record.handle, false);
		return (row) => {
			const out = {};
			for (let at = 0; at < row.length; ++at) out[names[at]] = row[at];
			return out;
		};
	}
	}
}

class StatementIterator {
	#record;
	#logged = false;

	constructor(statement, record) {
		this.#record = record;
		Object.defineProperty(this, 'statement', { value: statement, enumerable: true });
	}

	next() {
		const record = this.#record;
		if (record === null) return { value: undefined, done: true };
		if (record.state.busy !== 0) throw new TypeError('This database connection is busy executing a query');
		try {
			if (!this.#logged) {
				this.#logged = true;
				core.log(record.state, record.handle);
			}
			// One row per call: what the loop's body writes must show in the rows that follow.
			const [row] = fetch(record, 1);
			if (row !== null) return { value: shape(record)(row), done: false };
		} catch (error) {
			this.#end();
			throw error;
		}
		return this.#end();
	}

	return() {
		const record = this.#record;
		if (record === null) return { value: undefined, done: true };
		if (record.state.busy !== 0) throw new TypeError('This database connection is busy executing a query');
		return this.#end();
	}

	#end() {
		const record = this.#record;
		this.#record = null;
		record.locked = false;
		record.state.iterators -= 1;
		finish(record);
		return { value: undefined, done: true };
	}

	[Symbol.iterator]() { return this; }
}

/** Compiles one statement of `sql`; exactly one must be there. */
exports.prepare = (database, sql, persistent) => {
	const state = core.state(database);
	core.requireNotBusy(state);
	state.busy += 1;
	let prepared;
	try {
		prepared = core.check(native.prepareStatement(state.token, sql, 0, persistent));
	} finally {
		state.busy -= 1;
	}
	const [handle, next, columns, readonly, , parameters] = prepared;
	if (handle === null) throw new RangeError('The supplied SQL string contains no statements');
	if (next !== -1) throw new RangeError('The supplied SQL string contains more than one statement');
	making = {
		state, handle, database, source: sql, reader: columns > 0, readonly, parameters,
		named: parameters.some((name) => name !== null),
		safe: state.safeIntegers, mode: FLAT, bound: false, locked: false,
	};
	return new Statement();
};

/** Runs every statement of `sql`, one after the other. */
exports.exec = (state, sql) => {
	let from = 0;
	while (from !== -1) {
		const [handle, next] = core.check(native.prepareStatement(state.token, sql, from, false));
		if (handle === null) return;
		try {
			core.log(state, handle);
			let rows;
			do {
				rows = native.stepRow(handle, false, CHUNK);
				if (typeof rows[rows.length - 1] === 'number') throw core.failure(state);
			} while (rows[rows.length - 1] !== null);
		} finally {
			native.resetStatement(handle);
		}
		from = next;
	}
};
/** The rows of EXPLAIN, with every parameter left unbound (NULL). */
exports.explain = (database, source) => {
	const statement = exports.prepare(database, `EXPLAIN ${source}`, false);
	const record = recordOf(statement);
	record.bound = true;
	return statement.all();
};

/** A pragma that gives no rows is still asked for them. */
exports.treatAsReader = (statement) => { recordOf(statement).reader = true; return statement; };
