import { open } from 'litekeel';
import { drizzle, migrate, type LitekeelDatabase } from 'litekeel/drizzle';
import * as schema from './schema.ts';

/** What a service works on: the database, or a transaction of it. */
export type DrizzleDB = LitekeelDatabase<typeof schema>;

/** Opens the database and brings it up to date. Without a URL: DATABASE_URL. One connection serves the whole process. */
export function openDatabase(url?: string) {
	const connection = open(url);
	const db = drizzle(connection, { schema });
	migrate(db, { migrationsFolder: new URL('../migrations', import.meta.url).pathname });
	return { connection, db };
}
