'use strict';
const { append } = require('../own-properties');

/** `db.loadExtension(path, [entryPoint])`: loads a shared library into this connection. */
module.exports = (core) => function loadExtension(...args) {
	const [path, entryPoint] = args;
	if (typeof path !== 'string') throw new TypeError('Expected first argument to be a string');
	if (args.length > 1 && typeof entryPoint !== 'string') throw new TypeError('Expected second argument to be a string');
	const state = core.state(this);
	core.requireIdle(state);
	core.extended(state);
	core.check(core.native.loadExtension(state.token, path, entryPoint));
	// The connections that work for this one get it too.
	const library = args.slice(0, 2);
	append(state.extensions, library);
	if (state.readers !== null) core.native.readersLoad(state.readers, ...library);
	return this;
};
