'use strict';
const { callbacksOf } = require('./callback');
const { boolean, arity, checkArity } = require('./options');
const { option } = require('../own-properties');
const { TypeError } = require('../plain-errors');

const optionalFunction = (options, key) => {
	const value = option(options, key, null);
	if (typeof value === 'function') return value;
	if (value != null) throw new TypeError(`Expected the "${key}" option to be a function`);
	return null;
};

/** `db.aggregate(name, options)`: an aggregate; with `inverse`, a window function too. */
module.exports = (core) => function defineAggregate(name, options) {
	if (typeof name !== 'string') throw new TypeError('Expected first argument to be a string');
	if (typeof options !== 'object' || options === null) throw new TypeError('Expected second argument to be an options object');
	if (!name) throw new TypeError('User-defined function name cannot be an empty string');
	core.requireName(name, 'The name of an aggregate');

	const state = core.state(this);
	const start = option(options, 'start', null);
	const step = optionalFunction(options, 'step');
	if (step === null) throw new TypeError('Missing required option "step"');
	const inverse = optionalFunction(options, 'inverse');
	const result = optionalFunction(options, 'result');
	const safeIntegers = boolean(options, 'safeIntegers', state.safeIntegers);
	const deterministic = boolean(options, 'deterministic');
	const directOnly = boolean(options, 'directOnly');
	const innocuous = boolean(options, 'innocuous');
	const varargs = boolean(options, 'varargs');
	let count = -1;
	if (!varargs) {
		// The first argument of `step` is the accumulated value.
		count = checkArity(Math.max(0, Math.max(arity(step), inverse ? arity(inverse) : 0) - 1));
	}

	// One entry per group being accumulated, by the number the native side gave it.
	const accumulated = new Map();
	const current = (slot) => {
		if (accumulated.has(slot)) return accumulated.get(slot);
		const value = typeof start === 'function' ? start() : start;
		accumulated.set(slot, value);
		return value;
	};
	const callbacks = callbacksOf(state);
	const advance = (fn) => callbacks.of((slot, ...args) => {
		try {
			const next = fn(current(slot), ...args);
			if (next !== undefined) accumulated.set(slot, next);
		} catch (error) {
			accumulated.delete(slot);
			throw error;
		}
	});
	const value = callbacks.of((slot, last) => {
		try {
			const accumulatedValue = current(slot);
			return result ? result(accumulatedValue) : accumulatedValue;
		} catch (error) {
			accumulated.delete(slot);
			throw error;
		} finally {
			if (last) accumulated.delete(slot);
		}
	});

	core.requireIdle(state);
	core.extended(state);
	core.check(core.native.defineAggregate(
		state.token, name, count, safeIntegers, (deterministic ? 1 : 0) | (directOnly ? 2 : 0) | (innocuous ? 4 : 0),
		advance(step), inverse && advance(inverse), value, callbacks.of((slot) => { accumulated.delete(slot); }),
	));
	return this;
};
