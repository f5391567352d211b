'use strict';
const fs = require('node:fs');
const os = require('node:os');
const locate = require('./locate-library');

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
	if (module.exports.protocol !== PROTOCOL) throw mismatch();
	return Object.assign(module.exports, { library: mapped() });
}

/** The path of the object that the soname stands for in this process. */
function mapped() {
	const line = fs.readFileSync('/proc/self/maps', 'utf8').split('\n').find((row) => /\/liblitekeel\.so[^/]*$/.test(row));
	return line ? line.slice(line.indexOf('/')) : null;
}

/** Number of the layout that `buffer.js` knows; the native side has the same. */
const PROTOCOL = 4;

function mismatch() {
	return Object.assign(new Error(`${mapped()} is loaded in this process already, and it is another version of litekeel or was built without Node-API. Install the same version of every litekeel package and load one file in every host.`), { code: 'KEEL_VERSION_MISMATCH' });
}

function load() {
	const shared = loaded();
	if (shared) return shared;
	const file = locate();
	const module = { exports: {} };
	try {
		// Not `require`: the object serves every host of the process and has no `.node` suffix.
		process.dlopen(module, fs.realpathSync(file), os.constants.dlopen.RTLD_NOW);
	} catch (error) {
		if (error.code === 'ERR_DLOPEN_DISABLED') error.message += '; start Node with --allow-addons to use litekeel under --permission';
		throw error;
	}
	if (module.exports.protocol !== PROTOCOL) {
		throw Object.assign(new Error(`${file} is another version of litekeel than ${__dirname}. Install the same version of every litekeel package.`), { code: 'KEEL_VERSION_MISMATCH' });
	}
	return Object.assign(module.exports, { library: file });
}

module.exports = load();

// Bun finalizes nothing when it, or a worker, ends.
if (process.versions.bun !== undefined) module.exports.closeWithEnvironment();
