'use strict';
// A program whose standard error nobody reads, or that has none, ends as it would have: same status, same rows, closed.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');
const runtimes = require('./runtimes');
require('./prepare')();

const module_ = JSON.stringify(path.join(__dirname, '..'));
/** Whether anybody reads is known by writing only. */
const WAIT = "for (;;) try { require('node:fs').writeSync(2, 'x'); } catch { break; }";
const LEFT = /a connection was (open at exit|dropped without close)/;
const WAYS = [
	{ name: 'it returns', url: 'file:a.db', end: 'process.exitCode = 3', status: 3, line: LEFT },
	{ name: 'it exits', url: 'file:a.db', end: 'process.exit(4)', status: 4, line: LEFT },
	{ name: 'it leaks in a test', url: 'file:a.db?profile=test', end: '', status: 1, line: /profile=test: exit status 1/ },
	{
		name: 'a worker leaves it', url: 'file:a.db', status: 5, line: LEFT,
		end: `new (require('node:worker_threads').Worker)(\`require(${module_.replaceAll('\\', '\\\\')}).open('file:a.db').exec('SELECT 1')\`, { eval: true }).on('exit', () => process.exit(5))`,
	},
];

for (const major of runtimes.majors) {
	for (const { name, url, end, status, line } of WAYS) {
		test(`nobody reads standard error: ${name}, Node ${major}`, { skip: process.platform === 'win32' }, (t) => {
			for (const [how, redirect] of [['read', ''], ['gone', '{ $0 main.js 2>&1 >&3 3>&-; echo $? >status; } 3>&2 | head -c 1 >/dev/null; exit $(cat status)'], ['closed', '2>&-']]) {
				const cwd = temporary(t);
				fs.writeFileSync(path.join(cwd, 'main.js'), `const db = require(${module_}).open('${url}');
					db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)'); ${how === 'gone' ? WAIT : ''} ${end}`);
				// The shell: what Node starts always has a standard error.
				const command = how === 'gone' ? redirect : `$0 main.js ${redirect}`;
				const result = spawnSync('sh', ['-c', command, runtimes.node(major)], { cwd, encoding: 'utf8', timeout: 60_000 });
				assert.strictEqual(result.status, status, `${how}: ${result.stderr}`);
				assert.ok(how !== 'read' || line.test(result.stderr), result.stderr);
				assert.ok(!fs.existsSync(path.join(cwd, 'a.db-wal')), how);
				const db = litekeel.open('file:a.db', { baseDir: cwd });
				assert.deepStrictEqual(db.prepare('SELECT a FROM t').pluck().all(), [1]);
				db.close();
			}
		});
	}
}
