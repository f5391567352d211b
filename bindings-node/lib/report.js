'use strict';
// What `open` found, with the values spelled as the settings are.

/** The settings that SQLite answers by numbers, with the words they are set by. */
const WORDS = {
	synchronous: ['off', 'normal', 'full', 'extra'],
	temp_store: ['default', 'file', 'memory'],
	auto_vacuum: ['none', 'full', 'incremental'],
	secure_delete: ['off', 'on', 'fast'],
};
const SWITCHES = new Set([
	'foreign_keys', 'recursive_triggers', 'query_only', 'immutable', 'defensive', 'trusted_schema', 'dqs', 'mkdir',
	'persist_wal', 'share', 'nolock', 'psow', 'unsafe', 'hard_links',
]);

/** `normal`, `on`; a value that has no word stays as it is. */
function spelled(name, value) {
	if (SWITCHES.has(name)) return { 0: 'off', 1: 'on' }[value] ?? value;
	return WORDS[name]?.[value] ?? value;
}

/** The report of a native `[file, url, urlSource, warnings, rows]`. In its rows the values are as SQLite answers them. */
exports.openReport = ([file, url, urlSource, warnings, rows]) => {
	const report = {};
	const list = rows.map(([name, value, wanted, source, note]) => {
		report[name] = spelled(name, value);
		return { name, value, wanted, source, note };
	});
	return Object.assign(report, { rows: list, path: file || null, url, urlSource, warnings });
};

Object.assign(exports, { WORDS, SWITCHES });
