'use strict';
const core = require('drizzle-orm/sqlite-core');
// Drizzle 1 put its databases elsewhere.
const next = Object.hasOwn(core, 'SQLiteSyncDialect') ? null : {
	...require('drizzle-orm/sqlite-core/async/db'),
	...require('drizzle-orm/better-sqlite3/codecs'),
	...require('drizzle-orm/utils'),
};

const made = require('./driver')({
	orm: require('drizzle-orm'), core, next,
	session: require('drizzle-orm/better-sqlite3/session'),
	migrations: { ...require('drizzle-orm/migrator'), ...require('drizzle-orm/better-sqlite3/migrator') },
});
const { drizzle, migrate, LitekeelDatabase } = made;

// They need parts of Drizzle that a file does not.
const remote = require('./remote')(() => ({ ...require('drizzle-orm/libsql/driver-core'), ...require('drizzle-orm/libsql/migrator') }));
const { drizzleAsync, migrateAsync } = remote;

module.exports = { drizzle, migrate, LitekeelDatabase, drizzleAsync, migrateAsync };
