'use strict';
const { check } = require('../keel-error');
const { TypeError } = require('../plain-errors');

/** One connection for Node and an FFI host of the same process. */
module.exports = ({ core, door }) => {
	const { native } = core;
	return {
		methods: {
			/** A borrowed `keel_db *` as BigInt: valid until `close()`; its receiver must not release it. */
			get handle() {
				const state = core.state(this);
				core.requireNotBusy(state);
				if (state.handle === null) {
					state.handle = native.lendHandle(state.token);
					// Others may prepare, write and register on the connection from now on.
					core.exposed(state);
				}
				return state.handle;
			},
			/** A `keel_db *` that its receiver ends with `keel_release`. The connection is shared from now on. */
			retainHandle() {
				const state = core.state(this);
				core.requireIdle(state);
				core.requireTuned(state);
				core.exposed(state);
				return check(native.retainHandle(state.token));
			},
		},
		statics: {
			/** The connection of a `keel_db *` of this process, shared from now on. `close()` ends this owner's part. */
			fromHandle(handle) {
				if (typeof handle !== 'bigint') throw new TypeError('Expected first argument to be a bigint');
				return door.wrap(check(native.adoptHandle(handle)), {});
			},
		},
	};
};
