'use strict';
// Where litekeel differs from better-sqlite3 on purpose. Each entry leaves out single observations, by their label,
// and says why; docs/compatibility.md lists the same differences for readers.
const differences = [
	// litekeel follows 13 on every Node; 12 binds a DataView, 13 refuses it.
	{ major: 12, label: /^DataView/ },
	// 12 replaces each half of a lone surrogate's encoding, 13 the surrogate as a whole.
	{ major: 12, label: /^lone surrogate/ },
	// 12 adds `database` before `reader`; 13's order is followed.
	{ major: 12, label: /^statement keys/ },
	// unsafeMode() needs an open database since 13.1.
	{ major: 12, label: /^closed unsafeMode/ },
	// A class since 13, yet still callable as in 12.
	{ major: 13, label: /^SqliteError without new/ },
	// The image of a WAL database opens again here (its header says so), which better-sqlite3's does not.
	{ label: /^WAL image/ },
	// A schema that is not there is named as such; better-sqlite3 says that memory ran out.
	{ label: /^serialize \[\{"attached":"temp"\}\]/ },
	// Functions that exist since 13 only.
	{ major: 12, label: /^13:/ },
	{ major: 12, label: /^(prototype|typeof explain) / },
	// 13.1 opens file descriptors, so numbers are refused with another text.
	{ major: 12, label: /^(bad path number|number) / },
	{ major: 12, label: /^option ENABLE_PERCENTILE/ },
	// Methods are no constructors here: nobody calls one with new.
	{ label: /^(Database|Statement|Iterator)\.\w+ prototype/ },
	// Plain properties: making them read-only takes 0.6 µs a statement, more than preparing known SQL and a get().
	{ label: /^statement .* (descriptor|sloppy assignment to|strict assignment to|deleting) (reader|readonly|source|database|busy) / },
	{ label: /^statement inspect/ },
	// A NUL ends SQL for SQLite: what follows it is refused here, and dropped there without a word.
	{ label: /^prepare "[^"]*\\u0000/ },
	// A name that is too long is told as misuse; there, as an earlier failure, or as "not an error".
	{ label: /^(function|aggregate) \d+ \["x{256,}/ },
	// Says what the statement would give now, not what it gave when it was last compiled.
	{ label: /^columns (before it runs|dropped|after failing)/ },
];

module.exports = (_name, major) => (line) => differences.some(
	(difference) => (difference.major === undefined || difference.major === major) && difference.label.test(line),
);
