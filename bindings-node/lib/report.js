'use strict';
// What `open` found, with the values spelled as the settings are.
const { assign, put } = require('./own-properties');

/** The settings that SQLite answers by numbers, with the words they are set by. */
const WORDS = {
	synchronous: ['off', 'normal', 'full', 'extra'],
	temp_store: ['default', 'file', 'memory'],
	auto_vacuum: ['none', 'full', 'incremental'],
	secure_delete: ['off', 'on', 'fast'],
};
const SWITCHES = new Set([
	'foreign_keys', 'recursive_triggers', 'query_only', 'immutable', 'defensive', 'trusted_schema', 'dqs', 'mkdir',
	'persist_wal', 'share', 'nolock', 'psow', 'unsafe', 'hard_links', 'fullfsync',
]);

/** `normal`, `on`; a value that has no word stays as it is. */
function spelled(name, value) {
	if (SWITCHES.has(name)) return { __proto__: null, 0: 'off', 1: 'on' }[value] ?? value;
	return (Object.hasOwn(WORDS, name) && Object.hasOwn(WORDS[name], value) ? WORDS[name][value] : undefined) ?? value;
}

/** The report of a native `[file, url, urlSource, warnings, rows]`. In its rows the values are as SQLite answers them. */
const openReport = ([file, url, urlSource, warnings, rows]) => {
	const report = {};
	const list = rows.map(([name, value, wanted, source, note]) => {
		put(report, name, spelled(name, value));
		return { name, value, wanted, source, note };
	});
	return assign(report, { rows: list, path: file || null, url, urlSource, warnings });
};

module.exports = { openReport, WORDS, SWITCHES };
