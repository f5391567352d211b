'use strict';
const { callbacksOf } = require('./callback');
const { arity } = require('./options');
const { append } = require('../own-properties');
const { TypeError, RangeError } = require('../plain-errors');

const GeneratorFunctionPrototype = Object.getPrototypeOf(function* () {});
const has = (object, key) => Object.prototype.hasOwnProperty.call(object, key);
const quoted = (name) => `"${name.replace(/"/g, '""')}"`;
const allStrings = (list) => {
	for (let at = 0; at < list.length; ++at) {
		if (typeof list[at] !== 'string') return false;
	}
	return true;
};

/** `db.table(name, definition | factory)`: a virtual table whose rows a generator yields. */
module.exports = (core) => function defineTable(name, definition) {
	if (typeof name !== 'string') throw new TypeError('Expected first argument to be a string');
	if (!name) throw new TypeError('Virtual table module name cannot be an empty string');
	core.requireName(name, 'The name of a virtual table module');

	const state = core.state(this);
	const callbacks = callbacksOf(state);
	const eponymous = typeof definition === 'object' && definition !== null;
	let connect;
	if (eponymous) {
		const parsed = parse(definition, 'used', name);
		connect = () => declaration(callbacks, parsed);
	} else {
		if (typeof definition !== 'function') throw new TypeError('Expected second argument to be a function or a table definition object');
		connect = (module, database, table, ...args) => {
			const returned = Reflect.apply(definition, { module, database, table }, args);
			if (typeof returned !== 'object' || returned === null) {
				throw new TypeError(`Virtual table module "${module}" did not return a table definition object`);
			}
			return declaration(callbacks, parse(returned, 'returned', module));
		};
	}

	core.requireIdle(state);
	core.extended(state);
	core.check(core.native.defineTable(state.token, name, eponymous, callbacks.of(connect)));
	return this;
};

/** Validates what the user gave; messages name the module and whether it was given or returned by the factory. */
function parse(definition, verb, module) {
	const problem = (Kind, text) => new Kind(`Virtual table module "${module}" ${verb} a table definition ${text}`);
	for (const key of ['rows', 'columns']) {
		if (!has(definition, key)) throw problem(TypeError, `without a "${key}" property`);
	}

	const { rows } = definition;
	if (typeof rows !== 'function' || Object.getPrototypeOf(rows) !== GeneratorFunctionPrototype) {
		throw problem(TypeError, 'with an invalid "rows" property (should be a generator function)');
	}

	let { columns } = definition;
	if (!Array.isArray(columns) || !allStrings(columns = [...columns])) {
		throw problem(TypeError, 'with an invalid "columns" property (should be an array of strings)');
	}
	if (columns.length !== new Set(columns).size) throw problem(TypeError, 'with duplicate column names');
	if (columns.length === 0) throw problem(RangeError, 'with zero columns');

	let parameters;
	if (has(definition, 'parameters')) {
		parameters = definition.parameters;
		if (!Array.isArray(parameters) || !allStrings(parameters = [...parameters])) {
			throw problem(TypeError, 'with an invalid "parameters" property (should be an array of strings)');
		}
	} else {
		parameters = Array.from({ length: arity(rows) }, (_, at) => `$${at + 1}`);
	}
	if (parameters.length !== new Set(parameters).size) throw problem(TypeError, 'with duplicate parameter names');
	if (parameters.length > 32) throw problem(RangeError, 'with more than the maximum number of 32 parameters');
	for (const parameter of parameters) {
		if (columns.includes(parameter)) {
			throw problem(TypeError, `with column "${parameter}" which was ambiguously defined as both a column and parameter`);
		}
	}

	const flags = { safeIntegers: undefined, directOnly: undefined };
	for (const key of ['safeIntegers', 'directOnly']) {
		if (!has(definition, key)) continue;
		flags[key] = definition[key];
		if (typeof flags[key] !== 'boolean') throw problem(TypeError, `with an invalid "${key}" property (should be a boolean)`);
	}
	return { module, rows, columns, parameters, ...flags };
}

/** What the native side needs: `[sql, start, parameters, safeIntegers, directOnly]`. */
function declaration(callbacks, { module, rows, columns, parameters, safeIntegers = callbacks.state?.safeIntegers ?? false, directOnly = false }) {
	const list = [...parameters.map((name) => `${quoted(name)} HIDDEN`), ...columns.map(quoted)];
	const place = new Map(columns.map((name, at) => [name, parameters.length + at]));
	const start = callbacks.of((...args) => {
		// Hidden columns must give back what was passed even if the generator writes into a Buffer of it.
		const row = args.map((arg) => (Buffer.isBuffer(arg) ? Buffer.from(arg) : arg));
		for (let at = 0; at < columns.length; ++at) append(row, null);
		const source = rows(...args);
		return callbacks.of(() => {
			const { value, done } = source.next();
			if (done) return undefined;
			fill(row, value, place, module);
			return row;
		});
	});
	return [`CREATE TABLE x(${list.join(', ')})`, start, parameters, safeIntegers, directOnly];
}

function fill(row, given, place, module) {
	const problem = (text) => new TypeError(`Virtual table module "${module}" yielded ${text}`);
	if (Array.isArray(given)) {
		if (given.length !== place.size) throw problem('a row with an incorrect number of columns');
		const offset = row.length - place.size;
		for (let at = 0; at < given.length; ++at) row[offset + at] = given[at];
	} else if (typeof given === 'object' && given !== null) {
		const keys = Object.keys(given);
		for (const key of keys) {
			const at = place.get(key);
			if (at === undefined) throw problem(`a row with an undeclared column "${key}"`);
			row[at] = given[key];
		}
		if (keys.length !== place.size) throw problem('a row with missing columns');
	} else {
		throw problem("something that isn't a valid row object");
	}
}
