'use strict';
// A backup is one of the file at the path, of what was committed, or it is refused.
const { test } = require('node:test');
const assert = require('node:assert');
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
for (const [what, lose] of Object.entries(lost)) {
	test(`when ${what}, a copy is made by name alone`, async (t) => {
		const file = path.join(temporary(t), 'a.db');
		const db = litekeel.open(`file:${file}?checkpoint=manual`);
		db.exec("CREATE TABLE t(a); INSERT INTO t VALUES ('mine')");
		await db.backup(`${file}.good`);
		assert.ok(db.serialize().length > 0);
		lose(file);
		const refused = { code: /KEEL_(WAL_UNLINKED|DATABASE_MOVED)/ };
		await assert.rejects(db.backup(`${file}.copy`), refused);
		assert.ok(!fs.existsSync(`${file}.copy`));
		assert.throws(() => db.serialize(), refused);
		await db.backup(`${file}.rescue`, { unsafe: true });
		for (const copy of [new litekeel(`${file}.rescue`), new litekeel(db.serialize({ unsafe: true }))]) {
			assert.strictEqual(copy.prepare('SELECT a FROM t').pluck().get(), 'mine');
			copy.close();
		}
		try { db.close(); } catch { /* what is wrong has been told */ }
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
