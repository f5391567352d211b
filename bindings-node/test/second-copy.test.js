'use strict';
// Another SQLite in the process: better-sqlite3 and node:sqlite. litekeel does not open a file that they have locked.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { library } = require('../lib/native.js');
const runtimes = require('./runtimes.js');

const linux = { skip: process.platform !== 'linux' };
const MAJOR = runtimes.majors.at(-1);

function run(t, script) {
	const cwd = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-second-')));
	t.after(() => fs.rmSync(cwd, { recursive: true }));
	const file = path.join(cwd, 'main.js');
	fs.writeFileSync(file, `'use strict';
		const assert = require('node:assert');
		const litekeel = require(${JSON.stringify(path.join(__dirname, '..'))});
		${script}
		console.log('done');`);
	const result = spawnSync(runtimes.node(MAJOR), [file], { cwd, encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library } });
	assert.strictEqual(result.status, 0, result.stderr);
	assert.match(result.stdout, /done/);
}

/** `other` opens a.db with whatever the name stands for and gives an `exec`. */
const SCRIPT = (open) => `
	const other = ${open};
	other.exec('PRAGMA journal_mode=WAL; CREATE TABLE t(n); INSERT INTO t VALUES(0); BEGIN IMMEDIATE; UPDATE t SET n = n + 1');
	assert.throws(() => litekeel.open('file:a.db'), (error) => error.code === 'KEEL_SECOND_SQLITE' && /a\\.db/.test(error.message) && error.hint.length > 0);
	// A file that the other has nothing to do with.
	litekeel.open('file:b.db').close();
	// The control: unguarded, both write at once, and one update is lost.
	const unguarded = litekeel.open('file:a.db', { foreignSqlite: 'off' });
	unguarded.exec('BEGIN IMMEDIATE; UPDATE t SET n = n + 10');
	other.exec('COMMIT');
	unguarded.exec('COMMIT');
	unguarded.close();
	other.close();
	const db = litekeel.open('file:a.db');
	const n = db.prepare('SELECT n FROM t').pluck().get();
	assert.ok(n === 1 || n === 10, 'both updates arrived: ' + n);
	db.close();`;

test('better-sqlite3 beside it', linux, (t) => {
	run(t, SCRIPT(`new (require(${JSON.stringify(runtimes.real(MAJOR))}))('a.db')`));
});

test('node:sqlite beside it', { skip: process.platform !== 'linux' || MAJOR < 24 }, (t) => {
	run(t, SCRIPT(`new (require('node:sqlite').DatabaseSync)('a.db')`));
});

test('connections, workers and attached databases of its own raise no alarm', linux, (t) => {
	run(t, `
	const { Worker } = require('node:worker_threads');
	litekeel.open('file:b.db').exec('CREATE TABLE u(n)').close();
	const first = litekeel.open('file:a.db');
	first.exec("CREATE TABLE t(n); ATTACH 'b.db' AS b; BEGIN IMMEDIATE; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)");
	litekeel.open('file:b.db').close();
	const plain = new litekeel('a.db');
	plain.prepare('SELECT * FROM t').all();
	const source = 'const litekeel = require(' + JSON.stringify(${JSON.stringify(path.join(__dirname, '..'))}) + ');' +
		'for (let i = 0; i < 30; i++) { const db = litekeel.open("file:a.db"); db.prepare("SELECT * FROM t").all(); db.close(); }';
	const workers = Array.from({ length: 4 }, () => new Worker(source, { eval: true }));
	for (let i = 0; i < 30; i++) litekeel.open('file:a.db').close();
	let ended = 0;
	for (const worker of workers) {
		worker.on('error', (error) => { throw error; });
		worker.on('exit', (code) => {
			assert.strictEqual(code, 0);
			ended += 1;
			if (ended < workers.length) return;
			first.exec('COMMIT');
			first.close();
			plain.close();
		});
	}`);
});
