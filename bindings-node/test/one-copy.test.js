'use strict';
// Whichever host loads litekeel first, Node joins it: a second file would be a second copy of SQLite.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { library } = require('../lib/native.js');

const linux = { skip: process.platform !== 'linux' };
const PROGRAM = `
	const native = require(${JSON.stringify(path.join(__dirname, '../lib/native.js'))});
	const maps = require('fs').readFileSync('/proc/self/maps', 'utf8');
	const files = new Set(maps.split('\\n').filter((row) => /liblitekeel/.test(row)).map((row) => row.slice(row.indexOf('/'))));
	console.log(JSON.stringify([native.library, ...files]));`;

function run(preload) {
	return spawnSync(process.execPath, ['-e', PROGRAM], {
		encoding: 'utf8',
		env: { ...process.env, LITEKEEL_LIBRARY: library, LD_PRELOAD: preload },
	});
}

test('Node joins the copy that was loaded first', linux, () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-copy-'));
	const other = path.join(dir, 'liblitekeel.so.0');
	fs.copyFileSync(library, other);
	const { stdout, stderr, status } = run(other);
	assert.strictEqual(status, 0, stderr);
	assert.deepStrictEqual(JSON.parse(stdout), [other, other]);
	fs.rmSync(dir, { recursive: true });
});

test('alone, it loads the file it was told to', linux, () => {
	const { stdout, stderr, status } = run('');
	assert.strictEqual(status, 0, stderr);
	assert.deepStrictEqual(JSON.parse(stdout).slice(1), [fs.realpathSync(library)]);
});
