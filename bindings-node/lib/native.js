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

function load() {
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
