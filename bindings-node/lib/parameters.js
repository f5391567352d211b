'use strict';
// Parameters for another thread or another machine: a list of values, and the names of those that have one.
const { checkValue } = require('./bind');
const { TypeError } = require('./plain-errors');

const isPlain = (value) => {
	if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Array.isArray(value)) return false;
	const prototype = Object.getPrototypeOf(value);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
};

function checked(values) {
	values.forEach(checkValue);
	return values;
}

/** Every parameter, read once: `[values, names]`. */
module.exports = function parameters(given) {
	if (given === undefined) return [[], null];
	const values = Array.isArray(given) ? [...given] : [given];
	const at = values.findIndex(isPlain);
	if (at === -1) return [checked(values), null];
	const [named] = values.splice(at, 1);
	if (values.some(isPlain)) throw new TypeError('You cannot specify named parameters in two different objects');
	const names = Object.keys(named);
	return [checked([...values, ...names.map((name) => named[name])]), names];
};
