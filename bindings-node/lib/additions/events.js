'use strict';
const { assign, put } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** Those that a connection hears of; docs/events.md says what they tell. */
const NAMES = ['checkpointed', 'checkpoint_failed', 'wal_stalled', 'unhealthy', 'wal_set_aside', 'attached_warning', 'replication_detected', 'wal_alarm', 'busy_wait'];

/** `on` and `off`: the events of docs/events.md. They arrive between turns of the event loop and do not keep it alive. */
module.exports = ({ core, dispatcher }) => {
	const { native } = core;
	const camel = (text) => text.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

	function start(state) {
		state.hear = (event) => {
			const { name, ...fields } = event;
			const told = { name };
			for (const [field, value] of Object.entries(fields)) put(told, camel(field), value);
			for (const fn of [...state.listeners.get(name) ?? []]) {
				try {
					fn(told);
				} catch (error) {
					// Uncaught, as in any listener; Node itself would only warn of an exception out of a native callback.
					queueMicrotask(() => { throw error; });
				}
			}
		};
		const id = dispatcher.listen(state.hear);
		native.subscribe(state.token, dispatcher.handle, id);
		const end = () => { dispatcher.forget(id); state.endings.delete(end); };
		state.endings.add(end);
		state.silence = end;
	}

	const checked = (event, fn) => {
		if (typeof event !== 'string') throw new TypeError('Expected first argument to be a string');
		if (!NAMES.includes(event)) throw new TypeError(`There is no event ${JSON.stringify(event)} of a connection: there are ${NAMES.join(', ')}`);
		if (typeof fn !== 'function') throw new TypeError('Expected second argument to be a function');
	};

	return {
		methods: {
			/** Calls `fn(event)` for each event of that name. */
			on(event, fn) {
				checked(event, fn);
				const state = core.state(this);
				core.requireOpen(state);
				state.listeners ??= new Map();
				if (state.listeners.size === 0) start(state);
				if (!state.listeners.has(event)) state.listeners.set(event, new Set());
				state.listeners.get(event).add(fn);
				return this;
			},
			/** Ends what `on` began with the same arguments. */
			off(event, fn) {
				checked(event, fn);
				const state = core.state(this);
				const fns = state.listeners?.get(event);
				if (!fns?.delete(fn) || fns.size > 0) return this;
				state.listeners.delete(event);
				if (state.listeners.size === 0 && state.open) {
					native.unsubscribe(state.token);
					state.silence();
				}
				return this;
			},
		},
	};
};
assign(module.exports, { NAMES });
