'use strict';
const { callbacksOf } = require('../extension/callback');
const { TypeError } = require('../plain-errors');

/**
 * `onUpdate`, `onCommit`, `onRollback`: one function each, `null` removes it. They run inside the call that caused them,
 * during which the connection is busy: a method of it throws, as in a user-defined function.
 */
module.exports = ({ core }) => {
	function set(db, name, fn) {
		if (fn != null && typeof fn !== 'function') throw new TypeError('Expected first argument to be a function or null');
		const state = core.state(db);
		core.requireIdle(state);
		state.hooks ??= { update: null, commit: null, rollback: null };
		state.hooks[name] = fn ?? null;
		const { update, commit, rollback } = state.hooks;
		core.extended(state);
		const { safeIntegers } = state;
		const callbacks = callbacksOf(state);
		core.native.setHooks(
			state.token, safeIntegers,
			update && callbacks.of((operation, database, table, rowid) => update({ operation, database, table, rowid })),
			commit && callbacks.of(() => commit()),
			rollback && callbacks.of(() => rollback()),
		);
		return db;
	}

	return {
		methods: {
			/** `fn({ operation, database, table, rowid })` after each row that is inserted, updated or deleted. */
			onUpdate(fn) { return set(this, 'update', fn); },
			/** `fn()` before each commit; if it throws, the transaction is rolled back instead. */
			onCommit(fn) { return set(this, 'commit', fn); },
			/** `fn()` after each rollback. */
			onRollback(fn) { return set(this, 'rollback', fn); },
		},
	};
};
