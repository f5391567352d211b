// litekeel/drizzle for Drizzle 1, whose types have nothing in common with 0.45's. The module is the same.
import type Database = require('../index');
type OpenOptions = Database.OpenOptions;
type RunResult = Database.RunResult;
import type { AnyRelations, EmptyRelations } from 'drizzle-orm/relations';
import type { MigrationConfig, MigratorInitFailResponse } from 'drizzle-orm/migrator';
import type { DrizzleSQLiteConfig, SQLiteAsyncDatabase, SQLiteAsyncTransaction, SQLiteTransactionConfig } from 'drizzle-orm/sqlite-core';

/**
 * Drizzle's synchronous SQLite database: what `drizzle()` gives, and what the function of a transaction gets. Let services take
 * this: `export type DrizzleDB = LitekeelDatabase<typeof relations>`.
 */
export declare class LitekeelDatabase<TRelations extends AnyRelations = EmptyRelations> extends SQLiteAsyncDatabase<'sync', RunResult, TRelations> {}

/** What there is of a connection. */
export interface LitekeelClient<TRelations extends AnyRelations = EmptyRelations, TClient extends Database.Database = Database.Database> {
	/** The connection: one of `open()` has its reports. */
	readonly $client: TClient;
	/**
	 * `fn(tx)` in a transaction; inside another one, in a savepoint. A synchronous function runs in the connection's own
	 * transaction, which begins as `txlock` says unless `behavior` does. For an asynchronous one it is `transactionAsync`,
	 * which is always immediate.
	 */
	transaction<T>(fn: (tx: LitekeelTransaction<TRelations>) => T, config?: SQLiteTransactionConfig): T;
	/**
	 * `fn(tx)` on a connection of its own: what runs beside it never joins its transaction. Committed when the promise
	 * resolves, rolled back when it rejects. Inside another one it is a savepoint.
	 */
	transactionAsync<T>(fn: (tx: LitekeelTransaction<TRelations>) => Promise<T> | T, options?: { signal?: AbortSignal | undefined }): Promise<T>;
}

/** What the function of a transaction gets, a synchronous or an asynchronous one. */
export type LitekeelTransaction<TRelations extends AnyRelations = EmptyRelations> = LitekeelClient<TRelations> & SQLiteAsyncTransaction<'sync', RunResult, TRelations>;

export type AsyncTransaction<TRelations extends AnyRelations = EmptyRelations> = LitekeelTransaction<TRelations>;

/** Without a client or URL: `DATABASE_URL`, else `file:data/sqlite.db`. A URL is opened by litekeel's `open`. */
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(client?: Database.Tuned | string | null, config?: DrizzleSQLiteConfig<TRelations>): LitekeelClient<TRelations, Database.Tuned> & LitekeelDatabase<TRelations>;
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(client?: Database.Database | string | null, config?: DrizzleSQLiteConfig<TRelations>): LitekeelClient<TRelations> & LitekeelDatabase<TRelations>;
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(config: DrizzleSQLiteConfig<TRelations> & ({ client: Database.Tuned } | { client?: never; connection?: string | (OpenOptions & { url?: string }) })): LitekeelClient<TRelations, Database.Tuned> & LitekeelDatabase<TRelations>;
export declare function drizzle<TRelations extends AnyRelations = EmptyRelations>(config: DrizzleSQLiteConfig<TRelations> & { client?: Database.Database; connection?: string | (OpenOptions & { url?: string }) }): LitekeelClient<TRelations> & LitekeelDatabase<TRelations>;

/**
 * Applies the migrations that drizzle-kit generated, each once, however many processes start together: the write lock is
 * taken before it looks which are applied. Foreign keys are off where a migration says so: in Drizzle's own
 * `migrate` that pragma does nothing, and the rebuild of a table deletes the rows that refer to it.
 * @throws {Error} with `violations`, when rows refer to nothing afterwards.
 */
export declare function migrate<TRelations extends AnyRelations>(db: LitekeelDatabase<TRelations> & { readonly $client: Database.Database }, config: MigrationConfig): void | MigratorInitFailResponse;

/**
 * Drizzle's asynchronous driver on litekeel, for the database of a libSQL server: its queries do not block the event loop, and
 * `db.transaction(async (tx) => …)` and `db.batch([…])` are as Drizzle's for libSQL.
 */
export declare function drizzleAsync<TRelations extends AnyRelations = EmptyRelations>(client?: Database.Remote | string | null, config?: DrizzleSQLiteConfig<TRelations>): { readonly $client: Database.Remote } & LibSQLDatabase<TRelations>;
export declare function drizzleAsync<TRelations extends AnyRelations = EmptyRelations>(config: DrizzleSQLiteConfig<TRelations> & ({ client: Database.Remote } | { connection?: string | (Database.RemoteOptions & { url?: string }) })): { readonly $client: Database.Remote } & LibSQLDatabase<TRelations>;

/** Applies the migrations that drizzle-kit generated, in one transaction in which foreign keys are not enforced. */
export declare function migrateAsync<TRelations extends AnyRelations>(db: LibSQLDatabase<TRelations>, config: MigrationConfig): Promise<void>;

/** `drizzle-orm/libsql`'s, whose types ask for @libsql/client. */
interface LibSQLDatabase<TRelations extends AnyRelations = EmptyRelations> extends SQLiteAsyncDatabase<'async', { rows: unknown[]; rowsAffected: number; lastInsertRowid: bigint | undefined }, TRelations> {
	batch(queries: readonly [unknown, ...unknown[]]): Promise<unknown[]>;
}
