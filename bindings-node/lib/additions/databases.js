'use strict';
// Many databases, one for each tenant: a bounded number of them open, the least recently used closed first.
const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const fileIdentity = require('../file-identity');
const { KeelError } = require('../keel-error');
const begunOutside = require('../own-frames');
const { assign, hidden, option, put } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** What a file may be called: nothing that leads elsewhere, hides, or is another name for the same on some file system. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;
const EXTENSION = /^(?:\.[A-Za-z0-9_-]{1,20})+$/;
/** `a.db` and `a.db-wal` are no two databases. */
const SIDE_FILE = /-(?:wal|shm|journal)$/;

function refuse(message, hint, code = 'KEEL_ARGUMENT', file = null) {
	return assign(new KeelError(message, code), { hint, path: file, step: null });
}

function requireFunction(value, name) {
	if (value !== undefined && typeof value !== 'function') throw new TypeError(`Expected the "${name}" option to be a function`);
	return value;
}

/** So many failures to close are told. */
const MOST_FAILURES = 100;

const isPromise = (value) => value !== null && typeof value === 'object' && typeof value.then === 'function';

/** The databases that the asynchronous work under way here uses. */
const inUse = new AsyncLocalStorage();

/** Whether the work under way here uses that database. */
const isHeld = (entry) => (inUse.getStore() ?? []).some((use) => use.entry === entry && use.active);

module.exports = ({ Database, core }) => {
	/**
	 * One open database: how many use it now, whether one of them may leave it to wait for something (of these there is one
	 * at a time), and how many are on the stack.
	 */
	const entryOf = (db, file) => ({ db, file, id: fileIdentity(file), users: 0, awaiting: false, depth: 0 });

	/** Ends a transaction beside iterators of others, which only unsafe mode does. */
	function undo(db) {
		const { unsafe } = core.state(db);
		db.unsafeMode(true);
		try {
			db.exec('ROLLBACK');
		} finally {
			db.unsafeMode(unsafe);
		}
	}

	class Databases {
		#directory;
		#extension;
		#max;
		#onOpen;
		#options;
		/** By name, the least recently used first. */
		#open = new Map();
		/** Names whose file is being opened: `onOpen` may use others, not itself. */
		#opening = new Set();
		#waiting = [];
		#closed = null;
		#failures = [];
		/** What `onOpen` threw last. */
		#thrown = undefined;

		constructor(options) {
			if (options === null || typeof options !== 'object') throw new TypeError('Expected an options object');
			const { dir, max, extension, onOpen, ...rest } = options;
			if (typeof dir !== 'string' || dir === '') throw new TypeError('Expected the "dir" option to be a directory');
			for (const name of ['baseDir', 'allowedRoots', 'mode', 'env', 'nofollow']) {
				if (option(rest, name) !== undefined) throw new TypeError(`The "${name}" option has no place here: "dir" decides it`);
			}
			this.#max = option(options, 'max', 100);
			if (!Number.isSafeInteger(this.#max) || this.#max < 1) throw new TypeError('Expected the "max" option to be an integer of 1 and more');
			this.#extension = option(options, 'extension', '.db');
			if (typeof this.#extension !== 'string' || !EXTENSION.test(this.#extension)) throw new TypeError('Expected the "extension" option to be like ".db"');
			this.#onOpen = requireFunction(option(options, 'onOpen'), 'onOpen');
			fs.mkdirSync(dir, { recursive: true });
			// Once and for all: neither the working directory nor a link that is turned later leads elsewhere.
			this.#directory = fs.realpathSync(dir);
			this.#options = { ...rest, env: 'ignore', nofollow: true, allowedRoots: [this.#directory] };
		}

		#path(name) {
			if (typeof name !== 'string') throw new TypeError('Expected the name of a database to be a string');
			if (!NAME.test(name) || SIDE_FILE.test(name + this.#extension)) {
				const hint = 'use letters, digits, "_", "-" and ".", up to 200, a letter, digit or "_" first; encode other names, as hexadecimal or base64url';
				throw refuse(`${JSON.stringify(name)} cannot be the name of a database`, hint);
			}
			return path.join(this.#directory, name + this.#extension);
		}

		#isFull() {
			return this.#open.size + this.#opening.size >= this.#max;
		}

		/** Closes idle ones, the oldest first, until one more has a place; false where all are in use. */
		#makePlace() {
			for (const [name, entry] of this.#open) {
				if (!this.#isFull()) return true;
				if (entry.users === 0) this.#note(this.#close(name, entry));
			}
			return !this.#isFull();
		}

		/** Closes it, whatever its users left open: that goes with it. Gives what failed, which says of which file it is. */
		#close(name, entry) {
			// Another may have taken its place, if its owner has closed it.
			if (this.#open.get(name) === entry) this.#open.delete(name);
			try {
				core.state(entry.db).iterators = 0;
				entry.db.close();
				return null;
			} catch (error) {
				if (error instanceof Error && error.path == null) put(error, 'path', entry.file);
				return error;
			}
		}

		/** What closing one failed with that nobody has asked to close: `close()` tells it. */
		#note(error) {
			if (error !== null && this.#failures.length < MOST_FAILURES) this.#failures.push(error);
		}

		/** The open database of that name; one that was closed, or whose file is not the one at the path any more, is not. */
		#present(name) {
			const entry = this.#open.get(name);
			if (entry === undefined) return undefined;
			if (!entry.db.open) {
				this.#open.delete(name);
				return undefined;
			}
			if (entry.users === 0 && entry.id !== fileIdentity(entry.file)) {
				this.#note(this.#close(name, entry));
				return undefined;
			}
			return entry;
		}

		/** The entry of a database, which is used once more; null where there is no place for it now. */
		#enter(name, create, waits) {
			if (this.#closed !== null) throw refuse('these databases are closed', 'call databases() again', 'KEEL_CLOSED');
			const file = this.#path(name);
			if (this.#opening.has(name)) throw refuse(`the database ${JSON.stringify(name)} is being opened`, 'use the database that onOpen gets', 'KEEL_ARGUMENT', file);
			let entry = this.#present(name);
			if (entry === undefined) {
				if (!create && !fs.existsSync(file)) {
					throw refuse(`there is no database ${JSON.stringify(name)}: no file ${file}`, 'create it by create(name), or by use(name, work, { create: true })', 'KEEL_NO_DATABASE', file);
				}
				if (!this.#makePlace()) return null;
				entry = entryOf(this.#openFile(name, file, create), file);
			} else if (waits && entry.awaiting) {
				return null;
			} else if (entry.depth === 0 && entry.db.inTransaction && !isHeld(entry)) {
				// What it writes would be undone with that transaction.
				if (waits) return null;
				throw refuse(`asynchronous work on ${JSON.stringify(name)} has a transaction open`, 'let that work use db.transactionAsync(), or wait until it has ended: await useAsync(name, work)', 'KEEL_IN_TRANSACTION', file);
			}
			// Used last, so it stands last.
			this.#open.delete(name);
			this.#open.set(name, entry);
			entry.users += 1;
			if (waits) entry.awaiting = true;
			return entry;
		}

		#openFile(name, file, create) {
			this.#opening.add(name);
			try {
				const db = Database.open(pathToFileURL(file).href, { attach: 'none', ...this.#options, mode: create ? 'rwc' : 'rw' });
				try {
					if (isPromise(this.#onOpen?.(db, name))) throw new TypeError('Expected the "onOpen" function to return no promise');
				} catch (error) {
					core.state(db).iterators = 0;
					db.close();
					this.#thrown = error;
					throw error;
				}
				return db;
			} finally {
				this.#opening.delete(name);
			}
		}

		/**
		 * A use ends. What it left open belongs to nobody: the next user must not find itself in somebody's transaction.
		 * Gives the error that this is, if it is one. `began`: it was in a transaction at its beginning.
		 */
		#leave(name, entry, began) {
			entry.users -= 1;
			const { db } = entry;
			const left = !db.open ? null : !began && db.inTransaction ? 'a transaction' : entry.users === 0 && core.state(db).iterators > 0 ? 'an iterator' : null;
			let failure = null;
			if (left !== null) {
				failure = refuse(`the work on ${JSON.stringify(name)} left ${left} open: it was undone`, 'commit in it, as db.transaction() does, and read iterators to their end', 'KEEL_IN_TRANSACTION', db.name);
				// The others that use it keep their connection.
				if (entry.users === 0) this.#note(this.#close(name, entry));
				else undo(db);
			}
			if (this.#closed !== null) this.#closeIdle();
			this.#admit();
			return failure;
		}

		/** Lets those in who wait for a place, in their order; who waits for one database holds up nobody else. */
		#admit() {
			const waiting = this.#waiting;
			this.#waiting = [];
			let full = false;
			for (const one of waiting) {
				const { name, create, resolve, reject } = one;
				try {
					const entry = full && !this.#open.has(name) ? null : this.#enter(name, create, true);
					if (entry !== null) {
						resolve(entry);
						continue;
					}
					full ||= !this.#open.has(name);
					this.#waiting.push(one);
				} catch (error) {
					reject(error);
				}
			}
			if (this.#closed !== null && this.#open.size === 0) this.#closed.resolve();
		}

		use(name, work, options) {
			if (typeof work !== 'function') throw new TypeError('Expected second argument to be a function');
			const entry = this.#enter(name, isCreating(options), false);
			if (entry === null) {
				throw refuse(`all ${this.#max} databases that may be open are in use`, 'raise "max", or wait for a place: await useAsync(name, work)', 'KEEL_ALL_IN_USE');
			}
			const began = entry.db.inTransaction;
			let result;
			let failure;
			entry.depth += 1;
			try {
				result = work(entry.db);
				if (isPromise(result)) {
					// It goes on without the database; what becomes of it is told by the error alone.
					Promise.resolve(result).catch(() => {});
					throw new TypeError('The work of use() cannot return a promise, use await useAsync(name, work)');
				}
			} catch (error) {
				failure = { error };
			}
			entry.depth -= 1;
			const left = this.#leave(name, entry, began);
			if (failure !== undefined) throw failure.error;
			if (left !== null) throw left;
			return result;
		}

		async useAsync(name, work, options) {
			if (typeof work !== 'function') throw new TypeError('Expected second argument to be a function');
			const create = isCreating(options);
			const own = this.#open.get(name);
			// Work of the same database inside its own would wait for itself.
			if (own !== undefined && isHeld(own) && own.db.open) return await work(own.db);
			// In their order, whoever comes when; and nobody waits who need not.
			let entry;
			let late = false;
			try {
				entry = await new Promise((resolve, reject) => {
					let asked = false;
					this.#waiting.push({ name, create, resolve, reject: (error) => { late = asked; reject(error); } });
					this.#admit();
					asked = true;
				});
			} catch (error) {
				// One that was made in the call of somebody else, who left a place: its stack trace would lead there.
				throw late && error instanceof Error && error !== this.#thrown ? begunOutside(() => error) : error;
			}
			const use = { entry, active: true };
			let result;
			let failure;
			try {
				result = await inUse.run([...(inUse.getStore() ?? []), use], () => work(entry.db));
			} catch (error) {
				failure = { error };
			}
			use.active = false;
			entry.awaiting = false;
			const left = this.#leave(name, entry, false);
			if (failure !== undefined) throw failure.error;
			if (left !== null) throw left;
			return result;
		}

		create(name) {
			this.use(name, () => {}, { create: true });
			return this;
		}

		release(name) {
			this.#path(name);
			const entry = this.#open.get(name);
			if (entry === undefined) return false;
			if (entry.users > 0) throw refuse(`the database ${JSON.stringify(name)} is in use`, 'call release() when the work on it has ended', 'KEEL_ALL_IN_USE', entry.db.name);
			const error = this.#close(name, entry);
			if (error !== null) throw error;
			this.#admit();
			return true;
		}

		close() {
			if (this.#closed === null) {
				const closed = {};
				closed.whenEmpty = new Promise((resolve) => { closed.resolve = () => resolve(); })
					.then(() => {
						const failures = this.#failures;
						if (failures.length === 1) throw failures[0];
						if (failures.length > 1) throw new AggregateError(failures, `${failures.length} databases could not be closed: ${failures.map((error) => error?.message ?? error).join('; ')}`);
					});
				// Who does not wait for the end is not ended by it.
				closed.whenEmpty.catch(() => {});
				this.#closed = closed;
				this.#closeIdle();
				this.#admit();
			}
			return this.#closed.whenEmpty;
		}

		#closeIdle() {
			for (const [name, entry] of [...this.#open]) {
				if (entry.users === 0) this.#note(this.#close(name, entry));
			}
		}

		get size() { return this.#open.size; }
		get max() { return this.#max; }
		get directory() { return this.#directory; }
	}
	if (typeof Symbol.asyncDispose === 'symbol') {
		Object.defineProperty(Databases.prototype, Symbol.asyncDispose, hidden(function asyncDispose() { return this.close(); }));
	}

	return { methods: {}, statics: { databases: (options) => new Databases(options) } };
};

const isCreating = (options) => option(options ?? {}, 'create', false) === true;
