'use strict';
// What people put on better-sqlite3, on litekeel instead: each script is a round trip (tables, inserts, joins, rollback,
// errors by name, cascade) and ends by asserting that no other SQLite was in the process.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const runtimes = require('./runtimes');
const ecosystem = require('./ecosystem')();

const library = require('./library');

function roundTrip(name, { project = ecosystem.directory, script = path.join('orm', `${name}.mjs`), majors = [24] } = {}) {
	for (const major of majors) {
		test(`${name} on Node ${major}`, (t) => {
			const directory = fs.mkdtempSync(path.join(project, 'run-'));
			t.after(() => fs.rmSync(directory, { recursive: true }));
			const { status, stdout, stderr } = spawnSync(runtimes.node(major), ['--no-warnings', path.join(ecosystem.directory, script)], { cwd: directory, encoding: 'utf8', timeout: 120_000, env: { ...process.env, LITEKEEL_LIBRARY: library } });
			assert.strictEqual(status, 0, stdout + stderr);
			assert.match(stdout, /on litekeel\n$/);
		});
	}
}

roundTrip('drizzle', { majors: [20, 24] });
roundTrip('drizzle 1', { project: ecosystem.next, script: 'drizzle-1/drizzle.mjs', majors: [20, 24] });
roundTrip('drizzle-async', { majors: [20, 24] });
roundTrip('drizzle-async 1', { project: ecosystem.next, script: 'drizzle-1/drizzle-async.mjs' });
roundTrip('migrate');
roundTrip('migrate-together');
roundTrip('migrate-together 1', { project: ecosystem.next, script: 'drizzle-1/migrate-together.mjs' });
roundTrip('drizzle-kit');
roundTrip('drizzle-kit 1', { project: ecosystem.next, script: 'orm/drizzle-kit.mjs' });
roundTrip('kysely');
roundTrip('knex');
roundTrip('typeorm');
roundTrip('mikro-orm');
roundTrip('prisma');
roundTrip('db0');

test('the closing assertion does notice another SQLite', (t) => {
	const directory = fs.mkdtempSync(path.join(ecosystem.directory, 'run-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	fs.mkdirSync(path.join(directory, 'node_modules'));
	for (const name of ['better-sqlite3', 'litekeel']) fs.symlinkSync(runtimes.real(24), path.join(directory, 'node_modules', name));
	fs.writeFileSync(path.join(directory, 'main.mjs'), "import Database from 'better-sqlite3';\nimport { assertOnLitekeel } from '../orm/on-litekeel.mjs';\nnew Database(':memory:').close();\nassertOnLitekeel();\n");
	const { status, stderr } = spawnSync(runtimes.node(24), ['main.mjs'], { cwd: directory, encoding: 'utf8' });
	assert.strictEqual(status, 1);
	assert.match(stderr, /AssertionError/);
});
