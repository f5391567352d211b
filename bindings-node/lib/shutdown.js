'use strict';
const os = require('node:os');
const { isMainThread } = require('node:worker_threads');
const core = require('./state');
const { KeelError } = require('./keel-error');
const { assign } = require('./own-properties');
const { TypeError } = require('./plain-errors');

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

/** By signal: weakly the connections that want it, and whether the native side has changed what it does. */
const watched = new Map();

/** The signals of `shutdownOn`, checked. A worker hears none. */
const signals = (given) => {
	if (given === undefined) return [];
	if (!Array.isArray(given) || given.some((signal) => typeof signal !== 'string')) throw new TypeError('Expected the "shutdownOn" option to be an array of names of signals');
	const wrong = given.find((signal) => !SIGNALS.includes(signal));
	if (wrong !== undefined) throw assign(new KeelError(`shutdownOn: ${JSON.stringify(wrong)} is not a signal to shut down on`, 'KEEL_ARGUMENT'), { hint: `use one or more of ${SIGNALS.join(', ')}`, path: null, step: null });
	if (!isMainThread && given.length > 0) throw assign(new KeelError('shutdownOn: only the main thread gets signals', 'KEEL_MAIN_THREAD_ONLY'), { hint: 'open it without shutdownOn in a worker: its connections are closed when it ends', path: null, step: null });
	return [...new Set(given)];
};

/** Those of a connection that was opened without `shutdownOn`: runners of tests end their processes by SIGTERM. */
const usual = (profile) => (profile === 'test' && isMainThread ? ['SIGTERM'] : []);

/**
 * Closes every connection of the process when one of the signals would end it.
 *
 * A listener would have to wait for the event loop: a long statement or a loop in JavaScript could no longer be ended. So
 * the native side closes, from a thread of its own, and gives the signal its effect then. An application's listener comes
 * first: while there is one, the signal is the runtime's.
 */
const watch = (db, signals) => {
	if (signals.length === 0) return db;
	const state = core.state(db);
	if (watched.size === 0) process.on('removeListener', onRemoved);
	for (const signal of signals) {
		let entry = watched.get(signal);
		if (entry === undefined) {
			entry = { states: new Set(), changed: false };
			watched.set(signal, entry);
		}
		// What was collected is closed already.
		for (const weak of entry.states) if (weak.deref() === undefined) entry.states.delete(weak);
		entry.states.add(state.weak);
		arm(signal, entry);
	}
	state.endings.add(() => signals.forEach((signal) => forget(signal, state.weak)));
	return db;
};

function arm(signal, entry) {
	if (process.listenerCount(signal) > 0) return;
	// Again after a listener: the runtime has put the default back.
	if (core.check(core.native.shutdownOn(os.constants.signals[signal]))) entry.changed = true;
}

/** The application's last listener is gone: the signal would end the process. */
function onRemoved(signal) {
	const entry = watched.get(signal);
	if (entry !== undefined) arm(signal, entry);
}

function forget(signal, weak) {
	const entry = watched.get(signal);
	if (entry === undefined || !entry.states.delete(weak) || entry.states.size > 0) return;
	watched.delete(signal);
	if (watched.size === 0) process.removeListener('removeListener', onRemoved);
	// Not where another host of the process has asked for the same.
	if (entry.changed) core.native.shutdownOff(os.constants.signals[signal]);
}

module.exports = { signals, usual, watch };
