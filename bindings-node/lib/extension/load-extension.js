'use strict';
const fs = require('node:fs');
const { append, put } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** SQLite tries the name with the system's ending last, and tells of that. */
function hintFor(path, entryPoint) {
	if (fs.existsSync(path)) return `${path} is there: check that it is a library for this system and processor, that those it needs are there too, and that ${entryPoint === undefined ? 'it has SQLite\'s usual entry point, or name its own as the second argument' : `it has the entry point ${entryPoint}`}`;
	return 'check that the file is there, under this name or with the ending of this system\'s libraries; a relative path begins where the process runs';
}

/** `db.loadExtension(path, [entryPoint])`: loads a shared library into this connection. */
module.exports = (core) => function loadExtension(...args) {
	const [path, entryPoint] = args;
	if (typeof path !== 'string') throw new TypeError('Expected first argument to be a string');
	core.requireName(path, 'The path of an extension');
	if (args.length > 1 && typeof entryPoint !== 'string') throw new TypeError('Expected second argument to be a string');
	const state = core.state(this);
	core.requireIdle(state);
	core.extended(state);
	if (entryPoint !== undefined) core.requireName(entryPoint, 'The entry point of an extension');
	try {
		core.check(core.native.loadExtension(state.token, path, entryPoint));
	} catch (error) {
		put(error, 'hint', hintFor(path, entryPoint));
		throw error;
	}
	// The connections that work for this one get it too.
	const library = args.slice(0, 2);
	append(state.extensions, library);
	if (state.readers !== null) core.native.readersLoad(state.readers, ...library);
	return this;
};
