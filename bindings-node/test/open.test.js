'use strict';
// litekeel's own open: what it sets, what it refuses, what closing leaves.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const litekeel = require('../lib');

const temporary = (t) => {
	const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-open-')));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	return directory;
};
const inside = (t, options) => litekeel.open(undefined, { baseDir: temporary(t), env: 'ignore', ...options });

test('open() in an empty directory creates a tuned data/sqlite.db', (t) => {
	const cwd = temporary(t);
	const env = { ...process.env };
	delete env.DATABASE_URL;
	const script = `const db = require(${JSON.stringify(path.join(__dirname, '..'))}).open();
		const read = (name) => db.pragma(name, { simple: true });
		const found = [read('journal_mode'), read('synchronous'), read('cache_size'), read('foreign_keys'), db.report.busy_timeout, db.report.urlSource, db.name];
		db.close();
		console.log(JSON.stringify(found));`;
	const found = JSON.parse(execFileSync(process.execPath, ['-e', script], { cwd, env, encoding: 'utf8' }));
	assert.match(found[4], /^5000\b/);
	found[4] = 5000;
	assert.deepStrictEqual(found, ['wal', 1, -64000, 1, 5000, 'default', path.join(cwd, 'data/sqlite.db')]);
	assert.deepStrictEqual(fs.readdirSync(path.join(cwd, 'data')), ['sqlite.db']);
});

test('it is a Database, with reports', (t) => {
	const db = inside(t);
	assert.ok(db instanceof litekeel);
	db.exec('CREATE TABLE t(a)');
	const insert = db.prepare('INSERT INTO t VALUES (?)');
	db.transaction(() => insert.run(1))();
	assert.deepStrictEqual(db.prepare('SELECT a FROM t').all(), [{ a: 1 }]);
	assert.ok(db.report.rows.some((row) => row.name === 'journal_mode' && row.value === 'wal'));
	assert.ok(Array.isArray(db.report.warnings));
	assert.strictEqual(db.report.path, db.name);
	assert.ok(fs.existsSync(`${db.name}-wal`));
	assert.strictEqual(db.closeReport, null);
	db.exec('BEGIN; INSERT INTO t VALUES (2)');
	db.close();
	const { rolledBack, leakedStatements, walRemoved } = db.closeReport;
	assert.deepStrictEqual({ rolledBack, leakedStatements, walRemoved }, { rolledBack: true, leakedStatements: [], walRemoved: true });
	assert.ok(!fs.existsSync(`${db.name}-wal`));
	assert.throws(() => insert.run(3), TypeError);
	assert.strictEqual(db.close(), db);
});

test('allowedRoots: each element is one directory, whatever its name', (t) => {
	const directory = temporary(t);
	const [inside, outside, odd] = ['in', 'out', 'in:out'].map((name) => path.join(directory, name));
	for (const one of [inside, outside, odd]) fs.mkdirSync(one);
	const open = (file, allowedRoots) => litekeel.open(`file:${file}`, { allowedRoots });
	open(path.join(odd, 'a.db'), [odd]).close();
	open(path.join(inside, 'a.db'), [outside, inside]).close();
	open(path.join(outside, 'a.db'), `${inside}:${outside}`).close();
	for (const [file, roots] of [
		[path.join(outside, 'b.db'), [inside]],
		// The separator in an element would make two directories of it.
		[path.join(outside, 'b.db'), [`${inside}:${outside}`]],
		[path.join(inside, 'b.db'), []],
		[path.join(inside, 'b.db'), ['']],
		[path.join(inside, 'b.db'), ''],
	]) {
		assert.throws(() => open(file, roots), { code: 'KEEL_PATH_NOT_ALLOWED' }, `${file} ${JSON.stringify(roots)}`);
		assert.ok(!fs.existsSync(file));
	}
	assert.throws(() => open(path.join(inside, 'b.db'), [inside, 1]), TypeError);
	const db = open(path.join(inside, 'a.db'), [inside]);
	assert.throws(() => db.exec(`ATTACH '${path.join(outside, 'a.db')}' AS b`), { code: 'KEEL_PATH_NOT_ALLOWED' });
	assert.throws(() => db.exec(`VACUUM INTO '${path.join(outside, 'c.db')}'`), { code: 'KEEL_PATH_NOT_ALLOWED' });
	open(path.join(inside, 'd.db'), [inside]).close();
	db.prepare('ATTACH ? AS b').run(path.join(inside, 'd.db'));
	return assert.rejects(db.backup(path.join(outside, 'c.db')), { code: 'KEEL_PATH_NOT_ALLOWED' }).then(() => db.backup(path.join(inside, 'c.db'))).then(() => {
		db.close();
		assert.deepStrictEqual(fs.readdirSync(outside), ['a.db']);
	});
});

test('the report spells values as the settings are spelled, its rows as SQLite answers', (t) => {
	const db = inside(t, { foreignKeys: false, synchronous: 'full', tempStore: 'file', secureDelete: 'fast' });
	const { report } = db;
	const row = (name) => report.rows.find((one) => one.name === name).value;
	const spelled = { journal_mode: 'wal', synchronous: 'full', foreign_keys: 'off', temp_store: 'file', auto_vacuum: 'none', secure_delete: 'fast', defensive: 'on', trusted_schema: 'off', busy_timeout: '5000', checkpoint: 'auto+idle', immutable: '' };
	for (const [name, value] of Object.entries(spelled)) assert.strictEqual(report[name], value, name);
	assert.deepStrictEqual(['synchronous', 'foreign_keys', 'temp_store', 'defensive'].map(row), ['2', '0', '1', '1']);
	db.close();
	// Every switch and every numbered setting of the table is known, and no other.
	const { WORDS, SWITCHES } = require('../lib/report');
	const all = require('../settings-types').settings();
	assert.deepStrictEqual([...SWITCHES].sort(), all.filter(({ takes }) => takes === 'boolean').map(({ key }) => key).sort());
	for (const [name, words] of Object.entries(WORDS)) assert.strictEqual(all.find(({ key }) => key === name).takes, `one of ${words.join(' ')}`);
});

test('options are the URL\'s parameters in camel case', (t) => {
	const db = inside(t, { busyTimeout: 1234, foreignKeys: false, fileMode: 0o600 });
	assert.match(db.report.busy_timeout, /^1234\b/);
	assert.strictEqual(db.pragma('foreign_keys', { simple: true }), 0);
	assert.strictEqual(fs.statSync(db.name).mode & 0o777, 0o600);
	db.close();
	assert.throws(() => litekeel.open('file::memory:', { busyTimeout: {} }), TypeError);
	assert.throws(() => litekeel.open(5), TypeError);
});

test('refusals are KeelErrors with a hint, SQLite\'s failures SqliteErrors', (t) => {
	const refused = (url, code, options) => assert.throws(() => litekeel.open(url, options), (error) => {
		assert.ok(error instanceof litekeel.KeelError && error instanceof Error);
		assert.strictEqual(error.code, code);
		assert.ok(error.hint.length > 0);
		return true;
	});
	const directory = temporary(t);
	refused('postgres://host/db', 'KEEL_UNSUPPORTED_SCHEME');
	refused('file:a.db?nonsense=1', 'KEEL_UNKNOWN_PARAM');
	const file = path.join(directory, 'text.db');
	fs.writeFileSync(file, 'this is no database at all, but long enough to have a header of its own. '.repeat(20));
	assert.throws(() => litekeel.open(file), (error) => error instanceof litekeel.SqliteError && error.code === 'SQLITE_NOTADB' && error.path === file && typeof error.hint === 'string');
});

test('require and import give the same, and the names are not enumerable', async () => {
	const module = await import('../lib/index.mjs');
	assert.strictEqual(module.default, litekeel);
	assert.strictEqual(module.open, litekeel.open);
	assert.strictEqual(module.KeelError, litekeel.KeelError);
	assert.deepStrictEqual(Object.keys(litekeel), ['SqliteError']);
});

for (const [way, ending, status] of [['natural end', '', 0], ['process.exit()', 'process.exit(3)', 3], ['process.exit() in a function', 'db.function("g", () => process.exit(4)); db.prepare("SELECT g()").get()', 4]]) {
	test(`left open, then ${way}: closed, and said with the line that opened it`, (t) => {
		const cwd = temporary(t);
		const file = path.join(cwd, 'main.js');
		// A plain connection first: its exit handler must not run after the core's.
		fs.writeFileSync(file, `const litekeel = require(${JSON.stringify(path.join(__dirname, '..'))}); new litekeel(':memory:');
			const db = litekeel.open('file:a.db'); db.function('f', () => 1);
			db.exec('CREATE TABLE t(a)'); const it = db.prepare('SELECT f() UNION ALL SELECT 2').iterate(); it.next(); globalThis.it = it;
			${ending.includes('g()') ? 'it.return();' : ''} ${ending}`);
		const result = spawnSync(process.execPath, [file], { cwd, encoding: 'utf8' });
		assert.strictEqual(result.status, status, result.stderr);
		assert.match(result.stderr, /litekeel: a connection was .*a\.db, opened at .*main\.js:2:/);
		if (status !== 4) assert.ok(!fs.existsSync(path.join(cwd, 'a.db-wal')));
	});
}

test('databaseFile is the file that open opens, with its directory made and nothing else', (t) => {
	const baseDir = temporary(t);
	const file = litekeel.databaseFile('file:deep/down/app.db?busy_timeout=10s', { baseDir });
	assert.strictEqual(file, path.join(baseDir, 'deep/down/app.db'));
	assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), []);
	const db = litekeel.open('file:deep/down/app.db?busy_timeout=10s', { baseDir });
	assert.strictEqual(db.name, file);
	db.close();
	assert.strictEqual(litekeel.databaseFile(':memory:'), ':memory:');
	assert.throws(() => litekeel.databaseFile('file:a.db?nonsense=1'), { code: 'KEEL_UNKNOWN_PARAM' });
});
