'use strict';
// Drizzle's asynchronous driver for libSQL servers on litekeel's client: of Drizzle's own, only the module that opens
// connections needs @libsql/client. `load` gives Drizzle's modules, there where they are first asked for.
const Database = require('../index');
const clientOf = require('../remote/client');
const { assign } = require('../own-properties');
const { isRemote } = require('../remote/database');
const { TypeError } = require('../plain-errors');
const { migrationsTable, parts } = require('./connection');

function requireRemote(db, ours = false) {
	if (isRemote(db)) return db;
	if (ours) db.close();
	const hint = 'for a file use drizzle(), whose transactionAsync() takes asynchronous functions';
	throw assign(new TypeError('drizzleAsync() is for the database of a libSQL server (libsql://, https:// or http://)'), { hint });
}

module.exports = (load) => {
	function construct(client, config) {
		return assign(load().construct(clientOf(client), config), { $client: client });
	}

	/** `drizzleAsync(database | url, config)` or `drizzleAsync({ connection, … })`: queries that do not block the event loop. */
	function drizzleAsync(first, config = {}) {
		if (first == null || typeof first === 'string') return construct(requireRemote(Database.open(first), true), config);
		if (first instanceof Database) return construct(requireRemote(first), config);
		const { client, rest, ours } = parts(first);
		return construct(requireRemote(client, ours), rest);
	}

	/**
	 * Applies the migrations that drizzle-kit generated: all of them in one transaction, foreign keys not enforced in it. Drizzle
	 * looks which are applied and sends the others after that: of several processes that start together each would find none
	 * and apply all. So the transaction begins with a look whether any was added meanwhile, and then all begins anew.
	 */
	async function migrateAsync(db, config) {
		const drizzle = load();
		const client = clientOf(requireRemote(db.$client));
		const table = `"${migrationsTable(config).replaceAll('"', '""')}"`;
		const count = () => client.execute(`SELECT count(*) FROM ${table}`).then(({ rows }) => rows[0][0], () => 0);
		for (let attempt = 1; ; ++attempt) {
			const before = await count();
			// The absolute value overflows, which fails the whole batch.
			const look = { sql: `SELECT CASE (SELECT count(*) FROM ${table}) WHEN ? THEN 1 ELSE abs(-9223372036854775808) END`, args: [before] };
			const guarded = { ...client, migrate: async (list) => (await client.migrate([look, ...list])).slice(1) };
			try {
				return await drizzle.migrate(drizzle.construct(guarded), config);
			} catch (error) {
				if (attempt === 10 || (await count()) === before) throw error;
			}
		}
	}

	return { drizzleAsync, migrateAsync };
};
