'use strict';
// The module loads, and offers all that it has, whatever somebody has put into the prototype of all objects before.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const traps = require('./pollution-traps');
const temporary = require('./temporary');
require('./prepare')();
require('./ecosystem')();

/** So many at once in a process. */
const TOGETHER = 64;
/** With these Node itself loads no file, or none of its own modules: the control below shows it. */
const NODE = ['extensions', 'id', 'name', 'path', 'resolve', 'signal'];

const library = require('./library');
const sources = fs.readdirSync(path.join(__dirname, '../lib'), { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => fs.readFileSync(path.join(__dirname, '../lib', name), 'utf8')).join('\n');
/** What is loaded before: the runtime's own parts, and Drizzle's. */
const runtime = [...new Set([...sources.matchAll(/require\('(node:[\w/]+)'\)/g)].map(([, name]) => name))];

function loaded(names, kind) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(__dirname, 'pollution-loading.js'), JSON.stringify({ names, kind, runtime })], { encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library } });
	return status === 0 ? stdout : `status ${status}: ${stderr}`;
}

/** The first place where one is not as expected. */
function difference(told) {
	const at = [...told].findIndex((letter, index) => letter !== expected[index]);
	return told.startsWith('status') ? told.slice(0, 500) : `… ${told.slice(Math.max(0, at - 200), at + 200)} …`;
}

const [NO_TRAP] = Object.keys(traps.KINDS);
const expected = loaded([], NO_TRAP);

test('without anything it loads', () => {
	const { offered, made, row } = JSON.parse(expected);
	assert.ok(offered.length > 40, `${offered.length} files`);
	assert.deepStrictEqual([row, made.length], [{ a: 1, b: 'x' }, 2]);
});

for (const kind of Object.keys(traps.KINDS)) {
	test(`it loads whatever all objects have: ${kind}`, () => {
		const names = traps.names().filter((name) => !NODE.includes(name));
		const found = [];
		for (let at = 0; at < names.length; at += TOGETHER) {
			const together = names.slice(at, at + TOGETHER);
			if (loaded(together, kind) === expected) continue;
			const alone = together.map((name) => [name, loaded([name], kind)]).filter(([, told]) => told !== expected).map(([name, told]) => [name, difference(told)]);
			found.push(...(alone.length > 0 ? alone : [[together, 'only together']]));
		}
		assert.deepStrictEqual(found, []);
	});
}

test('the control: an assignment to the exports of a file is found, and what is left out fails without litekeel', (t) => {
	const directory = temporary(t);
	const [file, other] = ['assigns.js', 'index.js'].map((name) => path.join(directory, name));
	fs.writeFileSync(file, "exports.assigned = 1; if (!Object.hasOwn(exports, 'assigned')) throw new Error('it is lost');");
	fs.writeFileSync(other, "'use strict'; require('node:diagnostics_channel').channel('sqlite.db.query');");
	const fails = (name, kind, what) => {
		const program = `const traps = require(${JSON.stringify(require.resolve('./pollution-traps'))}); traps.set([[Object.prototype, ${JSON.stringify(name)}]], ${JSON.stringify(kind)}); require(${JSON.stringify(what)});`;
		return spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' }).status !== 0;
	};
	for (const kind of Object.keys(traps.KINDS)) assert.deepStrictEqual([fails('assigned', kind, file), fails('others', kind, file)], [true, false], kind);
	for (const name of NODE) assert.ok(Object.keys(traps.KINDS).some((kind) => fails(name, kind, path.dirname(other))), name);
});
