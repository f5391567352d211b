'use strict';
// Any value as any argument of any method: it may throw, but neither abort the process nor hang it.
// SEED repeats a run; CALLS is how many calls each kind of object gets (default 4000).
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const runtimes = require('./runtimes');
const temporary = require('./temporary');

const SEED = Number(process.env.SEED) || (Date.now() % 2 ** 31);
const CALLS = Number(process.env.CALLS) || 4000;
const PROGRAM = path.join(__dirname, 'fuzz', 'calls.js');

for (const major of runtimes.majors) {
	test(`Node ${major}: any value as any argument (SEED=${SEED})`, (t) => {
		const { status, signal, stdout, stderr } = spawnSync(runtimes.node(major), ['--expose-gc', PROGRAM, String(SEED), String(CALLS)], { cwd: temporary(t), encoding: 'utf8', timeout: 240_000, maxBuffer: 1 << 28 });
		assert.strictEqual(signal, null, stderr.slice(-2000));
		assert.strictEqual(status, 0, `${stdout.slice(-1000)}\n${stderr.slice(-2000)}`);
		const { calls, returned, kinds } = JSON.parse(stdout.trim().split('\n').pop());
		t.diagnostic(`${calls} calls, of which ${returned} returned; errors: ${kinds.join(', ')}`);
		// A generator that is refused everywhere would prove nothing.
		assert.ok(returned > calls / 20 && kinds.length > 3);
	});
}
