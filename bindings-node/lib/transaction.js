'use strict';
const core = require('./state');
const { compileOne, flush } = require('./statement-cache');
const { channel, observe } = require('./diagnostics');
const { fixed, own, put } = require('./own-properties');
const { I, native, field, status, kind } = require('./buffer');
const { TypeError } = require('./plain-errors');

const { STATEMENT, STATUS, STALE, IN_TRANSACTION } = field;
const { control, transactionState } = native;

// The name better-sqlite3 gives it: `verbose` shows it, and tools filter their logs by it.
const SAVEPOINT = '`\t_bs3.\t`';
const SQL = {
	default: 'BEGIN', deferred: 'BEGIN DEFERRED', immediate: 'BEGIN IMMEDIATE', exclusive: 'BEGIN EXCLUSIVE',
	commit: 'COMMIT', rollback: 'ROLLBACK', savepoint: `SAVEPOINT ${SAVEPOINT}`, release: `RELEASE ${SAVEPOINT}`, rollbackTo: `ROLLBACK TO ${SAVEPOINT}`,
};
const KINDS = ['default', 'deferred', 'immediate', 'exclusive'];

/** The control statements of a connection, compiled once; they live as long as it does. */
function controlsOf(state) {
	if (state.controls === null) {
		core.requireNotBusy(state);
		state.controls = Object.fromEntries(Object.keys(SQL).map((name) => [name, compileOne(state, SQL[name], true)]));
	}
	return state.controls;
}

function run(state, compiled) {
	if (state.busy !== 0 || state.iterators !== 0) core.requireWritable(state);
	if (state.verbose !== null) core.log(state, compiled);
	if (channel.hasSubscribers) {
		observe(state, compiled, () => execute(state, compiled));
		return;
	}
	execute(state, compiled);
}

function execute(state, compiled) {
	I[STATEMENT] = compiled.id;
	control();
	if (I[STATUS] !== status.DONE) {
		if (I[STALE] === 1) flush(state);
		throw core.failure();
	}
	if (compiled.kind === kind.SCHEMA) flush(state);
}

function inTransaction(state, controls) {
	if (!state.open) return false;
	I[STATEMENT] = controls.commit.id;
	transactionState();
	return I[IN_TRANSACTION] === 1;
}

/** With the way out: what belongs to a transaction has to be done when its function returns. */
function noPromise(db) {
	const error = new TypeError('Transaction function cannot return a promise');
	const hint = db.report !== undefined && !db.memory
		? 'use transactionAsync(fn), which commits when the promise of fn is fulfilled'
		: 'do everything before the function returns, or open a file with open() and use its transactionAsync(fn), which commits when the promise of fn is fulfilled';
	put(error, 'hint', hint);
	return error;
}

/** What a variant begins with. A `txlock` that was asked for replaces even an explicit "deferred". */
function lockOf({ txlock }, name) {
	if (txlock === null || (name !== 'default' && !(name === 'deferred' && txlock.explicit))) return name;
	return txlock.name;
}

/** `db.transaction(fn)`: `fn` inside a transaction, or inside a savepoint when one is open already. */
module.exports = function transaction(fn) {
	if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
	const db = this;
	const state = core.state(db);
	const controls = controlsOf(state);
	const wrap = (begin) => function sqliteTransaction(...args) {
		const nested = inTransaction(state, controls);
		run(state, nested ? controls.savepoint : begin);
		try {
			const result = Reflect.apply(fn, this, args);
			if (result && typeof result.then === 'function') throw noPromise(db);
			run(state, nested ? controls.release : controls.commit);
			return result;
		} catch (error) {
			// SQLite may have rolled back by itself: then there is nothing to undo.
			if (inTransaction(state, controls)) {
				run(state, nested ? controls.rollbackTo : controls.rollback);
				if (nested) run(state, controls.release);
			}
			throw error;
		}
	};
	const variants = Object.fromEntries(KINDS.map((name) => [name, fixed(wrap(controls[lockOf(state, name)]))]));
	Object.defineProperty(variants, 'database', own(fixed(db, true)));
	for (const name of KINDS) Object.defineProperties(variants[name].value, variants);
	return variants.default.value;
};
