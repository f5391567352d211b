'use strict';
// Transactions at a libSQL server: of a function, and of an asynchronous one on a connection of its own.
const { KeelError } = require('../keel-error');
const { fixed, own, put } = require('../own-properties');
const { native } = require('../state');
const { EXEC, running, inside, now, later, requireOpen, requireInside } = require('./call');
const { TypeError } = require('../plain-errors');

const SAVEPOINT = '`\t_bs3.\t`';
const KINDS = { default: 'BEGIN IMMEDIATE', deferred: 'BEGIN DEFERRED', immediate: 'BEGIN IMMEDIATE', exclusive: 'BEGIN EXCLUSIVE' };

const inTransaction = (state) => state.open && native.remoteInTransaction(state.handle);

function noPromise() {
	const error = new TypeError('Transaction function cannot return a promise');
	put(error, 'hint', 'use transactionAsync(fn), which commits when the promise of fn is fulfilled, or do everything before the function returns');
	return error;
}

/** `db.transaction(fn)`: `fn` inside a transaction, or inside a savepoint when one is open already. */
function transaction(db, state, fn) {
	if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
	const exec = (sql) => now(state, EXEC, sql);
	const wrap = (begin) => function sqliteTransaction(...args) {
		requireOpen(state);
		requireInside(state);
		const nested = inTransaction(state);
		exec(nested ? `SAVEPOINT ${SAVEPOINT}` : begin);
		try {
			const result = inside(state, () => Reflect.apply(fn, this, args));
			if (result && typeof result.then === 'function') throw noPromise();
			exec(nested ? `RELEASE ${SAVEPOINT}` : 'COMMIT');
			return result;
		} catch (error) {
			// What the server has taken away is told until it is rolled back, here without asking it.
			if (inTransaction(state)) undo(exec, nested);
			throw error;
		}
	};
	const readonly = state.readonly;
	const variants = Object.fromEntries(Object.entries(KINDS).map(([name, begin]) => [name, fixed(wrap(readonly ? 'BEGIN' : begin))]));
	Object.defineProperty(variants, 'database', own(fixed(db, true)));
	for (const name of Object.keys(KINDS)) Object.defineProperties(variants[name].value, variants);
	return variants.default.value;
}

/** The error that led here says more than one of these. */
function undo(exec, nested) {
	try {
		exec(nested ? `ROLLBACK TO ${SAVEPOINT}` : 'ROLLBACK');
		if (nested) exec(`RELEASE ${SAVEPOINT}`);
	} catch {}
}

/** A transaction, or a savepoint in one, while its function runs. */
class Scope {
	open = true;
	/** The end of the savepoint that began last. */
	last = Promise.resolve();
	state;
	origin;
	outer;

	constructor(state, origin) {
		this.state = state;
		this.origin = origin;
		this.outer = running.getStore();
	}
}

/**
 * `fn(tx)` in a transaction on a connection of its own, off the event loop; committed when its promise is fulfilled, rolled
 * back when it is rejected. On a tx it is a savepoint; those run one after the other.
 */
async function transactionAsync(db, state, make, fn, signal) {
	requireOpen(state);
	if (state.scope === null) {
		requireInside(state);
		return await outermost(state, make, fn, signal);
	}
	// The one that this was called in, not one that happens to run beside it.
	let around = running.getStore();
	while (around && !(around.open && around.state === state)) around = around.outer;
	around ??= state.scope;
	const before = around.last;
	let leave;
	around.last = new Promise((resolve) => { leave = resolve; });
	try {
		await before;
		return await inner(db, state, fn, signal);
	} finally {
		leave();
	}
}

/** Settles as the promise, or is rejected when the signal is aborted before. */
function unlessAborted(promise, signal) {
	if (typeof signal?.addEventListener !== 'function') return promise;
	return new Promise((resolve, reject) => {
		const stop = () => reject(signal.reason);
		signal.addEventListener('abort', stop, { __proto__: null, once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
	});
}

async function outermost(state, make, fn, signal) {
	signal?.throwIfAborted();
	const handle = native.remoteSibling(state.handle);
	const tx = make(handle, state);
	const scope = tx.state.scope = new Scope(tx.state, state);
	const exec = (sql) => later(tx.state, EXEC, sql);
	// Nobody waits for the server to know that it is over.
	const close = () => {
		scope.open = false;
		tx.state.open = false;
		native.closeRemote(handle, true);
	};
	const begun = exec(state.readonly ? 'BEGIN' : 'BEGIN IMMEDIATE');
	try {
		await unlessAborted(begun, signal);
	} catch (error) {
		// It may begin yet.
		begun.then(() => exec('ROLLBACK')).catch(() => {}).finally(close);
		throw error;
	}
	try {
		let result;
		try {
			result = await running.run(scope, fn, tx.db);
			await scope.last;
			signal?.throwIfAborted();
			if (!inTransaction(tx.state)) throw new KeelError('the transaction was ended inside transactionAsync()', 'KEEL_ARGUMENT');
		} catch (error) {
			await exec('ROLLBACK').catch(() => {});
			throw error;
		}
		await exec('COMMIT');
		if (state.open) native.remoteSees(state.handle, handle);
		return result;
	} finally {
		close();
	}
}

async function inner(db, state, fn, signal) {
	signal?.throwIfAborted();
	const exec = (sql) => later(state, EXEC, sql);
	await exec(`SAVEPOINT ${SAVEPOINT}`);
	const scope = new Scope(state, null);
	try {
		const result = await running.run(scope, fn, db);
		await scope.last;
		signal?.throwIfAborted();
		await exec(`RELEASE ${SAVEPOINT}`);
		return result;
	} catch (error) {
		await exec(`ROLLBACK TO ${SAVEPOINT}; RELEASE ${SAVEPOINT}`).catch(() => {});
		throw error;
	} finally {
		scope.open = false;
	}
}

module.exports = { transaction, transactionAsync, inTransaction };
