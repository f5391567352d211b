// litekeel/drizzle for Drizzle 1, whose types have nothing in common with 0.45's. The module is the same.
import type Database from '../index.js';
import type { OpenOptions, RunResult } from '../index.mjs';
import type { AnyRelations, EmptyRelations } from 'drizzle-orm/relations';
import type { MigrationConfig, MigratorInitFailResponse } from 'drizzle-orm/migrator';
import type { DrizzleSQLiteConfig, SQLiteAsyncDatabase } from 'drizzle-orm/sqlite-core';

/** Drizzle 1's synchronous SQLite database, with transactions for asynchronous functions. */
export declare class LitekeelDatabase<TRelations extends AnyRelations = EmptyRelations> extends SQLiteAsyncDatabase<'sync', RunResult, TRelations> {
	readonly $client: Database.Database;
	/**
	 * `fn(tx)` on a connection of its own: what runs beside it never joins its transaction. Committed when the promise
	 * resolves, rolled back when it rejects.
	 */
	transactionAsync<T>(fn: (tx: AsyncTransaction<TRelations>) => Promise<T> | T, options?: { signal?: AbortSignal | undefined }): Promise<T>;
}

/** What the function of an asynchronous transaction gets. Transactions in it are savepoints. */
export interface AsyncTransaction<TRelations extends AnyRelations = EmptyRelations> extends LitekeelDatabase<TRelations> {
	/** Undoes the transaction by throwing Drizzle's TransactionRollbackError. */
	rollback(): never;
}

/** Without a client or URL: `DATABASE_URL`, else `file:data/sqlite.db`. A URL is opened by litekeel's `open`. */
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(client?: Database.Database | string | null, config?: DrizzleSQLiteConfig<TRelations>): LitekeelDatabase<TRelations>;
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(config: DrizzleSQLiteConfig<TRelations> & ({ client: Database.Database } | { connection?: string | (OpenOptions & { url?: string }) })): LitekeelDatabase<TRelations>;

/**
 * Applies the migrations that drizzle-kit generated, with foreign keys off where a migration says so: in Drizzle's own
 * `migrate` that pragma does nothing, and the rebuild of a table deletes the rows that refer to it.
 * @throws {Error} with `violations`, when rows refer to nothing afterwards.
 */
export declare function migrate<TRelations extends Schema>(db: LitekeelDatabase<TRelations>, config: MigrationConfig): void | MigratorInitFailResponse;
