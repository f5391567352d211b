'use strict';
// Properties that are an object's own, whatever somebody has put into the prototype of all objects or arrays: to assign
// what a setter stands for there would run code of theirs, in the middle of ours, and lose the value. A descriptor with a
// prototype would inherit a getter, and options would inherit what nobody has given.

const { isBun } = require('./runtime');

const NOTHING = [];
const { hasOwn, prototype: everyObject } = Object;
const everyArray = Array.prototype;

/** The descriptor of a property as a literal has it. */
const own = (value) => ({ __proto__: null, value, writable: true, enumerable: true, configurable: true });

/** The descriptor of a method as a class has it. */
const hidden = (value) => ({ __proto__: null, value, writable: true, enumerable: false, configurable: true });

/** The descriptor of a property that is read only. */
const fixed = (value, enumerable = false) => ({ __proto__: null, value, writable: false, enumerable, configurable: false });

/** The descriptor of a property that is looked up when it is read. */
const computed = (get, enumerable = false) => ({ __proto__: null, get, set: undefined, enumerable, configurable: false });

/** From so many elements on it takes less time to ask the prototypes: a place takes 0.5 ns in V8, and 20 elsewhere. */
const MANY = isBun ? 2 : 512;
const isIndex = (key) => key >= '0' && key <= '9~';

/** Whether an array would inherit one of its elements from `at` on, so many of them. */
function inherits(at, count) {
	// The prototype of all arrays is one itself, as long as what it has; of other objects' names the numbers come first.
	if (count >= MANY) return everyArray.length !== 0 || isIndex(Object.getOwnPropertyNames(everyObject)[0]);
	for (const end = at + count; at < end; ++at) if (at in NOTHING) return true;
	return false;
}

/** An array of so many elements, to be assigned. */
const elements = (count) => (inherits(0, count) ? Array.from({ length: count }) : new Array(count));

const append = (list, value) => {
	if (list.length in NOTHING) Object.defineProperty(list, list.length, own(value));
	else list.push(value);
};

/** As an object literal has it, but for `__proto__`, which is assigned as better-sqlite3 does. */
const put = (object, name, value) => {
	if (name in everyObject && name !== '__proto__') Object.defineProperty(object, name, own(value));
	else object[name] = value;
};

/** As Object.assign, but for what is inherited. */
const assign = (object, fields) => {
	for (const name of Object.keys(fields)) Object.defineProperty(object, name, own(fields[name]));
	return object;
};

/** Whether an option was given: not by somebody who gives it to every object. */
const given = (options, key) => key in options && (!(key in everyObject) || hasOwn(options, key) || inheritsFromOwn(options, key));

/** Whether a prototype other than that of all objects has it. */
function inheritsFromOwn(options, key) {
	for (let object = options; object !== null && object !== everyObject; object = Object.getPrototypeOf(object)) {
		if (hasOwn(object, key)) return true;
	}
	return false;
}

/** An option's value; `fallback` where it was not given. */
const option = (options, key, fallback) => (given(options, key) ? options[key] : fallback);

module.exports = { own, inherits, put, given, hidden, fixed, computed, elements, append, assign, option };
