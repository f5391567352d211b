'use strict';
// Everything that the module offers, once, in one list of results. Whatever somebody has put into the prototypes of all
// objects and arrays while it runs, the list has to be the same: this file itself assigns nothing that could be inherited.
const path = require('node:path');

const own = (value) => ({ __proto__: null, value, writable: true, enumerable: true, configurable: true });

/** Runs `steps` in order, each with what the earlier ones share; their results or errors, and those of promises. */
class Script {
	results = [];
	add(name, value) { Object.defineProperty(this.results, this.results.length, own({ __proto__: null, name, value })); }
	step(name, fn) {
		let value;
		try {
			value = fn();
		} catch (error) {
			this.add(name, error);
			return undefined;
		}
		this.add(name, value);
		return value;
	}
	async later(name, fn) {
		try {
			this.add(name, await fn());
		} catch (error) {
			this.add(name, error);
		}
	}
}

/** An array of what is iterated, made without assigning elements. */
const listed = (iterable) => {
	const list = [];
	const iterator = iterable[Symbol.iterator]();
	for (let at = 0; ; at++) {
		const step = iterator.next();
		if (step.done) return list;
		Object.defineProperty(list, at, own(step.value));
	}
};

const ROW = { a: 1.5, b: 'text', c: Buffer.from('blob'), d: 2n ** 60n, e: null };
const LONG = 'a long text, which does not fit beside the cell and is €uropean '.repeat(30);

/** What needs no file and no turn of the event loop. */
exports.sync = (Database, extras) => {
	const { step, results } = bound(new Script());
	const db = new Database(':memory:');
	const more = new Database(':memory:', { readonly: false, timeout: 10, fileMustExist: false, verbose: null });
	step('more', () => more.prepare('SELECT 1').get());
	step('exec', () => db.exec('CREATE TABLE t(a, b, c, d, e); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE k(p REFERENCES p); INSERT INTO p VALUES (1)') === db);
	const insert = db.prepare('INSERT INTO t VALUES ($a, $b, $c, $d, $e)');
	step('run named', () => insert.run(ROW));
	step('run many', () => { for (let n = 0; n < 3; n++) insert.run({ a: n, b: LONG, c: Buffer.alloc(3000, n), d: 1n, e: n }); });
	step('missing', () => insert.run({ a: 1 }));
	step('none', () => insert.run());
	step('two', () => insert.run(ROW, ROW));
	const places = db.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?)');
	step('places', () => places.run(1, 'x', null, 3n, LONG));
	step('array', () => places.run([2, 'x', null, 3n, Buffer.from('y')]));
	step('mixed', () => db.prepare('SELECT ?, $a, ?').raw().get('one', { a: 'named' }, LONG));
	step('few', () => places.run(1));
	step('wrong', () => places.run(true, 1, 1, 1, 1));
	step('wide', () => db.prepare(`SELECT ${'?,'.repeat(1499)}?`).raw().get(Array.from({ length: 1500 }, (_, at) => at)).length);
	for (const [how, as] of [['flat', (s) => s], ['raw', (s) => s.raw()], ['pluck', (s) => s.pluck()], ['expand', (s) => s.expand()], ['safe', (s) => s.safeIntegers()]]) {
		const select = as(db.prepare('SELECT * FROM t, p ORDER BY t.rowid'));
		step(`${how} get`, () => select.get());
		step(`${how} all`, () => select.all());
		step(`${how} iterate`, () => listed(select.iterate()));
		step(`${how} for of`, () => { let last; for (const row of select.iterate()) { last = row; if (last === undefined) break; } return last; });
		step(`${how} columns`, () => select.columns());
		step(`${how} of one`, () => as(db.prepare('SELECT a, b FROM t LIMIT 1')).all());
	}
	step('no rows', () => db.prepare('SELECT 1 WHERE 0').all());
	step('integers', () => db.prepare('SELECT 9223372036854775807, 1').safeIntegers().get());
	step('bind', () => { const bound = db.prepare('SELECT ?, ?').bind(1, LONG); return [bound.get(), bound.all(), `${bound}`]; });
	step('returning', () => db.prepare('INSERT INTO t(a) VALUES (9) RETURNING a, b').all());
	step('fields', () => { const { reader, readonly, source, busy } = insert; return [reader, readonly, source, busy]; });
	step('fields of db', () => { const { name, open, inTransaction, readonly, memory } = db; return [name, open, inTransaction, readonly, memory]; });
	step('keys', () => [Object.keys(db), Object.keys(insert)]);
	step('syntax', () => db.prepare('SELEC'));
	step('syntax in a script', () => db.exec('SELECT 1; SELEC'));
	step('constraint', () => db.prepare('INSERT INTO p VALUES (1)').run());
	step('foreign key', () => db.prepare('INSERT INTO k VALUES (7)').run());
	step('transaction', () => {
		const f = db.transaction((x) => { db.exec('INSERT INTO p VALUES (2)'); return x; });
		return [f(1), Object.keys(f), typeof f.immediate, f.database === db];
	});
	step('rolled back', () => db.transaction(() => { db.exec('INSERT INTO p VALUES (3)'); throw new Error('on purpose'); })());
	step('nested', () => db.transaction(() => db.transaction(() => db.inTransaction)())());
	step('promise', () => db.transaction(() => Promise.resolve())());
	step('pragma', () => [db.pragma('user_version'), db.pragma('user_version', { simple: true }), db.pragma('table_info(t)')]);
	step('explain', () => typeof db.explain?.('SELECT 1'));
	step('function', () => { db.function('twice', (x) => x * 2); db.function('all', { varargs: true, deterministic: true }, (...args) => args.length); return db.prepare("SELECT twice(21), all(1, 'a', x'00', NULL, 2.5)").raw().get(); });
	step('function throws', () => { db.function('bad', () => { throw new RangeError('bad'); }); return db.prepare('SELECT bad()').get(); });
	step('function gives what is no value', () => { db.function('odd', () => ({})); return db.prepare('SELECT odd()').get(); });
	step('aggregate', () => { db.aggregate('total', { start: 0, step: (sum, x) => sum + x, inverse: (sum, x) => sum - x, result: (sum) => sum }); return db.prepare('SELECT total(value) OVER (ORDER BY value ROWS 1 PRECEDING) AS v FROM json_each(\'[1,2,3]\')').all(); });
	step('table', () => {
		db.table('rows', { columns: ['x', 'y'], parameters: ['n'], * rows(n) { for (let at = 0; at < n; at++) yield { x: at, y: `${at}` }; } });
		db.table('lists', { columns: ['x', 'y'], * rows() { yield [1, Buffer.from('z')]; yield [LONG, null]; } });
		db.table('made', function made(...args) { const { module, table } = this; return { columns: ['module', 'table', 'args'], * rows() { yield [module, table, `${args}`]; } }; });
		db.exec("CREATE VIRTUAL TABLE v USING made(1, 'two')");
		return [db.prepare('SELECT * FROM rows(2)').all(), db.prepare('SELECT * FROM lists').all(), db.prepare('SELECT * FROM v').all()];
	});
	step('serialize', () => { const copy = new Database(db.serialize()); const n = copy.prepare('SELECT count(*) AS n FROM t').get(); copy.close(); return n; });
	step('attached', () => { db.exec("ATTACH ':memory:' AS o; CREATE TABLE o.x(y)"); return db.serialize({ attached: 'o' }).length; });
	step('unsafe', () => { db.unsafeMode(); db.unsafeMode(false); return db.defaultSafeIntegers(false) === db; });
	step('verbose', () => { let said; const loud = new Database(':memory:', { verbose: (text) => { said = text; } }); loud.prepare('SELECT ?').get(LONG); loud.close(); return said; });
	step('busy', () => { let found; for (const _ of db.prepare('SELECT 1 UNION SELECT 2').iterate()) try { db.exec('SELECT 1'); } catch (error) { found = error; } return found; });
	step('wrong options', () => new Database(':memory:', { timeout: -1 }));
	step('wrong path', () => new Database('/there/is/no/such/directory/a.db'));
	step('cannot open', () => new Database(__dirname));
	step('extension', () => db.loadExtension('/no/such/extension'));
	if (extras) {
		step('hooks', () => {
			const seen = [];
			db.onUpdate((change) => { Object.defineProperty(seen, seen.length, own(change)); });
			db.exec("INSERT INTO t(b) VALUES ('hooked')");
			db.onUpdate(null);
			return seen;
		});
		step('session', () => {
			const session = db.session({ table: 'p' });
			db.exec('INSERT INTO p VALUES (77)');
			const changes = session.changeset();
			session.close();
			return [changes.length, db.applyChangeset(changes, { onConflict: () => Database.constants.SQLITE_CHANGESET_OMIT })];
		});
		step('timeout', () => db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c').timeout(5).get());
		step('booleans and dates', () => { const d = new Database(':memory:', { bindBooleans: true, bindDates: 'text' }); const found = [d.prepare('SELECT ?, ?').raw().get(true, new Date(0)), d.prepare('SELECT $a').get({ a: false }), d.prepare('SELECT ?').get([true])]; d.close(); return found; });
		step('dispose', () => { db.prepare('SELECT 1')[Symbol.dispose]?.(); });
	}
	step('close', () => db.close() === db);
	step('closed', () => db.prepare('SELECT 1'));
	more.close();
	return results;
};

/** What needs a file, in a directory that is there and empty; and turns of the event loop. */
exports.async = async (Database, directory, extras) => {
	const script = new Script();
	const { step, later, results } = bound(script);
	const file = path.join(directory, 'a.db');
	const db = extras ? Database.open(`file:${file}`, { busyTimeout: 20_000, checkpoint: 'auto', bindBooleans: true }) : new Database(file);
	step('exec', () => { db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y')"); });
	await later('backup', () => db.backup(path.join(directory, 'copy.db'), { progress: ({ totalPages }) => totalPages }));
	step('copy', () => { const copy = new Database(path.join(directory, 'copy.db'), { readonly: true }); const rows = copy.prepare('SELECT * FROM t').all(); copy.close(); return rows; });
	step('readonly', () => { const reader = new Database(file, { readonly: true }); try { return reader.exec('DELETE FROM t'); } finally { reader.close(); } });
	await later('backup to nowhere', () => db.backup('/no/such/directory/a.db'));
	step('locked', () => {
		const other = new Database(file, { timeout: 0 });
		db.exec('BEGIN IMMEDIATE');
		try { return other.exec('DELETE FROM t'); } finally { db.exec('COMMIT'); other.close(); }
	});
	if (extras) {
		step('report', () => { const { rows, ...fields } = db.report; return [rows, fields]; });
		step('wrong setting', () => Database.open(`file:${file}`, { busyTimeout: 'long' }));
		step('wrong option', () => Database.open(`file:${file}`, { nonsense: 1 }));
		step('tuned, busy', () => {
			const other = Database.open(`file:${file}`, { busyTimeout: 0 });
			db.exec('BEGIN IMMEDIATE');
			try { return other.exec('DELETE FROM t'); } finally { db.exec('COMMIT'); other.close(); }
		});
		step('busy_timeout', () => [db.pragma('busy_timeout'), db.prepare('PRAGMA busy_timeout').get()]);
		step('looks', () => { const { frames } = db.checkpoint('truncate'); return [frames, Array.isArray(db.holders()), db.health().good, Object.keys(db.walStatus()), typeof db.handle, Database.openHandles().length > 0]; });
		await later('readAsync', () => db.readAsync('SELECT * FROM t WHERE a > ? AND b > $b ORDER BY a', [0, { b: '' }]));
		await later('readAsync raw', () => db.readAsync('SELECT *, $a FROM t', { a: true }, { raw: true }));
		await later('readAsync fails', () => db.readAsync('SELEC'));
		await later('readAsync is limited', () => db.readAsync('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c', [], { timeout: 5 }));
		await later('transactionAsync', () => db.transactionAsync(async (tx) => { tx.prepare('INSERT INTO t VALUES (3, ?)').run('z'); await tx.transactionAsync(async (inner) => { inner.exec('DELETE FROM t WHERE a = 1'); }); return tx.prepare('SELECT count(*) FROM t').pluck().get(); }));
		await later('transactionAsync fails', () => db.transactionAsync(async (tx) => { tx.exec('DELETE FROM t'); throw new Error('on purpose'); }));
		await later('replicated', () => db.replicated({ timeout: 0 }));
		await later('events', () => new Promise((resolve) => { db.on('checkpointed', ({ name }) => resolve(name)); db.exec('DELETE FROM t WHERE a = 2'); db.checkpoint('truncate'); }));
	}
	step('close', () => { db.close(); });
	if (extras) step('closeReport', () => { const { leakedStatements, rolledBack, ...others } = db.closeReport; return [leakedStatements, rolledBack, Object.keys(others)]; });
	return results;
};

function bound(script) {
	return { step: (name, fn) => script.step(name, fn), later: (name, fn) => script.later(name, fn), results: script.results };
}
