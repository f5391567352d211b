'use strict';
// `PRAGMA busy_timeout` on a tuned connection: SQLite's own knows nothing of a fair wait. It would read 0, and end it.
const native = require('./native');
const core = require('./state');
const { check } = require('./keel-error');

const PRAGMA = /^[\s;]*(?:pragma|--|\/\*)/i;
const NAME = /busy_timeout/i;

/** Whether a single statement may be the pragma: cheap for all others. */
const mayBe = (sql) => PRAGMA.test(sql) && NAME.test(sql);

/** Whether a script may hold it. */
const isMentioned = (sql) => NAME.test(sql);

/** If `sql` is the pragma, does what it asks, and gives the timeout that is then in force, in milliseconds. */
const answer = (state, sql) => {
	core.requireWhole(sql);
	return check(native.busyTimeoutPragma(state.token, sql.replaceAll('\0', '')));
};

module.exports = { mayBe, isMentioned, answer };
