'use strict';
// Scripts: several statements in one text, whose rows nobody wants.
const compiling = require('./compiled');
const core = require('./core');
const { channel, observe } = require('./diagnostics');
const { mentionsForeignKeys } = require('./foreign-keys');
const { I, native, field, status, dropExtras } = require('./packed');

const { STATEMENT, LIMIT, COLUMNS, FLAGS, STATUS, STALE } = field;
const { nextRows } = native;
const NO_LIMIT = 0x7fffffff;

/** Runs every statement of `sql`, one after the other. */
module.exports = (state, sql) => {
	let stale = true;
	try {
		core.limited(state.timeout, () => {
			// Statement by statement where somebody wants to see each of them.
			if (state.verbose !== null || channel.hasSubscribers || mentionsForeignKeys(sql)) {
				execOneByOne(state, sql);
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

function execOneByOne(state, sql) {
	for (let from = 0; from !== -1;) {
		const compiled = compiling.compile(state, sql, from, false);
		if (compiled === null) return;
		from = I[field.NEXT];
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
