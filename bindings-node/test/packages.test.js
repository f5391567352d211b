'use strict';
// The tarballs, installed into an empty project without any script, and what a program there sees.
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { packAll } = require('../pack');
const platforms = require('../lib/platforms');
const runtimes = require('./runtimes');
const ecosystem = require('./ecosystem')();

const library = require('./library');
const env = { ...process.env };
delete env.LITEKEEL_LIBRARY;

let project;
let tarballs;
const run = (node, args) => spawnSync(node, args, { cwd: project, env, encoding: 'utf8' });
const evaluate = (code, node = process.execPath) => {
	const { status, stdout, stderr } = run(node, ['--input-type=module', '-e', code]);
	assert.strictEqual(status, 0, stderr);
	return JSON.parse(stdout);
};

before(() => {
	project = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-project-'));
	tarballs = packAll(path.join(project, 'tarballs'), { 'linux-x64-gnu': library });
	const file = (name) => `file:${tarballs[name]}`;
	fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({
		private: true,
		dependencies: { litekeel: file('litekeel'), '@litekeel/linux-x64-gnu': file('@litekeel/linux-x64-gnu'), 'better-sqlite3': file('better-sqlite3@13'), 'better-sqlite3-12': file('better-sqlite3@12') },
	}));
	execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--offline'], { cwd: project });
});
after(() => fs.rmSync(project, { recursive: true }));

test('one class and one library, by whatever name and module system', () => {
	assert.deepStrictEqual(evaluate(`
		import Named, { SqliteError } from 'litekeel';
		import Alias, { SqliteError as AliasError } from 'better-sqlite3';
		import Twelve from 'better-sqlite3-12';
		import { createRequire } from 'node:module';
		const require = createRequire(import.meta.url);
		console.log(JSON.stringify([
			Named === require('litekeel'), Named === Alias, Named === Twelve, SqliteError === AliasError,
			new Alias(':memory:').prepare('SELECT 1 AS a').get(),
			require('better-sqlite3/package.json').version, require('better-sqlite3-12/package.json').version,
			Named === require('better-sqlite3/linux-x64'),
		]))`), [true, true, true, true, { a: 1 }, '13.2.0', '12.6.2', true]);
});

test('under better-sqlite3\'s name SqliteError is the one name beside the class', () => {
	assert.deepStrictEqual(evaluate("import * as names from 'better-sqlite3'; console.log(JSON.stringify([Object.keys(names).filter((name) => name !== 'module.exports').sort(), Object.keys(names.default)]))"),
		[['SqliteError', 'default'], ['SqliteError']]);
});

test('the sums beside the tarballs are theirs', () => {
	const check = () => spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: path.join(project, 'tarballs'), encoding: 'utf8' });
	const { status, stdout, stderr } = check();
	assert.strictEqual(status, 0, stderr);
	assert.deepStrictEqual(stdout.trim().split('\n'), Object.values(tarballs).map((file) => `${path.basename(file)}: OK`).sort());
	// Control: of another file they are not.
	const sums = path.join(project, 'tarballs/SHA256SUMS');
	const text = fs.readFileSync(sums, 'utf8');
	fs.writeFileSync(sums, text.replace(/^./, (digit) => (digit === '0' ? '1' : '0')));
	assert.strictEqual(check().status, 1);
	fs.writeFileSync(sums, text);
});

test('nothing in the tarballs runs at installation', () => {
	for (const [name, file] of Object.entries(tarballs).filter(([one]) => !one.startsWith('command '))) {
		const listed = execFileSync('tar', ['tzf', file], { encoding: 'utf8' }).split('\n');
		assert.ok(!listed.some((entry) => entry.endsWith('binding.gyp')), name);
		assert.ok(['LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md'].every((text) => listed.includes(`package/${text}`)), name);
		const manifest = JSON.parse(execFileSync('tar', ['xzOf', file, 'package/package.json'], { encoding: 'utf8' }));
		assert.strictEqual(manifest.scripts, undefined, name);
		assert.ok(listed.length > 4 && manifest.license && manifest.version, name);
	}
});

test('the optional dependencies are the published platforms, at litekeel\'s version', () => {
	const { version, optionalDependencies } = require('../package.json');
	assert.deepStrictEqual(optionalDependencies, Object.fromEntries(platforms.filter(({ published }) => published).map(({ name }) => [`@litekeel/${name}`, version])));
});

test('every described platform is packed by the same script', () => {
	const directory = path.join(project, 'others');
	// Packing does not look into the library; a small file keeps this quick.
	const built = path.join(project, 'built');
	fs.writeFileSync(built, 'a library');
	const packed = packAll(directory, Object.fromEntries(platforms.map(({ name }) => [name, built])));
	for (const { name, platform, arch, libc, file } of platforms) {
		const manifest = JSON.parse(execFileSync('tar', ['xzOf', packed[`@litekeel/${name}`], 'package/package.json'], { encoding: 'utf8' }));
		assert.deepStrictEqual([manifest.os, manifest.cpu, manifest.libc, manifest.files[0]], [[platform], [arch], libc && [libc], file]);
	}
	fs.rmSync(directory, { recursive: true });
});

test('the same files are packed into the same bytes, and the command runs without Node', () => {
	const again = packAll(path.join(project, 'again'), { 'linux-x64-gnu': library });
	assert.deepStrictEqual(Object.keys(again), Object.keys(tarballs));
	for (const [name, file] of Object.entries(again)) assert.ok(fs.readFileSync(file).equals(fs.readFileSync(tarballs[name])), name);
	execFileSync('tar', ['xzf', again['command linux-x64-gnu'], '-C', path.join(project, 'again')]);
	const command = path.join(project, 'again', path.basename(again['command linux-x64-gnu'], '.tgz'), 'litekeel');
	assert.match(execFileSync(command, ['--version'], { encoding: 'utf8' }), /^litekeel \d+\.\d+\.\d+ \(SQLite 3\./);
});

test('pack.js says how it is used', () => {
	const pack = (...args) => spawnSync(process.execPath, [path.join(__dirname, '../pack.js'), ...args], { encoding: 'utf8' });
	const help = pack('--help');
	assert.deepStrictEqual([help.status, help.stderr], [0, '']);
	assert.match(help.stdout, /^node pack\.js DIRECTORY/);
	for (const wrong of [[], ['--nonsense'], [project, 'linux-x64-gnu'], ['--into']]) {
		const { status, stdout, stderr } = pack(...wrong);
		assert.deepStrictEqual([status, stdout, stderr], [2, '', help.stdout], String(wrong));
	}
});

test('where both C libraries\' packages are installed, each process loads its own', () => {
	// What an installer without `libc` (npm before 10, Yarn 1) does.
	const other = path.join(project, 'node_modules/@litekeel/linux-x64-musl');
	fs.mkdirSync(other);
	try {
		fs.writeFileSync(path.join(other, 'package.json'), JSON.stringify({ name: '@litekeel/linux-x64-musl', version: '0.1.0' }));
		fs.writeFileSync(path.join(other, 'liblitekeel.so'), 'not for this C library');
		const own = () => evaluate("import Database from 'litekeel'; console.log(JSON.stringify(Database.library))");
		assert.match(own(), /linux-x64-gnu/);
		// Without its own package it takes none that cannot be loaded.
		fs.renameSync(path.join(project, 'node_modules/@litekeel/linux-x64-gnu'), path.join(project, 'node_modules/.away'));
		try {
			const { stderr } = run(process.execPath, ['-e', "require('litekeel')"]);
			assert.match(stderr, /no native library for linux-x64-gnu; install @litekeel\/linux-x64-gnu/);
		} finally {
			fs.renameSync(path.join(project, 'node_modules/.away'), path.join(project, 'node_modules/@litekeel/linux-x64-gnu'));
		}
	} finally {
		fs.rmSync(other, { recursive: true });
	}
});

test('a platform without a library gets an error that names it and says what to do', () => {
	const elsewhere = (platform, arch) => run(process.execPath, ['-e', `
		Object.defineProperty(process, 'platform', { value: '${platform}' });
		Object.defineProperty(process, 'arch', { value: '${arch}' });
		try { require('litekeel'); } catch (error) { console.log(error.code, error.message); }`]).stdout;
	assert.match(elsewhere('openbsd', 'x64'), /^KEEL_NO_LIBRARY .*openbsd-x64.*linux-x64-gnu, .* only.*LITEKEEL_LIBRARY/);
	assert.match(elsewhere('darwin', 'arm64'), /^KEEL_NO_LIBRARY .*darwin-arm64.*liblitekeel\.dylib/);
	assert.match(elsewhere('linux', 'arm64'), /^KEEL_NO_LIBRARY .*install @litekeel\/linux-arm64-gnu/);
	fs.renameSync(path.join(project, 'node_modules/@litekeel'), path.join(project, 'node_modules/.away'));
	try {
		assert.match(elsewhere('linux', 'x64'), /^KEEL_NO_LIBRARY .*install @litekeel\/linux-x64-gnu.*--omit=optional/);
	} finally {
		fs.renameSync(path.join(project, 'node_modules/.away'), path.join(project, 'node_modules/@litekeel'));
	}
});

test('Node\'s permission model: refused with the flag that allows it, and then it works', () => {
	const program = "console.log(new (require('litekeel'))(':memory:').prepare('SELECT 1').pluck().get())";
	const permission = ['--permission', '--allow-fs-read=*'];
	const refused = run(runtimes.node(24), [...permission, '-e', program]);
	assert.match(refused.stderr, /ERR_DLOPEN_DISABLED/);
	assert.match(refused.stderr, /--allow-addons/);
	assert.strictEqual(run(runtimes.node(24), [...permission, '--allow-addons', '-e', program]).stdout, '1\n');
});

test('npx litekeel is the command of the platform\'s package, with its status', () => {
	assert.ok(fs.existsSync(path.join(path.dirname(library), 'litekeel')), 'cargo build builds the command beside the library');
	const npx = (...args) => spawnSync('npx', ['--no-install', 'litekeel', ...args], { cwd: project, env, encoding: 'utf8' });
	const url = npx('url', 'file:data/app.db?busy_timeout=10s', '--json');
	assert.strictEqual(url.status, 0, url.stderr);
	assert.strictEqual(JSON.parse(url.stdout).path, path.join(fs.realpathSync(project), 'data/app.db'));
	const refused = npx('doctor', 'file:a.db?_fk=1');
	assert.deepStrictEqual([refused.status, /write foreign_keys=1/.test(refused.stderr)], [2, true]);
	assert.strictEqual(npx('doctor', 'nope.db').status, 1);
});

test('whoever asks for a version of better-sqlite3 is content, by its number or by overrides', (t) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-peers-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	const alone = { litekeel: `file:${tarballs.litekeel}` };
	const install = (name, orm, manifest) => {
		const cwd = path.join(directory, name);
		fs.mkdirSync(path.join(cwd, 'orm'), { recursive: true });
		fs.writeFileSync(path.join(cwd, 'orm/package.json'), JSON.stringify({ name: 'orm', version: '1.0.0', ...orm }));
		fs.writeFileSync(path.join(cwd, 'orm/index.js'), "module.exports = require('better-sqlite3');\n");
		const dependencies = { ...alone, orm: 'file:orm', ...manifest.dependencies };
		fs.writeFileSync(path.join(cwd, 'package.json'), JSON.stringify({ name, private: true, ...manifest, dependencies }));
		const { status, stderr } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--offline', '--install-links', '--omit=optional'], { cwd, encoding: 'utf8' });
		if (status !== 0) return stderr;
		return spawnSync(process.execPath, ['-p', "require('orm') === require('litekeel')"], { cwd, env: { ...env, LITEKEEL_LIBRARY: library }, encoding: 'utf8' }).stdout;
	};
	const twelve = `file:${tarballs['better-sqlite3@12']}`;
	const thirteen = `file:${tarballs['better-sqlite3@13']}`;
	assert.strictEqual(install('peer-12', { peerDependencies: { 'better-sqlite3': '^12.6.0' } }, { dependencies: { 'better-sqlite3': twelve } }), 'true\n');
	assert.strictEqual(install('peer-13', { peerDependencies: { 'better-sqlite3': '>=9.3.0' } }, { dependencies: { 'better-sqlite3': thirteen } }), 'true\n');
	assert.strictEqual(install('overridden', { dependencies: { 'better-sqlite3': '11.9.1' } }, { overrides: { 'better-sqlite3': thirteen } }), 'true\n');
	// The control: npm does look at the number.
	assert.match(install('too-old', { peerDependencies: { 'better-sqlite3': '^11.0.0' } }, { dependencies: { 'better-sqlite3': thirteen } }), /ERESOLVE/);
});

test('a bundle made by esbuild keeps litekeel outside and runs', () => {
	fs.writeFileSync(path.join(project, 'server.ts'), "import { open } from 'litekeel';\nimport Database from 'better-sqlite3';\nconst db = open(':memory:');\nconsole.log(db instanceof Database, db.prepare('SELECT 2').pluck().get());\n");
	for (const [format, name] of [['esm', 'server.mjs'], ['cjs', 'server.cjs']]) {
		execFileSync(ecosystem.bin('esbuild'), ['server.ts', '--bundle', '--platform=node', `--format=${format}`, '--external:litekeel', '--external:better-sqlite3', `--outfile=dist/${name}`, '--log-level=error'], { cwd: project });
		assert.strictEqual(run(process.execPath, [`dist/${name}`]).stdout, 'true 2\n');
	}
});

test('a project\'s own types are found in the tarballs', () => {
	fs.writeFileSync(path.join(project, 'types.mts'), "import { open } from 'litekeel';\nimport Database from 'better-sqlite3';\nconst db: Database.Database = open('file:a.db');\nexport const path: string = db.name;\n");
	fs.mkdirSync(path.join(project, 'node_modules/@types'), { recursive: true });
	for (const name of ['@types/node', 'undici-types']) fs.cpSync(path.join(ecosystem.directory, 'node_modules', name), path.join(project, 'node_modules', name), { recursive: true });
	const result = spawnSync(ecosystem.bin('tsc'), ['--strict', '--noEmit', '--module', 'nodenext', '--types', 'node', 'types.mts'], { cwd: project, encoding: 'utf8' });
	assert.strictEqual(result.stdout, '');
	assert.strictEqual(result.status, 0);
});
