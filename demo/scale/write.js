'use strict';
// One row after another, until it is killed. A line of its output stands for one row, and is written when the row is safe:
// with a file when Litestream has it at the replica, with a libSQL server when that has acknowledged it.
//   DATABASE_URL=… node write.js NAME
const fs = require('node:fs');
const { open } = require('litekeel');

const [, , name] = process.argv;
const url = process.env.DATABASE_URL;
const db = open(url.startsWith('file:') ? `${url}&durability=replicated&replication_timeout=5s` : url);
const insert = db.prepare('INSERT INTO event VALUES(?, ?)');
// A write to a file is complete when writeSync returns; a kill takes nothing of it back.
const say = (line) => fs.writeSync(1, `${line}\n`);
const pause = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

for (let n = 1; ; ++n) {
	try {
		insert.run(name, n);
		say(`acknowledged ${name} ${n}`);
	} catch (error) {
		// It may be there or not: it is not sent again, and nobody was told that it is safe.
		say(`unconfirmed ${name} ${n}: ${error.code}: ${error.message}`);
		pause(200);
	}
}
