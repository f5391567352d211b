'use strict';
// node coverage.js <module> <major> <file of cases>…: prints {member: [calls that returned, calls that threw]} of one run of
// the cases. Members are `Class.method`, and `Class.method {option}` for what stands in an options object.
const path = require('node:path');
const fs = require('node:fs');
const os = require('node:os');
const { Observer } = require('./observe');

const [modulePath, major, ...files] = process.argv.slice(2);
const Real = require(modulePath);
const counts = {};

function count(member, args, returned) {
	const names = [member];
	for (const arg of args) {
		if (typeof arg !== 'object' || arg === null || Object.getPrototypeOf(arg) !== Object.prototype) continue;
		for (const key of Object.keys(arg)) names.push(`${member} {${key}}`);
	}
	for (const name of names) {
		counts[name] ??= [0, 0];
		counts[name][returned ? 0 : 1] += 1;
	}
}
const watched = (member, fn) => function watch(...args) {
	let returned = false;
	try {
		const value = Reflect.apply(fn, this, args);
		returned = true;
		return value;
	} finally {
		count(member, args, returned);
	}
};
function watchClass(name, prototype) {
	for (const key of Reflect.ownKeys(prototype)) {
		const property = Object.getOwnPropertyDescriptor(prototype, key);
		if (key === 'constructor' || typeof property.value !== 'function' || property.value === Real) continue;
		Object.defineProperty(prototype, key, { ...property, value: watched(`${name}.${String(key)}`, property.value) });
	}
}
const sample = new Real(':memory:');
const statement = sample.prepare('SELECT 1');
const iterator = statement.iterate();
watchClass('Iterator', Object.getPrototypeOf(iterator));
iterator.return();
watchClass('Statement', Object.getPrototypeOf(statement));
const { transaction } = Real.prototype;
watchClass('Database', Real.prototype);
Real.prototype.transaction = watched('Database.transaction', function watchVariants(fn) {
	const made = transaction.call(this, fn);
	// The variants are not writable, so they are counted by looking at them.
	return new Proxy(made, { get(target, key) {
		if (['default', 'deferred', 'immediate', 'exclusive'].includes(key)) count(`Transaction.${key}`, [], true);
		return Reflect.get(target, key);
	} });
});
sample.close();
const Database = new Proxy(Real, {
	construct(target, args, newTarget) {
		let returned = false;
		try {
			const db = Reflect.construct(target, args, newTarget);
			returned = true;
			return db;
		} finally {
			count('Database.constructor', args, returned);
		}
	},
	get(target, key) {
		if (key === 'SqliteError') count('SqliteError.constructor', [], true);
		return Reflect.get(target, key);
	},
});

(async () => {
	for (const file of files) {
		for (const body of Object.values(require(path.resolve(file)))) {
			const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-cover-'));
			try {
				await body({ Database, o: new Observer(directory), dir: directory, major: Number(major), file: path.join(directory, 'test.db') });
			} catch { /* being watched shows in a few identities; the comparison itself runs unwatched */ }
			fs.rmSync(directory, { recursive: true, force: true });
		}
	}
	fs.writeSync(1, JSON.stringify(counts));
})();
