'use strict';
// A backup ends although other processes write, which makes SQLite begin the copy anew each time.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const PAGES = 3000;

for (const [door, open] of [['new Database', (file) => new litekeel(file)], ['open', (file) => litekeel.open(`file:${file}`)]]) {
	for (const [pace, options] of [['as it is', {}], ['of a page', { progress: () => 1 }]]) {
		test(`${door}, at the pace ${pace}`, { timeout: 120_000 }, async (t) => {
			const file = path.join(temporary(t), 'a.db');
			const db = open(file);
			db.pragma('journal_mode = WAL');
			db.exec(`CREATE TABLE t(a, b); CREATE TABLE n(n); INSERT INTO n VALUES (0); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${PAGES}) INSERT INTO t SELECT x, randomblob(3000) FROM c`);
			const writer = spawn(process.execPath, ['-e', `const db = new (require(${JSON.stringify(path.join(__dirname, '..'))}))(${JSON.stringify(file)}); const s = db.prepare('UPDATE n SET n = n + 1'); console.log(1); const go = () => { for (let i = 0; i < 5; i++) s.run(); setImmediate(go); }; go();`], { stdio: ['ignore', 'pipe', 'inherit'] });
			t.after(() => { writer.kill('SIGKILL'); db.close(); });
			await once(writer.stdout, 'data');
			let calls = 0;
			let restarts = 0;
			let before = 0;
			const given = options.progress;
			// No clock: at the same pace there would be no end.
			const progress = (figures) => {
				calls += 1;
				if (calls > 20_000) throw new Error(`no end after ${calls} steps and ${restarts} new beginnings`);
				const copied = figures.totalPages - figures.remainingPages;
				if (copied < before) restarts += 1;
				before = copied;
				return given?.(figures);
			};
			const { totalPages, remainingPages } = await db.backup(`${file}.copy`, { progress });
			t.diagnostic(`${calls} steps, ${restarts} new beginnings`);
			assert.strictEqual(remainingPages, 0);
			assert.ok(totalPages > PAGES * 0.7, `${totalPages}`);
			const copy = new litekeel(`${file}.copy`, { readonly: true });
			assert.strictEqual(copy.pragma('integrity_check', { simple: true }), 'ok');
			assert.strictEqual(copy.prepare('SELECT count(*) FROM t').pluck().get(), PAGES);
			assert.ok(copy.prepare('SELECT n FROM n').pluck().get() <= db.prepare('SELECT n FROM n').pluck().get());
			copy.close();
		});
	}
}

test('alone, the pace is that which was asked for', async (t) => {
	const file = path.join(temporary(t), 'a.db');
	const db = new litekeel(file).exec('CREATE TABLE t(a, b); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 300) INSERT INTO t SELECT x, randomblob(3000) FROM c');
	const seen = [];
	const insert = db.prepare('INSERT INTO t VALUES (0, randomblob(3000))');
	await db.backup(`${file}.copy`, { progress: ({ totalPages, remainingPages }) => { seen.push(totalPages - remainingPages); insert.run(); return 10; } });
	// What the connection itself writes is carried along, and begins nothing anew.
	assert.deepStrictEqual(seen.slice(0, 5), [0, 10, 20, 30, 40]);
	db.close();
});
