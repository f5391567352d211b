'use strict';
const fs = require('node:fs');
const path = require('node:path');
const busyTimeout = require('./busy-timeout');
const { requireThere } = require('./bytes');
const caller = require('./caller');
const core = require('./state');
const convert = require('./convert');
const runScript = require('./script');
const statements = require('./prepare');
const { flush } = require('./statement-cache');
const { boolean, on } = require('./extension/options');
const { assign, computed, given: isGiven, hidden, option, own } = require('./own-properties');
const { TypeError, RangeError } = require('./plain-errors');
const { native, SqliteError } = core;

const MAX_TIMEOUT = 0x7fffffff;

/** A connection to a SQLite database, as better-sqlite3's. */
function Database(given, options) {
	if (new.target === undefined) return new Database(given, options);
	let image = null;
	let fd = null;
	if (Buffer.isBuffer(given)) {
		requireThere(given, 'a database');
		image = given;
		given = ':memory:';
	} else if (typeof given === 'number') {
		if (!Number.isInteger(given) || given < 0 || given > MAX_TIMEOUT) throw new TypeError('Expected the file descriptor to be a non-negative 32-bit integer');
		fd = given;
		given = `fd:${fd}`;
	}
	if (given == null) given = '';
	if (options == null) options = {};
	if (typeof given !== 'string') throw new TypeError('Expected first argument to be a string');
	if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
	if (isGiven(options, 'readOnly')) throw new TypeError('Misspelled option "readOnly" should be "readonly"');
	if (isGiven(options, 'memory')) throw new TypeError('Option "memory" was removed in v7.0.0 (use ":memory:" filename instead)');

	core.requirePath(given, 'a database');
	const filename = given.trim();
	const memory = filename === '' || filename === ':memory:';
	const readonly = boolean(options, 'readonly');
	const fileMustExist = boolean(options, 'fileMustExist');
	const timeout = option(options, 'timeout', 5000);
	const verbose = option(options, 'verbose', null);
	const nativeBinding = option(options, 'nativeBinding', null);
	if (readonly && memory && !image) throw new TypeError('In-memory/temporary databases cannot be readonly');
	if (!Number.isInteger(timeout) || timeout < 0) throw new TypeError('Expected the "timeout" option to be a positive integer');
	if (timeout > MAX_TIMEOUT) throw new RangeError('Option "timeout" cannot be greater than 2147483647');
	if (verbose != null && typeof verbose !== 'function') throw new TypeError('Expected the "verbose" option to be a function');
	const journalFd = option(options, 'journalFd');
	if (fd !== null && journalFd === undefined) throw new TypeError('The "journalFd" option is required when opening a database from a file descriptor');
	if (fd === null && journalFd !== undefined) throw new TypeError('The "journalFd" option can only be used when opening a database from a file descriptor');
	if (journalFd !== undefined && !(Number.isInteger(journalFd) && journalFd >= 0 && journalFd <= MAX_TIMEOUT)) throw new TypeError('Expected the "journalFd" option to be a non-negative 32-bit integer');
	if (nativeBinding != null && typeof nativeBinding !== 'string' && typeof nativeBinding !== 'object') throw new TypeError('Expected the "nativeBinding" option to be a string or addon object');
	const conversion = convert(options);
	if (fd === null && !memory && !filename.startsWith('file:') && !fs.existsSync(path.dirname(filename))) {
		throw new TypeError('Cannot open database because the directory does not exist');
	}

	const token = core.check(fd === null
		? native.openDatabase(filename, readonly, fileMustExist, timeout, caller(Database, __filename))
		: native.openDescriptor(fd, journalFd, readonly, fileMustExist, timeout, caller(Database, __filename)));
	if (image) {
		try {
			core.check(native.deserialize(token, image, readonly));
		} catch (error) {
			native.closeDatabase(token);
			throw error;
		}
	}
	core.attach(this, token, { convert: conversion, verbose: verbose || null });
	describe(this, { name: given, readonly, memory });
}

function describe(db, { name, readonly, memory }) {
	const state = core.state(db);
	Object.defineProperties(db, {
		name: computed(() => name, true),
		open: computed(() => state.open, true),
		inTransaction: computed(() => native.inTransaction(state.token), true),
		readonly: computed(() => readonly, true),
		memory: computed(() => memory, true),
	});
}

const methods = {
	prepare(sql) {
		if (typeof sql !== 'string') throw new TypeError('Expected first argument to be a string');
		const state = core.state(this);
		if (state.tuned && busyTimeout.mayBe(sql)) {
			core.requireNotBusy(state);
			const timeout = busyTimeout.answer(state, sql);
			// The pragma acts when it is compiled, and gives the same row whenever the statement runs.
			if (timeout !== undefined) return assign(statements.prepare(state, `SELECT ${timeout} AS timeout /* PRAGMA busy_timeout */`), { source: sql });
		}
		return statements.prepare(state, sql);
	},

	transaction: require('./transaction'),

	pragma(source, options) {
		if (options == null) options = {};
		if (typeof source !== 'string') throw new TypeError('Expected first argument to be a string');
		if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
		const simple = boolean(options, 'simple');
		const state = core.state(this);
		core.requireWritable(state);
		const timeout = state.tuned ? busyTimeout.answer(state, `PRAGMA ${source}`) : undefined;
		if (timeout !== undefined) {
			const value = state.safeIntegers ? BigInt(timeout) : timeout;
			return simple ? value : [{ timeout: value }];
		}
		return statements.pragma(state, source, simple);
	},

	explain(source) {
		if (typeof source !== 'string') throw new TypeError('Expected first argument to be a string');
		return statements.explain(core.state(this), source);
	},

	exec(sql) {
		if (typeof sql !== 'string') throw new TypeError('Expected first argument to be a string');
		const state = core.state(this);
		core.requireWritable(state);
		state.busy += 1;
		try {
			runScript(state, sql);
		} finally {
			state.busy -= 1;
		}
		return this;
	},

	close() {
		core.close(core.state(this));
		return this;
	},

	defaultSafeIntegers(...args) {
		core.state(this).safeIntegers = on(args);
		return this;
	},

	unsafeMode(...args) {
		const state = core.state(this);
		core.requireOpen(state);
		state.unsafe = on(args);
		native.setDefensive(state.token, !state.unsafe);
		// What may be prepared depends on it.
		flush(state);
		return this;
	},
};

for (const [name, method] of Object.entries(methods)) Object.defineProperty(Database.prototype, name, own(method));
require('./extension')(Database, core);

const Inspected = { Database: function Database() {} }.Database;
Object.defineProperty(Database.prototype, Symbol.for('nodejs.util.inspect.custom'), hidden(function inspect() { return assign(new Inspected(), this); }));
if (typeof Symbol.dispose === 'symbol') {
	Object.defineProperty(Database.prototype, Symbol.dispose, hidden(function dispose() { this.close(); }));
}

Object.defineProperty(Database, 'SqliteError', own(SqliteError));
require('./additions')(Database, core, require('./open')(Database, describe));
module.exports = Database;
