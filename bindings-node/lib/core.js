'use strict';
const native = require('./native');
const codeName = require('./codes');
const SqliteError = require('./sqlite-error');
const { abortBackups } = require('./extension');

const states = new WeakMap();
const CANTOPEN = 14;
const BUSY = 'This database connection is busy executing a query';

/** What a connection's methods share. `state(db)` is the per-connection part. */
module.exports = {
	native,
	SqliteError,

	state(db) {
		const state = states.get(db);
		if (state === undefined) throw new TypeError('Illegal invocation');
		return state;
	},

	attach(db, token, rest) {
		states.set(db, { token, open: true, busy: 0, iterators: 0, unsafe: false, safeIntegers: false, backups: new Set(), endings: new Set(), ...rest });
	},

	requireOpen(state) {
		if (!state.open) throw new TypeError('The database connection is not open');
	},

	/** Open, and no callback of SQLite's is running. */
	requireNotBusy(state) {
		if (!state.open) throw new TypeError('The database connection is not open');
		if (state.busy !== 0) throw new TypeError(BUSY);
	},

	/** As `requireNotBusy`, and nobody iterates. */
	requireIdle(state) {
		this.requireNotBusy(state);
		if (state.iterators !== 0) throw new TypeError(BUSY);
	},

	/** As `requireIdle`, but unsafe mode may write while iterating. */
	requireWritable(state) {
		this.requireNotBusy(state);
		if (state.iterators !== 0 && !state.unsafe) throw new TypeError(BUSY);
	},

	/** Called before a connection gets code of the user's. */
	extended() {},

	/** Throws the SqliteError of a native `[code, message]`; gives any other result back. */
	check(result) {
		if (Array.isArray(result) && result.length === 2 && typeof result[1] === 'string') {
			throw new SqliteError(result[1], codeName(result[0]));
		}
		return result;
	},

	/** The latest failure of a connection, to be thrown. */
	failure(state) {
		const [code, message] = native.errorOf(state.token);
		// SQLite's message cannot say what the descriptors' VFS found.
		const fault = state.byDescriptor && code === CANTOPEN ? native.descriptorFault(state.token) : undefined;
		return new SqliteError(fault ?? message, codeName(code));
	},

	/** Tells `verbose` what is about to run. It may throw, which stops the statement. */
	log(state, handle) {
		const { verbose } = state;
		if (verbose === null) return;
		const sql = native.expandedSql(handle);
		state.busy += 1;
		try {
			verbose(sql);
		} finally {
			state.busy -= 1;
		}
	},

	close(state) {
		if (!state.open) return;
		this.requireIdle(state);
		abortBackups(this, state);
		for (const end of state.endings) end();
		state.open = false;
		const report = native.closeDatabase(state.token);
		if (state.closed) state.closed(report);
	},
};
