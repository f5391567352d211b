'use strict';
// Opening by file descriptor, which better-sqlite3 has since 13.1. Every label starts with "13:".
const fs = require('node:fs');

const pair = (file, flags = 'w+') => [fs.openSync(file, flags), fs.openSync(`${file}-journal`, flags)];

exports['descriptor: arguments'] = ({ Database, o, file }) => {
	const [fd, journalFd] = pair(file);
	const other = fs.openSync(`${file}.txt`, 'w+');
	const readOnly = fs.openSync(file, 'r');
	const writeOnly = fs.openSync(`${file}.txt`, 'w');
	const append = fs.openSync(`${file}.txt`, 'a+');
	const directory = fs.openSync(require('node:path').dirname(file), 'r');
	const deleted = fs.openSync(`${file}.gone`, 'w+');
	fs.unlinkSync(`${file}.gone`);
	const closed = 9999;
	const cases = {
		'no journalFd': [fd], 'undefined journalFd': [fd, { journalFd: undefined }], 'null journalFd': [fd, { journalFd: null }],
		'negative': [-1, { journalFd }], 'fraction': [1.5, { journalFd }], 'NaN': [NaN, { journalFd }], 'too big': [2 ** 31, { journalFd }],
		'journalFd negative': [fd, { journalFd: -1 }], 'journalFd text': [fd, { journalFd: '4' }], 'journalFd with a path': [file, { journalFd }],
		'closed': [closed, { journalFd }], 'closed journal': [fd, { journalFd: closed }], 'directory': [directory, { journalFd }],
		'same file': [fd, { journalFd: fd }], 'read only': [readOnly, { journalFd }], 'write only': [writeOnly, { journalFd }],
		'append': [append, { journalFd }], 'append journal': [fd, { journalFd: append }], 'deleted': [deleted, { journalFd }],
		'deleted journal': [fd, { journalFd: deleted }], 'timeout first': [closed, { journalFd: closed, timeout: -1 }], 'misspelled': [fd, { journalFd, readOnly: true }],
	};
	for (const [name, args] of Object.entries(cases)) o.call(`13: ${name}`, () => { const db = new Database(...args); db.close(); return 'opened'; });
	for (const one of [fd, journalFd, other, readOnly, writeOnly, append, directory, deleted]) fs.closeSync(one);
};

exports['descriptor: use'] = ({ Database, o, file, major }) => {
	if (major < 13) return o.note('13: not there', true);
	const [fd, journalFd] = pair(file);
	const db = new Database(fd, { journalFd });
	o.note('13: properties', { name: db.name.replace(/\d+/, 'N'), memory: db.memory, readonly: db.readonly, open: db.open });
	o.call('13: create', () => db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)').prepare('SELECT * FROM t').all());
	o.call('13: journal empty', () => fs.statSync(`${file}-journal`).size);
	db.exec('BEGIN; UPDATE t SET a = 9');
	o.call('13: rollback', () => db.exec('ROLLBACK').prepare('SELECT * FROM t').all());
	for (const mode of ['wal', 'WAL', 'persist', 'truncate', 'memory', 'delete']) o.call(`13: journal_mode ${mode}`, () => db.pragma(`journal_mode = ${mode}`));
	o.call('13: locking_mode, then wal', () => [db.pragma('locking_mode = exclusive'), db.pragma('locking_mode = normal'), db.pragma('journal_mode')]);
	o.call('13: attach a descriptor', () => { try { db.exec(`ATTACH '${db.name}:0' AS x`); } catch (error) { return [error.code, error.message.replace(/\d+/, 'N')]; } });
	o.call('13: attach a file', () => db.exec(`ATTACH '${file}.other' AS other; CREATE TABLE other.u(b)`).prepare('SELECT count(*) AS n FROM other.sqlite_schema').get());
	o.call('13: write both', () => db.exec('BEGIN; INSERT INTO t VALUES (3); INSERT INTO other.u VALUES (3); COMMIT'));
	o.call('13: after it', () => { if (db.inTransaction) db.exec('ROLLBACK'); return db.prepare('SELECT count(*) AS n FROM t').get(); });
	o.call('13: vacuum', () => { db.exec('DETACH other; VACUUM'); return db.prepare('PRAGMA integrity_check').all(); });
	o.call('13: serialize', () => db.serialize().length > 0);
	o.call('13: close', () => db.close().open);
	o.call('13: descriptors stay open', () => fs.fstatSync(fd).size === fs.statSync(file).size);
	o.call('13: read-only', () => {
		const [one, two] = pair(file, 'r');
		const reader = new Database(one, { journalFd: two, readonly: true });
		const rows = reader.prepare('SELECT * FROM t').all();
		o.call('13: write to read-only', () => reader.exec('DELETE FROM t'));
		reader.close();
		fs.closeSync(one);
		fs.closeSync(two);
		return rows;
	});
	fs.closeSync(fd);
	fs.closeSync(journalFd);
};

exports['descriptor: deleted while open'] = ({ Database, o, file, major }) => {
	if (major < 13) return o.note('13: not there', true);
	for (const [name, victim] of [['database', file], ['journal', `${file}-journal`]]) {
		const [fd, journalFd] = pair(file);
		const db = new Database(fd, { journalFd });
		db.exec('CREATE TABLE IF NOT EXISTS t(a)');
		const insert = db.prepare('INSERT INTO t VALUES (1)');
		fs.unlinkSync(victim);
		o.call(`13: ${name}: run`, () => insert.run());
		o.call(`13: ${name}: exec`, () => db.exec('INSERT INTO t VALUES (1)'));
		o.call(`13: ${name}: read`, () => db.prepare('SELECT * FROM t').all());
		o.call(`13: ${name}: other error`, () => db.exec('nonsense'));
		db.close();
		fs.closeSync(fd);
		fs.closeSync(journalFd);
		fs.rmSync(file, { force: true });
	}
};

exports['descriptor: another journal, WAL'] = ({ Database, o, file, major }) => {
	if (major < 13) return o.note('13: not there', true);
	const [fd, journalFd] = pair(file);
	const stranger = fs.openSync(`${file}.stranger`, 'w+');
	const db = new Database(fd, { journalFd });
	o.call('13: another journal', () => new Database(fd, { journalFd: stranger }));
	const second = new Database(fd, { journalFd, timeout: 0 });
	db.exec('CREATE TABLE t(a); BEGIN IMMEDIATE');
	o.call('13: two connections, one writer', () => second.exec('INSERT INTO t VALUES (1)'));
	db.exec('COMMIT');
	o.call('13: then the other', () => second.exec('INSERT INTO t VALUES (1)').prepare('SELECT count(*) AS n FROM t').get());
	second.close();
	db.close();
	const byPath = new Database(file);
	byPath.pragma('journal_mode = WAL');
	byPath.close();
	o.call('13: WAL database', () => new Database(fd, { journalFd }));
	for (const one of [fd, journalFd, stranger]) fs.closeSync(one);
};
