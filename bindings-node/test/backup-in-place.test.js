'use strict';
// A backup is one of the file at the path, of what was committed, or it is refused.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const litekeel = require('../lib');
const temporary = require('./temporary');

const lost = {
	'its -wal is deleted': (file) => fs.rmSync(`${file}-wal`),
	'another file takes its place': (file) => {
		fs.writeFileSync(`${file}.other`, 'x');
		fs.renameSync(`${file}.other`, file);
	},
};
const doors = { open: (file) => litekeel.open(`file:${file}?checkpoint=manual`), 'new Database': (file) => new litekeel(file) };
for (const [what, lose] of Object.entries(lost)) for (const [door, open] of Object.entries(doors)) {
	test(`${door}: when ${what}, a copy is made by name alone`, async (t) => {
		const file = path.join(temporary(t), 'a.db');
		const db = open(file);
		db.pragma('journal_mode = WAL');
		db.exec("CREATE TABLE t(a); INSERT INTO t VALUES ('mine')");
		await db.backup(`${file}.good`);
		db.exec(`VACUUM INTO '${file}.vacuumed'`);
		assert.ok(db.serialize().length > 0);
		lose(file);
		const refused = { code: /KEEL_(WAL_UNLINKED|DATABASE_MOVED)/ };
		await assert.rejects(db.backup(`${file}.copy`), refused);
		assert.ok(!fs.existsSync(`${file}.copy`));
		assert.throws(() => db.exec(`VACUUM INTO '${file}.copy'`), { code: door === 'open' ? refused.code : 'SQLITE_READONLY_DBMOVED' });
		assert.throws(() => db.serialize(), refused);
		await db.backup(`${file}.rescue`, { unsafe: true });
		for (const copy of [new litekeel(`${file}.rescue`), new litekeel(db.serialize({ unsafe: true }))]) {
			assert.strictEqual(copy.prepare('SELECT a FROM t').pluck().get(), 'mine');
			copy.close();
		}
		try { db.close(); } catch { /* what is wrong has been told */ }
	});

	test(`${door}: when ${what} in the middle of a backup, there is no copy`, async (t) => {
		for (const existed of [false, true]) for (const rate of [1, 100]) {
			const file = path.join(temporary(t), 'a.db');
			const db = open(file);
			db.pragma('journal_mode = WAL');
			db.exec("CREATE TABLE t(a); INSERT INTO t SELECT zeroblob(4000) FROM (VALUES (1), (2), (3), (4), (5))");
			if (existed) new litekeel(`${file}.copy`).exec("CREATE TABLE t(a); INSERT INTO t VALUES ('before')").close();
			let calls = 0;
			const progress = () => {
				if (calls++ === 0) lose(file);
				return rate;
			};
			await assert.rejects(db.backup(`${file}.copy`, { progress }), { code: /KEEL_(WAL_UNLINKED|DATABASE_MOVED)/ });
			assert.strictEqual(fs.existsSync(`${file}.copy`), existed);
			if (existed) {
				const copy = new litekeel(`${file}.copy`);
				assert.strictEqual(copy.prepare('SELECT a FROM t').pluck().get(), 'before');
				copy.close();
			}
			try { db.close(); } catch { /* what is wrong has been told */ }
		}
	});
}

for (const [door, open] of [['new Database', (file) => new litekeel(file)], ['open', (file) => litekeel.open(`file:${file}`)]]) {
	test(`${door}: inside a transaction that writes it is refused, in one that reads it is made`, async (t) => {
		const file = path.join(temporary(t), 'a.db');
		const db = open(file).exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
		db.exec('BEGIN; INSERT INTO t VALUES (2)');
		await assert.rejects(db.backup(`${file}.copy`), { code: 'SQLITE_BUSY', message: /inside a transaction that writes/ });
		assert.ok(!fs.existsSync(`${file}.copy`));
		db.exec('ROLLBACK; BEGIN');
		db.prepare('SELECT * FROM t').all();
		assert.ok((await db.backup(`${file}.copy`)).totalPages > 0);
		db.exec('COMMIT');
		db.close();
	});
}

for (const [door, open] of Object.entries(doors)) {
	test(`${door}: a source that is emptied in the middle empties no copy that was there`, async (t) => {
		for (const rate of [1, 100]) {
			const file = path.join(temporary(t), 'a.db');
			const db = open(file);
			db.pragma('journal_mode = DELETE');
			db.exec('CREATE TABLE t(a); INSERT INTO t SELECT zeroblob(4000) FROM (VALUES (1), (2), (3), (4), (5))');
			new litekeel(`${file}.copy`).exec("CREATE TABLE t(a); INSERT INTO t VALUES ('before')").close();
			let calls = 0;
			const progress = () => {
				// By another program: a descriptor of this one that is closed would drop its locks.
				if (calls++ === 0) execFileSync('sh', ['-c', ': > "$1"', 'sh', file]);
				return rate;
			};
			await assert.rejects(db.backup(`${file}.copy`, { progress }), { code: /SQLITE_NOTADB|KEEL_DATABASE_MOVED/ });
			const copy = new litekeel(`${file}.copy`);
			assert.strictEqual(copy.prepare('SELECT a FROM t').pluck().get(), 'before');
			copy.close();
			try { db.close(); } catch { /* what is wrong has been told */ }
		}
	});
}
