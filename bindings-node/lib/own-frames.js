'use strict';
const path = require('node:path');

const { toString } = Error.prototype;

// Bundled into somebody's file, ours cannot be told from theirs.
const OURS = path.basename(__filename) === 'own-frames.js' ? `${__dirname}${path.sep}` : null;
/** A frame of the runtime's own. */
const BUILT_IN = /\((?:<anonymous>|native(?: code)?|node:.*)\)$|^\s*at node:/;
/** At most so many of our functions lie between a call from outside and the place where its error is made. */
const DEPTH = 10;

/** The frames of a trace without ours at their beginning, at most `limit`. Where all are ours, as in a callback of the event loop, they stay. */
function fromOutside(lines, limit) {
	let first = lines.length;
	while (first > 0 && lines[first - 1].trimStart().startsWith('at ')) first -= 1;
	let theirs = first;
	// The runtime's own functions, such as Array.forEach, are ours where we have called them.
	for (let at = first; at < lines.length && (lines[at].includes(OURS) || BUILT_IN.test(lines[at])); ++at) {
		if (lines[at].includes(OURS)) theirs = at + 1;
	}
	return lines.slice(theirs < lines.length ? theirs : first).slice(0, limit);
}

/** Whether the program has a formatter of its own, which gets the error itself and all of its frames. Node and Bun have a default one of this name. */
const isFormatted = () => typeof Error.prepareStackTrace === 'function' && Error.prepareStackTrace.name !== 'ErrorPrepareStackTrace';

/**
 * What `make` gives, an error, with a stack trace that begins in the file that called litekeel and has as many frames as
 * `Error.stackTraceLimit` asks for. `above` is the function that makes the error.
 *
 * The trace is put into words when it is read, as V8 does it: most errors that are caught are never printed. V8 takes one by
 * itself for each error, which would be the second.
 */
module.exports = (make, above) => {
	const { value: limit, writable } = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {};
	if (OURS === null || isFormatted() || typeof Error.captureStackTrace !== 'function' || !writable || !(limit > 0)) {
		const error = make();
		Error.captureStackTrace?.(error, above);
		return error;
	}
	let [error, trace] = [];
	try {
		Error.stackTraceLimit = 0;
		error = make();
		// To whoever formats it, it looks like the error.
		trace = { name: error.name, message: error.message };
		Error.stackTraceLimit = limit + DEPTH;
		Error.captureStackTrace(trace, above);
	} finally {
		Error.stackTraceLimit = limit;
	}
	const head = Reflect.apply(toString, error, []);
	let text;
	const get = () => {
		if (text !== undefined) return text;
		// A program's own Error.prepareStackTrace may make anything of it.
		const formatted = trace.stack;
		if (typeof formatted !== 'string') return formatted;
		text = [head, ...fromOutside(formatted.split('\n'), limit)].join('\n');
		return text;
	};
	const set = (value) => { text = value; };
	return Object.defineProperty(error, 'stack', { __proto__: null, get, set, enumerable: false, configurable: true });
};
