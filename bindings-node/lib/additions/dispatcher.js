'use strict';
const { failure } = require('../keel-error');
const { assign } = require('../own-properties');
const { TypeError, RangeError } = require('../plain-errors');

/** An answer that is an error, until it is awaited: the error is made there, so that its stack trace leads to the caller. */
class Refusal {
	#make;
	#content;

	constructor(make, content) {
		this.#make = make;
		this.#content = content;
	}

	get error() { return (0, this.#make)(this.#content); }
}

/** What `ask` was rejected with, as an error. To be called where that was awaited, in an asynchronous function. */
const refused = (reason) => (reason instanceof Refusal ? reason.error : reason);

/**
 * What other threads have to say: answers to promises, and events. One native dispatcher for this environment, opened when
 * it is first needed; it keeps the process alive only while a promise waits.
 */
module.exports = ({ native }) => {
	let handle = null;
	let last = 0;
	const promises = new Map();
	/** Weakly: what listens refers to its connection, which is not to live for ever because of that. */
	const listeners = new Map();
	const collected = new FinalizationRegistry((id) => listeners.delete(id));

	function dispatch(kind, id, content) {
		if (kind === 'event') {
			listeners.get(id)?.deref()?.(content);
			return;
		}
		const promise = promises.get(id);
		if (promise === undefined) return;
		settled(id);
		if (kind === 'rows' || kind === 'done') promise.resolve(content);
		else promise.reject(new Refusal(errors[kind], content));
	}

	const errors = {
		failed: failure,
		type: (message) => new TypeError(message),
		range: (message) => new RangeError(message),
		timeout: () => undefined,
	};

	function settled(id) {
		promises.delete(id);
		if (promises.size === 0) native.holdLoop(handle, false);
	}

	const self = {
		get handle() {
			handle ??= native.openCourier(dispatch);
			return handle;
		},
		/** Calls `start(id)`; the promise is settled by the answer with that number. */
		ask(start, cancelled) {
			const id = ++last;
			return new Promise((resolve, reject) => {
				start(id);
				if (promises.size === 0) native.holdLoop(self.handle, true);
				promises.set(id, { resolve, reject });
				cancelled?.((error) => {
					if (!promises.has(id)) return false;
					settled(id);
					reject(error);
					return true;
				}, id);
			});
		},
		/** Calls `fn(event)` for the events that are sent with the number returned, as long as the caller keeps `fn`. */
		listen(fn) {
			listeners.set(++last, new WeakRef(fn));
			collected.register(fn, last);
			return last;
		},
		forget(id) { listeners.delete(id); },
	};
	return self;
};

assign(module.exports, { refused });
