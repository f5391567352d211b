'use strict';
const { check } = require('../keel-error');
const { TypeError } = require('../plain-errors');

const MODES = { noop: -1, passive: 0, full: 1, restart: 2, truncate: 3 };

/** Looking after a connection and after the process's connections. */
module.exports = ({ core }) => {
	const { native } = core;
	const token = (db) => {
		const state = core.state(db);
		core.requireNotBusy(state);
		core.requireTuned(state);
		return state.token;
	};

	return {
		methods: {
			/** Who holds a lock on the database, other processes and this one's connections; null where the system does not tell. */
			holders() { return native.holdersOf(token(this))?.list ?? null; },
			/** Whether the file is still the one that was opened and the locks are held: `{ good, checks, latched }`. */
			health() { return check(native.healthOf(token(this))); },
			/** `{ frames, checkpointed, pageSize, bytes, pins }`; null without a WAL. */
			walStatus() { return check(native.walStatusOf(token(this))); },
			/** Moves the WAL into the database: `{ frames, checkpointed }`. It does not wait for readers. */
			checkpoint(mode = 'passive') {
				if (typeof mode !== 'string' || !Object.hasOwn(MODES, mode)) throw new TypeError(`Expected the mode to be one of ${Object.keys(MODES).join(', ')}`);
				const state = core.state(this);
				core.requireIdle(state);
				core.requireTuned(state);
				return check(native.checkpoint(state.token, MODES[mode]));
			},
			/** Limits each execution of what is prepared from now on, and of `exec`, to so many milliseconds. 0: no limit. */
			defaultTimeout(ms) {
				core.state(this).timeout = core.timeout(ms);
				return this;
			},
			/** Makes the running statement fail with SQLITE_INTERRUPT. */
			interrupt() {
				const state = core.state(this);
				core.requireOpen(state);
				native.interrupt(state.token);
				return this;
			},
		},
		statics: {
			/** The open connections of the process, of every host. */
			openHandles() { return native.openHandles(); },
			/** Throws a KeelError that names each open connection with where it was opened. For the end of tests. */
			assertNoLeaks() { check(native.assertNoLeaks()); },
			/** The absolute path of the loaded object: what an FFI of this process has to load. */
			library: native.library,
		},
	};
};
