'use strict';
const { AsyncLocalStorage } = require('node:async_hooks');
const { signal: signalOf } = require('./arguments');
const { now, sleep, wait } = require('../clock');
const fileIdentity = require('../file-identity');
const { check, KeelError } = require('../keel-error');
const SqliteError = require('../sqlite-error');
const { assign, put } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** Between two attempts to get the write lock that another process or thread has. */
const PAUSE_MS = 2;
/** By file: whose turn it is among the asynchronous transactions of this environment, which has one write lock. */
const queues = new Map();
/** The scope that the running code belongs to. */
const running = new AsyncLocalStorage();

/** One after the other. */
class Turns {
	/** The end of the last one; null when there is none. */
	last = null;
	/** When the one that is running began. */
	#moved = 0;

	/** Calls `task` when the ones before have ended; a single one of them is waited for as long as `patience`, in milliseconds. */
	async take(patience, signal, task) {
		const before = this.last;
		let leave;
		const mine = new Promise((resolve) => { leave = resolve; });
		mine.then(() => { if (this.last === mine) this.last = null; });
		this.last = mine;
		try {
			if (before !== null) {
				const waited = await this.#until(before, patience);
				if (waited !== null) throw stuck(waited);
			}
			this.#moved = now();
			signal?.throwIfAborted();
			return await task();
		} finally {
			// Whoever has given up still lets the earlier ones end before the later ones begin.
			if (before === null) leave();
			else before.then(leave);
		}
	}

	/** Resolves to null when they have ended, or to how long a single one has been running, in milliseconds. */
	#until(before, patience) {
		return new Promise((resolve) => {
			let over = false;
			let cancel;
			const look = () => {
				if (over) return;
				const waited = now() - this.#moved;
				if (waited >= patience) {
					resolve(waited);
					return;
				}
				let later;
				[later, cancel] = wait(patience - waited);
				later.then(look);
			};
			before.then(() => { over = true; cancel?.(); resolve(null); });
			look();
		});
	}

	/** Resolves when nobody is at it or waits. */
	async over() {
		while (this.last !== null) await this.last;
	}
}

function stuck(waited) {
	return assign(new SqliteError(`database is locked: another asynchronous transaction of this thread has been running for ${Math.round(waited)} ms`, 'SQLITE_BUSY'), {
		kind: 'own_async_transaction', waitedMs: waited, hint: 'use the tx that the running one gets for what belongs to it, and await everything that runs inside it; for long ones raise busy_timeout',
	});
}

/** The settings by which the same statement does something else. */
const MANNER = [
	'synchronous', 'fullfsync', 'foreign_keys', 'recursive_triggers', 'query_only', 'secure_delete', 'defensive', 'trusted_schema', 'dqs', 'attach', 'vfs', 'unsafe',
];

/** What a transaction of a connection is about: the file, whether it locks that for writing, and how it was opened. */
function aimOf(db, state) {
	const { report } = db;
	const manner = new Map(MANNER.map((name) => [name, String(report[name])]));
	manner.set('bindBooleans and bindDates', state.convert === null ? '' : state.convert.asked);
	manner.set('the extensions', JSON.stringify(state.extensions));
	state.file ??= fileIdentity(db.name);
	return { file: state.file ?? db.name, writes: !db.readonly && report.query_only !== 'on', manner };
}

/** One transaction cannot be of two manners, and a second one would wait for the first, which waits for it. */
function requireSame(scope, manner) {
	const different = [...manner].find(([name, value]) => scope.manner.get(name) !== value);
	if (different === undefined) return;
	const error = new KeelError(`an asynchronous transaction is running on this file, on a connection that was opened otherwise (${different[0]}): this one cannot be part of it`, 'KEEL_ARGUMENT');
	put(error, 'hint', 'use the tx of the running transaction, await that one first, or open both connections with the same settings');
	throw error;
}

/** A transaction, or a savepoint in one, while its function runs. Those that begin inside it are savepoints of it. */
class Scope {
	turns = new Turns();
	open = true;
	/** Why it must not be kept. */
	failed = null;
	// Declared, so that they are its own even where every object has a setter of that name.
	tx;
	file;
	writes;
	manner;
	depth;
	outer;

	/** `writes`: it has the write lock of `file`. `manner`: how its connection was opened, as far as what it does depends on that. */
	constructor(tx, { file, writes, manner }, depth, outer) {
		this.tx = tx;
		this.file = file;
		this.writes = writes;
		this.manner = manner;
		this.depth = depth;
		this.outer = outer;
	}

	/** The result of `fn(tx)`, once that and all that began inside it have ended well. */
	async run(fn, signal) {
		const result = await running.run(this, fn, this.tx);
		await this.turns.over();
		signal?.throwIfAborted();
		if (this.failed !== null) throw this.failed;
		if (!this.tx.open) throw new TypeError('The database connection is not open');
		if (!this.tx.inTransaction) throw new KeelError('the transaction was ended inside transactionAsync()', 'KEEL_ARGUMENT');
		return result;
	}
}

/** The innermost scope that is still open, from `scope` outwards, for which `test` holds; null if there is none. */
function nearest(scope, test = () => true) {
	for (; scope; scope = scope.outer) if (scope.open && test(scope)) return scope;
	return null;
}

/**
 * `transactionAsync(fn, { signal })`: `fn(tx)` in a transaction on a connection of its own, so that nothing else that
 * this program does meanwhile becomes part of it. Committed when the promise of `fn` is fulfilled, else rolled back.
 * Inside another one on the same file, which has the only write lock, it is a savepoint of that.
 */
module.exports = ({ core, door }) => {
	const { native } = core;

	async function transactionAsync(fn, options) {
		if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
		const signal = signalOf(options, 'transactionAsync');
		const state = core.state(this);
		core.requireOpen(state);
		if (this.memory || this.report === undefined) {
			throw assign(new KeelError('an asynchronous transaction needs a connection of its own, and a database that is private to this one has no other', 'KEEL_NO_SIBLING'), { hint: 'open a database in a file with open()' });
		}
		const aim = aimOf(this, state);
		const { file } = aim;
		const timeout = Number.parseInt(this.report.busy_timeout, 10) || 0;
		// Where the context was lost on the way, a transaction's own connection still knows it.
		const outer = nearest(running.getStore(), (scope) => scope.tx === this || (aim.writes && scope.writes && scope.file === file)) ?? nearest(state.scope);
		if (outer !== null) {
			if (outer.tx !== this) requireSame(outer, aim.manner);
			return await outer.turns.take(timeout, signal, () => nested(outer, fn, signal));
		}
		// Readers need no lock, so that none waits for another.
		if (!aim.writes) return await outermost(this, state, aim, timeout, fn, signal);
		if (!queues.has(file)) queues.set(file, new Turns());
		const turns = queues.get(file);
		let result;
		try {
			result = await turns.take(timeout, signal, () => outermost(this, state, aim, timeout, fn, signal));
		} finally {
			if (turns.last === null && queues.get(file) === turns) queues.delete(file);
		}
		// The next one has the lock meanwhile.
		if (this.report.durability === 'replicated') await core.confirm(state);
		return result;
	}

	async function outermost(db, state, aim, timeout, fn, signal) {
		core.requireOpen(state);
		const tx = door.load(door.wrap(check(native.openAssistant(state.token, 'transactionAsync', false)), { convert: state.convert }), state.extensions);
		const scope = new Scope(tx, aim, 0, nearest(running.getStore()));
		core.state(tx).scope = scope;
		const end = () => { scope.open = false; state.endings.delete(end); abandon(tx); };
		state.endings.add(end);
		try {
			await begin(tx, aim.writes, timeout, signal);
			native.markAsynchronous(core.state(tx).token, true);
			const result = await scope.run(fn, signal);
			tx.exec('COMMIT');
			return result;
		} finally {
			end();
		}
	}

	async function nested(outer, fn, signal) {
		const { tx, depth } = outer;
		if (!outer.open) throw new TypeError('The database connection is not open');
		const savepoint = `litekeel_${depth}`;
		const scope = new Scope(tx, outer, depth + 1, outer);
		tx.exec(`SAVEPOINT ${savepoint}`);
		try {
			const result = await scope.run(fn, signal);
			tx.exec(`RELEASE ${savepoint}`);
			return result;
		} catch (error) {
			undo(outer, savepoint);
			throw error;
		} finally {
			scope.open = false;
		}
	}

	/** Rolls back to the savepoint. What cannot be undone must not be committed with the rest. */
	function undo(outer, savepoint) {
		const { tx } = outer;
		// SQLite may have rolled back the whole transaction by itself.
		if (!tx.open || !tx.inTransaction) return;
		const state = core.state(tx);
		const { iterators } = state;
		state.iterators = 0;
		try {
			tx.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
		} catch (error) {
			outer.failed = error;
		} finally {
			state.iterators = iterators;
		}
	}

	/** Takes the write lock without holding up the event loop. */
	async function begin(tx, writes, timeout, signal) {
		if (!writes) {
			tx.exec('BEGIN');
			return;
		}
		const deadline = now() + timeout;
		tx.pragma('busy_timeout = 0');
		for (;;) {
			signal?.throwIfAborted();
			if (!tx.open) throw new TypeError('The database connection is not open');
			try {
				tx.exec('BEGIN IMMEDIATE');
				tx.pragma(`busy_timeout = ${timeout}`);
				return;
			} catch (error) {
				if (!/^SQLITE_BUSY/.test(error.code) || now() >= deadline) throw error;
			}
			await sleep(PAUSE_MS + Math.random() * PAUSE_MS);
		}
	}

	/** Closes, and with that rolls back what is not committed. Whoever still iterates has nothing left to read. */
	function abandon(tx) {
		const state = core.state(tx);
		state.iterators = 0;
		tx.close();
	}

	return { methods: { transactionAsync } };
};
