'use strict';
// What Drizzle's configuration says of the connection.
const Database = require('../index');
const { option } = require('../own-properties');

/** Opens a `connection`: a URL, or options of `open` with one. */
function opened(connection) {
	if (typeof connection !== 'object' || connection === null) return Database.open(connection);
	const { url, ...options } = connection;
	return Database.open(option(connection, 'url'), options);
}

/** The parts of `drizzle`'s only argument: the database it names, opened unless it is there; and the rest. */
function parts(config) {
	const { client, connection, ...rest } = config;
	const given = option(config, 'client');
	return given ? { client: given, rest, ours: false } : { client: opened(option(config, 'connection')), rest, ours: true };
}

/** The table in which Drizzle notes the migrations that it applied. `config` may be their folder alone. */
const migrationsTable = (config) => (typeof config === 'object' && config !== null ? option(config, 'migrationsTable') : undefined) ?? '__drizzle_migrations';

module.exports = { parts, migrationsTable };
