'use strict';
const { option } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** An option that is a text: absent or undefined means `fallback`. */
const text = (options, key, fallback) => {
	const value = option(options, key);
	if (value === undefined) return fallback;
	if (typeof value !== 'string' || value === '') throw new TypeError(`Expected the "${key}" option to be a string`);
	return value;
};

/** Refuses options that there are not: what is ignored without a word is missed when it matters. */
const known = (options, names, method) => {
	const unknown = Object.keys(options).find((name) => !names.includes(name));
	if (unknown !== undefined) throw new TypeError(`${method}() has no option ${JSON.stringify(unknown)}: there are ${names.join(', ')}`);
};

/** Refuses a `signal` that is there and is not an AbortSignal, by the methods that are needed; those of older libraries have no `throwIfAborted`. */
const requireSignal = (signal, needs = ['addEventListener', 'throwIfAborted']) => {
	if (signal !== undefined && !needs.every((method) => typeof signal?.[method] === 'function')) throw new TypeError('Expected the "signal" option to be an AbortSignal');
};

/** Refuses a `timeout` that is not a number of milliseconds which a timer takes. */
const requireTimeout = (timeout) => {
	if (typeof timeout !== 'number' || !(timeout >= 0) || timeout > 0x7fffffff) throw new TypeError('Expected the "timeout" option to be a number of milliseconds');
};

/** The `signal` of options that have no other. */
const signal = (options, method) => {
	if (options == null) return undefined;
	if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
	known(options, ['signal'], method);
	const signal = option(options, 'signal');
	requireSignal(signal, ['throwIfAborted']);
	return signal;
};

module.exports = { text, known, signal, requireSignal, requireTimeout };
