import * as orm from 'drizzle-orm';
import * as core from 'drizzle-orm/sqlite-core';
import * as session from 'drizzle-orm/better-sqlite3/session';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { migrate as upstream } from 'drizzle-orm/better-sqlite3/migrator';
import { construct } from 'drizzle-orm/libsql/driver-core';
import { migrate as migrateRemote } from 'drizzle-orm/libsql/migrator';
import make from './driver.js';
import makeRemote from './remote.js';

// Drizzle 1 put its databases elsewhere.
const next = 'SQLiteSyncDialect' in core ? null : {
	...await import('drizzle-orm/sqlite-core/async/db'),
	...await import('drizzle-orm/better-sqlite3/codecs'),
	...await import('drizzle-orm/utils'),
};

export const { drizzle, migrate, LitekeelDatabase } = make({ orm, core, session, migrations: { readMigrationFiles, migrate: upstream }, next });
export const { drizzleAsync, migrateAsync } = makeRemote(() => ({ construct, migrate: migrateRemote }));
