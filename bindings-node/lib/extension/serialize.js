'use strict';
const { option } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** `db.serialize([options])`: the whole database as a Buffer, which `new Database(buffer)` opens. */
module.exports = (core) => function serialize(options) {
	if (options == null) options = {};
	if (typeof options !== 'object') throw new TypeError('Expected first argument to be an options object');
	const schema = option(options, 'attached', 'main');
	if (typeof schema !== 'string') throw new TypeError('Expected the "attached" option to be a string');
	if (!schema) throw new TypeError('The "attached" option cannot be an empty string');
	core.requireName(schema, 'The "attached" option');

	const state = core.state(this);
	core.requireIdle(state);
	if (option(options, 'unsafe') !== true) core.check(core.native.requireInPlace(state.token, schema));
	return core.check(core.native.serialize(state.token, schema));
};
