'use strict';
// The -wal is deleted under a connection, or this process's locks are gone, and others write: by whatever way the program ends,
// nothing of theirs is destroyed, and what only the lost -wal held is in a file beside the database, which open() names.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const module_ = JSON.stringify(path.join(__dirname, '..'));
const OTHERS = 500;

/** How each of the doors opens, the ways out, and how a program loses what it has. */
const doors = { 'new Database': "new litekeel('a.db')", 'open': "litekeel.open('file:a.db', { shutdownOn: ['SIGTERM'] })" };
const ways = {
	'close()': ['const report = db.close().closeReport; if (report) console.error(report.warnings.join());', 0],
	'its natural end': ['', 0],
	'process.exit()': ['process.exit(3);', 3],
	'an uncaught error': ["throw new Error('on purpose');", 1],
	'SIGTERM': ["process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 60_000);", 'SIGTERM'],
};
const losses = {
	'its -wal is deleted': "for (const name of ['a.db-wal', 'a.db-shm']) fs.unlinkSync(name);",
	'its files are read': "for (const name of ['a.db', 'a.db-wal', 'a.db-shm']) fs.readFileSync(name);",
};

/** Each of the others is a process of its own, and takes itself for the last one if it can. */
const program = (open, loses, ends) => `'use strict';
	const fs = require('node:fs');
	const { execFileSync } = require('node:child_process');
	const litekeel = require(${module_});
	const others = (from, count) => execFileSync(process.execPath, ['-e', \`
		const db = new (require(${module_}))('a.db');
		const insert = db.prepare('INSERT INTO t VALUES (?)');
		db.transaction(() => { for (let n = \${from}; n < \${from + count}; n++) insert.run('other-' + n); }).immediate();
		db.close();\`]);
	const db = ${open};
	db.pragma('journal_mode = WAL');
	db.exec('CREATE TABLE t(who)');
	db.pragma('wal_checkpoint(TRUNCATE)');
	const insert = db.prepare('INSERT INTO t VALUES (?)');
	const write = (who) => { try { insert.run(who); console.log(who); } catch (error) { if (!/READONLY|KEEL_/.test(error.code)) throw error; } };
	write('ours-1.');
	${loses}
	others(0, 1);
	write('ours-2.');
	others(1, ${OTHERS - 1});
	${ends}`;

for (const [door, open] of Object.entries(doors)) {
	for (const [way, [ends, status]] of Object.entries(ways)) {
		// Nobody has asked for that there: the process is gone at once, with its log in place.
		if (way === 'SIGTERM' && door === 'new Database') continue;
		for (const [what, loses] of Object.entries(losses)) {
			test(`${door}: ${what}, and it ends by ${way}`, (t) => {
				const cwd = temporary(t);
				const result = spawnSync(process.execPath, ['-e', program(open, loses, ends)], { cwd, encoding: 'utf8', timeout: 300_000 });
				assert.strictEqual(result.signal ?? result.status, status, result.stderr);
				const acknowledged = result.stdout.trim().split('\n');
				assert.ok(acknowledged.includes('ours-1.'), result.stdout);
				const db = new litekeel(path.join(cwd, 'a.db'));
				assert.strictEqual(db.pragma('integrity_check', { simple: true }), 'ok');
				const there = db.prepare('SELECT who FROM t').pluck().all();
				db.close();
				assert.strictEqual(there.filter((who) => who.startsWith('other-')).length, OTHERS);
				const kept = fs.readdirSync(cwd).filter((name) => name.startsWith('a.db-wal.unlinked-'));
				const named = door === 'open' ? kept.filter((name) => result.stderr.includes(path.join(cwd, name))) : kept;
				const bytes = Buffer.concat(named.map((name) => fs.readFileSync(path.join(cwd, name))));
				for (const who of acknowledged) assert.ok(there.includes(who) || bytes.includes(who), `${who} is gone: ${fs.readdirSync(cwd)}, ${result.stderr}`);
			});
		}
	}
}
