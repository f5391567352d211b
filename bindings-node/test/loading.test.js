'use strict';
// Where the library is found, and what it loads in: without /proc, with few permissions, in other runtimes, traced,
// bundled and compiled into one file. Each in a project into which the tarballs were installed.
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
require('./prepare')();
const { nodeFileTrace } = require('@vercel/nft');
const { packAll } = require('../pack');
const platforms = require('../lib/platforms');
const runtimes = require('./runtimes');

const library = require('./library');
const env = { ...process.env };
delete env.LITEKEEL_LIBRARY;

let project;
let installed;
const run = (node, args, cwd = project) => spawnSync(node, args, { cwd, env, encoding: 'utf8', timeout: 120_000 });
const written = (name, code) => { fs.writeFileSync(path.join(project, name), code); return path.join(project, name); };
const succeeds = ({ status, stdout, stderr }, expected) => assert.deepStrictEqual([status, stdout], [0, expected], stderr);

before(() => {
	project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-loading-')));
	installed = path.join(project, 'node_modules/@litekeel/linux-x64-gnu/liblitekeel.so');
	const tarballs = packAll(path.join(project, 'tarballs'), { 'linux-x64-gnu': library });
	const file = (name) => `file:${tarballs[name]}`;
	fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({
		private: true,
		dependencies: { litekeel: file('litekeel'), '@litekeel/linux-x64-gnu': file('@litekeel/linux-x64-gnu'), 'better-sqlite3': file('better-sqlite3@13') },
	}));
	execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--offline'], { cwd: project });
	written('both.cjs', "const litekeel = require('litekeel');\nconst db = new litekeel('a.db');\nconst tuned = litekeel.open('file:b.db');\nconsole.log(db.prepare('SELECT 1').pluck().get(), tuned.prepare('SELECT 2').pluck().get(), litekeel.library);\ntuned.close();\ndb.close();\n");
});
after(() => fs.rmSync(project, { recursive: true }));
const both = () => `1 2 ${installed}\n`;

test('where /proc is missing or withheld', () => {
	// Not a mount, which a test may not make everywhere: what Node is told when it looks.
	const withheld = written('withheld.cjs', "const fs = require('fs');\nconst { readFileSync } = fs;\nfs.readFileSync = (file, ...rest) => { if (String(file).startsWith('/proc')) throw Object.assign(new Error('ENOENT: ' + file), { code: 'ENOENT' }); return readFileSync(file, ...rest); };\n");
	for (const major of runtimes.majors) succeeds(run(runtimes.node(major), ['-r', withheld, 'both.cjs']), both());
	// A second environment finds the library loaded, and cannot look up where it is.
	written('worker.cjs', "const { Worker, isMainThread } = require('worker_threads');\nrequire('./both.cjs');\nif (isMainThread) new Worker(__filename).on('error', (error) => console.log(error.message));\n");
	for (const major of runtimes.majors) succeeds(run(runtimes.node(major), ['-r', withheld, 'worker.cjs']), both() + both());
});

test('Node\'s permission model, with the project alone to be read', () => {
	succeeds(run(runtimes.node(24), ['--permission', '--allow-addons', `--allow-fs-read=${project}`, 'both.cjs']), both());
	succeeds(run(process.execPath, process.version.startsWith('v20') ? ['--experimental-permission', '--allow-addons', `--allow-fs-read=${project}`, 'both.cjs'] : ['both.cjs']), both());
});

test('Deno, with any permissions that let it load a library', () => {
	for (const permissions of [['--allow-all'], ['--allow-ffi', `--allow-read=${project}`], ['--allow-ffi', '--allow-read', '--allow-env']]) {
		succeeds(run(runtimes.deno, ['run', '--no-prompt', ...permissions, 'both.cjs']), both());
	}
	assert.match(run(runtimes.deno, ['run', '--no-prompt', `--allow-read=${project}`, 'both.cjs']).stderr, /--allow-ffi/);
});

test('Deno, when its own FFI or another thread has loaded the library', () => {
	written('ffi.cjs', `Deno.dlopen(${JSON.stringify(installed)}, { keel_version: { parameters: [], result: 'pointer' } });\nrequire('./both.cjs');\n`);
	succeeds(run(runtimes.deno, ['run', '--no-prompt', '--allow-all', 'ffi.cjs']), both());
	written('thread.cjs', "const { Worker, isMainThread } = require('node:worker_threads');\nrequire('./both.cjs');\nif (isMainThread) new Worker(__filename).on('error', (error) => console.log(error.message));\n");
	succeeds(run(runtimes.deno, ['run', '--no-prompt', '--allow-all', 'thread.cjs']), both() + both());
});

test('a tracer of files takes the library along, and the copy runs without anything else', async (t) => {
	written('main.cjs', "require('better-sqlite3');\nrequire('./both.cjs');\n");
	const { fileList } = await nodeFileTrace([path.join(project, 'main.cjs')], { base: project });
	assert.ok(fileList.has('node_modules/@litekeel/linux-x64-gnu/liblitekeel.so'), [...fileList].join('\n'));
	const copy = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-traced-')));
	t.after(() => fs.rmSync(copy, { recursive: true }));
	for (const file of fileList) {
		fs.mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
		fs.copyFileSync(path.join(project, file), path.join(copy, file));
	}
	succeeds(run(process.execPath, ['main.cjs'], copy), `1 2 ${path.join(copy, 'node_modules/@litekeel/linux-x64-gnu/liblitekeel.so')}\n`);
});

test('every platform has its library written out for tracers', () => {
	const { beside } = require('../lib/locate-library');
	const lib = path.join(__dirname, '..', 'lib');
	assert.deepStrictEqual(beside, Object.fromEntries(platforms.map(({ name, file }) => [name, path.join(lib, '../../@litekeel', name, file)])));
});

test('bun build --compile: one file by the platform\'s entry point; what lacks the library says how to leave litekeel out', (t) => {
	const away = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-compiled-')));
	t.after(() => fs.rmSync(away, { recursive: true }));
	const compile = (name, specifier) => {
		const source = written(`${name}.cjs`, `const Database = require('${specifier}');\nconst db = new Database(':memory:');\ndb.function('f', (a) => a + 1);\nconsole.log(db.prepare('SELECT f(1)').pluck().get());\n`);
		execFileSync(runtimes.bun, ['build', '--compile', source, '--outfile', path.join(away, name)], { cwd: project, stdio: 'ignore' });
	};
	compile('entry', 'better-sqlite3/linux-x64');
	compile('plain', 'litekeel');
	fs.renameSync(path.join(project, 'node_modules'), path.join(project, 'modules-away'));
	try {
		succeeds(run(path.join(away, 'entry'), [], away), '2\n');
		const { status, stderr } = run(path.join(away, 'plain'), [], away);
		assert.notStrictEqual(status, 0);
		assert.match(stderr, /KEEL_NO_LIBRARY/);
		assert.match(stderr, /error: litekeel has no native library for linux-x64-gnu; its code has been bundled.*serverExternalPackages: \['litekeel', 'better-sqlite3'\].*--external:litekeel/);
	} finally {
		fs.renameSync(path.join(project, 'modules-away'), path.join(project, 'node_modules'));
	}
	// Without compiling, the entry point is the same class.
	for (const node of [runtimes.bun, process.execPath]) succeeds(run(node, ['-e', "console.log(require('better-sqlite3/linux-x64') === require('litekeel'))"]), 'true\n');
});

test('an installed litekeel loads nothing that merely lies around it', () => {
	const planted = path.join(project, 'node_modules/target/release/liblitekeel.so');
	fs.mkdirSync(path.dirname(planted), { recursive: true });
	fs.copyFileSync(library, planted);
	fs.renameSync(path.join(project, 'node_modules/@litekeel'), path.join(project, 'node_modules/.away'));
	try {
		const { stderr } = run(process.execPath, ['both.cjs']);
		assert.match(stderr, /KEEL_NO_LIBRARY/);
		assert.match(stderr, /install @litekeel\/linux-x64-gnu/);
	} finally {
		fs.renameSync(path.join(project, 'node_modules/.away'), path.join(project, 'node_modules/@litekeel'));
		fs.rmSync(path.join(project, 'node_modules/target'), { recursive: true });
	}
});
