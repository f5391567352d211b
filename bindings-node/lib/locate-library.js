'use strict';
// Where the shared object is.
const fs = require('node:fs');
const path = require('node:path');
const platforms = require('./platforms');

/** This process's platforms: Linux has one package per C library, and the installer chooses between them. */
const here = platforms.filter(({ platform, arch }) => platform === process.platform && arch === process.arch);
const FILE = here.length > 0 ? here[0].file : 'liblitekeel.so';

/** Named by the environment, in the platform's package, or built in this repository. */
function candidates() {
	if (process.env.LITEKEEL_LIBRARY) return [path.resolve(process.env.LITEKEEL_LIBRARY)];
	const found = [];
	for (const { name, file } of here) {
		try {
			found.push(path.join(path.dirname(require.resolve(`@litekeel/${name}/package.json`)), file));
		} catch { /* not installed */ }
	}
	const target = path.join(__dirname, '..', '..', 'target');
	for (const profile of ['release', 'fast', 'debug']) found.push(path.join(target, profile, FILE));
	return found;
}

/** The process runs on musl: its C library is mapped under that name. */
function onMusl() {
	try {
		return fs.readFileSync('/proc/self/maps', 'utf8').includes('/ld-musl-');
	} catch {
		return false;
	}
}

function missing() {
	const libc = process.platform === 'linux' ? (onMusl() ? 'musl' : 'glibc') : undefined;
	const platform = here.find((one) => one.libc === libc);
	const name = platform ? platform.name : `${process.platform}-${process.arch}`;
	let remedy;
	if (process.env.LITEKEEL_LIBRARY) {
		remedy = `LITEKEEL_LIBRARY names ${path.resolve(process.env.LITEKEEL_LIBRARY)}, where there is no file`;
	} else if (platform && platform.published) {
		remedy = `install @litekeel/${name}, an optional dependency of litekeel that npm leaves out with --omit=optional or when node_modules comes from another platform; or set LITEKEEL_LIBRARY to the path of ${FILE}`;
	} else {
		const ready = platforms.filter(({ published }) => published).map((one) => one.name).join(', ');
		remedy = `there is a package for ${ready} only: build the library on this machine (cargo build --release) and set LITEKEEL_LIBRARY to the path of ${FILE}`;
	}
	return Object.assign(new Error(`litekeel has no native library for ${name}; ${remedy}`), { code: 'KEEL_NO_LIBRARY' });
}

/** The path of the first that exists. */
module.exports = function locate() {
	const file = candidates().find((candidate) => fs.existsSync(candidate));
	if (file === undefined) throw missing();
	return file;
};
