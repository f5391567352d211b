'use strict';
const { check, KeelError } = require('../keel-error');

/** Between two attempts to get the write lock that another process or thread has. */
const PAUSE_MS = 2;
/** By file: the end of the last asynchronous transaction of this environment. They would wait for each other otherwise. */
const queues = new Map();

/**
 * `transactionAsync(fn, { signal })`: `fn(tx)` in a transaction on a connection of its own, so that nothing else that
 * this program does meanwhile becomes part of it. Committed when the promise of `fn` is fulfilled, else rolled back.
 */
module.exports = ({ core, door }) => {
	const { native } = core;

	async function transactionAsync(fn, options) {
		if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
		if (options == null) options = {};
		if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
		const { signal } = options;
		if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') throw new TypeError('Expected the "signal" option to be an AbortSignal');
		const state = core.state(this);
		core.requireOpen(state);
		if (this.memory || this.report === undefined) {
			throw Object.assign(new KeelError('an asynchronous transaction needs a connection of its own, and a database that is private to this one has no other', 'KEEL_NO_SIBLING'), { hint: 'open a database in a file with open()' });
		}
		return queued(this.name, signal, () => run(this, state, fn, signal));
	}

	async function queued(file, signal, task) {
		const before = queues.get(file);
		let leave;
		const mine = new Promise((resolve) => { leave = resolve; });
		queues.set(file, mine);
		try {
			// A task that gives up still has to let the earlier ones end before the later ones begin.
			await before;
			signal?.throwIfAborted();
			return await task();
		} finally {
			leave();
			if (queues.get(file) === mine) queues.delete(file);
		}
	}

	async function run(db, state, fn, signal) {
		core.requireOpen(state);
		const tx = door.load(door.wrap(check(native.openAssistant(state.token, 'transactionAsync', false)), { convert: state.convert }), state.extensions ?? []);
		const end = () => { state.endings.delete(end); abandon(tx); };
		state.endings.add(end);
		try {
			await begin(tx, db, signal);
			native.markAsynchronous(core.state(tx).token, true);
			const result = await fn(tx);
			signal?.throwIfAborted();
			if (!tx.open) throw new TypeError('The database connection is not open');
			if (!tx.inTransaction) throw new KeelError('the transaction was ended inside transactionAsync()', 'KEEL_ARGUMENT');
			tx.exec('COMMIT');
			return result;
		} finally {
			end();
		}
	}

	/** Takes the write lock without holding up the event loop. */
	async function begin(tx, db, signal) {
		if (tx.readonly) {
			tx.exec('BEGIN');
			return;
		}
		const timeout = Number.parseInt(db.report.busy_timeout, 10) || 0;
		const deadline = performance.now() + timeout;
		tx.pragma('busy_timeout = 0');
		for (;;) {
			signal?.throwIfAborted();
			if (!tx.open) throw new TypeError('The database connection is not open');
			try {
				tx.exec('BEGIN IMMEDIATE');
				tx.pragma(`busy_timeout = ${timeout}`);
				return;
			} catch (error) {
				if (!/^SQLITE_BUSY/.test(error.code) || performance.now() >= deadline) throw error;
			}
			await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS + Math.random() * PAUSE_MS); });
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
