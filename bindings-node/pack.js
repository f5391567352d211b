'use strict';
// node pack.js <directory> [library]: writes the tarballs of litekeel, its platform package and the alias package.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const [out, library = path.join(__dirname, '..', 'target', 'release', 'liblitekeel.so')] = process.argv.slice(2);
const own = JSON.parse(fs.readFileSync(path.join(__dirname, 'package.json'), 'utf8'));
/** The alias has to look like better-sqlite3 to those who check its version. */
const ALIAS_VERSIONS = ['12.6.2', '13.2.0'];

fs.mkdirSync(out, { recursive: true });
const pack = (directory) => execFileSync('npm', ['pack', '--silent', '--pack-destination', path.resolve(out)], { cwd: directory, stdio: ['ignore', 'pipe', 'ignore'] });
const common = { version: own.version, license: own.license, homepage: own.homepage };
const make = (manifest, files) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-pack-'));
	fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ ...common, ...manifest }, null, 2));
	for (const [name, write] of Object.entries(files)) write(path.join(directory, name));
	pack(directory);
	fs.rmSync(directory, { recursive: true });
};

pack(__dirname);
make({ name: '@litekeel/linux-x64-gnu', description: "litekeel's library for Linux on x64 (glibc)", os: ['linux'], cpu: ['x64'], libc: ['glibc'], files: ['liblitekeel.so'] },
	{ 'liblitekeel.so': (file) => fs.copyFileSync(library, file) });
for (const version of ALIAS_VERSIONS) {
	make({ name: 'better-sqlite3', version, description: 'litekeel under the name of better-sqlite3', main: 'index.js', dependencies: { litekeel: own.version } },
		{ 'index.js': (file) => fs.writeFileSync(file, "'use strict';\nmodule.exports = require('litekeel');\nmodule.exports.SqliteError = require('litekeel').SqliteError;\n") });
}
