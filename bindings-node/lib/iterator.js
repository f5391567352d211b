'use strict';
const core = require('./state');
const { I, extras, native, field, status, flag } = require('./buffer');
const { decoderFor, mode } = require('./decoder');
const diagnostics = require('./diagnostics');
const { fixed, hidden } = require('./own-properties');
const { TypeError } = require('./plain-errors');

const { STATEMENT, FLAGS, COLUMNS, LIMIT, STATUS, ROWS, SHAPE, FAILURE } = field;
const { nextRows } = native;

/** The most rows read ahead. */
const MAX_AHEAD = 512;

/**
 * The rows of a statement, one by one. They are read ahead only where that cannot be observed, and no more than
 * the consumer has taken already: a query without an end costs in proportion to what was taken of it.
 */
class StatementIterator {
	#state;
	#compiled;
	#mode;
	#flags;
	#columns;
	#release;
	#decoder = null;
	#rows = [];
	#at = 0;
	#taken = 0;
	#logged = false;
	/** The native statement has ended, with this failure if it is not null. */
	#ended = false;
	#failure = null;
	/** Milliseconds for each fetch. */
	#timeout;
	/** For diagnostics: the SQL once somebody listens, and how long SQLite has worked, in nanoseconds. */
	#sql = null;
	#took = 0n;

	constructor(statement, state, compiled, rowMode, flags, columns, release, timeout) {
		if (release === undefined) throw new TypeError('Disabled constructor');
		this.#timeout = timeout;
		this.#state = state;
		this.#compiled = compiled;
		this.#mode = rowMode;
		this.#flags = flags;
		this.#columns = columns;
		this.#release = release;
		Object.defineProperty(this, 'statement', fixed(statement, true));
	}

	next() {
		if (this.#state.busy !== 0 && this.#state.open) core.requireNotBusy(this.#state);
		if (this.#at === this.#rows.length && !this.#fetch()) return { value: undefined, done: true };
		this.#taken += 1;
		return { value: this.#rows[this.#at++], done: false };
	}

	return() {
		if (this.#release === null) return { value: undefined, done: true };
		core.requireNotBusy(this.#state);
		const failure = this.#end();
		if (failure !== null) throw core.toError(failure);
		return { value: undefined, done: true };
	}

	[Symbol.iterator]() { return this; }

	/** Reads more rows; false at the end. */
	#fetch() {
		const state = this.#state;
		if (this.#release === null) return false;
		if (this.#ended) {
			const failure = this.#failure;
			this.#end();
			if (failure !== null) throw core.toError(failure);
			return false;
		}
		try {
			if (!this.#logged) {
				this.#logged = true;
				if (state.verbose !== null) core.log(state, this.#compiled);
				if (diagnostics.channel.hasSubscribers) this.#sql = diagnostics.expanded(this.#compiled);
			}
			I[STATEMENT] = this.#compiled.id;
			I[FLAGS] = this.#flags;
			I[COLUMNS] = this.#columns;
			I[LIMIT] = state.prefetch && !state.unsafe ? Math.max(1, Math.min(this.#taken, MAX_AHEAD)) : 1;
			const began = this.#sql === null ? 0n : process.hrtime.bigint();
			this.#receive(this.#timeout === 0 ? nextRows() : core.limited(this.#timeout, () => this.#timed()));
			if (this.#sql !== null) this.#took += process.hrtime.bigint() - began;
		} catch (error) {
			this.#end();
			throw error;
		}
		return this.#rows.length > 0 || this.#fetch();
	}

	/** A failure is needed at once, for what it says of the limit. */
	#timed() {
		const text = nextRows();
		if (I[STATUS] === status.FAILED && I[ROWS] === 0) throw core.failure();
		return text;
	}

	#receive(text) {
		const count = I[ROWS];
		if (I[STATUS] !== status.ROW) {
			this.#ended = true;
			if (I[STATUS] === status.FAILED) this.#failure = extras[I[FAILURE]];
		}
		this.#at = 0;
		if (count === 0) {
			this.#rows = [];
			return;
		}
		let decoder = this.#decoder;
		if (decoder === null || decoder.shape !== I[SHAPE]) {
			decoder = decoderFor(this.#compiled, this.#mode, (this.#flags & flag.SAFE) !== 0);
			this.#decoder = this.#mode === mode.EXPAND ? null : decoder;
		}
		const rows = [];
		decoder.many(text === undefined ? '' : text, rows, 0, count);
		this.#rows = rows;
	}

	/** What went wrong while a statement that changes rows was left before its end, or null. */
	#end() {
		const release = this.#release;
		this.#release = null;
		this.#rows = [];
		this.#at = 0;
		const state = this.#state;
		state.iterators -= 1;
		let failure = null;
		if (!this.#ended) {
			I[STATEMENT] = this.#compiled.id;
			I[FLAGS] = this.#flags;
			native.resetStatement();
			if (I[STATUS] === status.FAILED) failure = extras[I[FAILURE]];
		}
		release();
		if (this.#sql !== null) diagnostics.publish(state, this.#sql, this.#took);
		return failure;
	}
}
for (const name of ['next', 'return']) Object.defineProperty(StatementIterator.prototype, name, { __proto__: null, enumerable: true });
if (typeof Symbol.dispose === 'symbol') {
	Object.defineProperty(StatementIterator.prototype, Symbol.dispose, hidden(function dispose() { this.return(); }));
}
module.exports = StatementIterator;
