'use strict';
// Scripts: several statements in one text, whose rows nobody wants.
const busyTimeout = require('./busy-timeout');
const compiling = require('./statement-cache');
const core = require('./state');
const { channel, observe } = require('./diagnostics');
const { mentionsForeignKeys } = require('./foreign-keys');
const { I, native, field, status, dropExtras } = require('./buffer');

const { STATEMENT, LIMIT, COLUMNS, FLAGS, STATUS, STALE } = field;
const { nextRows } = native;
const NO_LIMIT = 0x7fffffff;

/** Runs every statement of `sql`, one after the other. */
module.exports = (state, sql) => {
	core.requireWhole(sql);
	let stale = true;
	try {
		core.limited(state.timeout, () => {
			// Statement by statement where somebody wants to see each of them.
			const waits = state.tuned && busyTimeout.isMentioned(sql);
			if (waits || state.verbose !== null || channel.hasSubscribers || mentionsForeignKeys(sql)) {
				execOneByOne(state, sql, waits);
				return;
			}
			I[field.SCRATCH] = 3 * sql.length;
			native.execScript(state.token, sql);
			stale = I[STALE] === 1;
			if (I[STATUS] !== status.DONE) throw core.failure();
		});
	} finally {
		if (stale) compiling.flush(state);
	}
};

function execOneByOne(state, sql, waits) {
	const bytes = waits ? Buffer.from(sql) : null;
	for (let from = 0; from !== -1;) {
		const began = from;
		const compiled = compiling.compile(state, sql, from, false);
		if (compiled === null) return;
		from = I[field.NEXT];
		if (waits) {
			// It has acted by now: this sets the timeout that was asked for, waiting fairly.
			const text = bytes.toString('utf8', began, from === -1 ? bytes.length : from);
			try {
				if (busyTimeout.isMentioned(text)) busyTimeout.answer(state, text);
			} catch (error) {
				compiling.discard(compiled);
				throw error;
			}
		}
		const run = () => {
			I[FLAGS] = 0;
			I[LIMIT] = NO_LIMIT;
			I[COLUMNS] = 1;
			do {
				I[STATEMENT] = compiled.id;
				nextRows();
				if (I[STATUS] === status.FAILED) throw core.failure();
				dropExtras();
			} while (I[STATUS] === status.ROW);
		};
		try {
			if (state.verbose !== null) core.log(state, compiled);
			if (channel.hasSubscribers) observe(state, compiled, run);
			else run();
		} finally {
			compiling.discard(compiled);
		}
	}
}
