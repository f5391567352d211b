'use strict';
const diagnostics = require('node:diagnostics_channel');
const { I, native, field } = require('./buffer');

/** What Node's own SQLite module publishes to, with the same messages: `{ sql, database, duration }`. */
const channel = diagnostics.channel('sqlite.db.query');

/** Runs `execute` and tells how long it took, in nanoseconds. The values are in the statement already. */
const observe = (state, compiled, execute) => {
	const sql = expanded(compiled);
	const began = process.hrtime.bigint();
	try {
		return execute();
	} finally {
		publish(state, sql, process.hrtime.bigint() - began);
	}
};

const expanded = (compiled) => {
	I[field.STATEMENT] = compiled.id;
	return native.expandedSql();
};

const publish = (state, sql, duration) => {
	channel.publish({ sql, database: state.database, duration: Number(duration) });
};

module.exports = { channel, observe, expanded, publish };
