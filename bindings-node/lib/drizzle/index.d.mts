import type Database from '../index.js';
import type { OpenOptions, RunResult } from '../index.mjs';
import type { DrizzleConfig } from 'drizzle-orm';
import type { MigrationConfig } from 'drizzle-orm/migrator';
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core';

type Schema = Record<string, unknown>;

/** Drizzle's synchronous SQLite database: what a service takes that works on the database or on a transaction of it. */
export declare class LitekeelDatabase<TSchema extends Schema = Record<string, never>> extends BaseSQLiteDatabase<'sync', RunResult, TSchema> {}

/** What there is of a connection, and not of a synchronous transaction. */
export interface LitekeelClient<TSchema extends Schema = Record<string, never>> {
	readonly $client: Database.Database;
	/**
	 * `fn(tx)` on a connection of its own: what runs beside it never joins its transaction. Committed when the promise
	 * resolves, rolled back when it rejects. `transaction(async (tx) => …)` is the same,
	 * with the type of a synchronous transaction for `tx`.
	 */
	transactionAsync<T>(fn: (tx: AsyncTransaction<TSchema>) => Promise<T> | T, options?: { signal?: AbortSignal | undefined }): Promise<T>;
}

/** What the function of an asynchronous transaction gets. Transactions in it are savepoints. */
export type AsyncTransaction<TSchema extends Schema = Record<string, never>> = LitekeelClient<TSchema> & LitekeelDatabase<TSchema> & {
	/** Undoes the transaction by throwing Drizzle's TransactionRollbackError. */
	rollback(): never;
};

/** Without a client or URL: `DATABASE_URL`, else `file:data/sqlite.db`. A URL is opened by litekeel's `open`. */
export declare function drizzle<TSchema extends Schema = Record<string, never>>(client?: Database.Database | string | null, config?: DrizzleConfig<TSchema>): LitekeelClient<TSchema> & LitekeelDatabase<TSchema>;
export declare function drizzle<TSchema extends Schema = Record<string, never>>(config: DrizzleConfig<TSchema> & ({ client: Database.Database } | { connection?: string | (OpenOptions & { url?: string }) })): LitekeelClient<TSchema> & LitekeelDatabase<TSchema>;

/**
 * Applies the migrations that drizzle-kit generated, with foreign keys off where a migration says so: in Drizzle's own
 * `migrate` that pragma does nothing, and the rebuild of a table deletes the rows that refer to it.
 * @throws {Error} with `violations`, when rows refer to nothing afterwards.
 */
export declare function migrate<TSchema extends Schema>(db: LitekeelDatabase<TSchema>, config: MigrationConfig): void;
