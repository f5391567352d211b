'use strict';
const core = require('./state');
const compiling = require('./statement-cache');
const { bindArguments, valuesOf, placeValues, invoke } = require('./bind');
const { fail, bindToStay, effect, fetchRows, restOfRows, rowsAtOnce } = require('./execute');
const { mode, decoderFor, flagsOf } = require('./decoder');
const StatementIterator = require('./iterator');
const { channel, observe } = require('./diagnostics');
const { on } = require('./extension/options');
const { hidden } = require('./own-properties');
const { I, F, native, field, flag, status, kind, tag, layout } = require('./buffer');
const { TypeError, RangeError } = require('./plain-errors');

const { PLUCK, EXPAND, RAW, FLAT } = mode;
const { STATEMENT, PARAMETERS, ARGUMENTS, COLUMNS, FLAGS, STATUS, ROWS, SHAPE, FIRST } = field;
const { FIRST_PARAMETER } = layout;
const { getRow } = native;
const MAX_ITERATORS = 65535;
const BUSY = 'This database connection is busy executing a query';

/** What keeps a statement off the short path: bits of `#obstacles`. */
const NO_READER = 1;
const LOCKED = 2;
const BOUND = 4;
/** Not kept for others, and with an effect on those that are. */
const SCHEMA = 8;
const TIMED = 16;
const DISPOSED = 32;

let making = null;
let asReader;
let asBound;
let dispose;

/** Puts the one parameter into the buffer: the most common case, and the shortest. */
function bindNumber(value) {
	F[FIRST_PARAMETER] = value;
	// A NaN could look like any tag.
	if (value !== value) I[2 * FIRST_PARAMETER + 1] = tag.NULL;
	I[PARAMETERS] = 1;
	I[ARGUMENTS] = 0;
	I[FIRST] = 0;
}

class Statement {
	#state;
	#compiled;
	#obstacles;
	#flags;
	/** How many columns are read; 0 for all. */
	#columns = 0;
	#mode = FLAT;
	#decoder = null;
	/** Milliseconds for each execution. */
	#timeout;
	// Declared, so that they are its own even where every object has a setter of that name.
	reader;
	readonly;
	source;
	database;
	busy = false;

	constructor() {
		const compiled = making;
		if (compiled === null) throw new TypeError('Statements can only be constructed by the db.prepare() method');
		making = null;
		const { state } = compiled;
		const reader = compiled.columns > 0;
		this.#state = state;
		this.#compiled = compiled;
		this.#obstacles = (reader ? 0 : NO_READER) | (compiled.kind === kind.SCHEMA ? SCHEMA : 0);
		this.#flags = flagsOf(FLAT, state.safeIntegers);
		this.#timeout = state.timeout;
		if (state.timeout !== 0) this.#obstacles |= TIMED;
		this.reader = reader;
		this.readonly = compiled.readonly;
		this.source = compiled.sql;
		this.database = state.database;
	}

	run() {
		const state = this.#state;
		const compiled = this.#compiled;
		if ((this.#obstacles & ~NO_READER) !== 0 || state.busy !== 0 || state.iterators !== 0 || compiled.taken || state.verbose !== null || channel.hasSubscribers) {
			return this.#runSlowly(arguments);
		}
		if (arguments.length === 0 && compiled.parameters === 0) I[PARAMETERS] = 0;
		else if (!this.#bind(compiled, arguments)) return this.#runSlowly(arguments);
		I[STATEMENT] = compiled.id;
		I[FLAGS] = this.#flags;
		return effect(state, this.#safe);
	}

	get() {
		const state = this.#state;
		const compiled = this.#compiled;
		if (this.#obstacles !== 0 || state.busy !== 0 || compiled.taken || state.verbose !== null || channel.hasSubscribers) {
			return this.#getSlowly(arguments);
		}
		const count = arguments.length;
		if (count === 1 && typeof arguments[0] === 'number' && compiled.parameters === 1 && !compiled.named) bindNumber(arguments[0]);
		else if (count === 0 && compiled.parameters === 0) I[PARAMETERS] = 0;
		else if (!this.#bind(compiled, arguments)) return this.#getSlowly(arguments);
		I[STATEMENT] = compiled.id;
		I[FLAGS] = this.#flags;
		I[COLUMNS] = this.#columns;
		return this.#row(compiled, invoke(getRow));
	}

	all() {
		const state = this.#state;
		const compiled = this.#compiled;
		if (this.#obstacles !== 0 || state.busy !== 0 || compiled.taken || state.verbose !== null || channel.hasSubscribers) {
			return this.#allSlowly(arguments);
		}
		const count = arguments.length;
		if (count === 1 && typeof arguments[0] === 'number' && compiled.parameters === 1 && !compiled.named) bindNumber(arguments[0]);
		else if (count === 0 && compiled.parameters === 0) I[PARAMETERS] = 0;
		else if (!this.#bind(compiled, arguments)) return this.#allSlowly(arguments);
		I[STATEMENT] = compiled.id;
		I[FLAGS] = this.#flags;
		I[COLUMNS] = this.#columns;
		return this.#rows(compiled);
	}

	iterate() {
		this.#requireReader();
		const state = this.#state;
		let compiled = this.#ready(arguments, false, true);
		const bound = (this.#obstacles & BOUND) !== 0;
		if (!bound) {
			const values = valuesOf(compiled, arguments);
			// Getters of parameters may have done anything.
			compiled = this.#ready(arguments, false, true);
			if (!placeValues(compiled, values)) bindToStay(compiled);
			compiled.taken = true;
		}
		this.#obstacles |= LOCKED;
		this.busy = true;
		state.iterators += 1;
		const flags = this.#flags | (bound ? flag.KEEP : 0);
		const schema = (this.#obstacles & SCHEMA) !== 0;
		return new StatementIterator(this, state, compiled, this.#mode, flags, this.#columns, () => {
			this.#obstacles &= ~LOCKED;
			this.busy = false;
			if (!bound) compiling.giveBack(compiled);
			if (schema) compiling.flush(state);
		}, this.#timeout);
	}

	bind() {
		if ((this.#obstacles & BOUND) !== 0) throw new TypeError('The bind() method can only be invoked once per statement object');
		const state = this.#state;
		core.requireNotBusy(state);
		this.#requireUnlocked();
		let given = this.#available();
		const values = valuesOf(given, arguments);
		core.requireNotBusy(state);
		this.#requireUnlocked();
		given = this.#available();
		// The values stay in the native statement, so nobody else may use it.
		const compiled = given.owned ? given : compiling.compileOne(state, given.sql, true);
		try {
			if (!placeValues(compiled, values)) bindToStay(compiled);
		} catch (error) {
			if (compiled !== given) compiling.discard(compiled);
			throw error;
		}
		if (compiled !== given) this.#compiled = compiling.own(this, compiled);
		this.#obstacles |= BOUND;
		return this;
	}

	pluck(...args) { return this.#setMode('pluck', PLUCK, args); }
	expand(...args) { return this.#setMode('expand', EXPAND, args); }
	raw(...args) { return this.#setMode('raw', RAW, args); }

	safeIntegers(...args) {
		if (this.#state.busy !== 0 && this.#state.open) throw new TypeError(BUSY);
		this.#requireUnlocked();
		this.#flags = flagsOf(this.#mode, on(args));
		this.#decoder = null;
		return this;
	}

	/** Limits each execution to so many milliseconds; it then fails with SQLITE_INTERRUPT. 0: no limit. */
	timeout(ms) {
		const limit = core.timeout(ms);
		this.#requireUnlocked();
		this.#timeout = limit;
		if (limit === 0) this.#obstacles &= ~TIMED;
		else this.#obstacles |= TIMED;
		return this;
	}

	columns() {
		if ((this.#obstacles & NO_READER) !== 0) throw new TypeError('The columns() method is only for statements that return data');
		core.requireNotBusy(this.#state);
		this.#requireUndisposed();
		// While it iterates, the statement in use answers.
		const compiled = this.#compiled.id === -1 ? this.#available() : this.#compiled;
		I[STATEMENT] = compiled.id;
		return core.answered(native.columnsOf()).map(([name, column, table, database, type]) => ({ name, column, table, database, type }));
	}

	toString() {
		const compiled = this.#compiled;
		if ((this.#obstacles & BOUND) === 0 || !this.#state.open || compiled.id === -1) return compiled.sql;
		I[STATEMENT] = compiled.id;
		return core.answered(native.expandedSql());
	}

	#requireReader() {
		if ((this.#obstacles & NO_READER) !== 0) throw new TypeError('This statement does not return data. Use run() instead');
	}

	#requireUnlocked() {
		if ((this.#obstacles & LOCKED) !== 0) throw new TypeError('This statement is busy executing a query');
	}

	#requireUndisposed() {
		if ((this.#obstacles & DISPOSED) !== 0) throw new TypeError('The statement has been disposed');
	}

	#setMode(name, wanted, args) {
		if ((this.#obstacles & NO_READER) !== 0) throw new TypeError(`The ${name}() method is only for statements that return data`);
		if (this.#state.busy !== 0 && this.#state.open) throw new TypeError(BUSY);
		this.#requireUnlocked();
		if (on(args)) this.#mode = wanted;
		else if (this.#mode === wanted) this.#mode = FLAT;
		this.#flags = flagsOf(this.#mode, this.#safe);
		this.#columns = this.#mode === PLUCK ? 1 : 0;
		this.#decoder = null;
		return this;
	}

	/** The compiled statement, or another one if that is in use or gone. */
	#available() {
		this.#requireUndisposed();
		let compiled = this.#compiled;
		if (!compiled.taken) return compiled;
		const { sql } = compiled;
		const state = this.#state;
		compiled = compiled.evicted ? compiling.compileOne(state, sql, true) : compiling.obtain(state, sql);
		if (!compiled.kept) compiling.own(this, compiled);
		this.#compiled = compiled;
		return compiled;
	}

	/** Checks, in better-sqlite3's order, that the statement may run now. */
	#ready(args, mutates, iterates) {
		const state = this.#state;
		core.requireNotBusy(state);
		this.#requireUnlocked();
		if (mutates) core.requireWritable(state);
		if (iterates && state.iterators === MAX_ITERATORS) throw new RangeError('Too many active database iterators');
		if ((this.#obstacles & BOUND) !== 0 && args.length > 0) throw new TypeError('This statement already has bound parameters');
		return this.#available();
	}

	/** Puts the arguments into the buffer. False: something else has happened meanwhile, or they are too many. */
	#bind(compiled, args) {
		if (!bindArguments(compiled, args)) return false;
		// Getters of parameters may have done anything.
		return !compiled.taken && this.#state.busy === 0 && this.#obstacles < LOCKED;
	}

	#runSlowly(args) {
		return this.#slowly(this.#ready(args, true, false), args, () => effect(this.#state, this.#safe));
	}

	#getSlowly(args) {
		this.#requireReader();
		return this.#slowly(this.#ready(args, false, false), args, () => this.#row(this.#compiled, invoke(getRow)));
	}

	#allSlowly(args) {
		this.#requireReader();
		return this.#slowly(this.#ready(args, false, false), args, () => this.#rows(this.#compiled));
	}

	/** What the short path leaves out: `verbose`, values that stay bound, many values, effects on other statements. */
	#slowly(compiled, args, execute) {
		const state = this.#state;
		const bound = (this.#obstacles & BOUND) !== 0;
		let done = bound;
		if (!bound) {
			const values = valuesOf(compiled, args);
			core.requireNotBusy(state);
			this.#requireUnlocked();
			compiled = this.#available();
			done = placeValues(compiled, values);
		}
		compiled.taken = true;
		try {
			const observed = channel.hasSubscribers;
			if (state.verbose !== null || observed) {
				if (!done) bindToStay(compiled);
				done = true;
				if (state.verbose !== null) core.log(state, compiled);
			}
			const run = () => core.limited(this.#timeout, () => {
				I[STATEMENT] = compiled.id;
				I[FLAGS] = this.#flags | (done ? flag.BOUND : 0) | (bound ? flag.KEEP : 0);
				I[COLUMNS] = this.#columns;
				return execute();
			});
			return observed ? observe(state, compiled, run) : run();
		} finally {
			if (done && !bound && state.open) {
				I[STATEMENT] = compiled.id;
				I[FLAGS] = 0;
				native.resetStatement();
			}
			compiling.giveBack(compiled);
			if ((this.#obstacles & SCHEMA) !== 0) compiling.flush(state);
		}
	}

	/** The row that a native call put into the buffer. */
	#row(compiled, text) {
		if (I[STATUS] !== status.ROW) {
			if (I[STATUS] === status.DONE) return undefined;
			fail(this.#state);
		}
		let decoder = this.#decoder;
		if (decoder === null || decoder.shape !== I[SHAPE]) decoder = this.#decode(compiled);
		return decoder.one(text === undefined ? '' : text);
	}

	#rows(compiled) {
		if (this.#state.exposed) return rowsAtOnce(compiled, this.#mode, this.#safe);
		const text = fetchRows();
		if (I[STATUS] === status.DONE && I[ROWS] === 1) {
			let decoder = this.#decoder;
			if (decoder === null || decoder.shape !== I[SHAPE]) decoder = this.#decode(compiled);
			return [decoder.one(text === undefined ? '' : text)];
		}
		const rows = restOfRows(compiled, text, this.#decoder, this.#mode, this.#safe);
		if (this.#decoder === null && rows.length > 0) this.#decode(compiled);
		return rows;
	}

	get #safe() { return (this.#flags & flag.SAFE) !== 0; }

	#decode(compiled) {
		const decoder = decoderFor(compiled, this.#mode, this.#safe);
		// The tables by which rows are grouped are looked at every time.
		this.#decoder = this.#mode === EXPAND ? null : decoder;
		return decoder;
	}

	#dispose() {
		this.#requireUnlocked();
		if ((this.#obstacles & DISPOSED) !== 0) return;
		this.#obstacles |= DISPOSED;
		if (this.#compiled.owned) compiling.discard(this.#compiled);
	}

	static {
		asReader = (statement) => { statement.#obstacles &= ~NO_READER; return statement; };
		asBound = (statement) => { statement.#obstacles |= BOUND; return statement; };
		dispose = (statement) => compiling.discard(statement.#compiled);
		if (typeof Symbol.dispose === 'symbol') {
			Object.defineProperty(Statement.prototype, Symbol.dispose, hidden(function dispose() { this.#dispose(); }));
		}
	}
}
for (const name of Object.getOwnPropertyNames(Statement.prototype)) {
	// What better-sqlite3 does not have is not listed.
	if (name !== 'constructor' && name !== 'timeout') Object.defineProperty(Statement.prototype, name, { __proto__: null, enumerable: true });
}

/** The object of a compiled statement. */
const make = (compiled) => {
	making = compiled;
	return new Statement();
};

module.exports = { make, asReader, asBound, dispose };
