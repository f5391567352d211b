'use strict';
const codeName = require('./codes');
const SqliteError = require('./sqlite-error');
const begunOutside = require('./own-frames');
const { assign, hidden, own } = require('./own-properties');

/** What litekeel itself refuses. `code` is KEEL_…, `hint` says what to do, `path` which file is concerned. */
class KeelError extends Error {
	constructor(message, code) {
		const [text, target] = [`${message}`, new.target];
		return Object.defineProperty(begunOutside(() => Reflect.construct(Error, [text], target), KeelError), 'code', own(code));
	}
}
Object.defineProperty(KeelError.prototype, 'name', hidden('KeelError'));

/** The error of a native `[code, name, message, hint, path, step, busy?]`; undefined for any other result. */
function failure(result) {
	if (!Array.isArray(result) || typeof result[0] !== 'number') return undefined;
	const [code, name, message, hint, file, step, busy] = result;
	const error = code > 0 ? new SqliteError(message, codeName(code)) : new KeelError(message, name);
	assign(error, { hint, path: file || null, step: step || null });
	if (busy === undefined) return error;
	const [kind, waitedMs, holders] = busy;
	return assign(error, { kind, waitedMs, holders });
}

/** Throws it; gives any other result back. */
function check(result) {
	const error = failure(result);
	if (error !== undefined) throw error;
	return result;
}

module.exports = { KeelError, failure, check };
