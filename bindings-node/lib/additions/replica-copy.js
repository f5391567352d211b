'use strict';
const { setTimeout } = require('node:timers');
const { option } = require('../own-properties');
const { known, requireSignal, requireTimeout } = require('./arguments');
const { TypeError } = require('../plain-errors');

/** How often it is looked whether the copy has got further, in milliseconds. */
const LOOK = 10;

/** `position()` and `waitFor(position, { timeout, signal })` of a copy that follows a replica (`role=follower`). */
module.exports = ({ core }) => {
	const { native } = core;
	const pause = () => new Promise((resolve) => { setTimeout(resolve, LOOK); });

	function position() {
		const state = core.state(this);
		core.requireOpen(state);
		core.requireTuned(state);
		return core.check(native.copyPosition(state.token)).position;
	}

	async function waitFor(wanted, options) {
		const state = core.state(this);
		core.requireTuned(state);
		if (typeof wanted !== 'string') throw new TypeError('Expected first argument to be a position, as replicated() gives it');
		if (options == null) options = {};
		if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');
		known(options, ['timeout', 'signal'], 'waitFor');
		const timeout = option(options, 'timeout') ?? Number(this.report.replication_timeout);
		const signal = option(options, 'signal');
		requireTimeout(timeout);
		requireSignal(signal);
		core.requireName(wanted, 'A position');
		const began = performance.now();
		for (;;) {
			signal?.throwIfAborted();
			core.requireOpen(state);
			const over = performance.now() - began >= timeout;
			const has = core.check(native.copyReached(state.token, wanted, over ? timeout : -1)).position;
			if (has !== '') return has;
			await pause();
		}
	}

	return { methods: { position, waitFor } };
};
