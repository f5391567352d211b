'use strict';
const { native } = require('./core');

const hasOwn = Object.prototype.hasOwnProperty;

/** Null prototype, or one that is itself at the top: some realm's Object.prototype. */
function isPlain(object) {
	const prototype = Object.getPrototypeOf(object);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function bindValue(handle, at, value) {
	const rc = native.bindParameter(handle, at, value);
	if (rc === 0) return;
	switch (rc) {
	case -1: throw new TypeError('SQLite3 can only bind numbers, strings, bigints, buffers, and null');
	case 18: throw new RangeError('The bound string, buffer, or bigint is too big');
	case 25: throw new RangeError('Too many parameter values were provided');
	default: throw new Error('An unexpected error occured while trying to bind parameters');
	}
}

/**
 * Binds scalars and arrays to the anonymous parameters in order, and at most one plain object to the named ones.
 * `parameters` are the names in order of their index, null for anonymous ones.
 */
module.exports = function bindAll(handle, parameters, named, args) {
	let anonymous = 0;
	let bound = 0;
	let object = false;
	const next = () => {
		do anonymous += 1; while (anonymous <= parameters.length && parameters[anonymous - 1] !== null);
		return anonymous;
	};
	for (const arg of args) {
		if (Array.isArray(arg)) {
			for (let at = 0; at < arg.length; ++at) {
				bindValue(handle, next(), arg[at]);
				bound += 1;
			}
			continue;
		}
		if (((typeof arg === 'object' && arg !== null) || typeof arg === 'function') && !ArrayBuffer.isView(arg)) {
			if (isPlain(arg)) {
				if (object) throw new TypeError('You cannot specify named parameters in two different objects');
				object = true;
				for (let at = 0; at < parameters.length; ++at) {
					const name = parameters[at];
					if (name === null) continue;
					if (!hasOwn.call(arg, name)) throw new RangeError(`Missing named parameter "${name}"`);
					bindValue(handle, at + 1, arg[name]);
					bound += 1;
				}
				continue;
			}
			if (named) throw new TypeError('Named parameters can only be passed within plain objects');
		} else if (arg instanceof DataView) {
			throw new Error('Invalid argument');
		}
		bindValue(handle, next(), arg);
		bound += 1;
	}
	if (bound < parameters.length) {
		if (!object && named) throw new TypeError('Missing named parameters');
		throw new RangeError('Too few parameter values were provided');
	}
	if (bound > parameters.length) throw new RangeError('Too many parameter values were provided');
};
