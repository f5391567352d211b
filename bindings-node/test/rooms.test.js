'use strict';
// A file of lib/ requires only files below it: no circle, and the floors of DESIGN.md.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const LIB = path.join(__dirname, '..', 'lib');

/** Each file of lib/ with those that it requires, in a function too. */
function graph() {
	const found = new Map();
	const all = fs.readdirSync(LIB, { recursive: true }).map(String).filter((name) => name.endsWith('.js'));
	for (const name of all) {
		const text = fs.readFileSync(path.join(LIB, name), 'utf8').replaceAll(/^\s*(?:\/\/|\*).*$/gm, '');
		const needs = [...text.matchAll(/require\('(\.[^']*)'\)/g)].map(([, target]) => {
			const base = path.join(path.dirname(name), target);
			return [base, `${base}.js`, path.join(base, 'index.js')].find((file) => all.includes(file));
		});
		found.set(name, needs.filter(Boolean));
	}
	return found;
}

/** A path that comes back to where it began, or null. */
function circle(files) {
	const done = new Set();
	const visit = (name, way) => {
		if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
		if (done.has(name)) return null;
		for (const next of files.get(name) ?? []) {
			const found = visit(next, [...way, name]);
			if (found) return found;
		}
		done.add(name);
		return null;
	};
	for (const name of files.keys()) {
		const found = visit(name, []);
		if (found) return found;
	}
	return null;
}

/** From the top down; a file requires none that stands before it here. */
const ORDER = [
	'index.js', 'database.js', 'open.js', 'prepare.js', 'statement.js', 'iterator.js', 'decoder.js', 'bind.js',
	'statement-cache.js', 'state.js', 'buffer.js', 'native.js', 'locate-library.js',
];

test('no file of lib/ requires one that requires it', () => {
	const files = graph();
	assert.ok(files.size > 30, `only ${files.size} files were found`);
	assert.strictEqual(circle(files)?.join(' → ') ?? null, null);
});

test('the floors of lib/ are kept', () => {
	const files = graph();
	for (const [at, name] of ORDER.entries()) {
		assert.ok(files.has(name), `${name} is gone: adapt the order here, and DESIGN.md`);
		for (const higher of ORDER.slice(0, at)) assert.ok(!files.get(name).includes(higher), `${name} requires ${higher}, which stands above it`);
	}
});

test('a circle is seen', () => {
	assert.deepStrictEqual(circle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]])), ['b', 'c', 'b']);
	assert.strictEqual(circle(new Map([['a', ['b', 'c']], ['b', ['c']], ['c', []]])), null);
});

/** The files that make errors of JavaScript's own whose traces would begin in them. */
const untraced = (texts) => Object.keys(texts).filter((name) => /\bnew (?:TypeError|RangeError)\(/.test(texts[name]) && !/require\('[./]*\/plain-errors'\)/.test(texts[name]));

test('what throws takes its TypeErrors from plain-errors.js, which begins their traces in the file of the caller', () => {
	const texts = Object.fromEntries([...graph().keys()].map((name) => [name, fs.readFileSync(path.join(LIB, name), 'utf8')]));
	assert.deepStrictEqual(untraced(texts), []);
	assert.deepStrictEqual(untraced({ a: "throw new TypeError('x');", b: "const { TypeError } = require('../plain-errors'); throw new TypeError('x');" }), ['a']);
});
