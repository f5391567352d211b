// What every round trip ends with: it has run on litekeel, and no other SQLite is in the process.
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.argv[1]);

export function assertOnLitekeel() {
	assert.strictEqual(require('better-sqlite3'), require('litekeel'));
	const mapped = readFileSync('/proc/self/maps', 'utf8');
	assert.match(mapped, /\/liblitekeel\.so/);
	assert.doesNotMatch(mapped, /better_sqlite3\.node|linux-x64\.node/);
	console.log('on litekeel');
}
