'use strict';
// Properties that are an object's own, whatever somebody has put into the prototype of all objects or arrays: to assign
// what a setter stands for there would run code of theirs, in the middle of ours, and lose the value.

const NOTHING = [];
const own = (value) => ({ value, writable: true, enumerable: true, configurable: true });

/** Whether every array inherits a first element. */
exports.arraysInherit = () => 0 in NOTHING;

/** An array of so many elements, to be assigned. */
exports.elements = (count) => (0 in NOTHING ? Array.from({ length: count }) : new Array(count));

exports.append = (list, value) => {
	if (0 in NOTHING) Object.defineProperty(list, list.length, own(value));
	else list.push(value);
};

/** As an object literal has it, but for `__proto__`, which is assigned as better-sqlite3 does. */
exports.put = (object, name, value) => {
	if (name in Object.prototype && name !== '__proto__') Object.defineProperty(object, name, own(value));
	else object[name] = value;
};
