'use strict';
// Many databases, one for each tenant: a bounded number of them open, the least recently used closed first.
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { KeelError } = require('../keel-error');
const { assign, computed, fixed, hidden, option } = require('../own-properties');

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

const isPromise = (value) => value !== null && typeof value === 'object' && typeof value.then === 'function';

module.exports = ({ Database }) => {
	/** One open database: how many use it now. */
	const entryOf = (db) => ({ db, users: 0 });

	class Databases {
		#directory;
		#extension;
		#max;
		#onOpen;
		#options;
		/** By name, the least recently used first. */
		#open = new Map();
		#waiting = [];
		#closed = null;

		constructor(options) {
			if (options === null || typeof options !== 'object') throw new TypeError('Expected an options object');
			const { dir, max, extension, onOpen, ...rest } = options;
			if (typeof dir !== 'string' || dir === '') throw new TypeError('Expected the "dir" option to be a directory');
			for (const name of ['baseDir', 'allowedRoots', 'mode', 'shutdownOn']) {
				if (option(rest, name) !== undefined && name !== 'shutdownOn') throw new TypeError(`The "${name}" option has no place here: "dir" decides it`);
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

		/** Closes idle ones, the oldest first, until one more has a place; false where all are in use. */
		#makePlace() {
			for (const [name, entry] of this.#open) {
				if (this.#open.size < this.#max) return true;
				if (entry.users === 0) this.#close(name, entry);
			}
			return this.#open.size < this.#max;
		}

		/** Closes it; one with an iterator that is still open stays, and counts. */
		#close(name, entry) {
			try {
				entry.db.close();
			} catch (error) {
				if (entry.db.open) return error;
			}
			// Another may have taken its place, if its owner has closed it.
			if (this.#open.get(name) === entry) this.#open.delete(name);
			return null;
		}

		/** The entry of a database, which is used once more; null where there is no place for it. */
		#enter(name, create) {
			if (this.#closed !== null) throw refuse('these databases are closed', 'call databases() again', 'KEEL_CLOSED');
			const file = this.#path(name);
			let entry = this.#open.get(name);
			// Its owner may have closed it, or a signal has.
			if (entry !== undefined && !entry.db.open) entry = undefined;
			this.#open.delete(name);
			if (entry === undefined) {
				if (!this.#makePlace()) return null;
				entry = entryOf(this.#openFile(name, file, create));
			}
			// Used last, so it stands last.
			this.#open.set(name, entry);
			entry.users += 1;
			return entry;
		}

		#openFile(name, file, create) {
			if (!create && !fs.existsSync(file)) {
				throw refuse(`there is no database ${JSON.stringify(name)}: no file ${file}`, 'create it by create(name), or by use(name, work, { create: true })', 'KEEL_NO_DATABASE', file);
			}
			const db = Database.open(pathToFileURL(file).href, { ...this.#options, mode: create ? 'rwc' : 'rw' });
			try {
				if (isPromise(this.#onOpen?.(db, name))) throw new TypeError('Expected the "onOpen" function to return no promise');
			} catch (error) {
				db.close();
				throw error;
			}
			return db;
		}

		/** A use ends. What it left open belongs to nobody: the next user must not find itself in somebody's transaction. */
		#leave(name, entry, failed) {
			entry.users -= 1;
			try {
				if (entry.users > 0 || !entry.db.open || !entry.db.inTransaction) return;
				entry.db.exec('ROLLBACK');
				if (!failed) throw refuse(`the work on ${JSON.stringify(name)} left a transaction open: it was undone`, 'commit in it; db.transaction() does', 'KEEL_IN_TRANSACTION', entry.db.name);
			} finally {
				if (this.#closed !== null) this.#closeIdle();
				this.#admit();
			}
		}

		/** Lets those in who wait for a place, in their order. */
		#admit() {
			while (this.#waiting.length > 0) {
				const { name, create, resolve, reject } = this.#waiting[0];
				let entry;
				try {
					entry = this.#enter(name, create);
				} catch (error) {
					this.#waiting.shift();
					reject(error);
					continue;
				}
				if (entry === null) return;
				this.#waiting.shift();
				resolve(entry);
			}
			if (this.#closed !== null && this.#open.size === 0) this.#closed.resolve();
		}

		#run(name, entry, work) {
			let result;
			try {
				result = work(entry.db);
			} catch (error) {
				this.#leave(name, entry, true);
				throw error;
			}
			if (!isPromise(result)) {
				this.#leave(name, entry, false);
				return result;
			}
			return Promise.resolve(result).then(
				(value) => { this.#leave(name, entry, false); return value; },
				(error) => { this.#leave(name, entry, true); throw error; },
			);
		}

		use(name, work, options) {
			if (typeof work !== 'function') throw new TypeError('Expected second argument to be a function');
			const entry = this.#enter(name, isCreating(options));
			if (entry === null) {
				throw refuse(`all ${this.#max} databases that may be open are in use`, 'raise "max", or wait for a place: await useAsync(name, work)', 'KEEL_ALL_IN_USE');
			}
			return this.#run(name, entry, work);
		}

		async useAsync(name, work, options) {
			if (typeof work !== 'function') throw new TypeError('Expected second argument to be a function');
			const create = isCreating(options);
			// Who comes later does not overtake those who wait, but for a database that is open.
			let entry = this.#waiting.length === 0 || this.#open.has(name) ? this.#enter(name, create) : null;
			entry ??= await new Promise((resolve, reject) => { this.#waiting.push({ name, create, resolve, reject }); });
			return this.#run(name, entry, work);
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
				closed.whenEmpty = new Promise((resolve, reject) => { assign(closed, { resolve, reject }); });
				this.#closed = closed;
				this.#closeIdle();
				this.#admit();
			}
			return this.#closed.whenEmpty;
		}

		#closeIdle() {
			for (const [name, entry] of this.#open) {
				const error = entry.users === 0 ? this.#close(name, entry) : null;
				if (error !== null) this.#closed.reject(error);
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
