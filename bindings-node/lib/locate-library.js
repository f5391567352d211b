'use strict';
// Where the shared object is.
const fs = require('node:fs');
const path = require('node:path');
const { assign } = require('./own-properties');
const platforms = require('./platforms');

/** This process's C library; undefined outside Linux and where the system does not tell. */
function findLibc() {
	if (process.platform !== 'linux') return undefined;
	try {
		// Every process has its C library mapped. musl's file has its loader's name, or on some systems `libc.so`.
		const maps = fs.readFileSync('/proc/self/maps', 'utf8');
		if (/\/(libc\.so\.6|libc-2\.\d+\.so)$/m.test(maps)) return 'glibc';
		if (/\/(ld-musl-[^/]*|libc\.so)$/m.test(maps)) return 'musl';
	} catch { /* no /proc, or no permission */ }
	try {
		return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
	} catch {
		return undefined;
	}
}

const libc = findLibc();
/** This process's platforms: one, or all of a Linux that does not tell its C library. Not every installer chooses between those. */
const here = platforms.filter((one) => one.platform === process.platform && one.arch === process.arch && (libc === undefined || one.libc === libc));
const FILE = here.length > 0 ? here[0].file : 'liblitekeel.so';

/**
 * The libraries beside this package, one by one: what copies a program with the files it needs, such as @vercel/nft, finds
 * only paths that it can read here.
 */
const beside = {
	'linux-x64-gnu': path.join(__dirname, '../../@litekeel/linux-x64-gnu/liblitekeel.so'),
	'linux-arm64-gnu': path.join(__dirname, '../../@litekeel/linux-arm64-gnu/liblitekeel.so'),
	'linux-x64-musl': path.join(__dirname, '../../@litekeel/linux-x64-musl/liblitekeel.so'),
	'linux-arm64-musl': path.join(__dirname, '../../@litekeel/linux-arm64-musl/liblitekeel.so'),
	'darwin-x64': path.join(__dirname, '../../@litekeel/darwin-x64/liblitekeel.dylib'),
	'darwin-arm64': path.join(__dirname, '../../@litekeel/darwin-arm64/liblitekeel.dylib'),
};

/** What the environment names; nothing where it may not be read (Deno). */
function named() {
	try {
		return process.env.LITEKEEL_LIBRARY ? path.resolve(process.env.LITEKEEL_LIBRARY) : undefined;
	} catch {
		return undefined;
	}
}

/** Named by the environment, packed into a program of one file, in the platform's package, or built in this repository. */
function candidates() {
	const given = named() ?? globalThis[Symbol.for('litekeel.library')];
	if (given !== undefined) return [given];
	const found = [];
	for (const { name, file } of here) {
		try {
			found.push(path.join(path.dirname(require.resolve(`@litekeel/${name}/package.json`)), file));
		} catch { /* not installed */ }
		found.push(beside[name]);
	}
	// Installed, this package has no sources beside it, and what lies around it is not its own.
	if (fs.existsSync(path.join(__dirname, '..', 'Cargo.toml'))) {
		const target = path.join(__dirname, '..', '..', 'target');
		for (const profile of ['release', 'fast', 'debug']) found.push(path.join(target, profile, FILE));
	}
	return found;
}

/** This file is part of another one. */
const isBundled = () => !fs.existsSync(path.join(__dirname, 'locate-library.js'));

function missing() {
	const [platform] = here;
	const name = platform ? platform.name : `${process.platform}-${process.arch}`;
	let remedy;
	if (named() !== undefined) {
		remedy = `LITEKEEL_LIBRARY names ${named()}, where there is no file`;
	} else if (isBundled()) {
		remedy = "its code has been bundled, and finds no package from there; tell the bundler to leave it out, by every name that you import it by: serverExternalPackages: ['litekeel', 'better-sqlite3'] in next.config (Next.js), externals: ['litekeel', 'better-sqlite3'] (webpack), --external:litekeel --external:better-sqlite3 (esbuild), ssr: { external: ['litekeel', 'better-sqlite3'] } (Vite)";
	} else if (platform && platform.published) {
		remedy = `install @litekeel/${name}, an optional dependency of litekeel that npm leaves out with --omit=optional or when node_modules comes from another platform; or set LITEKEEL_LIBRARY to the path of ${FILE}`;
	} else {
		const ready = platforms.filter(({ published }) => published).map((one) => one.name).join(', ');
		remedy = `there is a package for ${ready} only: build the library on this machine (cargo build --release) and set LITEKEEL_LIBRARY to the path of ${FILE}`;
	}
	return assign(new Error(`litekeel has no native library for ${name}; ${remedy}`), { code: 'KEEL_NO_LIBRARY' });
}

/** The path of the first that exists. */
module.exports = function locate() {
	const file = candidates().find((candidate) => fs.existsSync(candidate));
	if (file === undefined) throw missing();
	return file;
};
assign(module.exports, { beside });
