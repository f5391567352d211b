'use strict';
// Each package manager installs litekeel for each platform, from the tarballs as they are packed and through a registry on
// this machine. Installed is that platform's package alone, the module finds it, and where it is not there the module says
// which one is missing. Another platform's process is played by what Node tells of itself.
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
require('../prepare')(__dirname, '--ignore-scripts');
const { packAll } = require('../../pack');
const platforms = require('../../lib/platforms');
const startRegistry = require('./registry');

const modules = path.join(__dirname, 'node_modules');
/** The libraries are told apart by their texts: nothing here loads one. */
const text = (name) => `the library for ${name}`;

let place;
let registry;
before(async () => {
	place = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-installers-')));
	const libraries = Object.fromEntries(platforms.map(({ name, file }) => {
		const directory = path.join(place, 'built', name);
		fs.mkdirSync(directory, { recursive: true });
		fs.writeFileSync(path.join(directory, file), text(name));
		return [name, path.join(directory, file)];
	}));
	const tarballs = packAll(path.join(place, 'tarballs'), libraries);
	registry = await startRegistry(Object.entries(tarballs).filter(([name]) => !name.startsWith('command ') && name !== 'better-sqlite3@12').map(([, file]) => file));
});
after(() => {
	registry?.close();
	fs.rmSync(place, { recursive: true, force: true });
});

/** Runs a package manager beside the registry, which is this process. */
function run(cwd, program, args, variables = {}) {
	const env = { ...process.env, HOME: place, npm_config_registry: registry.url, npm_config_cache: path.join(place, 'npm-cache'), ...variables };
	for (const name of Object.keys(env)) if (/^(CI|LITEKEEL_LIBRARY|npm_lifecycle.*|npm_package.*)$/.test(name)) delete env[name];
	return new Promise((resolve, reject) => {
		let output = '';
		const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
		child.on('error', reject);
		child.on('close', (status) => (status === 0 ? resolve(output) : reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${status}\n${output}`))));
	});
}

const architectures = ({ platform, arch, libc }) => ({ os: [platform], cpu: [arch], ...(libc ? { libc: [libc] } : {}) });
const yarnSettings = (target, linker) => [
	`nodeLinker: ${linker}`, `npmRegistryServer: ${JSON.stringify(registry.url)}`, 'unsafeHttpWhitelist: ["127.0.0.1"]', 'enableTelemetry: false',
	`enableGlobalCache: false`, `globalFolder: ${JSON.stringify(path.join(place, 'yarn'))}`, `supportedArchitectures: ${JSON.stringify(architectures(target))}`,
].join('\n');
const berry = (linker) => async (project, target) => {
	fs.writeFileSync(path.join(project, '.yarnrc.yml'), yarnSettings(target, linker));
	fs.writeFileSync(path.join(project, 'yarn.lock'), '');
	await run(project, process.execPath, [path.join(modules, '@yarnpkg/cli-dist/bin/yarn.js'), 'install', '--no-immutable']);
};
/** How each is told the platform. */
const MANAGERS = {
	npm: { install: (project, { platform, arch, libc }) => run(project, process.execPath, [path.join(modules, 'npm/bin/npm-cli.js'), 'install', '--no-audit', '--no-fund', `--os=${platform}`, `--cpu=${arch}`, ...(libc ? [`--libc=${libc}`] : [])]) },
	pnpm: {
		install: (project, target) => {
			fs.writeFileSync(path.join(project, 'pnpm-workspace.yaml'), `supportedArchitectures: ${JSON.stringify(architectures(target))}\nstoreDir: ${JSON.stringify(path.join(place, 'pnpm'))}\n`);
			fs.writeFileSync(path.join(project, '.npmrc'), `registry=${registry.url}\n`);
			return run(project, path.join(modules, '.bin/pnpm'), ['install', '--no-frozen-lockfile'], { XDG_CACHE_HOME: path.join(place, 'cache') });
		},
	},
	'yarn with node_modules': { install: berry('node-modules') },
	'yarn with Plug\'n\'Play': { install: berry('pnp'), preload: '.pnp.cjs' },
	bun: { install: (project, { platform, arch, libc }) => run(project, path.join(modules, '@oven/bun-linux-x64/bin/bun'), ['install', `--registry=${registry.url}`, `--os=${platform}`, `--cpu=${arch}`, ...(libc ? [`--libc=${libc}`] : [])], { BUN_INSTALL_CACHE_DIR: path.join(place, 'bun') }) },
};

/** A project that depends on litekeel and on its better-sqlite3, installed for a platform. */
async function installed(manager, target) {
	const project = fs.mkdtempSync(path.join(place, 'project-'));
	fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true, dependencies: { litekeel: '0.1.0', 'better-sqlite3': 'npm:@litekeel/better-sqlite3@13.2.0' } }));
	await manager.install(project, target);
	return project;
}

/** What the module says on that platform: the text of the library that it finds, or its error. */
function located(project, { platform, arch, libc }, preload) {
	const program = `
		const fs = require('node:fs');
		Object.defineProperty(process, 'platform', { value: '${platform}' });
		Object.defineProperty(process, 'arch', { value: '${arch}' });
		const { readFileSync } = fs;
		fs.readFileSync = (file, ...rest) => (file === '/proc/self/maps' ? '${libc === 'musl' ? '/lib/ld-musl-any.so.1' : '/lib/libc.so.6'}\\n' : readFileSync(file, ...rest));
		const path = require('node:path');
		// The module under better-sqlite3's name leads to the same one.
		const { createRequire } = require('node:module');
		const alias = createRequire(path.join(${JSON.stringify(project)}, 'index.js')).resolve('better-sqlite3');
		const main = createRequire(path.join(path.dirname(alias), 'index.js')).resolve('litekeel');
		try {
			process.stdout.write(readFileSync(require(path.join(path.dirname(main), 'locate-library.js'))(), 'utf8'));
		} catch (error) { process.stdout.write(error.code + ' ' + error.message); }`;
	const env = { ...process.env };
	delete env.LITEKEEL_LIBRARY;
	const { status, stdout, stderr } = spawnSync(process.execPath, [...(preload ? ['-r', path.join(project, preload)] : []), '-e', program], { cwd: project, env, encoding: 'utf8' });
	assert.strictEqual(status, 0, stderr);
	return stdout;
}

const tarballOf = (name) => `/-/litekeel-${name}-0.1.0.tgz`;

for (const [name, manager] of Object.entries(MANAGERS)) {
	for (const target of platforms) {
		test(`${name}: ${target.name}`, async () => {
			const from = registry.asked.length;
			const project = await installed(manager, target);
			const fetched = platforms.filter((one) => registry.asked.slice(from).includes(tarballOf(one.name))).map((one) => one.name);
			for (const other of platforms) {
				const says = located(project, other, manager.preload);
				const there = other === target && other.published;
				if (there) assert.strictEqual(says, text(other.name));
				else if (other.published) assert.match(says, new RegExp(`^KEEL_NO_LIBRARY litekeel has no native library for ${other.name}; install @litekeel/${other.name}`));
				else assert.match(says, new RegExp(`^KEEL_NO_LIBRARY litekeel has no native library for ${other.name}; there is a package for `));
				// What is not for this platform is not even fetched.
				if (!there) assert.ok(!fetched.includes(other.name), fetched.join());
			}
		});
	}
}

test('yarn 1, which does not ask for the C library: both are there, and each process loads its own', async () => {
	const [gnu, musl] = ['glibc', 'musl'].map((libc) => platforms.find((one) => one.platform === process.platform && one.arch === process.arch && one.libc === libc));
	const project = await installed({ install: (cwd) => run(cwd, process.execPath, [path.join(modules, 'yarn/bin/yarn.js'), 'install', '--non-interactive', `--registry=${registry.url}`, `--cache-folder=${path.join(place, 'yarn-1')}`]) }, gnu);
	assert.deepStrictEqual([located(project, gnu), located(project, musl)], [text(gnu.name), text(musl.name)]);
});
