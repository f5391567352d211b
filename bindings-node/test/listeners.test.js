'use strict';
// What a listener of an event throws is an uncaught exception, as with any EventEmitter, and the others are called.
const test = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const temporary = require('./temporary');

const program = (rest) => `
	const db = require(${JSON.stringify(path.join(__dirname, '../lib'))}).open('file:a.db');
	db.exec('CREATE TABLE t(a)');
	db.on('checkpointed', () => { throw new Error('on purpose'); });
	db.on('checkpointed', () => console.log('second'));
	${rest}
	db.checkpoint('truncate');
	setTimeout(() => db.close(), 300);`;

test('a listener that throws ends the process, or is caught as any other', (t) => {
	const run = (rest) => spawnSync(process.execPath, ['-e', program(rest)], { encoding: 'utf8', cwd: temporary(t) });
	const uncaught = run('');
	assert.notStrictEqual(uncaught.status, 0, uncaught.stderr);
	assert.match(uncaught.stderr, /on purpose/);
	const caught = run("process.on('uncaughtException', (error) => console.log('caught', error.message));");
	assert.strictEqual(caught.status, 0, caught.stderr);
	assert.match(caught.stdout, /second/);
	assert.match(caught.stdout, /caught on purpose/);
	assert.doesNotMatch(caught.stderr, /DEP0168/);
});
