'use strict';
// What somebody may have put into the prototypes of all objects and arrays, and under which names the module could meet it.
const fs = require('node:fs');
const path = require('node:path');

/** Leaving an iterator early looks for this one, in JavaScript itself: `const [first] = list` does. */
const LANGUAGE = ['return'];
const LIB = path.join(__dirname, '../lib');

/** What the sources, or those that `chosen` takes, use as the name of a property. */
exports.names = (chosen = () => true) => {
	const found = new Set();
	for (const file of fs.readdirSync(LIB, { recursive: true })) {
		if (!file.endsWith('.js') || !chosen(file)) continue;
		const source = fs.readFileSync(path.join(LIB, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');
		for (const [, ...name] of source.matchAll(/\.(\w+)|(\w+):|[{,]\s*(\w+)(?=\s*[,}])/g)) found.add(name.find(Boolean));
	}
	return [...found].filter((name) => !(name in Object.prototype) && !/^\d/.test(name) && !LANGUAGE.includes(name)).sort();
};

let called = 0;
/** How often a setter of these was called, since it was asked last. */
exports.called = () => { const count = called; called = 0; return count; };

exports.KINDS = {
	__proto__: null,
	'a setter': () => ({ get() { return undefined; }, set() { called += 1; } }),
	'a getter that gives something': () => ({ get() { return 'not yours'; }, set() { called += 1; } }),
	'a value that cannot be assigned': () => ({ value: 'not yours', writable: false }),
};

/** Sets `traps`, a list of `[prototype, key]`; the result takes them away again. */
exports.set = (traps, kind) => {
	for (let at = 0; at < traps.length; at++) {
		const [prototype, key] = traps[at];
		Object.defineProperty(prototype, key, { __proto__: null, configurable: true, ...{ __proto__: null, ...exports.KINDS[kind]() } });
	}
	return () => { for (let at = 0; at < traps.length; at++) { const [prototype, key] = traps[at]; delete prototype[key]; } };
};
