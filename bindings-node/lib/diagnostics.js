'use strict';
const { channel } = require('node:diagnostics_channel');
const { I, native, field } = require('./buffer');

/** What Node's own SQLite module publishes to, with the same messages: `{ sql, database, duration }`. */
exports.channel = channel('sqlite.db.query');

/** Runs `execute` and tells how long it took, in nanoseconds. The values are in the statement already. */
exports.observe = (state, compiled, execute) => {
	const sql = exports.expanded(compiled);
	const began = process.hrtime.bigint();
	try {
		return execute();
	} finally {
		exports.publish(state, sql, process.hrtime.bigint() - began);
	}
};

exports.expanded = (compiled) => {
	I[field.STATEMENT] = compiled.id;
	return native.expandedSql();
};

exports.publish = (state, sql, duration) => {
	exports.channel.publish({ sql, database: state.database, duration: Number(duration) });
};
