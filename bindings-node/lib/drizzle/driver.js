'use strict';
// Drizzle on litekeel without the name better-sqlite3. Drizzle's own session does the work: only the module that
// constructs it imports that name. `parts` are Drizzle's modules, as CommonJS or as ESM: there must be one copy of them.
const Database = require('../index');
const { assign, fixed, option } = require('../own-properties');
const { isRemote, unsupported } = require('../remote/database');
const { Error, TypeError } = require('../plain-errors');
const { migrationsTable, parts } = require('./connection');

const AsyncFunction = (async () => {}).constructor;

/** An asynchronous transaction was asked for inside of a synchronous one. */
function synchronous() {
	const hint = 'begin the outer one with db.transactionAsync(async (tx) => …), and use tx.transaction(async (inner) => …) inside';
	return assign(new TypeError('An asynchronous transaction cannot be part of a synchronous one: make the outer function async'), { hint });
}

/** The result of a synchronous transaction's function. Drizzle 1 hides it from the connection, and would commit too early. */
function settled(result) {
	if (typeof result?.then !== 'function') return result;
	const hint = 'use transactionAsync(fn), which commits when the promise of fn is fulfilled, or make fn async';
	throw assign(new TypeError('Transaction function cannot return a promise'), { hint });
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

/** Whether every migration has its row in Drizzle's table: then `migrate` only looks, and needs no lock. */
function applied(client, migrations, config) {
	const table = migrationsTable(config);
	if (!client.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table)) return false;
	const rows = client.prepare(`SELECT * FROM ${quoted(table)}`).all();
	return migrations.every(({ hash, folderMillis, name }) => rows.some((row) => row.hash === hash && Number(row.created_at) === folderMillis && row.name === name));
}

const TURNS_KEYS_OFF = /\bPRAGMA\s+foreign_keys\s*=\s*(off|0|no|false)\b/i;

module.exports = ({ orm, core, session: { BetterSQLiteSession }, migrations: { readMigrationFiles, migrate: upstream }, next }) => {
	const { entityKind, DefaultLogger, TransactionRollbackError } = orm;
	const Base = next ? next.SQLiteAsyncDatabase : core.BaseSQLiteDatabase;

	/** Drizzle's synchronous SQLite database, with transactions for asynchronous functions. */
	class LitekeelDatabase extends Base {
		/**
		 * An asynchronous function gets a connection of its own (`transactionAsync`); any other runs inside the
		 * connection's transaction, which begins as the connection's `txlock` says unless `behavior` does.
		 */
		transaction(fn, config = {}) {
			const behavior = option(config, 'behavior');
			if (fn instanceof AsyncFunction) {
				// A sibling begins immediately: a write later on could not wait for its lock without blocking the loop.
				if (behavior && behavior !== 'immediate') return Promise.reject(new TypeError(`An asynchronous transaction is always immediate, not "${behavior}"`));
				return this.transactionAsync(fn);
			}
			return super.transaction((tx) => settled(fn(likeOurs(tx, this))), { ...config, behavior: behavior ?? 'default' });
		}

		/** `fn(tx)` on a connection of its own: what runs beside it never joins its transaction. Rolled back when it rejects. */
		transactionAsync(fn, options) {
			return this.$client.transactionAsync((connection) => fn(construct(connection, this.$config, AsyncTransaction)), options);
		}
	}
	Object.defineProperty(LitekeelDatabase, entityKind, fixed('BetterSQLite3Database'));

	/** What `fn` of a synchronous transaction gets, which Drizzle has made: with the members that those of ours have. */
	function likeOurs(tx, db) {
		const { transaction } = tx;
		return Object.defineProperties(tx, {
			$client: fixed(db.$client, true),
			// On a connection of its own it would be no part of this one, and would wait for its end.
			transactionAsync: fixed(() => Promise.reject(synchronous())),
			transaction: fixed((fn, config) => {
				// It would have to be over before the function is.
				if (fn instanceof AsyncFunction) throw synchronous();
				return transaction.call(tx, (inner) => settled(fn(likeOurs(inner, db))), config);
			}),
		});
	}

	/** What `fn` of an asynchronous transaction gets. Transactions in it are savepoints, one after the other. */
	class AsyncTransaction extends LitekeelDatabase {
		rollback() {
			throw new TransactionRollbackError();
		}
	}
	Object.defineProperty(AsyncTransaction, entityKind, fixed('BetterSQLite3Database'));

	function construct(client, config, Class) {
		const asked = option(config, 'logger');
		const logger = asked === true ? new DefaultLogger() : asked || undefined;
		let db;
		if (next) {
			const dialect = new core.SQLiteDialect({ codecs: option(config, 'codecs') ?? next.betterSQLite3Codecs, useJitMappers: next.jitCompatCheck(option(config, 'jit')) });
			const relations = option(config, 'relations') ?? {};
			db = new Class('sync', dialect, new BetterSQLiteSession(client, dialect, relations, { logger, paramsInErrors: option(config, 'paramsInErrors') }), relations);
		} else {
			const dialect = new core.SQLiteSyncDialect({ casing: option(config, 'casing') });
			let schema;
			const fullSchema = option(config, 'schema');
			if (fullSchema) {
				const { tables, tableNamesMap } = orm.extractTablesRelationalConfig(fullSchema, orm.createTableRelationsHelpers);
				schema = { fullSchema, schema: tables, tableNamesMap };
			}
			db = new Class('sync', dialect, new BetterSQLiteSession(client, dialect, schema, { logger }), schema);
		}
		return Object.defineProperties(db, {
			$client: fixed(client, true),
			$config: fixed(config),
		});
	}

	/** `drizzle(database | url, config)` or `drizzle({ client } | { connection, … })`. A URL is opened by `open`. */
	function drizzle(first, config = {}) {
		if (first == null || typeof first === 'string') return construct(Database.open(first), config, LitekeelDatabase);
		if (first instanceof Database) return construct(first, config, LitekeelDatabase);
		const { client, rest } = parts(first);
		return construct(client, rest, LitekeelDatabase);
	}

	/**
	 * Drizzle looks which migrations are applied and begins its transaction after that: of several processes that start
	 * together each would find none and apply all. Here the transaction is begun first, and Drizzle's own is left out.
	 */
	function alone(db, config) {
		const client = db.$client;
		if (client.inTransaction || applied(client, readMigrationFiles(config), config)) return upstream(db, config);
		client.exec('BEGIN IMMEDIATE');
		try {
			let begun = false;
			const run = (query) => {
				if (begun || db.dialect.sqlToQuery(query).sql !== 'BEGIN') return db.session.run(query);
				begun = true;
			};
			const outcome = upstream({ dialect: db.dialect, session: Object.create(db.session, { run: fixed(run) }) }, config);
			// Drizzle 1 returns before its transaction where it has nothing but a row to write, or refuses.
			if (client.inTransaction) client.exec('COMMIT');
			return outcome;
		} catch (error) {
			if (client.inTransaction) client.exec('ROLLBACK');
			throw error;
		}
	}

	/**
	 * Applies the migrations that drizzle-kit generated, each once, however many processes start together. Where one turns foreign keys off, as every rebuild of a table
	 * does, they are off: Drizzle runs migrations inside a transaction, where that pragma does nothing, and dropping the
	 * old table would then delete the rows that refer to it.
	 */
	function migrate(db, config) {
		const client = db.$client;
		if (isRemote(client)) throw unsupported('migrate()', 'use migrateAsync(drizzleAsync(db.$client), config), which sends them in one request');
		const asked = readMigrationFiles(config).some(({ sql }) => sql.some((text) => TURNS_KEYS_OFF.test(text)));
		if (!asked || client.inTransaction || client.pragma('foreign_keys', { simple: true }) === 0) return alone(db, config);
		const before = client.prepare('SELECT total_changes()').pluck().get();
		client.pragma('foreign_keys = OFF');
		let outcome;
		try {
			outcome = alone(db, config);
		} finally {
			client.pragma('foreign_keys = ON');
		}
		if (client.prepare('SELECT total_changes()').pluck().get() === before) return outcome;
		const broken = client.pragma('foreign_key_check');
		if (broken.length > 0) {
			const { table, parent } = broken[0];
			throw assign(new Error(`The migrations are applied, and ${broken.length} rows refer to rows that are not there, the first of them from ${table} to ${parent}: PRAGMA foreign_key_check lists them`), { violations: broken });
		}
		return outcome;
	}

	return { drizzle, migrate, LitekeelDatabase };
};
