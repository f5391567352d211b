'use strict';

/**
 * The functions that SQLite calls for one connection.
 *
 * The native side holds an anchor of each, and the function itself weakly; the connection's state has the map from the
 * one to the other. So a function lives as long as both its registration and its connection, and one that refers to its
 * connection, as most do, does not keep that from being collected.
 */
class Callbacks {
	#state;
	#weak;
	#called = new WeakMap();
	/** What every anchor refers to. */
	#keeper = { called: null };

	constructor(state) {
		this.#state = state;
		this.#weak = state.weak;
		if (state.exposed) this.keep();
	}

	/** The connection's state; undefined when that has been collected, and others still use the connection. */
	get state() { return this.#state ?? this.#weak.deref(); }

	/**
	 * `[anchor, function]` for the native side. The connection counts as busy while it runs: SQLite is in the middle of a
	 * statement, and another call on the same connection could free what it is using.
	 */
	of(fn) {
		const called = (...args) => {
			const { state } = this;
			if (state === undefined) return fn(...args);
			state.busy += 1;
			try {
				return fn(...args);
			} finally {
				state.busy -= 1;
			}
		};
		const anchor = { keeper: this.#keeper };
		this.#called.set(anchor, called);
		return [anchor, called];
	}

	/** Others use the connection from now on: its functions stay when this part of it is closed or collected. */
	keep() {
		this.#keeper.called = this.#called;
		this.#state = undefined;
	}
}

/** Those of a connection. */
const callbacksOf = (state) => (state.callbacks ??= new Callbacks(state));

module.exports = { callbacksOf };
