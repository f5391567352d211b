'use strict';
// What stands on better-sqlite3, installed once with this repository's litekeel in its place: `better-sqlite3` is the
// published alias, whose `litekeel` is the directory under test.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const prepare = require('../prepare');
const { writeAlias } = require('../../pack');

const HERE = __dirname;
const ALIAS = path.join(HERE, 'alias');
const LITEKEEL = path.join(HERE, '..', '..');

/** Writes the alias, unless it is the right one already: test files run side by side. */
function alias() {
	const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-alias-'));
	writeAlias(stage, 13);
	// Its litekeel comes from here, not from the registry.
	const manifest = path.join(stage, 'package.json');
	const { dependencies, ...rest } = JSON.parse(fs.readFileSync(manifest, 'utf8'));
	fs.writeFileSync(manifest, JSON.stringify(rest));
	const current = (name) => fs.existsSync(path.join(ALIAS, name)) && fs.readFileSync(path.join(ALIAS, name)).equals(fs.readFileSync(path.join(stage, name)));
	if (!fs.readdirSync(stage).every(current)) fs.cpSync(stage, ALIAS, { recursive: true });
	fs.rmSync(stage, { recursive: true });
}

function link(directory) {
	const name = path.join(directory, 'node_modules', 'litekeel');
	if (fs.existsSync(name) && fs.realpathSync(name) === LITEKEEL) return;
	fs.rmSync(name, { recursive: true, force: true });
	fs.mkdirSync(path.dirname(name), { recursive: true });
	fs.symlinkSync(LITEKEEL, name);
}

/** The directory with everything installed; `next` is the one with Drizzle's next major version. */
module.exports = () => {
	const next = path.join(HERE, 'drizzle-1');
	alias();
	prepare(HERE, '--ignore-scripts');
	prepare(next, '--ignore-scripts');
	for (const directory of [HERE, next, ALIAS]) link(directory);
	return { directory: HERE, next, bin: (name) => path.join(HERE, 'node_modules', '.bin', name) };
};

if (require.main === module) module.exports();
