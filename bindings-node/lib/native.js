'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const PLATFORM = `${process.platform}-${process.arch}`;
const PACKAGE = `@litekeel/${PLATFORM}${process.platform === 'linux' ? '-gnu' : ''}`;
const FILE = 'liblitekeel.so';

/** Where the shared object may be: named by the environment, in the platform's package, or built in this repository. */
function candidates() {
	const found = [];
	if (process.env.LITEKEEL_LIBRARY) return [path.resolve(process.env.LITEKEEL_LIBRARY)];
	try {
		found.push(path.join(path.dirname(require.resolve(`${PACKAGE}/package.json`)), FILE));
	} catch { /* not installed */ }
	const target = path.join(__dirname, '..', '..', 'target');
	for (const profile of ['release', 'fast', 'debug']) found.push(path.join(target, profile, FILE));
	return found;
}

/** Linux only: `RTLD_NOLOAD`, which `os.constants.dlopen` does not have. */
const RTLD_NOLOAD = 4;
const SONAME = 'liblitekeel.so.0';

/**
 * The object that another host of this process has loaded already. A second one beside it would be a second copy of
 * SQLite, and two copies drop each other's locks.
 */
function loaded() {
	if (process.platform !== 'linux') return null;
	const module = { exports: {} };
	try {
		process.dlopen(module, SONAME, os.constants.dlopen.RTLD_LAZY | RTLD_NOLOAD);
	} catch (error) {
		if (error.code === 'ERR_DLOPEN_DISABLED' || !mapped()) return null;
		throw mismatch();
	}
	if (typeof module.exports.openTuned !== 'function') throw mismatch();
	return Object.assign(module.exports, { library: mapped() });
}

/** The path of the object that the soname stands for in this process. */
function mapped() {
	const line = fs.readFileSync('/proc/self/maps', 'utf8').split('\n').find((row) => /\/liblitekeel\.so[^/]*$/.test(row));
	return line ? line.slice(line.indexOf('/')) : null;
}

function mismatch() {
	return Object.assign(new Error(`${mapped()} is loaded in this process already, and it is another version of litekeel or was built without Node-API. Install the same version of every litekeel package and load one file in every host.`), { code: 'KEEL_VERSION_MISMATCH' });
}

function load() {
	const shared = loaded();
	if (shared) return shared;
	const file = candidates().find((candidate) => fs.existsSync(candidate));
	if (!file) {
		throw Object.assign(new Error(`litekeel has no native library for ${PLATFORM}. Install the package ${PACKAGE} (an optional dependency of litekeel), or set LITEKEEL_LIBRARY to the path of ${FILE}.`), { code: 'KEEL_NO_LIBRARY' });
	}
	const module = { exports: {} };
	try {
		// Not `require`: the object serves every host of the process and has no `.node` suffix.
		process.dlopen(module, fs.realpathSync(file), os.constants.dlopen.RTLD_NOW);
	} catch (error) {
		if (error.code === 'ERR_DLOPEN_DISABLED') error.message += '; start Node with --allow-addons to use litekeel under --permission';
		throw error;
	}
	return Object.assign(module.exports, { library: file });
}

module.exports = load();
