'use strict';
const { option } = require('../own-properties');
const { known, requireSignal, requireTimeout } = require('./arguments');
const { refused } = require('./dispatcher');
const { TypeError } = require('../plain-errors');

/**
 * `replicated({ timeout, signal })`: a promise that everything committed before the call is at Litestream's replica. A thread
 * of its own waits; calls that come meanwhile share one question to Litestream.
 */
module.exports = ({ core, dispatcher }) => {
	const { native } = core;

	async function replicated(options) {
		if (options == null) options = {};
		if (typeof options !== 'object') throw new TypeError('Expected first argument to be an options object');
		known(options, ['timeout', 'signal'], 'replicated');
		const timeout = option(options, 'timeout');
		const signal = option(options, 'signal');
		if (timeout !== undefined) requireTimeout(timeout);
		requireSignal(signal);
		const state = core.state(this);
		core.requireOpen(state);
		core.requireTuned(state);
		signal?.throwIfAborted();
		return await wait(state, timeout, signal, false);
	}

	/** `beside`: what another connection has committed is waited for. */
	async function wait(state, timeout, signal, beside) {
		let end, stop;
		const asked = dispatcher.ask(
			(id) => core.check(native.replicated(state.token, dispatcher.handle, id, timeout ?? -1, beside)),
			(reject, id) => {
				end = () => native.cancelReplicated(dispatcher.handle, id);
				stop = () => { if (reject(signal.reason)) end(); };
				state.endings.add(end);
				signal?.addEventListener('abort', stop, { __proto__: null, once: true });
			},
		);
		try {
			return await asked;
		} catch (error) {
			throw refused(error);
		} finally {
			state.endings.delete(end);
			if (stop !== undefined) signal?.removeEventListener('abort', stop);
		}
	}

	core.confirm = (state) => wait(state, undefined, undefined, true);

	return { methods: { replicated } };
};
