'use strict';
const begunOutside = require('./own-frames');
const { own, hidden } = require('./own-properties');
const { TypeError } = require('./plain-errors');

/** What SQLite reports. `code` is SQLite's name of the (extended) result code, `message` SQLite's own text. */
function SqliteError(message, code) {
	if (typeof code !== 'string') throw new TypeError('Expected second argument to be a string');
	// A function rather than a class, so that it can be called without `new`, as better-sqlite3 12 allows; made by
	// Reflect.construct so that it is a genuine error (Error.isError) and subclasses keep their prototype.
	const [text, target] = [`${message}`, new.target || SqliteError];
	const error = begunOutside(() => Reflect.construct(Error, [text], target), SqliteError);
	return Object.defineProperty(error, 'code', own(code));
}
Object.setPrototypeOf(SqliteError, Error);
SqliteError.prototype = Object.create(Error.prototype, {
	constructor: hidden(SqliteError),
	name: hidden('SqliteError'),
});

module.exports = SqliteError;
