'use strict';
// The README's Node program runs as it stands there.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

test('the Node program of the README runs', () => {
	const readme = fs.readFileSync(path.join(__dirname, '../../README.md'), 'utf8');
	const code = readme.split('```js\n')[1].split('```')[0];
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-readme-'));
	fs.mkdirSync(path.join(dir, 'node_modules'));
	fs.symlinkSync(path.join(__dirname, '..'), path.join(dir, 'node_modules/litekeel'));
	fs.writeFileSync(path.join(dir, 'app.js'), code);
	const { status, stdout, stderr } = spawnSync(process.execPath, ['app.js'], { cwd: dir, encoding: 'utf8' });
	assert.strictEqual(status, 0, stderr);
	assert.match(stdout, /^wal 5000\n/);
	assert.match(stdout, /Ada/);
	assert.deepStrictEqual(fs.readdirSync(path.join(dir, 'data')), ['app.db']);
	fs.rmSync(dir, { recursive: true });
});
