'use strict';
// Options and variants that the other cases reach only in passing.
const fs = require('node:fs');
const path = require('node:path');

const VEC = path.join(__dirname, '../../node_modules/sqlite-vec-linux-x64/vec0.so');

module.exports = {
	'aggregate options': ({ Database, o }) => {
		const db = new Database(':memory:');
		db.exec('CREATE TABLE t(a INTEGER); INSERT INTO t VALUES (1), (2), (9007199254740993)');
		for (const option of ['deterministic', 'directOnly', 'varargs', 'safeIntegers']) {
			for (const on of [true, false]) {
				o.call(`aggregate ${option}=${on}`, () => db.aggregate(`sum_${option}_${on}`, { start: '', step: (all, a) => `${all} ${typeof a} ${a}`, [option]: on }) === db);
				o.call(`use ${option}=${on}`, () => db.prepare(`SELECT sum_${option}_${on}(a) FROM t`).pluck().get());
				o.call(`in a view ${option}=${on}`, () => { db.exec(`CREATE VIEW v_${option}_${on} AS SELECT sum_${option}_${on}(a) AS s FROM t`); return db.prepare(`SELECT * FROM v_${option}_${on}`).get(); });
			}
		}
	},
	'function options in the schema': ({ Database, o }) => {
		const db = new Database(':memory:');
		for (const option of ['deterministic', 'directOnly']) {
			for (const on of [true, false]) {
				o.call(`function ${option}=${on}`, () => db.function(`f_${option}_${on}`, { [option]: on }, (a) => a * 2) === db);
				o.call(`in an index ${option}=${on}`, () => { db.exec(`CREATE TABLE t_${option}_${on}(a); CREATE INDEX i_${option}_${on} ON t_${option}_${on}(f_${option}_${on}(a)); INSERT INTO t_${option}_${on} VALUES (2)`); return db.prepare(`SELECT f_${option}_${on}(a) FROM t_${option}_${on}`).get(); });
			}
		}
	},
	'serialize by schema': ({ Database, o }) => {
		const db = new Database(':memory:');
		db.exec("ATTACH ':memory:' AS other; CREATE TABLE a(x); CREATE TABLE other.b(y); INSERT INTO other.b VALUES (7)");
		o.call('attached main', () => new Database(db.serialize({ attached: 'main' })).prepare('SELECT name FROM sqlite_schema').all());
		o.call('attached other', () => new Database(db.serialize({ attached: 'other' })).prepare('SELECT y FROM b').all());
		o.call('attached empty', () => db.serialize({ attached: '' }));
	},
	'loadExtension that succeeds': ({ Database, o }) => {
		o.note('is there', fs.existsSync(VEC));
		const db = new Database(':memory:');
		o.call('load', () => db.loadExtension(VEC) === db);
		o.call('use', () => db.prepare('SELECT vec_version() AS v, vec_length(?) AS n').get(Buffer.from(new Float32Array([1, 2, 3]).buffer)));
		o.call('with an entry point', () => new Database(':memory:').loadExtension(VEC, 'sqlite3_vec_init').open);
		o.call('with a wrong one', () => { new Database(':memory:').loadExtension(VEC, 'nothing'); });
	},
	'transaction variants': ({ Database, o }) => {
		const sql = [];
		const db = new Database(':memory:', { verbose: (text) => sql.push(text) });
		for (const kind of ['default', 'deferred', 'immediate', 'exclusive']) {
			const fn = db.transaction(function body(...args) { return [this && this.mark, db.inTransaction, ...args]; });
			o.call(kind, () => Reflect.apply(fn[kind], { mark: kind }, [1, 2]));
			o.call(`${kind} variants`, () => ['default', 'deferred', 'immediate', 'exclusive'].map((other) => fn[kind][other] === fn[other]));
			o.call(`${kind} nested`, () => db.transaction(() => fn[kind](3))());
			o.call(`${kind} fails`, () => db.transaction(() => { throw new RangeError(kind); })[kind]());
		}
		o.note('statements', sql);
	},
};
