'use strict';
// Whether the database has every row that the writers' outputs say was acknowledged.
//   DATABASE_URL=… node check.js OUTPUT ...
const fs = require('node:fs');
const { open } = require('litekeel');

const acknowledged = [];
let unconfirmed = 0;
for (const file of process.argv.slice(2)) {
	for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
		const [what, writer, n] = line.split(' ');
		if (what === 'acknowledged') acknowledged.push(`${writer} ${Number(n)}`);
		else if (what === 'unconfirmed') ++unconfirmed;
	}
}
const db = open();
const rows = new Set(db.prepare("SELECT writer || ' ' || n FROM event").pluck().all());
const missing = acknowledged.filter((row) => !rows.has(row));
db.close();
console.log(`  ${acknowledged.length} rows were acknowledged, ${missing.length} of them are missing; ${rows.size} rows are there (${unconfirmed} commits were not confirmed)`);
if (missing.length > 0) console.error(`missing: ${missing.slice(0, 5).join(', ')}`);
process.exitCode = missing.length === 0 && acknowledged.length > 0 ? 0 : 1;
