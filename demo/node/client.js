import { open } from 'litekeel';
import { drizzle } from 'litekeel/drizzle';
import * as schema from './schema.js';

process.loadEnvFile(new URL('.env', import.meta.url));

/** The tuned connection: DATABASE_URL, every setting read back. */
export const connection = open();
export const db = drizzle(connection, { schema, casing: 'snake_case' });
export const closeDatabase = () => connection.close();
