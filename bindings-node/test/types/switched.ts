// What programs write that have been typed by @types/better-sqlite3: repositories, helpers, subclasses. It checks with those
// types, too; here the package has litekeel's.
import Database from 'better-sqlite3';
import type { Database as Db, Statement, RunResult, Options, Transaction, ColumnDefinition, PragmaOptions, RegistrationOptions, BackupMetadata, BackupOptions, SerializeOptions, AggregateOptions } from 'better-sqlite3';
import type BetterSqlite3 from 'better-sqlite3';
import * as NS from 'better-sqlite3';

interface User { id: number; name: string }

// A repository with prepared statements as fields
export class UserRepo {
	private readonly byId: Database.Statement<[number], User>;
	private readonly add: Statement<{ name: string }>;
	private readonly all: Statement<[], User>;
	private readonly addMany: Transaction<(names: string[]) => number>;
	constructor(private readonly db: Database.Database) {
		this.byId = db.prepare<[number], User>('SELECT * FROM user WHERE id = ?');
		this.add = db.prepare<{ name: string }>('INSERT INTO user(name) VALUES (@name)');
		this.all = db.prepare('SELECT * FROM user');
		this.addMany = db.transaction((names: string[]) => { for (const name of names) this.add.run({ name }); return names.length; });
	}
	find(id: number): User | undefined { return this.byId.get(id); }
	list(): User[] { return this.all.all(); }
	create(name: string): number { const r: RunResult = this.add.run({ name }); return Number(r.lastInsertRowid); }
	many(names: string[]) { return this.addMany.immediate(names); }
	*each(): Generator<User> { for (const row of this.all.iterate()) yield row; }
	columns(): ColumnDefinition[] { return this.all.columns(); }
}

// A factory with options, singleton, cached statements
let instance: Db | null = null;
const cache = new Map<string, Database.Statement>();
export function getDb(file = ':memory:', options: Options = { verbose: process.env['DEBUG'] ? console.log : undefined, timeout: 1000 }): BetterSqlite3.Database {
	if (!instance) {
		instance = new Database(file, options);
		instance.pragma('journal_mode = WAL');
		const version = instance.pragma('user_version', { simple: true }) as number;
		if (version < 1) instance.exec('CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT)').pragma('user_version = 1');
	}
	return instance;
}
export function cached(sql: string) {
	let s = cache.get(sql);
	if (!s) cache.set(sql, (s = getDb().prepare(sql)));
	return s;
}

// Generic helpers
export function one<T>(db: Db, sql: string, ...params: unknown[]): T | undefined { return db.prepare<unknown[], T>(sql).get(...params); }
export function inTransaction<A extends unknown[], R>(db: Db, fn: (...args: A) => R): (...args: A) => R { return db.transaction(fn); }
export function withTx<T>(db: Db, fn: () => T): T { return db.transaction(fn)(); }
export type Prepared = ReturnType<Db['prepare']>;

// Functions, aggregates, tables, backup
const po: PragmaOptions = { simple: true }; const ro: RegistrationOptions = { deterministic: true }; const so: SerializeOptions = { attached: 'main' };
const bo: BackupOptions = { progress: ({ totalPages: t, remainingPages: r }) => { console.log(`${((t - r) / t * 100).toFixed(1)}%`); return 200; } };
const ao: AggregateOptions = { start: 0, step: (total: any, next: any) => total + next };
export async function extras(db: Db) {
	db.function('add2', (a: number, b: number) => a + b);
	db.function('void', ro, () => {});
	db.aggregate('addAll', { start: 0, step: (total: number, next: number) => total + next });
	db.aggregate('addAll', ao);
	db.aggregate('getAverage', { start: () => [] as number[], step: (array, nextValue) => { array.push(nextValue); }, result: (array) => array.reduce((a, b) => a + b, 0) / array.length });
	db.table('seq', { columns: ['value'], parameters: ['length', 'start'], rows: function* (length: any, start: any = 0) { for (let n = start; n < length + start; ++n) yield { value: n }; } });
	const done: BackupMetadata = await db.backup('x.db', bo);
	const buffer: Buffer = db.serialize(so); new Database(buffer);
	db.unsafeMode().defaultSafeIntegers(true).close();
	return [done, po, db.pragma('cache_size', po)];
}

// Errors
export function isUnique(e: unknown): boolean { return e instanceof Database.SqliteError && e.code === 'SQLITE_CONSTRAINT_UNIQUE'; }
export function isBusy(e: unknown) { return e instanceof NS.SqliteError && e.code.startsWith('SQLITE_BUSY'); }
export const ErrorClass: typeof Database.SqliteError = Database.SqliteError;

// Subclass, structural, constructor types
export class Logged extends Database { constructor(file: string) { super(file); } count(): number { return this.prepare<[], { n: number }>('SELECT count(*) n FROM user').get()!.n; } }
export function open(Ctor: typeof Database, file: string) { return new Ctor(file); }
export type Minimal = Pick<Database.Database, 'prepare' | 'exec' | 'transaction'>;
export const fake: Minimal = { prepare: (() => ({ all: () => [] })) as unknown as Db['prepare'], exec() { return this as Db; }, transaction: ((fn: any) => fn) as Db['transaction'] };
export function isDb(x: unknown): x is Db { return x instanceof Database; }
export const make: (file?: string, o?: Options) => Db = (f, o) => Database(f, o);

// Statements by name
const statements = { get: 'SELECT 1', all: 'SELECT 2' } as const;
export const prepared = Object.fromEntries(Object.entries(statements).map(([k, sql]) => [k, getDb().prepare(sql)])) as Record<keyof typeof statements, Statement>;
export const plucked = getDb().prepare('SELECT 1').pluck().get() as number;
export const bound: Statement<[]> = getDb().prepare<[]>('SELECT ?').bind() as Statement<[]>;
export const raw: unknown[][] = getDb().prepare<[], unknown[]>('SELECT 1').raw(true).all();
export const big = getDb().prepare<[bigint], { v: bigint }>('SELECT ? v').safeIntegers().get(5n)?.v;
