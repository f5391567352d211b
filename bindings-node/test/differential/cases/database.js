'use strict';
const fs = require('node:fs');
const util = require('node:util');
const path = require('node:path');

module.exports = {
	'shape of the module': ({ Database, o }) => {
		o.note('keys', Object.keys(Database));
		o.note('length', Database.length);
		o.note('name', Database.name);
		o.note('prototype', Object.keys(Database.prototype).sort());
		for (const name of Object.keys(Database.prototype).sort()) o.note(`typeof ${name}`, typeof Database.prototype[name]);
		const db = new Database(':memory:');
		o.note('own keys', Object.keys(db));
		o.note('constructor', db.constructor === Database);
		o.note('prototype of instance', Object.getPrototypeOf(db) === Database.prototype);
		o.note('inspect', util.inspect(db));
		o.note('spread', { ...db });
		o.note('json', JSON.stringify(db));
		o.note('dispose', typeof db.finalize);
		db.close();
		o.note('inspect closed', util.inspect(db));
	},
	'without new, subclass': ({ Database, o }) => {
		const a = Database(':memory:');
		o.note('instance', a instanceof Database);
		class Sub extends Database { twice(x) { return this.prepare('SELECT ? * 2').pluck().get(x); } }
		const b = new Sub(':memory:');
		o.note('sub', [b instanceof Sub, b instanceof Database, b.constructor === Sub, b.twice(4)]);
		o.note('inspect', util.inspect(b));
	},
	'paths': ({ Database, o, dir, file }) => {
		for (const value of [undefined, null, '', ':memory:', '  ', ' :memory: ']) {
			o.call(`path ${JSON.stringify(value)}`, () => { const db = new Database(value); return [db.name, db.memory, db.open, db.readonly, db.inTransaction]; });
		}
		for (const value of [new String(file), () => {}, [], {}, true, Symbol('x'), 1.5, -1, NaN]) {
			o.call(`bad path ${typeof value} ${String(value).slice(0, 10)}`, () => new Database(value));
		}
		o.call('number', () => new Database(0));
		o.call('missing directory', () => new Database(path.join(dir, 'no', 'such.db')));
		o.call('missing file', () => new Database(file, { fileMustExist: true }));
		o.call('missing readonly', () => new Database(file, { readonly: true }));
		o.call('directory itself', () => new Database(dir));
		o.call('trimmed', () => { const db = new Database(`  ${file} `); const out = [db.name.trim() === file, db.name.length - file.length, fs.existsSync(file)]; db.close(); return out; });
		o.call('now readonly', () => { const db = new Database(file, { readonly: true }); const out = [db.readonly]; try { db.exec('CREATE TABLE x(a)'); } catch (e) { out.push(e); } return out; });
	},
	'URI is a file name': ({ Database, o, dir }) => {
		const before = process.cwd();
		process.chdir(dir);
		try {
			const db = new Database('file:x?mode=memory');
			db.exec('CREATE TABLE t(a)');
			o.note('memory', db.memory);
			db.close();
			o.note('files', fs.readdirSync(dir));
		} finally { process.chdir(before); }
	},
	'options': ({ Database, o, file }) => {
		new Database(file).close();
		for (const key of ['readonly', 'fileMustExist']) {
			for (const value of [undefined, null, 0, 1, 'true', {}, true, false]) {
				o.call(`${key}=${String(value)}`, () => { const db = new Database(file, { [key]: value }); db.close(); return db.readonly; });
			}
		}
		for (const key of ['readOnly', 'memory']) for (const value of [undefined, true]) o.call(`${key}=${value}`, () => new Database(file, { [key]: value }));
		for (const value of [undefined, null, '75', 75.01, -1, 0, 2147483647, 2147483648, NaN, Infinity]) o.call(`timeout=${value}`, () => { new Database(file, { timeout: value }).close(); });
		for (const value of [undefined, null, false, 'x', {}, () => {}]) o.call(`verbose=${String(value)}`, () => { new Database(file, { verbose: value }).close(); });
		for (const value of [undefined, null, 5, true]) o.call(`nativeBinding=${String(value)}`, () => { new Database(file, { nativeBinding: value }).close(); });
		for (const value of [null, 5, 'x', true]) o.call(`options=${value}`, () => { new Database(file, value).close(); });
		o.call('readonly memory', () => new Database(':memory:', { readonly: true }));
		o.call('readonly temp', () => new Database('', { readonly: true }));
		o.call('unknown keys', () => { new Database(file, { client: 1, debug: true }).close(); });
	},
	'compile-time settings': ({ Database, o, file }) => {
		const db = new Database(file);
		for (const pragma of ['foreign_keys', 'cache_size', 'synchronous', 'journal_mode', 'busy_timeout', 'recursive_triggers', 'temp_store', 'locking_mode', 'page_size', 'auto_vacuum', 'wal_autocheckpoint']) {
			o.note(pragma, db.pragma(pragma, { simple: true }));
		}
		db.pragma('journal_mode = WAL');
		db.exec('CREATE TABLE t(a)');
		o.note('sync in WAL', new Database(file).pragma('synchronous', { simple: true }));
		o.call('double quoted string', () => db.prepare('SELECT "nope"').get());
		o.call('like blob', () => db.prepare("SELECT x'61' LIKE 'a' AS v").get());
		o.call('writable_schema is defensive', () => { db.pragma('writable_schema = ON'); return db.prepare("UPDATE sqlite_master SET sql = 'x'").run(); });
		o.call('load_extension()', () => db.prepare("SELECT load_extension('x')").get());
		const options = new Set(db.pragma('compile_options').map((row) => row.compile_options));
		for (const want of ['ENABLE_FTS3', 'ENABLE_FTS4', 'ENABLE_FTS5', 'ENABLE_RTREE', 'ENABLE_GEOPOLY', 'ENABLE_MATH_FUNCTIONS', 'ENABLE_STAT4', 'ENABLE_DBSTAT_VTAB', 'ENABLE_COLUMN_METADATA', 'SOUNDEX', 'DQS=0', 'LIKE_DOESNT_MATCH_BLOBS', 'DEFAULT_FOREIGN_KEYS', 'DEFAULT_CACHE_SIZE=-16000', 'DEFAULT_WAL_SYNCHRONOUS=1', 'ENABLE_JSON1', 'ENABLE_PERCENTILE', 'USE_URI=0']) {
			o.note(`option ${want}`, options.has(want));
		}
	},
	'exec': ({ Database, o }) => {
		const db = new Database(':memory:');
		o.note('returns this', db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1);;; -- c\n INSERT INTO t VALUES(2)') === db);
		o.call('stops at error', () => db.exec('INSERT INTO t VALUES (3); INSERT INTO nope VALUES (1); INSERT INTO t VALUES (4)'));
		o.note('rows', db.prepare('SELECT * FROM t').all());
		for (const value of [undefined, null, 5, new String('x'), '', ';', '  /* */']) o.call(`exec ${String(value)}`, () => db.exec(value) === db);
	},
	'prepare': ({ Database, o }) => {
		const db = new Database(':memory:');
		for (const sql of ['', ';', ' ', '-- x', '/* x */', 'SELECT 1; SELECT 2', 'SELECT 1;', 'SELECT 1; -- x', 'SELECT 1; /* y */ ;; ', 'SELECT 1;\0SELECT 2', '  SELECT 1', 'SELEC 1', 'SELECT * FROM nope', 'SELECT ?1, ?3', 'BEGIN EXCLUSIVE', 'BEGIN']) {
			o.call(`prepare ${JSON.stringify(sql)}`, () => { const s = db.prepare(sql); return [s.source, s.reader, s.readonly, s.busy, s.database === db]; });
		}
		for (const value of [undefined, null, 5, new String('SELECT 1'), {}, []]) o.call(`prepare ${typeof value} ${String(value)}`, () => db.prepare(value));
		const s = db.prepare('SELECT 1');
		o.note('statement keys', Object.keys(s));
		o.note('constructor name', s.constructor.name);
		o.call('constructor', () => new s.constructor('SELECT 1'));
		o.note('distinct', db.prepare('SELECT 1') !== s);
		o.note('methods', Object.getOwnPropertyNames(Object.getPrototypeOf(s)).filter((n) => !['toString', 'constructor'].includes(n) && typeof n === 'string').filter((n) => ['run', 'get', 'all', 'iterate', 'bind', 'pluck', 'expand', 'raw', 'safeIntegers', 'columns'].includes(n)).sort());
	},
	'pragma': ({ Database, o }) => {
		const db = new Database(':memory:');
		o.call('rows', () => db.pragma('table_info(sqlite_schema)'));
		o.call('simple', () => db.pragma('user_version', { simple: true }));
		o.call('set', () => db.pragma('user_version = 5'));
		o.call('set simple', () => db.pragma('user_version = 6', { simple: true }));
		for (const value of ['PRAGMA user_version', 'user_version; user_version', '', 'nope_nope', 'user_version;']) o.call(`pragma ${value}`, () => db.pragma(value));
		for (const value of [undefined, null, 5]) o.call(`pragma ${value}`, () => db.pragma(value));
		for (const value of [undefined, null, 5, 'x', { simple: 1 }, { simple: undefined }, {}]) o.call(`options ${JSON.stringify(value)}`, () => db.pragma('user_version', value));
	},
	'explain': ({ Database, o, major }) => {
		const db = new Database(':memory:');
		if (major < 13) { o.note('nothing', 1); return; }
		db.exec('CREATE TABLE t(a, b)');
		o.call('13: plan', () => db.explain('QUERY PLAN SELECT * FROM t WHERE a = ?').map((row) => row.detail));
		o.call('13: opcodes', () => Object.keys(db.explain('SELECT * FROM t WHERE a = :x')[0]));
		for (const value of [undefined, 5, '', 'SELECT 1; SELECT 2', 'nope']) o.call(`13: explain ${value}`, () => db.explain(value).length > 0);
	},
	'verbose': ({ Database, o, file }) => {
		const log = [];
		const db = new Database(file, { verbose: function (...args) { log.push(this === undefined, ...args); } });
		db.exec('CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2)');
		db.prepare('SELECT ?').get(1);
		db.prepare('SELECT ?, :x').all(25, { x: 'y' });
		db.prepare('SELECT ? ').get('x'.repeat(200));
		db.prepare('SELECT ?').get(Buffer.alloc(100, 1));
		const it = db.prepare('SELECT * FROM t').iterate();
		log.push('before next'); it.next(); log.push('after next'); it.return();
		db.pragma('user_version');
		db.transaction(() => db.transaction(() => {})())();
		o.note('log', log);
		const thrower = new Database(file, { verbose: () => { throw new Error('stop'); } });
		o.call('throws before', () => thrower.exec('INSERT INTO t VALUES (3, 4)'));
		o.call('throws before run', () => thrower.prepare('INSERT INTO t VALUES (3, 4)').run());
		o.note('rows', db.prepare('SELECT * FROM t').all());
	},
	'errors': ({ Database, o, file }) => {
		const { SqliteError } = Database;
		o.call('construct', () => { const e = new SqliteError('a', 'B'); return [e instanceof Error, e.name, e.message, e.code, Object.keys(e), Object.getOwnPropertyNames(e).sort(), String(e)]; });
		for (const args of [['x'], ['x', 1], [], [undefined, 'C']]) o.call(`args ${JSON.stringify(args)}`, () => new SqliteError(...args));
		o.call('SqliteError without new', () => SqliteError('x', 'y').code);
		o.note('static', [SqliteError.name, SqliteError.length, Object.getPrototypeOf(SqliteError.prototype) === Error.prototype]);
		const db = new Database(file);
		db.exec('CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0)); CREATE TABLE q(p REFERENCES p(id)); INSERT INTO p VALUES (1, 1, 1, 1)');
		for (const sql of ['INSERT INTO p VALUES (1, 2, 1, 1)', 'INSERT INTO p VALUES (2, 1, 1, 1)', 'INSERT INTO p VALUES (2, 2, NULL, 1)', 'INSERT INTO p VALUES (2, 2, 1, 0)', 'INSERT INTO q VALUES (9)', "SELECT abs(-9223372036854775808)", "SELECT json('{')", 'SELECT zeroblob(3000000000)', 'COMMIT', 'SAVEPOINT x; ', 'ROLLBACK TO nope']) {
			o.call(sql, () => { const s = db.prepare(sql); return s.reader ? s.all() : s.run(); });
		}
		o.call('error keys', () => { try { db.exec('nope'); } catch (e) { return [e instanceof SqliteError, e.code, 'stack' in e]; } });
		const other = new Database(file, { timeout: 0 });
		db.exec('ROLLBACK; BEGIN IMMEDIATE');
		o.call('busy', () => other.exec('BEGIN IMMEDIATE'));
		require('fs').writeFileSync(file + '2', 'x'.repeat(5000));
		o.call('not a database', () => new Database(file + '2').prepare('SELECT * FROM sqlite_master').all());
	},
	'transactions': ({ Database, o }) => {
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a UNIQUE)');
		const rows = () => db.prepare('SELECT a FROM t').pluck().all();
		for (const value of [undefined, null, 'x', {}]) o.call(`transaction ${value}`, () => db.transaction(value));
		const insert = db.prepare('INSERT INTO t VALUES (?)');
		const fn = db.transaction(function (...values) { for (const v of values) insert.run(v); return [this, values.length, db.inTransaction]; });
		o.note('descriptors', ['default', 'deferred', 'immediate', 'exclusive', 'database'].map((key) => { const d = Object.getOwnPropertyDescriptor(fn, key); return [key, typeof d.value, d.writable, d.enumerable, d.configurable]; }));
		o.note('nested access', fn.immediate.exclusive.default === fn);
		o.call('runs', () => fn.call('self', 1, 2));
		o.call('rolls back', () => fn(3, 1));
		o.note('rows', rows());
		o.call('nested', () => db.transaction(() => { insert.run(10); try { fn(11, 10); } catch (e) { return e; } })());
		o.note('rows', rows());
		o.call('manual begin', () => { db.exec('BEGIN'); try { fn(20, 1); } catch (e) { insert.run(21); } db.exec('COMMIT'); return rows(); });
		o.call('promise', () => db.transaction(async () => { insert.run(30); })());
		o.call('thenable', () => db.transaction(() => { insert.run(31); return { then() {} }; })());
		o.call('rollback by statement', () => db.transaction(() => { insert.run(40); db.prepare('INSERT OR ROLLBACK INTO t VALUES (?)').run(40); })());
		o.call('commit inside', () => db.transaction(() => { insert.run(41); db.exec('COMMIT'); })());
		o.call('thrown null', () => db.transaction(() => { throw null; })());
		for (const kind of ['deferred', 'immediate', 'exclusive']) o.call(kind, () => fn[kind](`k${kind}`));
		o.note('rows', rows());
		o.note('in transaction', db.inTransaction);
	},
	'closed': ({ Database, o, dir }) => {
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a)');
		const s = db.prepare('SELECT * FROM t'); const w = db.prepare('INSERT INTO t VALUES (1)'); const tx = db.transaction(() => 1); const it = s.iterate(); it.return();
		o.note('close', db.close() === db); o.note('again', db.close() === db);
		o.note('state', [db.open, db.inTransaction, db.name, db.memory, s.busy, s.source]);
		for (const [name, fn] of Object.entries({
			prepare: () => db.prepare('SELECT 1'), exec: () => db.exec('SELECT 1'), pragma: () => db.pragma('user_version'), transaction: () => tx(), newTransaction: () => db.transaction(() => {}), serialize: () => db.serialize(),
			function: () => db.function('f', () => 1), aggregate: () => db.aggregate('f', { step: () => {} }), table: () => db.table('f', { columns: ['a'], *rows() {} }), loadExtension: () => db.loadExtension('x'),
			defaultSafeIntegers: () => db.defaultSafeIntegers() === db, unsafeMode: () => db.unsafeMode() === db,
			get: () => s.get(), all: () => s.all(), iterate: () => s.iterate(), run: () => w.run(), bind: () => s.bind(), columns: () => s.columns(), raw: () => s.raw() === s, pluck: () => s.pluck() === s, expand: () => s.expand() === s, safeIntegers: () => s.safeIntegers() === s, next: () => it.next(), return: () => it.return(),
		})) o.call(`closed ${name}`, fn);
		return o.later('closed backup', () => db.backup(path.join(dir, 'b.db')));
	},
};
