'use strict';
// What the tests install with has a home, also where the user has none.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const temporary = require('./temporary');

test('a user without a home gets one under target/, and any other keeps theirs', (t) => {
	const home = (HOME) => {
		const { status, stdout, stderr } = spawnSync(process.execPath, ['-p', `require(${JSON.stringify(require.resolve('./prepare'))}); process.env.HOME`], { env: { ...process.env, HOME }, encoding: 'utf8' });
		assert.strictEqual(status, 0, stderr);
		return stdout.trim();
	};
	const own = temporary(t);
	assert.strictEqual(home(own), own);
	assert.strictEqual(home(path.join(own, 'is not there')), path.join(__dirname, '..', '..', 'target', 'home'));
});
