'use strict';
// examples/service: its types fit, its tests pass on this library, drizzle-kit finds nothing to generate, and it serves.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const prepare = require('./prepare');
const runtimes = require('./runtimes');
const { installInto } = require('../pack');

const source = path.join(__dirname, '../../examples/service');
const target = path.join(__dirname, '..', '..', 'target');
const library = require('./library');
const env = { ...process.env, LITEKEEL_LIBRARY: library, NODE_NO_WARNINGS: '1', NO_COLOR: '1' };
delete env.DATABASE_URL;
delete env.NODE_OPTIONS;

/** A copy of the service, installed; litekeel is this repository's, in the place of the tarballs that package.json names. */
function install() {
	const directory = path.join(target, 'example-service');
	fs.mkdirSync(directory, { recursive: true });
	for (const name of fs.readdirSync(directory)) if (name !== 'node_modules') fs.rmSync(path.join(directory, name), { recursive: true });
	fs.cpSync(source, directory, { recursive: true, filter: (from) => path.basename(from) !== 'node_modules' });
	const manifest = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'));
	const dependencies = { ...manifest.dependencies, ...manifest.devDependencies };
	for (const name of ['litekeel', 'better-sqlite3', '@litekeel/linux-x64-gnu']) {
		assert.match(dependencies[name], /^file:\.\.\/\.\.\/packages\//);
		delete dependencies[name];
	}
	fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ ...manifest, dependencies, devDependencies: undefined }));
	prepare(directory, '--ignore-scripts');
	installInto(directory);
	return directory;
}

// vitest and tsx need a newer Node than the module does.
const node = fs.existsSync(runtimes.node(24)) ? runtimes.node(24) : process.execPath;

test('the example service', async (t) => {
	const directory = install();
	const run = (args) => {
		const result = spawnSync(node, args.map((one) => one.replace(/^bin:/, `${directory}/node_modules/`)), { cwd: directory, env, encoding: 'utf8' });
		assert.strictEqual(result.status, 0, result.stdout + result.stderr);
		return result.stdout + result.stderr;
	};
	await t.test('its types fit, services that take a transaction included', () => {
		const checked = spawnSync(path.join(directory, 'node_modules/.bin/tsc'), { cwd: directory, encoding: 'utf8' });
		assert.strictEqual(checked.stdout, '');
		assert.strictEqual(checked.status, 0);
	});
	await t.test('its tests pass', () => {
		assert.match(run(['bin:vitest/vitest.mjs', 'run']), /Tests\s+5 passed/);
	});
	await t.test('a connection left open fails them', () => {
		const file = path.join(directory, 'test/leaks.test.ts');
		fs.writeFileSync(file, "import { open } from 'litekeel';\nimport { test } from 'vitest';\ntest('leaks', () => void open(':memory:'));\n");
		const result = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', 'test/leaks.test.ts'], { cwd: directory, env, encoding: 'utf8' });
		fs.rmSync(file);
		assert.strictEqual(result.status, 1);
		assert.match(result.stdout + result.stderr, /KEEL_LEAK|leaks\.test\.ts:3/);
	});
	await t.test('its migrations are those of its schema', () => {
		env.DATABASE_URL = 'file:data/app.db';
		assert.match(run(['bin:drizzle-kit/bin.cjs', 'generate']), /No schema changes/);
	});
	await t.test('it serves, and leaves no -wal when it is told to end', async () => {
		const child = spawn(node, ['--import', 'tsx', 'src/server.ts'], { cwd: directory, env: { ...env, PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'] });
		const said = [];
		child.stdout.on('data', (data) => said.push(data));
		child.stderr.on('data', (data) => said.push(data));
		const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
		let port;
		while (!port && child.exitCode === null) {
			await new Promise((resolve) => setTimeout(resolve, 20));
			port = /listening on (\d+)/.exec(said.join(''))?.[1];
		}
		assert.ok(port, said.join(''));
		const answer = await fetch(`http://127.0.0.1:${port}/health`);
		assert.deepStrictEqual([answer.status, await answer.json()], [200, { ok: true }]);
		child.kill('SIGTERM');
		assert.deepStrictEqual(await ended, { code: 0, signal: null }, said.join(''));
		assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db']);
	});
});
