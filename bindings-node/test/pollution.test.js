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
const temporary = require('./temporary');
require('./prepare')();

/** Leaving an iterator early looks for this one, in JavaScript itself: `const [first] = list` does. */
const LANGUAGE = ['return'];
/** In so many at once, which is quicker; what fails is tried one by one. */
const TOGETHER = 12;

/** What the sources use as the name of a property. */
function names() {
	const found = new Set();
	const root = path.join(__dirname, '../lib');
	for (const file of fs.readdirSync(root, { recursive: true })) {
		if (!file.endsWith('.js') || file.startsWith('drizzle')) continue;
		const source = fs.readFileSync(path.join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');
		for (const [, ...name] of source.matchAll(/\.(\w+)|(\w+):|[{,]\s*(\w+)(?=\s*[,}])/g)) found.add(name.find(Boolean));
	}
	return [...found].filter((name) => !(name in Object.prototype) && !/^\d/.test(name) && !LANGUAGE.includes(name)).sort();
}

let called = 0;
const KINDS = {
	'a setter': () => ({ get() { return undefined; }, set() { called += 1; } }),
	'a getter that gives something': () => ({ get() { return 'not yours'; }, set() { called += 1; } }),
	'a value that cannot be assigned': () => ({ value: 'not yours', writable: false }),
};

/** But for how long it took. */
const timeless = (text) => (typeof text === 'string' ? text.replace(/\b[\d.]+ (m?s)\b/g, 'some $1') : text);

/** Results as they can be compared: an error by all that it tells. */
const comparable = (results) => results.map(({ name, value }) => (value instanceof Error
	? [name, Object.getPrototypeOf(value).constructor.name, timeless(value.message), Object.keys(value).sort(), value.code, timeless(value.hint)]
	: [name, value]));

function trapped(traps, kind, fn) {
	const set = () => { for (let at = 0; at < traps.length; at++) { const [prototype, key] = traps[at]; Object.defineProperty(prototype, key, { __proto__: null, configurable: true, ...{ __proto__: null, ...KINDS[kind]() } }); } };
	const end = () => { for (let at = 0; at < traps.length; at++) { const [prototype, key] = traps[at]; delete prototype[key]; } };
	set();
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
const NAMES = names().map((name) => [Object.prototype, name]);

/** The traps that change what `run` gives, each with what is different. */
async function different(traps, kind, run, expected) {
	called = 0;
	let problem = null;
	try {
		assert.deepStrictEqual(comparable(await trapped(traps, kind, run)), expected);
		if (called > 0) problem = `a setter was called ${called} times`;
	} catch (error) {
		problem = error.stack;
	}
	if (problem === null) return [];
	if (traps.length === 1) return [`${kind} as ${traps[0][0] === Object.prototype ? 'Object' : 'Array'}.prototype[${traps[0][1]}]: ${problem}`];
	const found = [];
	for (const trap of traps) found.push(...await different([trap], kind, run, expected));
	return found.length > 0 ? found : [`${kind}, only together: ${traps.map(([, key]) => key)}: ${problem}`];
}

async function everywhere(groups, run) {
	await run();
	const expected = comparable(await run());
	assert.deepStrictEqual(comparable(await run()), expected, 'it gives the same twice');
	const found = [];
	for (const kind of Object.keys(KINDS)) for (const traps of groups) found.push(...await different(traps, kind, run, expected));
	return found;
}

const grouped = (traps) => Array.from({ length: Math.ceil(traps.length / TOGETHER) }, (_, at) => traps.slice(at * TOGETHER, (at + 1) * TOGETHER));

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
