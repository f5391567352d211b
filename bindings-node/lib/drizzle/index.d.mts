import type Database from '../index.js';
import type { OpenOptions, RunResult } from '../index.mjs';
import type { DrizzleConfig, ExtractTablesWithRelations } from 'drizzle-orm';
import type { MigrationConfig } from 'drizzle-orm/migrator';
import type { BaseSQLiteDatabase, SQLiteTransaction, SQLiteTransactionConfig } from 'drizzle-orm/sqlite-core';

type Schema = Record<string, unknown>;

/**
 * Drizzle's synchronous SQLite database: what `drizzle()` gives, and what the function of a transaction gets. Let services take
 * this: `export type DrizzleDB = LitekeelDatabase<typeof schema>`.
 */
export declare class LitekeelDatabase<TSchema extends Schema = Record<string, never>> extends BaseSQLiteDatabase<'sync', RunResult, TSchema> {}

/** What there is of a connection. */
export interface LitekeelClient<TSchema extends Schema = Record<string, never>, TClient extends Database.Database = Database.Database> {
	/** The connection: one of `open()` has its reports. */
	readonly $client: TClient;
	/**
	 * `fn(tx)` in a transaction; inside another one, in a savepoint. A synchronous function runs in the connection's own
	 * transaction, which begins as `txlock` says unless `behavior` does. For an asynchronous one it is `transactionAsync`,
	 * which is always immediate.
	 */
	transaction<T>(fn: (tx: LitekeelTransaction<TSchema>) => T, config?: SQLiteTransactionConfig): T;
	/**
	 * `fn(tx)` on a connection of its own: what runs beside it never joins its transaction. Committed when the promise
	 * resolves, rolled back when it rejects. Inside another one it is a savepoint.
	 */
	transactionAsync<T>(fn: (tx: LitekeelTransaction<TSchema>) => Promise<T> | T, options?: { signal?: AbortSignal | undefined }): Promise<T>;
}

/** What the function of a transaction gets, a synchronous or an asynchronous one. */
export type LitekeelTransaction<TSchema extends Schema = Record<string, never>> = LitekeelClient<TSchema> & SQLiteTransaction<'sync', RunResult, TSchema, ExtractTablesWithRelations<TSchema>>;

export type AsyncTransaction<TSchema extends Schema = Record<string, never>> = LitekeelTransaction<TSchema>;

/** Without a client or URL: `DATABASE_URL`, else `file:data/sqlite.db`. A URL is opened by litekeel's `open`. */
export declare function drizzle<TSchema extends Schema = Record<string, never>>(client?: Database.Tuned | string | null, config?: DrizzleConfig<TSchema>): LitekeelClient<TSchema, Database.Tuned> & LitekeelDatabase<TSchema>;
export declare function drizzle<TSchema extends Schema = Record<string, never>>(client?: Database.Database | string | null, config?: DrizzleConfig<TSchema>): LitekeelClient<TSchema> & LitekeelDatabase<TSchema>;
export declare function drizzle<TSchema extends Schema = Record<string, never>>(config: DrizzleConfig<TSchema> & ({ client: Database.Tuned } | { client?: never; connection?: string | (OpenOptions & { url?: string }) })): LitekeelClient<TSchema, Database.Tuned> & LitekeelDatabase<TSchema>;
export declare function drizzle<TSchema extends Schema = Record<string, never>>(config: DrizzleConfig<TSchema> & { client?: Database.Database; connection?: string | (OpenOptions & { url?: string }) }): LitekeelClient<TSchema> & LitekeelDatabase<TSchema>;

/**
 * Applies the migrations that drizzle-kit generated, each once, however many processes start together: the write lock is
 * taken before it looks which are applied. Foreign keys are off where a migration says so: in Drizzle's own
 * `migrate` that pragma does nothing, and the rebuild of a table deletes the rows that refer to it.
 * @throws {Error} with `violations`, when rows refer to nothing afterwards.
 */
export declare function migrate<TSchema extends Schema>(db: LitekeelDatabase<TSchema> & { readonly $client: Database.Database }, config: MigrationConfig): void;

/**
 * Drizzle's asynchronous driver on litekeel, for the database of a libSQL server: its queries do not block the event loop, and
 * `db.transaction(async (tx) => …)` and `db.batch([…])` are as Drizzle's for libSQL.
 */
export declare function drizzleAsync<TSchema extends Schema = Record<string, never>>(client?: Database.Remote | string | null, config?: DrizzleConfig<TSchema>): { readonly $client: Database.Remote } & LibSQLDatabase<TSchema>;
export declare function drizzleAsync<TSchema extends Schema = Record<string, never>>(config: DrizzleConfig<TSchema> & ({ client: Database.Remote } | { connection?: string | (Database.RemoteOptions & { url?: string }) })): { readonly $client: Database.Remote } & LibSQLDatabase<TSchema>;

/** Applies the migrations that drizzle-kit generated, in one transaction in which foreign keys are not enforced. */
export declare function migrateAsync<TSchema extends Schema>(db: LibSQLDatabase<TSchema>, config: MigrationConfig): Promise<void>;

/** `drizzle-orm/libsql`'s, whose types ask for @libsql/client. */
interface LibSQLDatabase<TSchema extends Schema = Record<string, never>> extends BaseSQLiteDatabase<'async', { rows: unknown[]; rowsAffected: number; lastInsertRowid: bigint | undefined }, TSchema> {
	batch(queries: readonly [unknown, ...unknown[]]): Promise<unknown[]>;
}
