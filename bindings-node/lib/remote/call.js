'use strict';
// Calls on the database of a libSQL server, at once or by a promise, and what they give back.
const { AsyncLocalStorage } = require('node:async_hooks');
const core = require('../state');
const dispatcherOf = require('../additions/dispatcher');
const { KeelError, check } = require('../keel-error');
const begunOutside = require('../own-frames');
const parameters = require('../parameters');
const { put } = require('../own-properties');
const { TypeError, RangeError } = require('../plain-errors');
const { native } = core;

/** The native side's numbers. */
const DESCRIBE = 0;
const DESCRIBE_ANEW = 1;
const QUERY = 2;
const EXEC = 3;
const BATCH = 4;
const MIGRATE = 5;
const FITS = 6;

/** The asynchronous transaction that the running code belongs to. */
const running = new AsyncLocalStorage();
let opened = null;
/** Opened when the first promise is asked for. */
const dispatcher = () => { opened ??= dispatcherOf(core); return opened; };

/** What better-sqlite3 words in its own way: a text that is not exactly one statement. */
function worded(error) {
	if (error?.code !== 'KEEL_ARGUMENT') return error;
	if (error.message.includes('contains no statement')) return new RangeError('The supplied SQL string contains no statements');
	if (error.message.includes('contains more than one statement')) return new RangeError('The supplied SQL string contains more than one statement');
	return error;
}

function requireOpen(state) {
	if (!state.open) throw new TypeError('The database connection is not open');
}

function refuse(message, hint) {
	const error = new KeelError(message, 'KEEL_ARGUMENT');
	put(error, 'hint', hint);
	throw error;
}

/**
 * A write beside one's own asynchronous transaction would be committed by itself, and would wait for that one until the
 * server takes it away.
 */
function requireInside(state) {
	for (let scope = running.getStore(); scope; scope = scope.outer) {
		if (scope.state === state) return;
		if (scope.open && scope.origin === state) {
			refuse('this would not be part of the transaction that is running: it was called on the database, not on the transaction', 'use the tx that the function of transactionAsync() gets for everything inside it');
		}
	}
}

/** What opens a transaction, or may. */
const BEGINS = /\b(?:BEGIN|SAVEPOINT)\b/i;

function now(state, ...work) {
	requireOpen(state);
	// A call that is under way on a thread of its own would find itself inside of the transaction, and be undone with it.
	if (state.pending > 0 && (work[0] === EXEC || work[0] === QUERY) && BEGINS.test(work[1])) {
		refuse('asynchronous calls on this database are under way: they would become part of the transaction', 'await them first, or use transactionAsync(), which has a connection of its own');
	}
	try {
		return check(native.remoteCall(state.handle, ...work));
	} catch (error) {
		// Without a code it comes from the native side as it is.
		throw worded(error.code === undefined ? begunOutside(() => error, now) : error);
	}
}

async function later(state, ...work) {
	requireOpen(state);
	if (state.functions > 0) {
		refuse('the function of transaction() cannot wait: an asynchronous call in it would run when the transaction has ended', 'use transactionAsync(), and its tx for everything inside it');
	}
	const { ask, handle } = dispatcher();
	state.pending += 1;
	try {
		return await ask((id) => native.remoteAsk(handle, state.handle, id, ...work));
	} catch (error) {
		throw worded(dispatcherOf.refused(error));
	} finally {
		state.pending -= 1;
	}
}

/** Runs the function of a synchronous transaction. */
function inside(state, run) {
	state.functions += 1;
	try {
		return run();
	} finally {
		state.functions -= 1;
	}
}

/** `[values, names]` of the arguments of `get` and its like. */
function given(state, args) {
	const values = [];
	for (const arg of state.convert === null ? args : state.convert(args)) {
		if (Array.isArray(arg)) values.push(...arg);
		else values.push(arg);
	}
	return parameters(values);
}

module.exports = { DESCRIBE, DESCRIBE_ANEW, QUERY, EXEC, BATCH, MIGRATE, FITS, running, inside, now, later, given, requireOpen, requireInside };
