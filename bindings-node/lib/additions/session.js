'use strict';
const { requireThere } = require('../bytes');
const { text } = require('./arguments');
const { hidden, option } = require('../own-properties');
const { TypeError } = require('../plain-errors');

let making = null;

/** What `onConflict` is called with, and what it may return; the names and numbers are SQLite's. */
const constants = Object.freeze({
	SQLITE_CHANGESET_OMIT: 0,
	SQLITE_CHANGESET_REPLACE: 1,
	SQLITE_CHANGESET_ABORT: 2,
	SQLITE_CHANGESET_DATA: 1,
	SQLITE_CHANGESET_NOTFOUND: 2,
	SQLITE_CHANGESET_CONFLICT: 3,
	SQLITE_CHANGESET_CONSTRAINT: 4,
	SQLITE_CHANGESET_FOREIGN_KEY: 5,
});

/** `session` and `applyChangeset`: what `createSession` and `applyChangeset` of `node:sqlite` do. */
module.exports = ({ core }) => {
	const { native } = core;

	class Session {
		#handle;
		#state;

		constructor() {
			if (making === null) throw new TypeError('Sessions can only be constructed by the db.session() method');
			({ handle: this.#handle, state: this.#state } = making);
			making = null;
		}

		#changes(patchset) {
			core.requireNotBusy(this.#state);
			const bytes = core.check(native.sessionChanges(this.#handle, patchset));
			if (bytes === undefined) throw new TypeError('The session is not open');
			return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		}

		/** Everything that has changed since the session began, with the old values: applies where those are found. */
		changeset() { return this.#changes(false); }

		/** As `changeset`, without the old values of what is not part of the primary key: smaller, fewer conflicts. */
		patchset() { return this.#changes(true); }

		/** Ends recording. */
		close() {
			core.requireNotBusy(this.#state);
			if (!native.closeSession(this.#handle)) throw new TypeError('The session is not open');
		}
	}
	if (typeof Symbol.dispose === 'symbol') {
		Object.defineProperty(Session.prototype, Symbol.dispose, hidden(function dispose() {
			if (this instanceof Session) try { this.close(); } catch { /* ended already */ }
		}));
	}

	return {
		statics: { constants },
		methods: {
			/** Records what this connection changes in one table, or in every table that has a primary key. */
			session(options) {
				if (options == null) options = {};
				if (typeof options !== 'object') throw new TypeError('Expected first argument to be an options object');
				const table = text(options, 'table', undefined);
				const schema = text(options, 'db', 'main');
				core.requireName(schema, 'The "db" option');
				if (table !== undefined) core.requireName(table, 'The "table" option');
				const state = core.state(this);
				core.requireNotBusy(state);
				making = { handle: core.check(native.createSession(state.token, schema, table)), state };
				return new Session();
			},

			/** Applies a changeset or patchset in one savepoint. False: a conflict aborted it, and nothing has changed. */
			applyChangeset(changeset, options) {
				if (!(changeset instanceof Uint8Array)) throw new TypeError('Expected first argument to be a Uint8Array');
				requireThere(changeset, 'a changeset');
				if (options == null) options = {};
				if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
				const [filter, onConflict] = ['filter', 'onConflict'].map((name) => {
					const fn = option(options, name);
					if (fn !== undefined && typeof fn !== 'function') throw new TypeError(`Expected the "${name}" option to be a function`);
					return fn;
				});
				const state = core.state(this);
				core.requireIdle(state);
				state.busy += 1;
				try {
					return core.check(native.applyChangeset(state.token, changeset, filter, onConflict));
				} finally {
					state.busy -= 1;
				}
			},
		},
	};
};
