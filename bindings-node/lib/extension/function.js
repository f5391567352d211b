'use strict';
const { callbacksOf } = require('./callback');
const { boolean, arity, checkArity } = require('./options');
const { TypeError } = require('../plain-errors');

/** `db.function(name, [options], fn)`: a JavaScript function as an SQL function. */
module.exports = (core) => function defineFunction(name, options, fn) {
	if (options == null) options = {};
	if (typeof options === 'function') {
		fn = options;
		options = {};
	}
	if (typeof name !== 'string') throw new TypeError('Expected first argument to be a string');
	if (typeof fn !== 'function') throw new TypeError('Expected last argument to be a function');
	if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
	if (!name) throw new TypeError('User-defined function name cannot be an empty string');
	core.requireName(name, 'The name of a function');

	const state = core.state(this);
	const safeIntegers = boolean(options, 'safeIntegers', state.safeIntegers);
	const deterministic = boolean(options, 'deterministic');
	const directOnly = boolean(options, 'directOnly');
	const innocuous = boolean(options, 'innocuous');
	const varargs = boolean(options, 'varargs');
	const count = varargs ? -1 : checkArity(arity(fn));

	core.requireIdle(state);
	core.extended(state);
	core.check(core.native.defineFunction(
		state.token, name, count, safeIntegers, (deterministic ? 1 : 0) | (directOnly ? 2 : 0) | (innocuous ? 4 : 0), callbacksOf(state).of(fn),
	));
	return this;
};
