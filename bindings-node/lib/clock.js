'use strict';
// Time that nobody else turns. Runners of tests put timers, immediates and clocks of their own in the place of the real
// ones, even before this is loaded, and those stand still: what waits for a lock or for the next turn must not.

const { isBun, isDeno } = require('./runtime');

/** Milliseconds since the process began: no library of fake timers stands in for this one. */
const uptime = process.uptime.bind(process);
const now = () => 1000 * uptime();

/** The other runtimes do not wait there, or only in whole milliseconds. */
const inNode = !isBun && !isDeno && typeof Atomics.waitAsync === 'function';
const { setTimeout, clearTimeout, setImmediate } = globalThis;
const { waitAsync, notify } = Atomics;
const { MessageChannel } = require('node:worker_threads');

/** Keeps the process alive while something waits, which V8's own waiting does not. */
let port = null;
let waiting = 0;

function hold(by) {
	waiting += by;
	if (port === null) {
		port = new MessageChannel().port1;
		port.on('message', () => {});
	}
	if (waiting > 0) port.ref();
	else port.unref();
}

/** `[promise, cancel]`: fulfilled after so many milliseconds, at the earliest in the next turn of the event loop. */
function wait(ms) {
	if (!inNode) {
		let timer;
		return [new Promise((resolve) => { timer = ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms); }), () => { clearTimeout(timer); }];
	}
	const cell = new Int32Array(new SharedArrayBuffer(4));
	hold(1);
	let held = true;
	const end = () => { if (held) { held = false; hold(-1); } };
	// None at all would be answered at once.
	const promise = waitAsync(cell, 0, 0, Math.max(ms, 0.001)).value.then(end);
	return [promise, () => { end(); notify(cell, 0); }];
}

const sleep = (ms) => wait(ms)[0];

/** Calls `fn` in a later turn of the event loop. */
const soon = inNode ? (fn) => { wait(0)[0].then(fn); } : (fn) => { setImmediate(fn); };

module.exports = { wait, now, sleep, soon };
