'use strict';
const fs = require('node:fs');
const path = require('node:path');
const caller = require('./caller');
const convert = require('./convert');
const core = require('./state');
const { openReport } = require('./report');
const { KeelError, check } = require('./keel-error');
const { assign, computed, fixed, hidden, option } = require('./own-properties');
const { wrap: wrapRemote, unsupported } = require('./remote/database');
const shutdown = require('./shutdown');
const { TypeError } = require('./plain-errors');
const { native } = core;

/** An option's value as the URL's query would spell it. */
function spell(key, value) {
	if (typeof value === 'boolean') return value ? '1' : '0';
	if (typeof value === 'number') return key === 'file_mode' ? value.toString(8) : String(value);
	if (typeof value === 'string') return value;
	throw new TypeError(`Expected the "${key}" option to be a string, number or boolean`);
}

/** Options that are no settings, or not only. */
const OTHERS = ['extensions', 'shutdownOn', 'bindBooleans', 'bindDates', 'allowedRoots'];
const plain = (name) => name.toLowerCase().replace(/[^a-z]/g, '').replace(/s$/, '');

/** Refuses what is meant to be one of those. */
function requireSpelled(name) {
	const meant = OTHERS.find((other) => plain(other) === plain(name));
	if (meant !== undefined && meant !== name && name !== 'allowed_roots') throw new TypeError(`There is no option "${name}" of open(): did you mean "${meant}"?`);
}

function closeReport(result) {
	const [[rolledBack, optimized, walRemoved], walBytesLeft, why, leakedStatements, warnings, ownersLeft] = check(result);
	return { rolledBack: !!rolledBack, leakedStatements, optimized: !!optimized, walRemoved: !!walRemoved, walBytesLeft, why, warnings, ownersLeft };
}

function checked(options) {
	if (options != null && typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
	return options ?? {};
}

/** Directories one by one: joined, the separator in a name would make two of it. None at all allows nothing. */
function roots(directories) {
	if (!directories.every((directory) => typeof directory === 'string')) throw new TypeError('Expected the "allowedRoots" option to be a string or an array of strings');
	return ['allowed_roots', '', ...directories.flatMap((directory) => ['allowed_root', directory])];
}

/** Those of the options that are settings. */
function settingsOf(options) {
	const { extensions, shutdownOn, bindBooleans, bindDates, ...settings } = options;
	return settings;
}

/** The arguments of `open` for the native side. */
function texts(url, options) {
	if (url != null && typeof url !== 'string') throw new TypeError('Expected first argument to be a string');
	// The core tells of other characters, with what to do about them.
	if (url != null && !url.isWellFormed()) core.requirePath(url.replaceAll('\0', ''), 'a database');
	let found = [];
	for (const [name, value] of Object.entries(checked(options))) {
		if (value === undefined) continue;
		requireSpelled(name);
		const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
		if (key === 'allowed_roots' && Array.isArray(value)) found = [...found, ...roots(value)];
		else found = [...found, key, spell(key, value)];
	}
	return found;
}

/**
 * The file that `open` opens for the same arguments, its directory made: for tools that open it themselves. Tools know
 * nothing of the URL's parameters.
 */
function databaseFile(url, options) {
	const [file] = check(native.locateTuned(url ?? null, texts(url, settingsOf(checked(options)))));
	if (file === '') return ':memory:';
	fs.mkdirSync(path.dirname(file), { recursive: true });
	return file;
}

/** The state of a connection that others use too. */
const SHARED = { exposed: true, prefetch: false };

module.exports = (Database, describe) => {
	/** The Database of a native `[token, readonly, report, shared]`. */
	function wrap([token, readonly, found, shared], rest) {
		const report = openReport(found);
		const db = Object.create(Database.prototype);
		let closing = null;
		core.attach(db, token, { tuned: true, txlock: txlockOf(report, readonly === 1), closed: (result) => { closing = closeReport(result); }, ...(shared === 1 ? SHARED : null), ...rest });
		describe(db, { name: report.path ?? ':memory:', readonly: readonly === 1, memory: report.path === null });
		Object.defineProperties(db, { report: fixed(report), closeReport: computed(() => closing) });
		return db;
	}

	/** Opens what the URL, the environment's DATABASE_URL or the default names: tuned, verified, closed with a report. */
	function open(url, options) {
		options = checked(options);
		const libraries = extensionList(option(options, 'extensions'));
		const shutdownOn = option(options, 'shutdownOn');
		const rest = { convert: convert({ bindBooleans: option(options, 'bindBooleans', false) ?? false, bindDates: option(options, 'bindDates') }) };
		const signals = shutdown.signals(shutdownOn);
		const given = ['opened_at', caller(open), ...texts(url, settingsOf(options))];
		// A build without the client of libSQL servers tells so in the core's words.
		const remote = native.openRemote === undefined ? undefined : check(native.openRemote(url ?? null, given));
		if (remote !== undefined) {
			if (libraries.length > 0) throw unsupported('The "extensions" option', 'start the server with the extension (sqld: --extensions-path)');
			return wrapRemote(Database, remote, rest.convert);
		}
		const db = load(wrap(check(native.openTuned(url ?? null, given)), rest), libraries);
		return shutdown.watch(db, shutdownOn === undefined ? shutdown.usual(db.report.profile) : signals);
	}

	for (const [name, value] of Object.entries({ open, databaseFile, KeelError })) {
		Object.defineProperty(Database, name, hidden(value));
	}
	return { wrap, load };
};

/** What `transaction()` begins with: a reader has nothing to lock. */
function txlockOf(report, readonly) {
	const row = report.rows.find(({ name }) => name === 'txlock');
	if (row === undefined || row.value === '') return null;
	const explicit = row.source === 'url' || row.source === 'option';
	if (!explicit && (readonly || report.query_only === 'on')) return null;
	return { name: row.value, explicit };
}

/** `extensions: ['path', { path, entryPoint }]` */
function extensionList(given) {
	if (given === undefined) return [];
	if (!Array.isArray(given)) throw new TypeError('Expected the "extensions" option to be an array');
	return given.map((one) => {
		const [file, entryPoint] = typeof one === 'string' ? [one] : ['path', 'entryPoint'].map((key) => option(one ?? {}, key));
		if (typeof file !== 'string' || (entryPoint !== undefined && typeof entryPoint !== 'string')) {
			throw new TypeError('Expected each of the "extensions" to be a path, or an object with a path and an entryPoint');
		}
		return entryPoint === undefined ? [file] : [file, entryPoint];
	});
}

/** Loads the extensions; a connection without one of them is closed again. */
function load(db, libraries) {
	for (const library of libraries) {
		try {
			db.loadExtension(...library);
		} catch (error) {
			db.close();
			throw assign(error, { path: library[0], step: 'load_extension' });
		}
	}
	return db;
}
