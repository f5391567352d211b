'use strict';
// What the README shows of Node is what runs: every block, as it stands there.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawnSync } = require('node:child_process');
const { packAll } = require('../pack');
const ecosystem = require('./ecosystem')();

const readme = fs.readFileSync(path.join(__dirname, '../../README.md'), 'utf8');
const library = require('./library');
const runtimes = require('./runtimes');
const { root, blocksOf } = require('./book');
const env = { ...process.env, LITEKEEL_LIBRARY: library };
delete env.DATABASE_URL;

/** The bodies of the blocks in one language. */
const blocks = (language) => readme.split(`\`\`\`${language}\n`).slice(1).map((rest) => rest.split('```')[0]);
/** The blocks that begin with a comment naming their file. */
const named = (language) => Object.fromEntries(blocks(language).map((code) => [/^(?:\/\/|#) (\S+)\n/.exec(code)?.[1], code]).filter(([name]) => name));

function project(t) {
	const directory = fs.mkdtempSync(path.join(ecosystem.directory, 'run-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	return directory;
}
function run(cwd, args) {
	const result = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8' });
	assert.strictEqual(result.status, 0, result.stdout + result.stderr);
	return result.stdout;
}

test('the plain program runs and leaves the file alone', (t) => {
	const directory = project(t);
	const [code, handler, ...others] = blocks('js');
	assert.deepStrictEqual(others, []);
	// book.test.js runs the other one.
	assert.match(handler, /^\/\/ Express/);
	fs.writeFileSync(path.join(directory, 'app.js'), code);
	assert.strictEqual(run(directory, ['app.js']), "[ { who: 'Ada' } ] wal\n");
	assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db']);
});

test('the Drizzle project type-checks, generates its migration and runs', (t) => {
	const directory = project(t);
	const sources = named('ts');
	assert.deepStrictEqual(Object.keys(sources), ['schema.ts', 'client.ts', 'drizzle.config.ts', 'visits.ts', 'app.ts']);
	for (const [name, code] of Object.entries({ ...sources, ...named('sh') })) fs.writeFileSync(path.join(directory, name), code);
	const config = { compilerOptions: { strict: true, noEmit: true, skipLibCheck: true, module: 'esnext', moduleResolution: 'bundler', target: 'es2022', types: ['node'] }, include: ['*.ts'] };
	fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
	const checked = spawnSync(ecosystem.bin('tsc'), ['-p', directory], { encoding: 'utf8' });
	assert.strictEqual(checked.stdout, '');

	const tools = path.join(ecosystem.directory, 'node_modules');
	run(directory, [path.join(tools, 'drizzle-kit/bin.cjs'), 'generate']);
	const program = [path.join(tools, 'tsx/dist/cli.mjs'), '--env-file=.env', 'app.ts'];
	assert.strictEqual(run(directory, program), "[ { id: 1, who: 'Ada' } ]\n");
	// drizzle-kit reads the same URL, parameters and all, and finds everything applied.
	run(directory, [path.join(tools, 'drizzle-kit/bin.cjs'), 'migrate']);
	assert.strictEqual(run(directory, program), "[ { id: 1, who: 'Ada' }, { id: 2, who: 'Ada' } ]\n");
	assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db']);
});

test('from an empty folder: the install line, the program, the command', (t) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-readme-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	packAll(path.join(directory, 'packages'), { 'linux-x64-gnu': library });
	const install = blocks('sh').map((code) => /^npm install (\.\/packages\/litekeel-\S+ \S+)\n$/.exec(code)?.[1]).find(Boolean);
	// Those that are installed by default: nothing else comes with them, no script runs.
	execFileSync('npm', ['install', ...install.split(' '), '--offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: directory });
	fs.writeFileSync(path.join(directory, 'app.js'), blocks('js')[0]);
	const alone = { ...env };
	delete alone.LITEKEEL_LIBRARY;
	const result = spawnSync(process.execPath, ['app.js'], { cwd: directory, env: alone, encoding: 'utf8' });
	assert.strictEqual(result.stdout + result.stderr, "[ { who: 'Ada' } ] wal\n");
	const manifest = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
	assert.deepStrictEqual(Object.keys(manifest.dependencies), ['@litekeel/linux-x64-gnu', 'litekeel']);
	const doctor = spawnSync('npx', ['litekeel', 'doctor', 'data/app.db'], { cwd: directory, env: alone, encoding: 'utf8' });
	if (fs.existsSync(path.join(path.dirname(library), 'litekeel'))) assert.match(doctor.stdout, /journal_mode/, doctor.stderr);

	// Getting started with Bun and Deno, by the page's own lines; and the same program on Node.
	const page = blocksOf('docs/getting-started.md', fs.readFileSync(path.join(root, 'docs/getting-started.md'), 'utf8')).filter(({ mark }) => mark === 'run by bindings-node/test/readme.test.js');
	assert.deepStrictEqual(page.map(({ language }) => language), ['js', 'sh']);
	fs.writeFileSync(path.join(directory, 'app.mjs'), page[0].code);
	fs.rmSync(path.join(directory, 'data'), { recursive: true });
	const lines = ['node app.mjs', ...page[1].code.trim().split('\n')];
	for (const line of lines) {
		const [name, ...args] = line.split(' ');
		const program = { node: process.execPath, bun: runtimes.bun, deno: runtimes.deno }[name];
		if (!fs.existsSync(program)) {
			assert.notStrictEqual(process.env.CI, 'true', `${program} is missing`);
			t.diagnostic(`skipped: ${line}`);
			continue;
		}
		const said = spawnSync(program, args, { cwd: directory, env: alone, encoding: 'utf8' });
		assert.match(said.stdout, /who: ['"]Ada['"]/, `${line}: ${said.stdout}${said.stderr}`);
		assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db'], line);
	}

	// The overrides as the README says them: one library, under its own name and under better-sqlite3's.
	const overrides = JSON.parse(blocks('json')[0]);
	const file = 'file:./packages/litekeel-better-sqlite3-13.2.0.tgz';
	assert.ok(readme.includes(`\`${file}\``));
	fs.mkdirSync(path.join(directory, 'wants'));
	fs.writeFileSync(path.join(directory, 'wants/package.json'), JSON.stringify({ name: 'wants', version: '1.0.0', dependencies: { 'better-sqlite3': '^12.0.0' } }));
	Object.assign(manifest, { overrides: overrides.overrides });
	Object.assign(manifest.dependencies, { 'better-sqlite3': file, wants: 'file:./wants' });
	fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify(manifest));
	execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: directory });
	const same = spawnSync(process.execPath, ['-p', "require('better-sqlite3') === require('litekeel')"], { cwd: directory, env: alone, encoding: 'utf8' });
	assert.strictEqual(same.stdout, 'true\n', same.stderr);
	assert.ok(!fs.existsSync(path.join(directory, 'wants/node_modules')) && !fs.existsSync(path.join(directory, 'node_modules/wants/node_modules')));
});

test('the message at the top is the one that is printed', (t) => {
	const directory = project(t);
	fs.writeFileSync(path.join(directory, 'import.py'), "import sqlite3, sys\nc = sqlite3.connect('data/app.db', isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()\n");
	fs.writeFileSync(path.join(directory, 'app.js'), `
		const { open } = require('litekeel');
		const db = open('file:data/app.db?busy_timeout=100');
		db.exec('CREATE TABLE visit(who)');
		const child = require('node:child_process').spawn('python3', ['import.py'], { stdio: ['pipe', 'pipe', 'inherit'] });
		child.on('error', () => { console.log('no python3'); db.close(); });
		child.stdout.once('data', () => {
			try { db.exec("INSERT INTO visit VALUES('Ada')"); } catch (error) { console.log(error.message + '\\n→ ' + error.hint); }
			child.stdin.end();
			db.close();
		});`);
	const said = run(directory, ['app.js']);
	if (said === 'no python3\n') {
		assert.notStrictEqual(process.env.CI, 'true', 'python3 is missing');
		return t.skip('python3 is not installed');
	}
	const shape = (text) => text.replace(/waited \d+ ms/, 'waited').replace(/\S+\/data\/app\.db/, 'PATH').replace(/pid \d+/, 'pid').replace(/\(\S*python3?\S* /, '(python3 ').replace(/\s+/g, ' ').trim();
	const shown = readme.split('```text\n')[1].split('```')[0].split('\n').slice(1).map((line) => line.replace(/^litekeel/, '').trim()).join('\n');
	assert.strictEqual(shape(said), shape(shown));
});

test('every link of the README leads somewhere, in the repository and in the package', () => {
	const linked = (text) => [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link).filter((link) => !/^https?:/.test(link));
	const packaged = path.join(ecosystem.directory, 'node_modules/litekeel');
	for (const [directory, least] of [[path.join(__dirname, '../..'), 20], [packaged, 15]]) {
		const links = linked(fs.readFileSync(path.join(directory, 'README.md'), 'utf8'));
		assert.ok(links.length >= least, `${links.length} links in ${directory}`);
		for (const link of links) assert.ok(fs.existsSync(path.join(directory, link)), `${directory}: ${link}`);
	}
	// What is on a registry's site is told here: a reader who is offline, or who has another registry, needs it too.
	const outside = fs.readFileSync(path.join(__dirname, '../../README.md'), 'utf8').match(/https?:\/\/[^\s)`]+/g) ?? [];
	assert.deepStrictEqual(outside.filter((url) => !/^https?:\/\/(?:host|127\.0\.0\.1|localhost)\b/.test(url)), []);
});

test('the commands and the overrides name packages that are packed', () => {
	const { packages } = require('../pack');
	const mentioned = new Set([...readme.matchAll(/npm:(@litekeel\/[\w-]+)/g)].map(([, name]) => name));
	assert.ok(mentioned.size > 0);
	for (const name of mentioned) assert.ok(packages().includes(name), name);
	for (const code of blocks('json')) JSON.parse(code);
});

test('the settings that the README lists are the table\'s', () => {
	const { settings } = require('../settings-types');
	const rows = [...readme.split('## The URL')[1].split('## When')[0].matchAll(/^\| `(\w+)` \| `([^`]+)` \|/gm)];
	assert.ok(rows.length > 4);
	const production = new Map([...fs.readFileSync(path.join(__dirname, '../../docs/settings.md'), 'utf8').split('## Profiles')[1].matchAll(/^\| `(\w+)` \| (\S+) \|/gm)].map(([, key, value]) => [key, value]));
	for (const [, key, fallback] of rows) {
		const row = settings().find((one) => one.key === key);
		assert.ok(row, key);
		assert.strictEqual(fallback, row.fallback || production.get(key), key);
	}
});
