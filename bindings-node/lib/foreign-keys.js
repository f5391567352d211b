'use strict';
const native = require('./native');

const PRAGMA = /^[\s;]*pragma\s+(?:\w+\s*\.\s*)?["'`[]?foreign_keys\b["'`\]]?\s*[=(]/i;

/** Whether a script may hold the pragma: cheap, and true too often rather than not. */
const mentionsForeignKeys = (sql) => sql.includes('foreign_keys') || sql.includes('FOREIGN_KEYS');

/**
 * Warns of `PRAGMA foreign_keys = …` inside a transaction, where SQLite ignores it without a word: a table that is
 * rebuilt then would take the rows that refer to it along, which the native side refuses. The pragma acts when it is compiled.
 */
const warn = (state, sql) => {
	if (state.warnedOfForeignKeys || !PRAGMA.test(sql) || !native.inTransaction(state.token)) return;
	state.warnedOfForeignKeys = true;
	process.emitWarning(`PRAGMA foreign_keys has no effect inside a transaction (${state.database.name || 'a temporary database'})`, {
		type: 'SqliteWarning', code: 'KEEL_FOREIGN_KEYS_IN_TRANSACTION', detail: 'Run it before BEGIN. With foreign keys on, to drop a table deletes or changes the rows that refer to it; after an OFF that had no effect, litekeel refuses that.',
	});
};

module.exports = { mentionsForeignKeys, warn };
