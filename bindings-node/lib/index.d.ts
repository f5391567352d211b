/// <reference types="node" />
import type { ReportedSettings, Settings } from './settings';

type Fn = (...args: any[]) => unknown;
// Not `Parameters`: assignability to @types/better-sqlite3 needs the same shape.
type Arguments<F extends Fn> = F extends (...args: infer A) => unknown ? A : never;
type ElementOf<T> = T extends Array<infer E> ? E : T;
/** Like `Error`, with what litekeel knows beside the message. */
interface Explained {
	/** What to do about it. */
	hint?: string;
	/** The file concerned. */
	path?: string | null;
	/** The step of opening that failed. */
	step?: string | null;
}

declare class SqliteErrorClass extends Error {
	/** SQLite's name of the (extended) result code: `SQLITE_CONSTRAINT_UNIQUE`. */
	code: string;
	constructor(message: string, code: string);
}
interface SqliteErrorClass extends Explained {
	/** For SQLITE_BUSY of a tuned connection: why there was no lock. */
	kind?: 'timeout' | 'upgrade' | 'recovery' | 'wal_conversion' | 'close_in_progress' | 'own_async_transaction';
	/** How long it was waited for. */
	waitedMs?: number;
	/** Who had it; `null` where the system does not tell. */
	holders?: Database.Holder[] | null;
}

declare class KeelErrorClass extends Error {
	/** Which rule was broken: `KEEL_UNKNOWN_PARAM`. */
	code: string;
	constructor(message: string, code: string);
}
interface KeelErrorClass extends Explained {}

/** A connection. `new Database(path)` is better-sqlite3's, untuned; `Database.open(url)` is tuned and verified. */
interface DatabaseInstance {
	/** The path as it was given; for a tuned connection the file's absolute path. */
	readonly name: string;
	/** Whether it is open: `false` after `close()`. */
	readonly open: boolean;
	/** Whether a transaction is open on this connection. */
	readonly inTransaction: boolean;
	/** Whether it was opened for reading only. */
	readonly readonly: boolean;
	/** Whether it is in memory or in a temporary file. */
	readonly memory: boolean;

	/** Compiles one statement. @throws {RangeError} for none or several, {SqliteError} for SQL that SQLite refuses. */
	prepare<BindParameters extends unknown[] | {} = unknown[], Result = unknown>(source: string): BindParameters extends unknown[] ? Database.StatementOf<BindParameters, Result> : Database.StatementOf<[BindParameters], Result>;
	/** `fn` inside a transaction, or inside a savepoint when one is open already. `fn` must not return a promise. */
	transaction<F extends Fn>(fn: F): Database.Transaction<F>;
	/** Runs every statement of `source`, one after the other; the first failure stops it. */
	exec(source: string): this;
	/** Runs `PRAGMA source` and gives its rows; with `simple`, the first column of the first row. */
	pragma(source: string, options?: Database.PragmaOptions): unknown;
	/** The rows of EXPLAIN; `QUERY PLAN …` gives the plan. Parameters stay unbound. */
	explain(source: string): unknown[];
	/** A JavaScript function as an SQL function. It gets SQL's values, and gives one back. */
	function(name: string, fn: (...args: any[]) => any): this;
	function(name: string, options: Database.RegistrationOptions, fn: (...args: any[]) => any): this;
	/** An aggregate; with `inverse`, a window function too. */
	aggregate<T>(name: string, options: Database.RegistrationOptions & {
		start?: T | (() => T);
		step: (total: T, next: ElementOf<T>) => T | void;
		inverse?: ((total: T, dropped: T) => T) | undefined;
		result?: ((total: T) => unknown) | undefined;
	}): this;
	/** A virtual table: a definition for one that exists by its name, a factory for CREATE VIRTUAL TABLE. */
	table(name: string, definition: Database.VirtualTableOptions | ((this: { module: string; database: string; table: string }, ...args: string[]) => Database.VirtualTableOptions)): this;
	/** Loads an extension of SQLite: a shared library, by its path. */
	loadExtension(path: string, entryPoint?: string): this;
	/** Copies the live database, 100 pages per turn of the event loop unless `progress` says otherwise. */
	backup(destination: string, options?: Database.BackupOptions): Promise<Database.BackupMetadata>;
	/** The database's file as bytes. `new Database(bytes)` opens them. */
	serialize(options?: Database.SerializeOptions): Buffer;
	/** Whether integers are read as BigInt by what is prepared from now on. */
	defaultSafeIntegers(on?: boolean): this;
	/** Allows writing while a query is iterated, and turns SQLite's `defensive` off. */
	unsafeMode(on?: boolean): this;
	/** Closes the connection; again does nothing. `closeReport` of a tuned connection says what it did. */
	close(): this;
	/** Closes the connection at the end of a `using` block. */
	[Symbol.dispose](): void;

	/** `fn` after each row that is inserted, updated or deleted; `null` ends it. The connection is busy meanwhile. */
	onUpdate(fn: ((change: Database.Change) => void) | null): this;
	/** `fn` before each commit; if it throws, the transaction is rolled back instead. */
	onCommit(fn: (() => void) | null): this;
	/** `fn` after each rollback. */
	onRollback(fn: (() => void) | null): this;
	/** Records what this connection changes, in one table or in all that have a primary key. */
	session(options?: Database.SessionOptions): Database.Session;
	/** Applies what a session recorded; false when a conflict aborted it, and then nothing has changed. */
	applyChangeset(changeset: Uint8Array, options?: Database.ApplyOptions): boolean;
	/** The rows of `all()`, read by a thread of its own. It sees what is committed. For WAL databases of `open`. */
	readAsync<Result = unknown>(source: string, params?: unknown, options?: Database.ReadOptions): Promise<Result[]>;
	/**
	 * Waits until everything that was committed before the call is at Litestream's replica, and gives Litestream's number of
	 * the position there, 16 hexadecimal digits. Rejects with KEEL_NOT_REPLICATED otherwise: what was committed stays so, and
	 * the error's `step` says why. For databases of `open`.
	 */
	replicated(options?: Database.ReplicatedOptions): Promise<string>;
	/**
	 * The position that a copy has which follows a replica (`role: 'follower'`): every read that begins after this call sees all
	 * that was committed at the primary up to it.
	 */
	position(): string;
	/**
	 * Waits until such a copy has everything up to `position`, which `replicated()` gave at the primary, and gives the position
	 * that it has. Rejects with KEEL_BEHIND when it has not got so far in time.
	 */
	waitFor(position: string, options?: Database.ReplicatedOptions): Promise<string>;
	/**
	 * `fn` in a transaction on a connection of its own, committed when its promise is fulfilled, else rolled back. Inside
	 * another one on the same file it is a savepoint of that. What is written by `tx` while a savepoint is open belongs to
	 * the savepoint, and is undone if its function fails: await the inner one first.
	 */
	transactionAsync<T>(fn: (tx: Database.Tuned) => T | Promise<T>, options?: { signal?: AbortSignal | undefined }): Promise<T>;
	/** Calls `fn` for each event of that name (docs/events.md), on a turn of its own. */
	on<Name extends keyof Database.Events>(event: Name, fn: (event: Database.Event<Name>) => void): this;
	/** Ends what `on` began, for the same function. */
	off<Name extends keyof Database.Events>(event: Name, fn: (event: Database.Event<Name>) => void): this;
	/** Who holds a lock on the database; `null` where the system does not tell. */
	holders(): Database.Holder[] | null;
	/** Whether the file is still the one that was opened, its locks are held, and nobody else has opened it in this process. */
	health(): Database.Health;
	/** How large the WAL is, and which readers keep it from being reused; `null` without a WAL. */
	walStatus(): Database.WalStatus | null;
	/** Moves the WAL into the database, without waiting for readers. @throws {SqliteError} SQLITE_BUSY when they are in the way. */
	checkpoint(mode?: 'noop' | 'passive' | 'full' | 'restart' | 'truncate'): { frames: number; checkpointed: number };
	/** Makes the running statement fail with SQLITE_INTERRUPT. */
	interrupt(): this;
	/** Limits each execution of what is prepared from now on, and of `exec`, to so many milliseconds. 0: no limit. */
	defaultTimeout(ms: number): this;
	/** A borrowed `keel_db *` for an FFI of this process, valid until `close()`; its receiver must not release it. */
	readonly handle: bigint;
	/** A `keel_db *` that its receiver ends with `keel_release`. The connection is shared from now on. */
	retainHandle(): bigint;
}
interface Database extends DatabaseInstance {}

interface DatabaseConstructor {
	/**
	 * better-sqlite3's: a file, `:memory:`, the bytes of a database, or a file descriptor. No setting is applied.
	 * @throws {SqliteError} for a file that SQLite cannot open.
	 */
	new(filename?: string | Buffer | number | null, options?: Database.Options): Database;
	(filename?: string | Buffer | number | null, options?: Database.Options): Database;
	readonly prototype: Database;
	/** What SQLite reports: `code` is SQLite's name of the extended result code. */
	readonly SqliteError: typeof SqliteErrorClass;
	/** What litekeel refuses: `code` is KEEL_…, `hint` says what to do. */
	readonly KeelError: typeof KeelErrorClass;
	/** The database of a libSQL server (docs/remote.md). Nothing is sent yet. */
	open(url: `libsql://${string}` | `https://${string}` | `http://${string}`, options?: Database.RemoteOptions): Database.Remote;
	/**
	 * Opens what `url`, the environment's `DATABASE_URL` or the default `file:data/sqlite.db` names: tuned, each setting
	 * read back, closed on every way out of the process.
	 * @throws {KeelError} for what litekeel refuses, {SqliteError} for what SQLite reports; both with a `hint`.
	 */
	open(url?: string | null, options?: Database.OpenOptions): Database.Tuned;
	/**
	 * The file that `open` opens for the same arguments (`:memory:` for none), its directory made: for tools that open it
	 * themselves, such as drizzle-kit.
	 * @throws {KeelError} for a URL that `open` refuses.
	 */
	databaseFile(url?: string | null, options?: Database.OpenOptions): string;
	/**
	 * Many databases in one directory, one for each tenant, of which a bounded number is open: the least recently used one
	 * is closed for the next.
	 * @example
	 * const tenants = databases({ dir: 'data/tenants', max: 200, onOpen: (db) => db.exec('CREATE TABLE IF NOT EXISTS visit(at)') });
	 * tenants.create('acme');
	 * tenants.use('acme', (db) => db.prepare('INSERT INTO visit VALUES(?)').run(Date.now()));
	 * await tenants.close();
	 */
	databases(options: Database.DatabasesOptions): Database.Databases;
	/** The connection of a `keel_db *` of this process, shared from now on. */
	fromHandle(handle: bigint): Database.Tuned;
	/** The object that is loaded, by its absolute path: what an FFI of this process has to load. */
	readonly library: string;
	/** The open connections of the process, of every host. */
	openHandles(): Database.OpenHandle[];
	/** @throws {KeelError} KEEL_LEAK, naming each open connection with where it was opened. */
	assertNoLeaks(): void;
	/** What `onConflict` gets and gives. */
	readonly constants: Readonly<Record<`SQLITE_CHANGESET_${'OMIT' | 'REPLACE' | 'ABORT' | 'DATA' | 'NOTFOUND' | 'CONFLICT' | 'CONSTRAINT' | 'FOREIGN_KEY'}`, number>>;
}

declare namespace Database {
	type Database = DatabaseInstance;
	type SqliteError = SqliteErrorClass;
	type KeelError = KeelErrorClass;

	/** What `open` returns: a `Database` with its reports. */
	interface Tuned extends Database {
		readonly report: OpenReport;
		/** `null` until the connection is closed. */
		readonly closeReport: CloseReport | null;
	}

	interface Options {
		readonly?: boolean | undefined;
		fileMustExist?: boolean | undefined;
		/** How long SQLite waits for a lock, in milliseconds (default 5000). */
		timeout?: number | undefined;
		verbose?: ((message?: unknown, ...additionalArgs: unknown[]) => void) | null | undefined;
		/** With a file descriptor as the first argument: that of the file `<database>-journal`. */
		journalFd?: number | undefined;
		/** Bind `true` and `false` as 1 and 0 (default: they are refused). */
		bindBooleans?: boolean | undefined;
		/** Bind dates as ISO 8601 or as an integer since 1970 (default: they are refused). */
		bindDates?: 'text' | 'seconds' | 'milliseconds' | undefined;
		/** Checked as in better-sqlite3, then ignored: the library is in the platform's package. */
		nativeBinding?: string | object | null | undefined;
	}

	/** `DATABASE_URL`'s parameters, which win over the URL, and what only a call can say. */
	interface OpenOptions extends Settings {
		/** The directory that relative paths start from (default: the working directory). */
		baseDir?: string | undefined;
		/** `'ignore'`: do not look at the environment's `DATABASE_URL`. */
		env?: 'ignore' | undefined;
		/** Directories under which the file must lie. */
		allowedRoots?: string | string[] | undefined;
		/** Follow no symbolic link. */
		nofollow?: boolean | undefined;
		/** Look only: nothing is created, written or removed, not even the `-wal` and `-shm`. */
		inspect?: boolean | undefined;
		/** Permission bits of a database that is created: `0o600`. */
		fileMode?: number | string | undefined;
		/**
		 * Signals that close every tuned connection of the process before they end it, in a long statement or a loop in
		 * JavaScript too. Calls after the signal fail with `KEEL_SHUTTING_DOWN`. In force while the application has no
		 * listener of the signal: that decides when the process ends. Main thread only.
		 */
		shutdownOn?: Array<'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR2'> | undefined;
		/** Bind `true` and `false` as 1 and 0 (default: they are refused). */
		bindBooleans?: boolean | undefined;
		/** Bind dates as ISO 8601 or as an integer since 1970 (default: they are refused). */
		bindDates?: 'text' | 'seconds' | 'milliseconds' | undefined;
		/** Extensions to load: paths, or paths with the name of an entry point. */
		extensions?: Array<string | { path: string; entryPoint?: string | undefined }> | undefined;
	}

	/** The options of `open` hold for each of the databases; where they lie is decided by `dir` alone. */
	interface DatabasesOptions extends Omit<OpenOptions, 'baseDir' | 'allowedRoots' | 'mode' | 'env' | 'nofollow'> {
		/** The directory of the files; it is created if it is missing. No name and no link leads out of it. */
		dir: string;
		/** How many are open at once (default 100). Each takes two or three file descriptors. */
		max?: number | undefined;
		/** The end of a file's name (default `.db`). */
		extension?: string | undefined;
		/** Called each time one has been opened, before it is used: migrations, functions. If it throws, it is not opened. */
		onOpen?: ((db: Tuned, name: string) => void) | undefined;
	}

	interface UseOptions {
		/** Create the database if there is none (default: `KEEL_NO_DATABASE`). */
		create?: boolean | undefined;
	}

	/** Databases by name. A name has letters, digits, `_`, `-` and `.`; other names are to be encoded. */
	interface Databases {
		/**
		 * Runs `work` on the database, and gives back what it gives, which must not be a promise. Keep neither the database nor its
		 * statements: after that it may be closed at any time. A transaction or an iterator that `work` left open is undone.
		 * @throws {KeelError} KEEL_NO_DATABASE; KEEL_ALL_IN_USE while `max` others are in use; KEEL_IN_TRANSACTION when
		 * `work` left one open, or asynchronous work on this database has one open; what `open` throws.
		 */
		use<T>(name: string, work: (db: Tuned) => T, options?: UseOptions): T;
		/**
		 * The same for work that may wait for something: the database stays open until its promise has settled. Waits for a
		 * place while `max` others are in use, and for other asynchronous work on this database: first come, first served.
		 * Work that waits for another database by `useAsync` keeps its own meanwhile: with `max` such, all wait for ever.
		 */
		useAsync<T>(name: string, work: (db: Tuned) => T | PromiseLike<T>, options?: UseOptions): Promise<T>;
		/** Creates the database if there is none. */
		create(name: string): this;
		/** Closes the database, so that its file can be moved or deleted; false if it was not open. @throws while it is in use. */
		release(name: string): boolean;
		/** Closes those that are not in use at once and the others when they are free; then the promise is fulfilled, or rejected with what failed. */
		close(): Promise<void>;
		/** How many are open. */
		readonly size: number;
		readonly max: number;
		/** The directory, with all links followed. */
		readonly directory: string;
	}

	/** A row that has changed. */
	interface Change {
		operation: 'insert' | 'update' | 'delete';
		database: string;
		table: string;
		rowid: number | bigint;
	}
	interface SessionOptions {
		/** The table to record (default: all). */
		table?: string | undefined;
		/** Its schema (default `main`). */
		db?: string | undefined;
	}
	interface Session {
		changeset(): Uint8Array;
		/** Without the old values: smaller, and finds fewer conflicts. */
		patchset(): Uint8Array;
		close(): void;
		[Symbol.dispose](): void;
	}
	interface ApplyOptions {
		filter?: ((table: string) => unknown) | undefined;
		/** Gets and gives one of `constants`; without it, a conflict aborts. */
		onConflict?: ((type: number) => number) | undefined;
	}
	interface ReadOptions {
		signal?: AbortSignal | undefined;
		/** Milliseconds after which it is rejected with SQLITE_INTERRUPT. */
		timeout?: number | undefined;
		/** Rows as arrays. */
		raw?: boolean | undefined;
		safeIntegers?: boolean | undefined;
	}
	interface ReplicatedOptions {
		/** How many milliseconds to wait; without it as `replicationTimeout` says. */
		timeout?: number | undefined;
		signal?: AbortSignal | undefined;
	}
	/** What each event tells, beside `name` and `database`. */
	interface Events {
		/** A checkpoint through litekeel is done. */
		checkpointed: { mode: string; frames: number; checkpointed: number; tookUs: number };
		checkpoint_failed: { message: string };
		/** The log is over four times `wal_max`; with the reader that has the lowest frame, if there is one. */
		wal_stalled: { bytes: number; walMax: number; frames: number; checkpointed: number; pins: string; pid?: number; command?: string; state?: string; frame?: number; sinceMs?: number; sql?: string; openedAt?: string };
		/** The connection refuses to write from now on. */
		unhealthy: { code: string; message: string };
		/** What only a deleted or replaced `-wal` held was copied to `copy`, which is empty where that was not possible. */
		wal_set_aside: { wal: string; copy: string; pages: number; message: string };
		attached_warning: { schema: string; message: string };
		/** Litestream replicates the database, and came after it was opened. `sign` is what was found. */
		replication_detected: { sign: string; message: string };
		/** The WAL of a replicated database is larger than `wal_alarm`: Litestream does not checkpoint, and nobody else does. */
		wal_alarm: { bytes: number; walAlarm: number; message: string };
		/** A call has waited for a lock for 100 ms or more. */
		busy_wait: { waitedMs: number; outcome: 'granted' | 'refused'; holders: string };
	}
	type Event<Name extends keyof Events = keyof Events> = { [Key in Name]: { name: Key; /** The absolute path. */ database: string } & Events[Key] }[Name];
	/** A process, or a connection of this one, that holds a lock. */
	interface Holder {
		pid: number;
		role: string;
		command: string;
		state: string;
		sinceMs: number | null;
		/** For a connection of this process: what it runs, and where it was opened. */
		sql: string | null;
		openedAt: string | null;
	}
	interface Health {
		good: boolean;
		checks: Array<{ name: string; verdict: 'good' | 'bad' | 'unknown'; note: string; hint: string }>;
		/** Why the connection refuses to write until it is reopened. */
		latched: string | null;
	}
	interface WalStatus {
		frames: number;
		checkpointed: number;
		pageSize: number;
		bytes: number;
		/** Readers that keep frames from being recycled; `null` where the system does not tell. */
		pins: Array<Holder & { frame: number; frames: number; bytes: number; pinnedMs: number | null }> | null;
	}
	interface OpenHandle {
		path: string | null;
		openedAt: string;
		ageMs: number;
		shared: boolean;
		tuned: boolean;
	}

	/** One setting as it was asked for and as SQLite reads it back. */
	interface ReportRow {
		name: string;
		value: string;
		wanted: string;
		/** Where the wanted value came from: the URL, the call, the profile. */
		source: string;
		note: string;
	}

	/** What `open` found and did. Every setting is a property too: `report.journal_mode` is `'wal'`, `report.foreign_keys` `'on'`. */
	interface OpenReport extends ReportedSettings {
		readonly rows: ReportRow[];
		/** `null` for a database in memory. */
		readonly path: string | null;
		/** The URL as understood, without secrets. */
		readonly url: string;
		readonly urlSource: string;
		readonly warnings: string[];
		readonly sqlite_version: string;
		readonly sqlite_source_id: string;
		/** `litekeel` when SQLite was compiled with litekeel's flags, else what is missing. */
		readonly sqlite_build: string;
		/** Whether SQL may load extensions: `'0'`. */
		readonly load_extension: string;
		/** Of a database in a file: `ext4`, `overlay`… */
		readonly file_system?: string;
		/** `'1'` when the database had no content before. */
		readonly new_database: string;
		/** How many frames SQLite recovered: what a process that did not close left behind. */
		readonly recovered_frames: string;
		/** Any other row. */
		readonly [row: string]: unknown;
	}

	/** What `close` did. */
	interface CloseReport {
		/** A transaction was open and has been undone. */
		rolledBack: boolean;
		/** The SQL of statements that other hosts of the connection left open. */
		leakedStatements: string[];
		/** PRAGMA optimize ran. */
		optimized: boolean;
		walRemoved: boolean;
		walBytesLeft: number;
		/** Why the `-wal` is still there; empty when it is not. */
		why: string;
		warnings: string[];
		/** Of a shared connection: how many others still use it. 0: it is closed. */
		ownersLeft: number;
	}

	interface RunResult {
		changes: number;
		lastInsertRowid: number | bigint;
	}

	interface ColumnDefinition {
		name: string;
		column: string | null;
		table: string | null;
		database: string | null;
		type: string | null;
	}

	/** Times are milliseconds, or a text of a number with `ms` or `s` behind it. */
	interface RemoteOptions {
		/** Else `authToken=` of the URL, else the environment's `LIBSQL_AUTH_TOKEN`. */
		authToken?: string | undefined;
		/** For `libsql:` without TLS: `false`. */
		tls?: boolean | undefined;
		/** `'ro'`: what writes is refused. */
		mode?: 'ro' | 'rw' | 'rwc' | undefined;
		/** For a connection to be made (default: 5 s). */
		connectTimeout?: string | number | undefined;
		/** For a request and its whole answer, or for each wait of an iterator (default: 30 s). */
		statementTimeout?: string | number | undefined;
		bindBooleans?: boolean | undefined;
		bindDates?: 'text' | 'seconds' | 'milliseconds' | undefined;
	}

	/** A statement of a batch: SQL alone, or with its parameters behind it. */
	type BatchStatement = string | readonly [string, ...unknown[]];
	interface BatchResult extends RunResult { rows: unknown[] }

	/** A statement of a libSQL server, with calls that do not block the event loop. */
	interface RemoteStatement<Result = unknown> extends StatementOf<unknown[], Result> {
		runAsync(...params: unknown[]): Promise<RunResult>;
		getAsync(...params: unknown[]): Promise<Result | undefined>;
		allAsync(...params: unknown[]): Promise<Result[]>;
	}

	/**
	 * The database of a libSQL server. A call of better-sqlite3's blocks the event loop for a round trip, one that ends in
	 * Async does not. What a server does not have throws `KEEL_REMOTE_UNSUPPORTED` with a hint.
	 */
	interface Remote extends Omit<Database, 'prepare' | 'transactionAsync'> {
		prepare<Result = unknown>(source: string): RemoteStatement<Result>;
		prepareAsync<Result = unknown>(source: string): Promise<RemoteStatement<Result>>;
		execAsync(source: string): Promise<this>;
		/** One request and one transaction: all of them or none. */
		batch(statements: readonly BatchStatement[]): BatchResult[];
		batchAsync(statements: readonly BatchStatement[]): Promise<BatchResult[]>;
		/** `fn` in a transaction on a connection of its own: use `tx` for everything in it. On a `tx` it is a savepoint. */
		transactionAsync<T>(fn: (tx: Remote) => T | Promise<T>, options?: { signal?: AbortSignal | undefined }): Promise<T>;
	}

	interface StatementOf<BindParameters extends unknown[], Result = unknown> {
		/** The connection that it was prepared on. */
		readonly database: Database;
		/** Its SQL. */
		readonly source: string;
		/** The statement returns rows. */
		readonly reader: boolean;
		/** It writes nothing. */
		readonly readonly: boolean;
		/** It is being iterated. */
		readonly busy: boolean;

		/** Runs it: how many rows it changed, and the rowid of the one that was inserted last. */
		run(...params: BindParameters): RunResult;
		/** The first row; `undefined` if there is none. */
		get(...params: BindParameters): Result | undefined;
		/** All rows. */
		all(...params: BindParameters): Result[];
		/** The rows one by one. The connection cannot write meanwhile. */
		iterate(...params: BindParameters): StatementIterator<Result>;
		/** Gives the first column alone instead of each row. */
		pluck(on?: boolean): this;
		/** Gives each row as an object of its tables, each an object of its columns. */
		expand(on?: boolean): this;
		/** Gives each row as an array. */
		raw(on?: boolean): this;
		/** Binds the parameters for good: calls give none then. */
		bind(...params: BindParameters): this;
		/** The columns of its rows: their names, and which table they come from. */
		columns(): ColumnDefinition[];
		/** Whether integers are read as BigInt. */
		safeIntegers(on?: boolean): this;
		/** Limits each execution to so many milliseconds; it then fails with SQLITE_INTERRUPT. 0: no limit. */
		timeout(ms: number): this;
		/** Ends the statement at the end of a `using` block. */
		[Symbol.dispose](): void;
		/** The SQL, with the values of `bind` in it. */
		toString(): string;
	}
	type Statement<BindParameters extends unknown[] | {} = unknown[], Result = unknown> =
		BindParameters extends unknown[] ? StatementOf<BindParameters, Result> : StatementOf<[BindParameters], Result>;

	interface StatementIterator<Result> extends IterableIterator<Result> {
		readonly statement: StatementOf<any[], Result>;
		[Symbol.dispose](): void;
	}

	interface Transaction<F extends Fn = Fn> {
		(...args: Arguments<F>): ReturnType<F>;
		default(...args: Arguments<F>): ReturnType<F>;
		deferred(...args: Arguments<F>): ReturnType<F>;
		immediate(...args: Arguments<F>): ReturnType<F>;
		exclusive(...args: Arguments<F>): ReturnType<F>;
		readonly database: Database;
	}

	interface PragmaOptions {
		/** The first column of the first row alone. */
		simple?: boolean | undefined;
	}
	interface RegistrationOptions {
		varargs?: boolean | undefined;
		deterministic?: boolean | undefined;
		safeIntegers?: boolean | undefined;
		directOnly?: boolean | undefined;
		/** Harmless even in the schema of a file from strangers: usable there although `trusted_schema` is off. */
		innocuous?: boolean | undefined;
	}
	type AggregateOptions = Parameters<Database['aggregate']>[1];
	interface VirtualTableOptions {
		rows: (...params: any[]) => Generator;
		columns: string[];
		parameters?: string[] | undefined;
		safeIntegers?: boolean | undefined;
		directOnly?: boolean | undefined;
	}
	interface BackupMetadata {
		totalPages: number;
		remainingPages: number;
	}
	interface BackupOptions {
		/** The schema to copy (default `main`). */
		attached?: string | undefined;
		/** Called before each step; the number it returns is the pages of the next one, 0 pauses. */
		progress?: ((info: BackupMetadata) => number | void) | null | undefined;
		/** Of a connection of `open()`: copy what it sees, though its database or `-wal` was deleted or replaced under it. */
		unsafe?: boolean | undefined;
	}
	interface SerializeOptions {
		attached?: string | undefined;
		/** As for a backup. */
		unsafe?: boolean | undefined;
	}
}

declare const Database: DatabaseConstructor;
export = Database;
