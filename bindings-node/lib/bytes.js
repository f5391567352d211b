'use strict';
// Bytes that are given: they may be gone already (transferred to a worker, or beyond the end of a buffer that shrank), when
// JavaScript calls them empty, and a getter that is read after them may take them away.
const { TypeError } = require('./plain-errors');

const { isView } = ArrayBuffer;
/** Throws for a typed array whose bytes are gone; none of the user's code is called. */
const { indexOf } = Object.getPrototypeOf(Uint8Array.prototype);

/** Throws when the bytes of a view are gone: they would be stored as empty ones. */
function requireThere(view, what) {
	if (view.byteLength !== 0) return;
	try {
		Reflect.apply(indexOf, view, [0]);
	} catch {
		// It is either a DataView, which nobody takes, or gone.
		throw new TypeError(`The bytes of ${what} are gone: they were transferred, or their buffer has shrunk`);
	}
}

/** Notes how long bytes are, in a list that begins with the first. */
function hold(held, value) {
	if (!isView(value)) return held;
	if (held === null) held = new Map();
	if (!held.has(value)) held.set(value, value.byteLength);
	return held;
}

/** Throws when bytes are not as long any more: they would be stored empty, or cut. */
function requireHeld(held) {
	held.forEach((length, value) => {
		if (value.byteLength !== length) throw new TypeError('The bytes of a parameter were detached or resized while the others were read');
	});
}

module.exports = { requireThere, hold, requireHeld };
