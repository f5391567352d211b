'use strict';
// The Node tour does what it says, and its committed migrations are those of its schema.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const ecosystem = require('./ecosystem')();

const TOUR = path.join(__dirname, '..', '..', 'demo', 'node');
const library = require('./library');

/** The tour's own files in a directory beside the installed packages. */
function copy(t) {
	const directory = fs.mkdtempSync(path.join(ecosystem.directory, 'run-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	fs.cpSync(TOUR, directory, { recursive: true, filter: (file) => path.basename(file) !== 'node_modules' });
	return (args) => spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library } });
}

test('the tour runs and says what it promises', (t) => {
	const { status, stdout, stderr } = copy(t)(['tour.js']);
	assert.strictEqual(status, 0, stderr);
	assert.strictEqual(stderr, '');
	for (const promise of [
		/busy_timeout +10000 +url/, /journal_mode +wal +profile/, /example\.org \(paid\): \/, \/about, \/contact/, /SQLITE_CONSTRAINT_FOREIGNKEY/,
		/reading goes on: +4 pages/, /one that gives up: .* names the writer, process \d+, the other one/, /both are there: +505 pages/, /afterwards: 505 pages; nothing of it is left/, /its 503 pages; left: 2 pages/, /write journal_mode=wal/, /before: app\.db, app\.db-shm, app\.db-wal\n {2}after: {2}app\.db\n/,
	]) assert.match(stdout, promise);
	// A loaded machine begins to wait late.
	assert.ok(Number(/one that waits: +([\d.]+) ms/.exec(stdout)[1]) > 10, stdout);
});

test('its migrations are those of its schema', (t) => {
	const { stdout, stderr } = copy(t)([path.join(ecosystem.directory, 'node_modules/drizzle-kit/bin.cjs'), 'generate']);
	assert.match(stdout + stderr, /No schema changes/);
});
