'use strict';
const { given } = require('../own-properties');
const { TypeError, RangeError } = require('../plain-errors');

/** A boolean option: absent means `fallback`, present means a real boolean. */
const boolean = (options, key, fallback = false) => {
	if (!given(options, key)) return fallback;
	const value = options[key];
	if (typeof value !== 'boolean') throw new TypeError(`Expected the "${key}" option to be a boolean`);
	return value;
};

/** The boolean that a method was called with; none means true. */
const on = (args) => {
	if (args.length === 0) return true;
	if (typeof args[0] !== 'boolean') throw new TypeError('Expected first argument to be a boolean');
	return args[0];
};

/** The number of arguments SQL may pass, from `function.length` (which user code can redefine). */
const arity = (fn) => {
	const { length } = fn;
	if (!Number.isInteger(length) || length < 0) throw new TypeError('Expected function.length to be a positive integer');
	return length;
};

const checkArity = (count) => {
	if (count > 100) throw new RangeError('User-defined functions cannot have more than 100 arguments');
	return count;
};

module.exports = { boolean, on, arity, checkArity };
