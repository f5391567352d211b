'use strict';
// Opening, using and closing over and over leaves no descriptor, no connection and no memory behind.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const temporary = require('./temporary');
const runtimes = require('./runtimes');
require('./prepare')();

/** `LITEKEEL_LONG=1` makes it longer. */
const ROUNDS = process.env.LITEKEEL_LONG ? 50_000 : 3000;

for (const major of runtimes.majors) {
	test(`${ROUNDS} connections with ten statements each, Node ${major}`, { skip: process.platform !== 'linux' }, (t) => {
		const cwd = temporary(t);
		const file = path.join(cwd, 'main.js');
		fs.writeFileSync(file, `'use strict';
			const assert = require('node:assert');
			const fs = require('node:fs');
			const litekeel = require(${JSON.stringify(path.join(__dirname, '..'))});
			const round = (number) => {
				const db = number % 2 === 0 ? litekeel.open('file:a.db?synchronous=off') : new litekeel('a.db');
				for (let i = 0; i < 10; i++) db.prepare('SELECT ' + i + ', a FROM t').all();
				const rows = db.prepare('SELECT 1 UNION ALL SELECT 2').iterate();
				rows.next();
				rows.return();
				assert.throws(() => db.prepare('SELECT nonsense'));
				db.close();
			};
			litekeel.open('file:a.db').exec('CREATE TABLE t(a)').close();
			// Collecting takes turns of the event loop: finalizers are called from there.
			const settle = async () => {
				for (let i = 0; i < 5; i++) {
					globalThis.gc();
					await new Promise((done) => setImmediate(done));
				}
				return { files: fs.readdirSync('/proc/self/fd').length, memory: process.memoryUsage().rss };
			};
			(async () => {
				for (let i = 0; i < 2000; i++) { round(i); if (i % 200 === 0) await settle(); }
				const before = await settle();
				for (let i = 0; i < ${ROUNDS}; i++) { round(i); if (i % 200 === 0) await settle(); }
				const after = await settle();
				litekeel.assertNoLeaks();
				console.log(JSON.stringify([after.files - before.files, after.memory - before.memory]));
			})();`);
		const result = spawnSync(runtimes.node(major), ['--expose-gc', file], { cwd, encoding: 'utf8', timeout: 300_000 });
		assert.strictEqual(result.status, 0, result.stderr);
		const [files, memory] = JSON.parse(result.stdout);
		t.diagnostic(`${files} descriptors, ${memory >> 10} KiB more`);
		assert.strictEqual(files, 0);
		// V8's own heap moves by some megabytes; one kilobyte for each connection would be seen.
		assert.ok(memory < (4 << 20) + ROUNDS * 512, `${memory} bytes more`);
	});
}
