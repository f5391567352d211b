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
/** With these most versions of Node themselves load no file: they come by themselves, as they would hide what they come with. */
const NODE = ['extensions', 'id', 'name', 'path', 'resolve', 'signal'];

const library = require('./library');
const sources = fs.readdirSync(path.join(__dirname, '../lib'), { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => fs.readFileSync(path.join(__dirname, '../lib', name), 'utf8')).join('\n');
/** What is loaded before: the runtime's own parts, and Drizzle's. */
const runtime = [...new Set([...sources.matchAll(/require\('(node:[\w/]+)'\)/g)].map(([, name]) => name))];

function loaded(names, kind) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(__dirname, 'pollution-loading.js'), JSON.stringify({ names, kind, runtime })], { encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library } });
	return status === 0 ? stdout : `status ${status}: ${stderr}`;
}

/** Whether a process fails that loads `what` among objects that have this property. */
function fails(name, kind, what) {
	const program = `const traps = require(${JSON.stringify(require.resolve('./pollution-traps'))}); traps.set([[Object.prototype, ${JSON.stringify(name)}]], ${JSON.stringify(kind)}); require(${JSON.stringify(what)});`;
	return spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' }).status !== 0;
}

/** A package of two files that needs no more than Node: with what it cannot be loaded, nothing can. Each version of Node has its own. */
function ordinary(t) {
	const directory = temporary(t);
	fs.writeFileSync(path.join(directory, 'index.js'), "'use strict'; require('./part'); require('node:diagnostics_channel').channel('sqlite.db.query');");
	fs.writeFileSync(path.join(directory, 'part.js'), "'use strict';");
	return directory;
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
	test(`it loads whatever all objects have: ${kind}`, (t) => {
		const names = traps.names().filter((name) => !NODE.includes(name));
		const groups = [NODE];
		for (let at = 0; at < names.length; at += TOGETHER) groups.push(names.slice(at, at + TOGETHER));
		const control = ordinary(t);
		const found = [];
		const left = [];
		for (const together of groups) {
			if (loaded(together, kind) === expected) continue;
			const alone = together.map((name) => [name, loaded([name], kind)]).filter(([, told]) => told !== expected);
			for (const [name, told] of alone) (fails(name, kind, control) ? left : found).push([name, difference(told)]);
			const rest = together.filter((name) => !alone.some(([other]) => other === name));
			if (loaded(rest, kind) !== expected) found.push([rest, 'only together']);
		}
		assert.deepStrictEqual(found, []);
		assert.ok(left.length < 20, `${left.map(([name]) => name)} cannot be told from Node's own`);
	});
}

test('the control: an assignment to the exports of a file is found, and an ordinary package does load', (t) => {
	const file = path.join(temporary(t), 'assigns.js');
	fs.writeFileSync(file, "exports.assigned = 1; if (!Object.hasOwn(exports, 'assigned')) throw new Error('it is lost');");
	const control = ordinary(t);
	for (const kind of Object.keys(traps.KINDS)) assert.deepStrictEqual([fails('assigned', kind, file), fails('others', kind, file), fails('assigned', kind, control)], [true, false, false], kind);
});
