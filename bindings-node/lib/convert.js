'use strict';
// Arguments of types that SQLite does not have, where the connection was opened for them: booleans and dates.
const { isDate } = require('node:util').types;
const { boolean } = require('./extension/options');
const { option, put } = require('./own-properties');
const { TypeError, RangeError } = require('./plain-errors');

const DATES = {
	text: (date) => date.toISOString(),
	seconds: (date) => BigInt(Math.floor(date.getTime() / 1000)),
	milliseconds: (date) => BigInt(date.getTime()),
};

const isPlain = (value) => {
	const prototype = Object.getPrototypeOf(value);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/**
 * The conversion that the options `bindBooleans` and `bindDates` ask for; null for none. Booleans become the integers
 * 1 and 0, dates a text in ISO 8601 or an integer since 1970.
 */
module.exports = (options) => {
	const booleans = boolean(options, 'bindBooleans');
	const bindDates = option(options, 'bindDates');
	if (bindDates !== undefined && !Object.hasOwn(DATES, bindDates)) throw new TypeError(`Expected the "bindDates" option to be one of ${Object.keys(DATES).join(', ')}`);
	if (!booleans && bindDates === undefined) return null;
	const fromDate = bindDates === undefined ? null : DATES[bindDates];

	const value = (given) => {
		if (booleans && typeof given === 'boolean') return given ? 1n : 0n;
		if (fromDate && isDate(given)) {
			if (Number.isNaN(given.getTime())) throw new RangeError('An invalid date cannot be bound');
			return fromDate(given);
		}
		return given;
	};
	const argument = (given) => {
		if (Array.isArray(given)) return given.map(value);
		if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given) || !isPlain(given)) return value(given);
		const out = Object.create(null);
		for (const [name, one] of Object.entries(given)) out[name] = value(one);
		return out;
	};
	const converted = (args) => Array.from(args, argument);
	/** What was asked for, to be compared. */
	put(converted, 'asked', `${booleans} ${bindDates}`);
	return converted;
};
