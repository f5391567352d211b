'use strict';
const fs = require('node:fs');
const os = require('node:os');
const locate = require('./locate-library');
const { assign } = require('./own-properties');

/** Linux only: `RTLD_NOLOAD`, which `os.constants.dlopen` does not have. */
const RTLD_NOLOAD = 4;
const SONAME = 'liblitekeel.so.0';

/** Number of the layout; the native side has the same. */
const { PROTOCOL } = require('./layout');

function open(file, flags) {
	const module = { exports: {} };
	process.dlopen(module, file, flags);
	return module.exports;
}

/**
 * The object that another host of this process has loaded already. A second one beside it would be a second copy of
 * SQLite, and two copies drop each other's locks.
 */
function loaded() {
	if (process.platform !== 'linux') return null;
	const { RTLD_LAZY } = os.constants.dlopen;
	let found;
	let file = null;
	try {
		found = open(SONAME, RTLD_LAZY | RTLD_NOLOAD);
		file = mapped();
	} catch (error) {
		if (error.code === 'ERR_DLOPEN_DISABLED') return null;
		file = mapped();
		if (file === null) {
			// There is none, or this process may not see it; what is no addon has been found all the same.
			if (/self-register|napi_register_module_v1/.test(error.message)) throw mismatch(SONAME);
			return null;
		}
		try {
			// Deno takes no bare name, and musl knows no object by its soname. The same file is the same object.
			found = open(file, RTLD_LAZY | RTLD_NOLOAD);
		} catch {
			throw mismatch(file);
		}
	}
	if (found.protocol !== PROTOCOL) throw mismatch(file ?? SONAME);
	return assign(found, { library: file ?? found.library });
}

/** The path of the object that the soname stands for in this process; null where the system does not tell. */
function mapped() {
	let maps;
	try {
		maps = fs.readFileSync('/proc/self/maps', 'utf8');
	} catch {
		return null;
	}
	const line = maps.split('\n').find((row) => /\/liblitekeel\.so[^/]*$/.test(row));
	return line ? line.slice(line.indexOf('/')) : null;
}

function mismatch(file) {
	return assign(new Error(`${file} is loaded in this process already, and it is another version of litekeel or was built without Node-API. Install the same version of every litekeel package and load one file in every host.`), { code: 'KEEL_VERSION_MISMATCH' });
}

/** Without its symbolic links, where these may be looked at. */
function real(file) {
	try {
		return fs.realpathSync(file);
	} catch {
		return file;
	}
}

function load() {
	const shared = loaded();
	if (shared) return shared;
	const file = locate();
	let exports;
	try {
		// Not `require`: the object serves every host of the process and has no `.node` suffix.
		exports = open(real(file), os.constants.dlopen.RTLD_NOW);
	} catch (error) {
		if (error.code === 'ERR_DLOPEN_DISABLED') error.message += '; start Node with --allow-addons to use litekeel under --permission';
		throw error;
	}
	if (exports.protocol !== PROTOCOL) {
		throw assign(new Error(`${file} is another version of litekeel than ${__dirname}. Install the same version of every litekeel package.`), { code: 'KEEL_VERSION_MISMATCH' });
	}
	return assign(exports, { library: file });
}

module.exports = load();

// Bun finalizes nothing when it, or a worker, ends.
if (require('./runtime').isBun) module.exports.closeWithEnvironment();
