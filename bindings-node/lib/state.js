'use strict';
const { I, extras, native, field, dropExtras } = require('./buffer');
const codeName = require('./codes');
const SqliteError = require('./sqlite-error');
const { failure } = require('./keel-error');
const { fixed } = require('./own-properties');
const { TypeError } = require('./plain-errors');

/** The key of a connection's state in its Database. */
const STATE = Symbol('litekeel.state');
const BUSY = 'This database connection is busy executing a query';

/** The per-connection part; `rest` replaces what it names. */
class State {
	open = true;
	/** How many callbacks of SQLite's are running; never 0 again once closed. */
	busy = 0;
	iterators = 0;
	unsafe = false;
	safeIntegers = false;
	/** Milliseconds for each execution of what is prepared from now on; 0 is no limit. */
	timeout = 0;
	/** Whether `open()` or a descendant of its has made it. */
	tuned = false;
	/** Turns arguments of further types into such that SQLite has; null if there are none. */
	convert = null;
	/** What transactions begin with, if not as better-sqlite3's. */
	txlock = null;
	verbose = null;
	/** Called with the native report when the connection has closed. */
	closed = null;
	backups = new Set();
	/** The extensions that have been loaded, as the arguments of `loadExtension`. */
	extensions = [];
	/** What is to be called before the connection closes. */
	endings = new Set();
	/** Compiled statements by their SQL, and how many characters that is. */
	kept = new Map();
	keptText = 0;
	/** SQL that was asked for before, and those of the kept statements that were asked for once. */
	seen = new Set();
	fresh = [];
	/** Iterators may read ahead: nothing can change what they would read in between. */
	prefetch = true;
	/** Functions that SQLite calls; see `extension/callback.js`. */
	callbacks = null;
	/** Those of `onUpdate`, `onCommit` and `onRollback`. */
	hooks = null;
	/** Of events, by name; what hears them for all, and what ends that. */
	listeners = null;
	hear = null;
	silence = null;
	/** The native side's for `readAsync`, once it is used. */
	readers = null;
	/** The asynchronous transaction that it is the connection of. */
	scope = null;
	/** Other hosts of the process can use the connection, in between of any two native calls. */
	exposed = false;
	/** What they know it by, once it was asked for. */
	handle = null;
	controls = null;
	/** Which file it is, once asked. */
	file = null;

	constructor(db, token, rest) {
		this.token = token;
		this.database = db;
		this.weak = new WeakRef(this);
		for (const name of Object.keys(rest)) this[name] = rest[name];
	}
}

// Nothing that somebody gave to every object stands for a field.
Object.setPrototypeOf(State.prototype, null);

/** What a connection's methods share. `state(db)` is the per-connection part. */
const core = module.exports = {
	native,
	SqliteError,
	STATE,
	/** Set by the statement cache: drops every compiled statement of a connection. */
	flush: null,
	/** Set by `replicated`: waits until what the connections to a file have committed is at the replica. */
	confirm: null,
	/** Set by the backups: ends those of a connection that closes. */
	abortBackups: null,

	state(db) {
		const state = db == null ? undefined : db[STATE];
		if (state === undefined) throw new TypeError('Illegal invocation');
		return state;
	},

	attach(db, token, rest) {
		Object.defineProperty(db, STATE, fixed(new State(db, token, rest)));
	},

	requireOpen(state) {
		if (!state.open) throw new TypeError('The database connection is not open');
	},

	/** The connection is one of `open()`, whose file and locks litekeel looks after. */
	requireTuned(state) {
		if (!state.tuned) throw new TypeError('This needs a connection that was made by open()');
	},

	/** A text that SQLite reads to its end: a NUL would be one, and the rest would be left out without a word. */
	requireName(text, what) {
		const at = text.indexOf('\0');
		if (at !== -1) throw new TypeError(`${what} cannot contain a NUL character, as at index ${at}`);
	},

	/** A name of a file that stands for no other: half a character becomes the same as any other half. */
	requirePath(text, what) {
		if (text.includes('\0')) throw new TypeError(`The path of ${what} cannot contain a NUL character`);
		if (!text.isWellFormed()) throw new TypeError(`The path of ${what} cannot contain half a character (a lone surrogate)`);
	},

	/** SQLite reads SQL to a NUL; what comes after it would be left out without a word. */
	requireWhole(sql) {
		const end = sql.indexOf('\0');
		if (end === -1 || /^\0+$/.test(sql.slice(end))) return;
		throw new TypeError(`The SQL has a NUL character at index ${end}, and SQLite would not read what follows it; bind such text as a parameter, or write char(0)`);
	},

	/** Open, and no callback of SQLite's is running. */
	requireNotBusy(state) {
		if (!state.open) throw new TypeError('The database connection is not open');
		if (state.busy !== 0) throw new TypeError(BUSY);
	},

	/** As `requireNotBusy`, and nobody iterates. */
	requireIdle(state) {
		core.requireNotBusy(state);
		if (state.iterators !== 0) throw new TypeError(BUSY);
	},

	/** As `requireIdle`, but unsafe mode may write while iterating. */
	requireWritable(state) {
		core.requireNotBusy(state);
		if (state.iterators !== 0 && !state.unsafe) throw new TypeError(BUSY);
	},

	/** Called before a connection gets code of the user's, which SQLite calls in the middle of statements. */
	extended(state) {
		state.prefetch = false;
		core.flush(state);
	},

	/** Called before other hosts of the process can get hold of a connection. */
	exposed(state) {
		core.extended(state);
		state.exposed = true;
		state.callbacks?.keep();
	},

	/**
	 * The error that a native failure list describes: `[code, message]`, or with the core's explanation
	 * `[code, name, message, hint, path, step, busy?]`.
	 */
	toError(list) {
		if (list.length === 2) return new SqliteError(list[1], codeName(list[0]));
		return failure(list);
	},

	/** Throws the error of a native failure list; gives any other result back. */
	check(result) {
		if (Array.isArray(result) && typeof result[0] === 'number' && typeof result[1] === 'string') throw core.toError(result);
		return result;
	},

	/** The failure of the latest call through the buffer, as an error to be thrown. */
	failure() {
		const list = extras[I[field.FAILURE]];
		I[field.FAILURE] = -1;
		dropExtras();
		return core.toError(list);
	},

	/** What a call on a statement gave. Nothing: the connection could not be had, since a signal has closed it. */
	answered(result) {
		if (result === undefined) throw core.failure();
		return result;
	},

	/** Tells `verbose` what is about to run. It may throw, which stops the statement. */
	log(state, compiled) {
		const { verbose } = state;
		I[field.STATEMENT] = compiled.id;
		const sql = core.answered(native.expandedSql());
		state.busy += 1;
		try {
			verbose(sql);
		} finally {
			state.busy -= 1;
		}
	},

	/** Runs `fn`, which ends with SQLITE_INTERRUPT after so many milliseconds. */
	limited(ms, fn) {
		if (ms === 0) return fn();
		let failure;
		native.beginLimit(ms);
		try {
			return fn();
		} catch (error) {
			failure = error;
			throw error;
		} finally {
			if (native.endLimit() && failure?.code === 'SQLITE_INTERRUPT') failure.message = `interrupted: the statement took longer than its timeout of ${ms} ms`;
		}
	},

	/** A number of milliseconds from the user; 0 is no limit. */
	timeout(ms) {
		if (!Number.isInteger(ms) || ms < 0 || ms > 0x7fffffff) throw new TypeError('Expected the timeout to be a whole number of milliseconds');
		return ms;
	},

	close(state) {
		if (!state.open) return;
		core.requireIdle(state);
		core.abortBackups(core, state);
		for (const end of state.endings) end();
		const report = native.closeDatabase(state.token);
		state.open = false;
		state.busy = Infinity;
		state.kept.clear();
		state.fresh.length = 0;
		if (state.closed !== null) state.closed(report);
	},
};
