'use strict';
// Nobody's property of all objects or arrays changes what the module gives, or breaks it: a getter, a setter, and a value
// that cannot be assigned, under every name that the module uses and at every place of an array.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const runtimes = require('./runtimes');
const scripts = require('./pollution');
const traps = require('./pollution-traps');
const temporary = require('./temporary');
require('./prepare')();

/** In so many at once, which is quicker; what fails is tried one by one. */
const TOGETHER = 12;

/** But for how long it took. */
const timeless = (text) => (typeof text === 'string' ? text.replace(/\b[\d.]+ (m?s)\b/g, 'some $1') : text);

/** Results as they can be compared: an error by all that it tells. */
const comparable = (results) => results.map(({ name, value }) => (value instanceof Error
	? [name, Object.getPrototypeOf(value).constructor.name, timeless(value.message), Object.keys(value).sort(), value.code, timeless(value.hint)]
	: [name, value]));

function trapped(list, kind, fn) {
	const end = traps.set(list, kind);
	let result;
	try {
		result = fn();
	} catch (error) {
		end();
		throw error;
	}
	if (typeof result?.then !== 'function') {
		end();
		return result;
	}
	return result.finally(end);
}

const places = (prototype, count) => Array.from({ length: count }, (_, at) => [prototype, at]);
const NAMES = traps.names((file) => !file.startsWith('drizzle')).map((name) => [Object.prototype, name]);

/** The traps that change what `run` gives, each with what is different. */
async function different(list, kind, run, expected) {
	traps.called();
	let problem = null;
	try {
		assert.deepStrictEqual(comparable(await trapped(list, kind, run)), expected);
		const called = traps.called();
		if (called > 0) problem = `a setter was called ${called} times`;
	} catch (error) {
		problem = error.stack;
	}
	if (problem === null) return [];
	if (list.length === 1) return [`${kind} as ${list[0][0] === Object.prototype ? 'Object' : 'Array'}.prototype[${list[0][1]}]: ${problem}`];
	const found = [];
	for (const trap of list) found.push(...await different([trap], kind, run, expected));
	return found.length > 0 ? found : [`${kind}, only together: ${list.map(([, key]) => key)}: ${problem}`];
}

async function everywhere(groups, run) {
	await run();
	const expected = comparable(await run());
	assert.deepStrictEqual(comparable(await run()), expected, 'it gives the same twice');
	const found = [];
	for (const kind of Object.keys(traps.KINDS)) for (const list of groups) found.push(...await different(list, kind, run, expected));
	return found;
}

const grouped = (list) => Array.from({ length: Math.ceil(list.length / TOGETHER) }, (_, at) => list.slice(at * TOGETHER, (at + 1) * TOGETHER));

test('what needs no turn of the event loop is the same, whatever all objects and arrays have', async () => {
	// One place after the other: from each of them on an array is another one.
	const single = [...places(Array.prototype, 10), [Array.prototype, 77], ...places(Object.prototype, 3)].map((trap) => [trap]);
	const found = await everywhere([...single, ...grouped(NAMES)], () => scripts.sync(litekeel, true));
	assert.deepStrictEqual(found, []);
});

test('what needs a file and turns of the event loop is the same, whatever all objects have', async (t) => {
	// Not their elements: Node's own hooks of promises break then.
	const directory = temporary(t);
	const found = await everywhere(grouped(NAMES.filter(([, name]) => !NODE.includes(name))), async () => {
		fs.readdirSync(directory).forEach((name) => fs.rmSync(path.join(directory, name)));
		return scripts.async(litekeel, directory, true);
	});
	assert.deepStrictEqual(found, []);
});
/** Fields that Node's own objects (of `fs.stat`, of system errors) assign. */
const NODE = ['dev', 'ino', 'mode', 'size', 'code', 'path'];

test('the control: what is assigned is found', async () => {
	const run = () => {
		const list = [];
		list[0] = 1;
		const object = {};
		object.first = 2;
		return [{ name: 'both', value: [list, object] }];
	};
	const found = await everywhere(grouped([[Array.prototype, 0], [Object.prototype, 'first'], [Object.prototype, 'second']]), run);
	assert.strictEqual(found.length, 6, found.join('\n'));
	assert.ok(found.every((text) => !text.includes('second')), found.join('\n'));
});

test('without them the same comes as from better-sqlite3 13, but for hints', () => {
	const program = `
		const scripts = require(${JSON.stringify(require.resolve('./pollution'))});
		const told = (results) => results.map(({ name, value }) => (value instanceof Error ? [name, value.constructor.name, value.message, value.code] : [name, value]));
		require('assert').deepStrictEqual(told(scripts.sync(require(${JSON.stringify(path.join(__dirname, '..'))}), false)), told(scripts.sync(require(${JSON.stringify(runtimes.real(24))}), false)));`;
	const { status, stderr } = spawnSync(runtimes.node(24), ['-e', program], { encoding: 'utf8' });
	assert.strictEqual(status, 0, stderr);
});
