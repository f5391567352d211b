'use strict';
// Under the fake timers of jest and vitest everything that waits goes on: transactions, reads, backups, waits for locks.
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { installInto } = require('../pack');
const runtimes = require('./runtimes');
const ecosystem = require('./ecosystem')();
require('./prepare')();

const library = require('./library');

let project;
before(() => {
	// Inside the ecosystem, so that the runners are found.
	project = fs.realpathSync(fs.mkdtempSync(path.join(ecosystem.directory, 'runner-')));
	installInto(project);
	fs.copyFileSync(path.join(ecosystem.directory, 'waiting.js'), path.join(project, 'waiting.js'));
	fs.writeFileSync(path.join(project, 'package.json'), '{ "jest": { "testMatch": ["**/*.jest.js"] } }');
	fs.writeFileSync(path.join(project, 'timers.jest.js'), `
		const waiting = require('./waiting');
		const fakes = { 'all of them': () => jest.useFakeTimers(), 'the old ones': () => jest.useFakeTimers({ legacyFakeTimers: true }) };
		for (const [which, fake] of Object.entries(fakes)) for (const when of ['before', 'after']) {
			test(which + ', loaded ' + when, async () => {
				jest.resetModules();
				try { expect(await waiting(fake, { [when]: () => require('litekeel') })).toBe(waiting.EXPECTED); } finally { jest.useRealTimers(); }
			}, 60_000);
		}
		test('the control: they stand still', async () => {
			jest.useFakeTimers();
			let called = false;
			setTimeout(() => { called = true; }, 1);
			await new Promise((resolve) => { require('fs').stat('.', resolve); });
			await new Promise((resolve) => { require('child_process').exec('sleep 0.1', resolve); });
			jest.useRealTimers();
			expect(called).toBe(false);
		});`);
	fs.writeFileSync(path.join(project, 'vitest.config.mjs'), "export default { test: { include: ['*.vitest.mjs'] } };\n");
	fs.writeFileSync(path.join(project, 'timers.vitest.mjs'), `
		import { expect, test, vi } from 'vitest';
		import { createRequire } from 'node:module';
		const require = createRequire(import.meta.url);
		const waiting = require('./waiting.js');
		const all = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance', 'hrtime'];
		for (const options of [undefined, { toFake: all }]) test('with ' + JSON.stringify(options), async () => {
			try { expect(await waiting(() => vi.useFakeTimers(options), { before: true })).toBe(waiting.EXPECTED); } finally { vi.useRealTimers(); }
		}, 60_000);`);
});
after(() => fs.rmSync(project, { recursive: true, force: true }));

const run = (...words) => spawnSync(runtimes.node(24), words, { cwd: project, env: { ...process.env, LITEKEEL_LIBRARY: library, LITEKEEL_PROFILE: undefined, DATABASE_URL: '' }, encoding: 'utf8', timeout: 240_000 });

test('jest', () => {
	const { status, stdout, stderr } = run(path.join(ecosystem.directory, 'node_modules/jest/bin/jest.js'), '--rootDir', project);
	assert.strictEqual(status, 0, stdout + stderr);
	assert.match(stderr, /Tests: +5 passed, 5 total/);
});

test('vitest', () => {
	const { status, stdout, stderr } = run(path.join(ecosystem.directory, 'node_modules/vitest/vitest.mjs'), 'run', '--no-color');
	assert.strictEqual(status, 0, stdout + stderr);
	assert.match(stdout, /Tests +2 passed \(2\)/);
});
