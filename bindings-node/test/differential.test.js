'use strict';
// One script, two implementations: what better-sqlite3 answers is what litekeel has to answer, errors included.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const runtimes = require('./runtimes');
require('./prepare')();

const folder = path.join(__dirname, 'differential', 'cases');
const cases = fs.readdirSync(folder).sort().map((name) => path.join(folder, name));
const tracer = path.join(__dirname, 'differential', 'trace.js');
const accepted = require('./differential/accepted');

const trace = (major, module) => JSON.parse(execFileSync(
	runtimes.node(major), ['--expose-gc', tracer, module, String(runtimes.realMajor(major)), ...cases],
	{ encoding: 'utf8', maxBuffer: 1 << 28, timeout: 300_000 },
));

for (const major of runtimes.majors) {
	test(`Node ${major}: same as better-sqlite3 ${runtimes.realMajor(major)}`, async (t) => {
		const expected = trace(major, runtimes.real(major));
		const actual = trace(major, runtimes.ours(major));
		let observations = 0;
		for (const name of Object.keys(expected)) {
			await t.test(name, () => {
				assert.ok(expected[name].length > 0, 'the case observes nothing');
				observations += expected[name].length;
				const known = accepted(name, runtimes.realMajor(major));
				assert.deepStrictEqual(actual[name].filter((line) => !known(line)), expected[name].filter((line) => !known(line)));
			});
		}
		t.diagnostic(`${observations} observations`);
	});
}
