'use strict';
const { isMainThread } = require('node:worker_threads');
const core = require('./state');
const { KeelError } = require('./keel-error');

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGBREAK'];

/** By signal: the listener, and weakly the connections that it closes, in the order in which they were opened. */
const watched = new Map();

/**
 * The signals of `shutdownOn`, checked.
 *
 * Node handles signals itself, so ours is a listener like any other. A worker hears none.
 */
exports.signals = (given) => {
	if (given === undefined) return [];
	if (!Array.isArray(given) || given.some((signal) => typeof signal !== 'string')) throw new TypeError('Expected the "shutdownOn" option to be an array of names of signals');
	const wrong = given.find((signal) => !SIGNALS.includes(signal));
	if (wrong !== undefined) throw Object.assign(new KeelError(`shutdownOn: ${JSON.stringify(wrong)} is no signal to shut down on`, 'KEEL_ARGUMENT'), { hint: `use one or more of ${SIGNALS.join(', ')}`, path: null, step: null });
	if (!isMainThread && given.length > 0) throw Object.assign(new KeelError('shutdownOn: only the main thread hears signals', 'KEEL_MAIN_THREAD_ONLY'), { hint: 'open it without shutdownOn in a worker: its connections are closed when it ends', path: null, step: null });
	return [...new Set(given)];
};

/** Closes the connection when one of the signals would end the process. */
exports.watch = (db, signals) => {
	if (signals.length === 0) return db;
	const state = core.state(db);
	for (const signal of signals) {
		let entry = watched.get(signal);
		if (entry === undefined) {
			entry = { states: new Set(), listener: listener(signal) };
			watched.set(signal, entry);
			process.on(signal, entry.listener);
		}
		// What was collected is closed already.
		for (const weak of entry.states) if (weak.deref() === undefined) entry.states.delete(weak);
		entry.states.add(state.weak);
	}
	state.endings.add(() => signals.forEach((signal) => forget(signal, state.weak)));
	return db;
};

/** Made here, where no connection is in sight: the listener would keep it. */
const listener = (signal) => () => onSignal(signal);

function forget(signal, weak) {
	const entry = watched.get(signal);
	if (entry === undefined || !entry.states.delete(weak) || entry.states.size > 0) return;
	watched.delete(signal);
	// Without listeners the signal has its default effect again.
	process.removeListener(signal, entry.listener);
}

function onSignal(signal) {
	// The application's own listener decides when the process ends; it is closed on the way out then.
	if (process.listenerCount(signal) > 1) return;
	const { states, listener } = watched.get(signal);
	for (const weak of [...states].reverse()) {
		const state = weak.deref();
		if (state !== undefined) end(state);
	}
	watched.delete(signal);
	process.removeListener(signal, listener);
	process.kill(process.pid, signal);
}

/** Closes whatever is under way: what iterates ends, a transaction is rolled back. */
function end(state) {
	state.iterators = 0;
	try {
		core.close(state);
	} catch (error) {
		// The others still have to be closed, and the signal to take effect.
		console.error(`litekeel: not closed on a signal: ${state.database.name}: ${error.message}`);
	}
}
