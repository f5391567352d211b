'use strict';
const SqliteError = require('../sqlite-error');
const { boolean } = require('../extension/options');
const { assign, option, put } = require('../own-properties');
const { known, requireSignal, requireTimeout } = require('./arguments');
const { refused } = require('./dispatcher');
const parameters = require('../parameters');
const { TypeError } = require('../plain-errors');

/** What the connection of a read does not have, in the cases in which that is missed. */
function explained(error) {
	const hint = [
		[/^no such function/, 'it runs on a connection of its own, which has the extensions of this one but not its functions: read with all() instead, or load an extension that has the function'],
		[/^no such table/, 'it runs on a connection of its own, which sees what is committed, and no temporary tables'],
		[/^no such module/, 'it runs on a connection of its own, which has the extensions of this one but not its virtual tables of JavaScript: read with all() instead'],
	].find(([message]) => message.test(error?.message))?.[1];
	if (hint !== undefined) put(error, 'hint', hint);
	return error;
}

/**
 * `readAsync(sql, params, { signal, timeout, raw, safeIntegers })`: all rows of a statement that reads, from a thread of
 * its own with a connection of its own. It sees what is committed, and nothing that belongs to this connection alone.
 */
module.exports = ({ core, dispatcher }) => {
	const { native } = core;

	function readers(state) {
		if (state.readers === null) {
			const opened = native.openReaders(state.token);
			for (const library of state.extensions) native.readersLoad(opened, ...library);
			state.readers = opened;
			const end = () => { state.endings.delete(end); native.closeReaders(opened); };
			state.endings.add(end);
		}
		return state.readers;
	}

	async function readAsync(sql, params, options) {
		if (typeof sql !== 'string') throw new TypeError('Expected first argument to be a string');
		core.requireWhole(sql);
		if (options == null) options = {};
		if (typeof options !== 'object') throw new TypeError('Expected third argument to be an options object');
		known(options, ['signal', 'timeout', 'raw', 'safeIntegers'], 'readAsync');
		const signal = option(options, 'signal');
		const timeout = option(options, 'timeout') ?? 0;
		requireTimeout(timeout);
		requireSignal(signal);
		const state = core.state(this);
		core.requireOpen(state);
		core.requireTuned(state);
		const raw = boolean(options, 'raw');
		const safeIntegers = boolean(options, 'safeIntegers', state.safeIntegers);
		const [values, names] = parameters(state.convert === null || params === undefined ? params : state.convert(Array.isArray(params) ? params : [params]));
		signal?.throwIfAborted();
		const own = readers(state);
		let stop;
		const asked = dispatcher.ask(
			(id) => native.read(dispatcher.handle, own, id, sql, values, names, timeout, safeIntegers),
			(reject, id) => {
				stop = () => { if (reject(signal.reason)) native.cancelRead(own, id); };
				signal?.addEventListener('abort', stop, { __proto__: null, once: true });
			},
		);
		try {
			const [columns, ...rows] = await asked;
			return raw ? rows : rows.map((row) => record(columns, row));
		} catch (error) {
			throw explained(refused(error)) ?? assign(new SqliteError(`interrupted: the read took longer than its timeout of ${timeout} ms`, 'SQLITE_INTERRUPT'), { timeout });
		} finally {
			signal?.removeEventListener('abort', stop);
		}
	}

	const record = (columns, row) => {
		const out = {};
		for (let at = 0; at < row.length; ++at) put(out, columns[at], row[at]);
		return out;
	};

	return { methods: { readAsync } };
};
