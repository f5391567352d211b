'use strict';
// SQL into statement objects, for `prepare()` and for what runs one statement and forgets it.
const core = require('./state');
const compiling = require('./statement-cache');
const { make, asReader, asBound, dispose } = require('./statement');

/** A statement that is discarded before anybody else can have it. */
function makeBriefly(compiled) {
	compiled.owned = true;
	return make(compiled);
}

/** A statement of `sql`, which has to be exactly one. */
const prepare = (state, sql) => {
	if (state.busy !== 0) core.requireNotBusy(state);
	const compiled = compiling.obtain(state, sql);
	const statement = make(compiled);
	if (!compiled.kept) compiling.own(statement, compiled);
	return statement;
};

/** The rows of a pragma; one that gives none is still asked for them. */
const pragma = (state, source, simple) => {
	const statement = asReader(makeBriefly(compiling.compileOne(state, `PRAGMA ${source}`, false)));
	try {
		return simple ? statement.pluck().get() : statement.all();
	} finally {
		dispose(statement);
	}
};

/** The rows of EXPLAIN, with every parameter left unbound (NULL). */
const explain = (state, source) => {
	core.requireNotBusy(state);
	const statement = asBound(makeBriefly(compiling.compileOne(state, `EXPLAIN ${source}`, false)));
	try {
		return statement.all();
	} finally {
		dispose(statement);
	}
};

module.exports = { prepare, pragma, explain };
