'use strict';
const fs = require('node:fs');
const path = require('node:path');
const core = require('./core');
const codeName = require('./codes');
const { native, SqliteError } = core;

/** What litekeel itself refuses. `code` is KEEL_…, `hint` says what to do, `path` which file is concerned. */
class KeelError extends Error {
	constructor(message, code) {
		super(message);
		this.code = code;
	}
}
Object.defineProperty(KeelError.prototype, 'name', { value: 'KeelError', writable: true, configurable: true });

/** Throws the native `[code, name, message, hint, path, step]`; gives any other result back. */
function check(result) {
	if (typeof result[0] !== 'number') return result;
	const [code, name, message, hint, file, step] = result;
	const error = code > 0 ? new SqliteError(message, codeName(code)) : new KeelError(message, name);
	throw Object.assign(error, { hint, path: file || null, step: step || null });
}

/** An option's value as the URL's query would spell it. */
function spell(key, value) {
	if (typeof value === 'boolean') return value ? '1' : '0';
	if (typeof value === 'number') return key === 'file_mode' ? value.toString(8) : String(value);
	if (typeof value === 'string') return value;
	if (key === 'allowed_roots' && Array.isArray(value)) return value.join(path.delimiter);
	throw new TypeError(`Expected the "${key}" option to be a string, number or boolean`);
}

/** The file and line that called `open`, as far as the stack tells. */
function caller(open) {
	const holder = {};
	Error.captureStackTrace?.(holder, open);
	const line = typeof holder.stack === 'string' ? holder.stack.split('\n').find((text) => /^\s+at /.test(text)) : undefined;
	if (line === undefined) return '';
	const place = line.trim().slice('at '.length);
	return /\((.+)\)$/.exec(place)?.[1] ?? place;
}

function openReport([file, url, urlSource, warnings, rows]) {
	const report = {};
	const list = rows.map(([name, value, wanted, source, note]) => {
		report[name] = value;
		return { name, value, wanted, source, note };
	});
	return Object.assign(report, { rows: list, path: file || null, url, urlSource, warnings });
}

function closeReport(result) {
	const [[rolledBack, optimized, walRemoved], walBytesLeft, why, leakedStatements, warnings] = check(result);
	return { rolledBack: !!rolledBack, leakedStatements, optimized: !!optimized, walRemoved: !!walRemoved, walBytesLeft, why, warnings };
}

/** The arguments of `open` for the native side. */
function texts(url, options) {
	if (url != null && typeof url !== 'string') throw new TypeError('Expected first argument to be a string');
	if (options != null && typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
	const found = [];
	for (const [name, value] of Object.entries(options ?? {})) {
		if (value === undefined) continue;
		const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
		found.push(key, spell(key, value));
	}
	return found;
}

/**
 * The file that `open` opens for the same arguments, its directory made: for tools that open it themselves. Tools know
 * nothing of the URL's parameters.
 */
function databaseFile(url, options) {
	const [file] = check(native.locateTuned(url ?? null, texts(url, options)));
	if (file === '') return ':memory:';
	fs.mkdirSync(path.dirname(file), { recursive: true });
	return file;
}

module.exports = (Database, describe) => {
	/** Opens what the URL, the environment's DATABASE_URL or the default names: tuned, verified, closed with a report. */
	function open(url, options) {
		const given = ['opened_at', caller(open), ...texts(url, options)];
		const [token, readonly, found] = check(native.openTuned(url ?? null, given));
		const report = openReport(found);
		const db = Object.create(Database.prototype);
		let closing = null;
		core.attach(db, token, { verbose: null, closed: (result) => { closing = closeReport(result); } });
		describe(db, { name: report.path ?? ':memory:', readonly: readonly === 1, memory: report.path === null });
		Object.defineProperties(db, { report: { value: report }, closeReport: { get: () => closing } });
		return db;
	}
	return { open, databaseFile, KeelError };
};
