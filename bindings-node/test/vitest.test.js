'use strict';
// A test that leaves a connection open fails, whichever way vitest runs its files; one that closes it does not, whenever.
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
	// Inside the ecosystem, so that vitest is found.
	project = fs.realpathSync(fs.mkdtempSync(path.join(ecosystem.directory, 'vitest-')));
	installInto(project);
	fs.writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }');
	const file = (name, body) => fs.writeFileSync(path.join(project, name), `import { afterAll, expect, test } from 'vitest';\nimport Database, { open } from 'litekeel';\n${body}`);
	file('good.test.js', "const db = open('file:good.db');\nafterAll(() => { db.close(); });\ntest('works', () => { expect(db.prepare('SELECT 1 AS a').get()).toStrictEqual({ a: 1 }); const other = new Database(':memory:'); other.close(); });\n");
	file('tuned.test.js', "test('leaks', () => { globalThis.kept = open('file:tuned.db').exec('CREATE TABLE IF NOT EXISTS t(a)'); });\n");
	file('plain.test.js', "test('leaks too', () => { globalThis.kept = new Database('plain.db'); });\n");
});
after(() => fs.rmSync(project, { recursive: true, force: true }));

const run = (setup, pool, ...files) => {
	fs.writeFileSync(path.join(project, 'vitest.config.js'), `export default { test: { ${setup ? "setupFiles: ['litekeel/vitest'], " : ''}pool: '${pool}', fileParallelism: ${pool === 'threads'}, environment: 'node' } };\n`);
	const { status, stdout, stderr } = spawnSync(runtimes.node(24), [path.join(ecosystem.directory, 'node_modules/vitest/vitest.mjs'), 'run', '--no-color', ...files], {
		cwd: project, env: { ...process.env, LITEKEEL_LIBRARY: library, LITEKEEL_PROFILE: undefined, DATABASE_URL: '' }, encoding: 'utf8', timeout: 120_000,
	});
	return { status, said: stdout + stderr };
};

for (const pool of ['forks', 'threads']) {
	test(`pool ${pool}: the leaks are named, the others pass`, () => {
		const { status, said } = run(true, pool);
		assert.strictEqual(status, 1, said);
		for (const [name, database] of [['tuned', 'tuned.db'], ['plain', 'plain.db']]) {
			assert.match(said, new RegExp(`FAIL\\s+${name}\\.test\\.js`), said);
			assert.match(said, new RegExp(`KeelError: 1 connection\\(s\\) not closed: \\S*${database}, opened at \\S*${name}\\.test\\.js:`), said);
		}
		assert.doesNotMatch(said, /FAIL\s+good\.test\.js/);
	});

	test(`pool ${pool}: without a leak all is well`, () => {
		const { status, said } = run(true, pool, 'good.test.js');
		assert.strictEqual(status, 0, said);
	});
}

test('the control: without the set-up file vitest is content', () => {
	const { status, said } = run(false, 'forks', 'plain.test.js');
	assert.strictEqual(status, 0, said);
});

test('profile=test: what is left open is closed when the runner ends the process by SIGTERM', () => {
	fs.writeFileSync(path.join(project, 'profile.test.js'), "import { test } from 'vitest';\nimport { open } from 'litekeel';\ntest('leaks', () => { open('file:profile.db?profile=test').exec('CREATE TABLE t(a)'); });\n");
	run(false, 'forks', 'profile.test.js');
	assert.deepStrictEqual(fs.readdirSync(project).filter((name) => name.startsWith('profile.db')), ['profile.db']);
});
