'use strict';
// docs/compatibility.md says of every member of better-sqlite3 how litekeel compares, and what it calls "same" has been
// compared. UPDATE_DOCS=1 writes the table.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const runtimes = require('./runtimes');
require('./prepare')();
const { PAGE, verdicts, members, page } = require('./differential/compatibility');

const folder = path.join(__dirname, 'differential', 'cases');
const cases = fs.readdirSync(folder).sort().map((name) => path.join(folder, name));
const real = runtimes.real(24);
const inNode24 = (args) => JSON.parse(execFileSync(runtimes.node(24), args, { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 120_000, stdio: ['ignore', 'pipe', 'ignore'] }));
const all = inNode24(['-e', `console.log(JSON.stringify(require(${JSON.stringify(require.resolve('./differential/compatibility'))}).members(require(${JSON.stringify(real)}))))`]);

test('every member is called by the cases that compare, and returns at least once', () => {
	const counts = inNode24(['--expose-gc', path.join(__dirname, 'differential', 'coverage.js'), real, '13', ...cases]);
	assert.ok(all.length > 50 && Object.keys(counts).length > 50);
	const uncalled = all.filter((member) => !(counts[member]?.[0] > 0));
	assert.deepStrictEqual(uncalled, []);
});

test('the page has the generated table, and a verdict only for what exists', () => {
	if (process.env.UPDATE_DOCS) fs.writeFileSync(PAGE, page(all));
	assert.strictEqual(fs.readFileSync(PAGE, 'utf8'), page(all), 'docs/compatibility.md is stale: UPDATE_DOCS=1 node --test compatibility.test.js');
	assert.deepStrictEqual(Object.keys(verdicts).filter((member) => !all.includes(member)), []);
});
