'use strict';
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const platforms = require('./lib/platforms');

const own = JSON.parse(fs.readFileSync(path.join(__dirname, 'package.json'), 'utf8'));
const USAGE = `node pack.js DIRECTORY [PLATFORM=LIBRARY ...]
    Writes into DIRECTORY the tarballs of litekeel, of the platforms' packages, of the packages that stand in for
    better-sqlite3, and of the command for each platform. The command lies beside each library. Without a platform:
    those in target/platforms, which packaging/build-all fills; if there are none, this machine's from target/release.
node pack.js --into PROJECT
    Puts litekeel and its better-sqlite3 into the project's node_modules, without the library.
node pack.js --help
`;
const LICENSES = ['LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md'];
const ALIAS = '@litekeel/better-sqlite3';
/** The better-sqlite3 whose behaviour each line has: those who check the version have to find it. */
const ALIAS_VERSIONS = { 12: '12.6.2', 13: '13.2.0' };

/** Writes one package: `files` maps names to texts or to `{ from }`. */
function write(directory, manifest, files) {
	const { version, license, homepage, bugs, engines } = own;
	fs.mkdirSync(directory, { recursive: true });
	fs.writeFileSync(path.join(directory, 'package.json'), `${JSON.stringify({ version, license, homepage, bugs, engines, ...manifest }, null, 2)}\n`);
	for (const [name, content] of Object.entries(files)) {
		if (typeof content === 'string') fs.writeFileSync(path.join(directory, name), content);
		else fs.copyFileSync(content.from, path.join(directory, name));
	}
	for (const name of LICENSES) fs.copyFileSync(path.join(__dirname, '..', name), path.join(directory, name));
}

/** What the README's links lead to, and comes with the package. */
const TEXTS = ['docs', 'CHANGELOG.md', 'DESIGN.md', 'SECURITY.md'];

/** The README for the package. A link to what does not come with it (examples, headers) would lead nowhere: its words stay. */
function packagedReadme() {
	const text = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
	return text.replace(/\[([^\]]*)\]\(([^)\s#]+)(#[^)]*)?\)/g, (whole, words, target) => (/^https?:/.test(target) || [...TEXTS, ...LICENSES].includes(target.split('/')[0]) ? whole : words));
}

function writeMain(directory) {
	// A platform without a package yet would be a 404 in every install.
	const published = platforms.filter((one) => one.published).map((one) => [`@litekeel/${one.name}`, own.version]);
	write(directory, { ...own, files: [...own.files, ...TEXTS, ...LICENSES], optionalDependencies: Object.fromEntries(published) }, { 'README.md': packagedReadme() });
	for (const name of TEXTS) fs.cpSync(path.join(__dirname, '..', name), path.join(directory, name), { recursive: true });
	for (const name of own.files) fs.cpSync(path.join(__dirname, name), path.join(directory, name), { recursive: true });
}

function writePlatform(directory, { name, platform, arch, libc, file }, library) {
	// The command `litekeel` is built beside the library.
	const command = path.join(path.dirname(library), 'litekeel');
	const contents = { [file]: { from: library }, ...(fs.existsSync(command) ? { litekeel: { from: command } } : {}) };
	write(directory, {
		name: `@litekeel/${name}`, description: `litekeel's library and command for ${name}`,
		os: [platform], cpu: [arch], ...(libc ? { libc: [libc] } : {}), files: [...Object.keys(contents), ...LICENSES], preferUnplugged: true,
	}, contents);
}

/**
 * An entry point for `bun build --compile`, which packs what is required by a path that it can read, and gives its path.
 * Everywhere else litekeel finds its library itself.
 */
const platformEntry = (library) => `'use strict';
if (typeof Bun !== 'undefined') {
	try {
		const file = require('${library}');
		if (typeof file === 'string') globalThis[Symbol.for('litekeel.library')] ??= file;
	} catch { /* not packed */ }
}
module.exports = require('./index');
`;

/** The package that is installed under the name better-sqlite3: the same class, SqliteError as its one named export. */
function writeAlias(directory, major) {
	// 13 has an entry point per platform, for bundlers that cannot follow a computed path.
	const entries = major < 13 ? [] : platforms.map(({ name, platform, arch, libc, file }) => ({ entry: `${platform}${libc === 'musl' ? 'musl' : ''}-${arch}`, library: `@litekeel/${name}/${file}` }));
	const exported = (name) => ({ types: './index.d.ts', default: `./${name}.js` });
	write(directory, {
		name: ALIAS, version: ALIAS_VERSIONS[major], description: 'litekeel in the place of better-sqlite3: npm install better-sqlite3@npm:@litekeel/better-sqlite3',
		main: 'index.js', types: 'index.d.ts',
		exports: Object.fromEntries([['.', exported('index')], ...entries.map(({ entry }) => [`./${entry}`, exported(entry)]), ['./package.json', './package.json']]),
		files: ['index.js', ...entries.map(({ entry }) => `${entry}.js`), 'index.d.ts', ...LICENSES], dependencies: { litekeel: own.version },
	}, {
		'index.js': "'use strict';\nmodule.exports = require('litekeel');\nmodule.exports.SqliteError = require('litekeel').SqliteError;\n",
		'index.d.ts': "import Database = require('litekeel');\nexport = Database;\n",
		...Object.fromEntries(entries.map(({ entry, library }) => [`${entry}.js`, platformEntry(library)])),
	});
}

/** The command alone, for those who have no Node: the same bytes from the same files. */
function packCommand(directory, { name }, library) {
	const command = path.join(path.dirname(library), 'litekeel');
	if (!fs.existsSync(command)) return undefined;
	const base = `litekeel-command-${own.version}-${name}`;
	const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-pack-'));
	try {
		const files = path.join(stage, base);
		fs.mkdirSync(files);
		for (const from of [command, ...LICENSES.map((license) => path.join(__dirname, '..', license))]) fs.copyFileSync(from, path.join(files, path.basename(from)));
		const tarball = path.join(path.resolve(directory), `${base}.tgz`);
		// No name of this machine's user, no time of this build; gzip would note one too.
		execFileSync('sh', ['-c', 'tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u=rwX,go=rX -cf - "$1" | gzip -n9 > "$2"', 'sh', base, tarball], { cwd: stage });
		return tarball;
	} finally {
		fs.rmSync(stage, { recursive: true });
	}
}

/** Packs what `fill` writes into `directory`, and says the tarball's path. */
function pack(directory, fill) {
	const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-pack-'));
	try {
		fill(stage);
		const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', path.resolve(directory)], { cwd: stage, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
		return path.join(path.resolve(directory), filename);
	} finally {
		fs.rmSync(stage, { recursive: true });
	}
}

/** For `sha256sum --check SHA256SUMS`, by whoever gets the files some other way than from a registry, which has sums of its own. */
function writeSums(directory, files) {
	const sum = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
	const lines = files.map((file) => `${sum(file)}  ${path.basename(file)}\n`).sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
	fs.writeFileSync(path.join(directory, 'SHA256SUMS'), lines.join(''));
}

/** Packs everything: `libraries` maps platform names to shared objects. Returns the tarballs by name. */
function packAll(directory, libraries) {
	fs.mkdirSync(directory, { recursive: true });
	const tarballs = { litekeel: pack(directory, writeMain) };
	for (const [name, library] of Object.entries(libraries)) {
		const platform = platforms.find((one) => one.name === name);
		if (!platform) throw new Error(`There is no platform "${name}"; there are ${platforms.map((one) => one.name).join(', ')}`);
		tarballs[`@litekeel/${name}`] = pack(directory, (stage) => writePlatform(stage, platform, library));
		const command = packCommand(directory, platform, library);
		if (command) tarballs[`command ${name}`] = command;
	}
	for (const major of Object.keys(ALIAS_VERSIONS)) tarballs[`better-sqlite3@${major}`] = pack(directory, (stage) => writeAlias(stage, Number(major)));
	writeSums(directory, Object.values(tarballs));
	return tarballs;
}

/** The files under a directory, by relative path. */
const contents = (directory) => fs.readdirSync(directory, { recursive: true }).filter((name) => fs.statSync(path.join(directory, name)).isFile()).sort();

function same(one, other) {
	if (!fs.existsSync(other)) return false;
	const names = contents(one);
	return String(names) === String(contents(other)) && names.every((name) => fs.readFileSync(path.join(one, name)).equals(fs.readFileSync(path.join(other, name))));
}

/**
 * Puts litekeel and the better-sqlite3 of `major` into a project's node_modules, as their tarballs would, without the
 * library. Leaves alone what is there already: programs may be running from it.
 */
function installInto(project, major = 13) {
	const modules = path.join(project, 'node_modules');
	fs.mkdirSync(modules, { recursive: true });
	for (const [name, fill] of [['litekeel', writeMain], ['better-sqlite3', (stage) => writeAlias(stage, major)]]) {
		const stage = fs.mkdtempSync(path.join(modules, '.litekeel-'));
		fill(stage);
		const installed = path.join(modules, name);
		if (!same(stage, installed)) {
			fs.rmSync(installed, { recursive: true, force: true });
			fs.renameSync(stage, installed);
		} else {
			fs.rmSync(stage, { recursive: true });
		}
	}
}

/** The names of everything that is packed. */
const packages = () => [own.name, ...platforms.map(({ name }) => `@litekeel/${name}`), ALIAS];

module.exports = { packAll, installInto, packages };
/** What there is to pack, where nothing is named. */
function built() {
	const target = path.join(__dirname, '..', 'target');
	const found = platforms.map(({ name, file }) => [name, path.join(target, 'platforms', name, file)]).filter(([, file]) => fs.existsSync(file));
	if (found.length > 0) return Object.fromEntries(found);
	const library = require('./lib/locate-library')();
	const here = platforms.find(({ platform, arch }) => platform === process.platform && arch === process.arch);
	return { [here.name]: library };
}

function main([first, ...rest]) {
	if (first === '--help' || first === '-h') return process.stdout.write(USAGE);
	if (first === undefined || (first === '--into' ? rest.length !== 1 : first.startsWith('-') || rest.some((pair) => !/^[^=]+=./.test(pair)))) {
		process.stderr.write(USAGE);
		process.exitCode = 2;
		return undefined;
	}
	if (first === '--into') return installInto(rest[0]);
	const libraries = rest.length > 0 ? Object.fromEntries(rest.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])) : built();
	for (const file of Object.values(packAll(first, libraries))) process.stdout.write(`${file}\n`);
	return undefined;
}

if (require.main === module) main(process.argv.slice(2));
