'use strict';
// Running a native statement, whose values are in the buffer or bound: for its effect, or for all of its rows.
const core = require('./state');
const compiling = require('./statement-cache');
const { bindError, invoke } = require('./bind');
const { decoderFor } = require('./decoder');
const { I, F, B, native, field, status } = require('./buffer');

const { STATEMENT, LIMIT, COLUMNS, FLAGS, STATUS, ROWS, SHAPE, CHANGES, STALE } = field;
const { allRows, nextRows, runStatement } = native;
const ROWID_CELL = field.ROWID / 2;
const NO_LIMIT = 0x7fffffff;

/** Throws what the latest call through the buffer has failed with. */
function fail(state) {
	if (I[STATUS] === status.UNBOUND) throw bindError();
	if (I[STALE] === 1) compiling.flush(state);
	throw core.failure();
}

/** Binds the values in the buffer, beyond the next call. */
function bindToStay(compiled) {
	I[STATEMENT] = compiled.id;
	I[FLAGS] = 0;
	invoke(native.bindValues);
	if (I[STATUS] !== status.DONE) fail(compiled.state);
}

/** Runs it: what `run()` gives. */
function effect(state, safe) {
	invoke(runStatement);
	if (I[STATUS] !== status.DONE) fail(state);
	return { changes: I[CHANGES], lastInsertRowid: safe ? B[ROWID_CELL] : F[ROWID_CELL] };
}

/** Runs it until its rows end, or the buffer is full: the texts of those that are in the buffer. */
function fetchRows() {
	I[LIMIT] = NO_LIMIT;
	return invoke(allRows);
}

/** The rows that are in the buffer, and all that follow them; by `decoder` while the columns are what it was made for. */
function restOfRows(compiled, text, decoder, mode, safe) {
	const { state } = compiled;
	const out = [];
	try {
		for (;;) {
			const outcome = I[STATUS];
			if (outcome !== status.ROW && outcome !== status.DONE) break;
			const count = I[ROWS];
			if (count > 0) {
				if (decoder === null || decoder.shape !== I[SHAPE]) decoder = decoderFor(compiled, mode, safe);
				decoder.many(text === undefined ? '' : text, out, out.length, count);
			}
			if (outcome === status.DONE) return out;
			text = nextRows();
		}
	} catch (error) {
		// Whatever went wrong outside of SQLite, the statement is to be left reset.
		if (state.open) {
			I[STATEMENT] = compiled.id;
			native.resetStatement();
		}
		throw error;
	}
	return fail(state);
}

/** All rows in one native call: nobody else who uses the connection comes in between. */
function rowsAtOnce(compiled, mode, safe) {
	I[COLUMNS] = 0;
	const rows = invoke(native.allValues);
	if (I[STATUS] !== status.DONE) fail(compiled.state);
	return rows.length === 0 ? rows : decoderFor(compiled, mode, safe).fromValues(rows);
}

module.exports = { fail, bindToStay, effect, fetchRows, restOfRows, rowsAtOnce };
