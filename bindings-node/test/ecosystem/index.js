'use strict';
// What stands on better-sqlite3, installed once, with this repository's litekeel in its place as the tarballs have it.
const path = require('node:path');
const prepare = require('../prepare');
const { installInto } = require('../../pack');

const HERE = __dirname;
const NEXT = path.join(HERE, 'drizzle-1');

/** The directory with everything installed; `next` is the one with Drizzle's next major version. */
module.exports = () => {
	for (const directory of [HERE, NEXT]) {
		prepare(directory, '--ignore-scripts');
		installInto(directory);
	}
	return { directory: HERE, next: NEXT, bin: (name) => path.join(HERE, 'node_modules', '.bin', name) };
};

if (require.main === module) module.exports();
