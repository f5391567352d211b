'use strict';
// Arguments into the parameters of the buffer.
const { isDate, isProxy } = require('node:util').types;
const { I, F, bytes, native, field, status, tag, layout } = require('./buffer');
const { requireThere, hold, requireHeld } = require('./bytes');
const { append, elements, put } = require('./own-properties');
const { isBun } = require('./runtime');
const { Error, TypeError, RangeError } = require('./plain-errors');

const { FIRST_PARAMETER, PARAMETERS, TEXT, TEXT_BYTES } = layout;
const { NULL, INT, LATIN, WIDE, EXTRA, NARROW } = tag;
const hasOwn = Object.prototype.hasOwnProperty;
const isView = ArrayBuffer.isView;

/** A longer string costs less as an argument of the native call than character by character. */
const SHORT = 40;
/** The native side measures longer strings instead of reserving for the worst case. */
const MEASURED = 1 << 16;
/** V8 13 (Node 24) takes up to twenty times as long to encode a long text as to hand over its characters. */
const SLOW_UTF8 = !isBun && /^13\./.test(process.versions.v8);
const LONG = 128;
/** V8 compiles it to nothing for a string that it holds as Latin-1: that asks which it is in no time. */
const BEYOND_LATIN = /[\u0100-\uffff]/;
// Its own: nobody else's code may run between two parameters.
Object.defineProperty(BEYOND_LATIN, 'exec', { __proto__: null, value: RegExp.prototype.exec });
Object.defineProperty(BEYOND_LATIN, 'test', { __proto__: null, value: RegExp.prototype.test });
/** A longer one is better not held three times. */
const LONGEST = 1 << 24;
/** Calls with one plain object before its reader is generated. */
const WORTH_IT = 200;
const MAX_GENERATED = 128;
const MIN_BIGINT = -(2n ** 63n);
const MAX_BIGINT = 2n ** 63n - 1n;
const MIN_INT32 = -(2n ** 31n);
const MAX_INT32 = 2n ** 31n - 1n;

const TOO_BIG = 'The bound string, buffer, or bigint is too big';
const UNKNOWN_TYPE = 'SQLite3 can only bind numbers, strings, bigints, buffers, and null';
const TOO_FEW = 'Too few parameter values were provided';
const TOO_MANY = 'Too many parameter values were provided';

/** Values for the native call's arguments: those that do not fit into cells. */
let external = [];
/** The end of what is used of the byte area, and the room that the external strings may need. */
let textEnd = TEXT;
let scratch = 0;

/** Null prototype, or one that is itself at the top: some realm's Object.prototype. A Proxy is taken for what it pretends to be. */
function isPlain(object) {
	if (isProxy(object)) return true;
	const prototype = Object.getPrototypeOf(object);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Throws for what SQLite has no type for. */
function checkValue(value) {
	switch (typeof value) {
	case 'number':
	case 'string':
	case 'undefined':
		return;
	case 'bigint':
		if (value < MIN_BIGINT || value > MAX_BIGINT) throw new RangeError(TOO_BIG);
		return;
	case 'object':
		if (value === null) return;
		if (isView(value) && !(value instanceof DataView)) {
			requireThere(value, 'a parameter');
			return;
		}
	}
	throw unknownType(value);
}

/** With the way out where there is one. */
function unknownType(value) {
	const error = new TypeError(UNKNOWN_TYPE);
	if (typeof value === 'boolean') put(error, 'hint', 'open the database with bindBooleans: true, which binds true and false as 1 and 0, or pass 1 and 0');
	else if (isDate(value)) put(error, 'hint', "open the database with bindDates: 'text', 'seconds' or 'milliseconds', or pass date.toISOString() or date.getTime()");
	return error;
}

/** Writes a value of a type that SQLite has. Runs no code of the user's. */
function write(value, at) {
	if (typeof value === 'number') {
		F[at] = value;
		// A NaN could look like any tag.
		if (value !== value) I[2 * at + 1] = NULL;
	} else if (typeof value === 'string') {
		writeText(value, at);
	} else if (value === null || value === undefined) {
		I[2 * at + 1] = NULL;
	} else if (typeof value === 'bigint' && value >= MIN_INT32 && value <= MAX_INT32) {
		I[2 * at] = Number(value);
		I[2 * at + 1] = INT;
	} else {
		append(external, value);
		I[2 * at] = 0;
		I[2 * at + 1] = EXTRA;
	}
}

function writeText(text, at) {
	const { length } = text;
	const start = textEnd;
	if (length <= SHORT && start + length <= TEXT + TEXT_BYTES) {
		let letter = 0;
		for (; letter < length; ++letter) {
			const code = text.charCodeAt(letter);
			if (code > 127) break;
			bytes[start + letter] = code;
		}
		if (letter === length) {
			textEnd = start + length;
			I[2 * at] = length;
			I[2 * at + 1] = LATIN;
			return;
		}
	}
	append(external, text);
	if (SLOW_UTF8 && length >= LONG && length < LONGEST) {
		const narrow = !BEYOND_LATIN.test(text);
		scratch += narrow ? 2 * length + 1 : 3 * length;
		I[2 * at] = length;
		I[2 * at + 1] = narrow ? NARROW : WIDE;
		return;
	}
	const room = length < MEASURED ? 3 * length + 1 : 0;
	scratch += room;
	I[2 * at] = room;
	I[2 * at + 1] = EXTRA;
}

function begin() {
	textEnd = TEXT;
	scratch = 0;
	if (external.length !== 0) external = [];
	I[field.FIRST] = 0;
}

/** Writes the header for `count` parameters that are in the buffer. */
function finish(count) {
	I[field.PARAMETERS] = count;
	I[field.ARGUMENTS] = external.length;
	I[field.SCRATCH] = scratch;
}

/**
 * The values of all parameters in order. Scalars and arrays go to the anonymous ones, and at most one plain object to
 * the named ones. Everything is read before anything is written: a getter may run queries.
 */
function gather(compiled, args) {
	const parameters = compiled.parameterNames();
	const values = elements(parameters.length);
	let anonymous = 0;
	let bound = 0;
	let object = false;
	let held = null;
	const add = (value) => {
		do anonymous += 1; while (anonymous <= parameters.length && parameters[anonymous - 1] !== null);
		checkValue(value);
		if (anonymous > parameters.length) throw new RangeError(TOO_MANY);
		values[anonymous - 1] = value;
		held = hold(held, value);
		bound += 1;
	};
	for (const arg of args) {
		if (Array.isArray(arg)) {
			for (let at = 0; at < arg.length; ++at) add(arg[at]);
			continue;
		}
		if (((typeof arg === 'object' && arg !== null) || typeof arg === 'function') && !isView(arg)) {
			if (isPlain(arg)) {
				if (object) throw new TypeError('You cannot specify named parameters in two different objects');
				object = true;
				for (let at = 0; at < parameters.length; ++at) {
					const name = parameters[at];
					if (name === null) continue;
					if (!hasOwn.call(arg, name)) throw new RangeError(`Missing named parameter "${name}"`);
					const value = arg[name];
					checkValue(value);
					values[at] = value;
					held = hold(held, value);
					bound += 1;
				}
				continue;
			}
			if (compiled.named) throw new TypeError('Named parameters can only be passed within plain objects');
		} else if (arg instanceof DataView) {
			throw new Error('Invalid argument');
		}
		add(arg);
	}
	if (bound < parameters.length) {
		if (!object && compiled.named) throw new TypeError('Missing named parameters');
		throw new RangeError(TOO_FEW);
	}
	if (held !== null) requireHeld(held);
	return values;
}

let mayGenerate = true;

/** A function that reads the named parameters from a plain object and writes them; false: it is no simple case. */
function generate(names) {
	if (!mayGenerate || names.length > MAX_GENERATED || names.some((name) => name === null || name in Object.prototype)) return null;
	const keys = names.map((name) => JSON.stringify(name));
	// All are read before one is written. One that is absent, or that every object has, needs the exact rules of `gather`.
	const source = `'use strict';return function(o){
		if(${keys.map((key) => `${key} in every`).join('||')})return false;
		let h=null;
		${keys.map((key, at) => `const v${at}=o[${key}];if(typeof v${at}==='object'&&v${at}!==null)h=hold(h,v${at});`).join('\n')}
		if(h!==null)requireHeld(h);
		if(${names.map((_, at) => `v${at}===undefined`).join('||')})return false;
		begin();
		${names.map((_, at) => `if(typeof v${at}==='number'){F[${FIRST_PARAMETER + at}]=v${at};if(v${at}!==v${at})I[${2 * (FIRST_PARAMETER + at) + 1}]=${NULL};}else if(typeof v${at}==='string')writeText(v${at},${FIRST_PARAMETER + at});else{checkValue(v${at});write(v${at},${FIRST_PARAMETER + at});}`).join('\n')}
		return true;};`;
	try {
		return new Function('every', 'I', 'F', 'begin', 'write', 'writeText', 'checkValue', 'hold', 'requireHeld', source)(Object.prototype, I, F, begin, write, writeText, checkValue, hold, requireHeld);
	} catch {
		mayGenerate = false;
		return null;
	}
}

/** Readers of named parameters, by their names. */
const readers = new Map();
const MAX_READERS = 512;

function readerOf(compiled) {
	if (++compiled.namedCalls < WORTH_IT) return null;
	compiled.namedCalls = -Infinity;
	const names = compiled.parameterNames();
	const key = JSON.stringify(names);
	let reader = readers.get(key);
	if (reader === undefined) {
		if (readers.size >= MAX_READERS) readers.clear();
		reader = generate(names);
		readers.set(key, reader);
	}
	compiled.reader = reader;
	return reader;
}

/** Puts `args` into the buffer for the statement's parameters. False: they are too many for it. */
function bindArguments(compiled, args) {
	if (compiled.state.convert !== null) args = compiled.state.convert(args);
	begin();
	const count = compiled.parameters;
	if (!compiled.named && args.length === count && count <= PARAMETERS) {
		let at = 0;
		for (; at < count; ++at) {
			const value = args[at];
			const cell = FIRST_PARAMETER + at;
			if (typeof value === 'number') {
				F[cell] = value;
				// A NaN could look like any tag.
				if (value !== value) I[2 * cell + 1] = NULL;
			} else if (typeof value === 'string') {
				writeText(value, cell);
			} else if (value === null || value === undefined) {
				I[2 * cell + 1] = NULL;
			} else {
				if ((typeof value === 'object' && !isView(value)) || typeof value === 'function') break;
				checkValueOfArgument(value);
				write(value, cell);
			}
		}
		if (at === count) {
			finish(count);
			return true;
		}
		begin();
	} else if (args.length === 1 && compiled.named) {
		const object = args[0];
		const reader = compiled.reader !== null ? compiled.reader : readerOf(compiled);
		if (reader !== null && typeof object === 'object' && object !== null) {
			const prototype = Object.getPrototypeOf(object);
			if (prototype === Object.prototype || prototype === null) {
				if (!Array.isArray(object) && reader(object)) {
					finish(count);
					return true;
				}
				begin();
			}
		}
	}
	if (count > PARAMETERS) return false;
	place(gather(compiled, args));
	return true;
}

/** Puts the values of all parameters into the buffer. */
function place(values) {
	begin();
	for (let at = 0; at < values.length; ++at) write(values[at], FIRST_PARAMETER + at);
	finish(values.length);
}

/** The values of all parameters in order, read from the arguments: a getter of theirs may run anything. */
function valuesOf(compiled, args) {
	return gather(compiled, compiled.state.convert === null ? args : compiled.state.convert(args));
}

/** Puts such values into the buffer; true if they were too many for it, and are bound already. */
function placeValues(compiled, values) {
	if (values.length > PARAMETERS) {
		bindMany(compiled, values);
		return true;
	}
	place(values);
	return false;
}

function checkValueOfArgument(value) {
	if (value instanceof DataView) throw new Error('Invalid argument');
	checkValue(value);
}

/** Binds more values than the buffer holds, one buffer after the other; they stay bound. */
function bindMany(compiled, values) {
	for (let first = 0; first < values.length; first += PARAMETERS) {
		begin();
		const count = Math.min(PARAMETERS, values.length - first);
		for (let at = 0; at < count; ++at) write(values[first + at], FIRST_PARAMETER + at);
		finish(count);
		I[field.FIRST] = first;
		I[field.FLAGS] = 0;
		I[field.STATEMENT] = compiled.id;
		call(native.bindValues);
		if (I[field.STATUS] === status.UNBOUND) throw bindError();
	}
	begin();
}

function call(fn) {
	const values = external;
	const { length } = values;
	if (length === 0) return fn();
	external = [];
	if (length === 1) return fn(values[0]);
	if (length === 2) return fn(values[0], values[1]);
	return fn(values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7], length > 8 ? values.slice(8) : undefined);
}

/** Calls a native function with the values that did not fit into cells. */
const invoke = (fn) => (I[field.PARAMETERS] === 0 || I[field.ARGUMENTS] === 0 ? fn() : call(fn));

/** The error for a value that SQLite did not take. */
function bindError() {
	switch (I[field.ROWS]) {
	case -1: return new TypeError(UNKNOWN_TYPE);
	case 18: return new RangeError(TOO_BIG);
	case 25: return new RangeError(TOO_MANY);
	default: return new Error('An unexpected error occured while trying to bind parameters');
	}
}

module.exports = { checkValue, bindArguments, valuesOf, placeValues, bindError, invoke };
