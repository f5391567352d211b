'use strict';
// Random sequences of calls, the same on both sides: SEED fixes them, SEQUENCES says how many.
const generator = require('../generator');

const seed = Number(process.env.SEED || 1);
const sequences = Number(process.env.SEQUENCES || 300);

const SQL = ['SELECT * FROM t', 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 700) SELECT x, \'text \' || x AS y, \'\u65e5\' || x AS z FROM c', 'SELECT a, b FROM t WHERE a > ?', 'SELECT :x AS x, @y AS y', 'INSERT INTO t VALUES (?, ?)', 'INSERT INTO t VALUES (:x, :y)', 'UPDATE t SET b = ? WHERE a = 1', 'DELETE FROM t WHERE a = ?', 'INSERT INTO t VALUES (1, 2) RETURNING *', 'SELECT count(*) FROM t', 'SELECT 1; SELECT 2', 'nonsense', '', 'SELECT a FROM t ORDER BY a LIMIT 2', "SELECT json('{')", 'SELECT t.a, u.a, 1 FROM t JOIN t u', 'CREATE TABLE IF NOT EXISTS v(a)', 'DROP TABLE IF EXISTS v', 'SELECT * FROM v', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SELECT f(a) FROM t', 'ALTER TABLE v ADD COLUMN b', 'PRAGMA user_version', 'PRAGMA user_version = 7'];

const values = (random) => {
	const pool = [0, 1, -1, 1.5, NaN, -0, 2 ** 53, 1n, -5n, 2n ** 63n, '', 'x', 'é', '日本😀', null, undefined, true, {}, [], [1], [1, 2], { x: 1 }, { x: 1, y: 2 }, { y: 'q', x: null }, Buffer.from('ab'), new Uint8Array(3), Symbol.iterator, new Date(5), () => 1, new Map(), 'y'.repeat(3000)];
	return pool[Math.floor(random() * pool.length)];
};

for (let n = 0; n < sequences; n++) {
	const own = seed * 100003 + n;
	module.exports[`sequence ${own}`] = ({ Database, o }) => {
		const random = generator(own);
		const pick = (list) => list[Math.floor(random() * list.length)];
		const args = () => Array.from({ length: Math.floor(random() * 4) }, () => values(random));
		const db = new Database(':memory:');
		db.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (2, NULL), (3.5, x'00')");
		// With a function in it, a connection works more cautiously: half of the sequences have none.
		if (own % 2 === 0) db.function('f', (a) => (a === 2 ? (() => { throw new Error('two'); })() : a));
		const statements = []; const iterators = [];
		for (let step = 0; step < 25; step++) {
			const kind = Math.floor(random() * 15);
			const s = statements.length ? pick(statements) : null;
			const it = iterators.length ? pick(iterators) : null;
			if (kind <= 2 || !s) { const sql = pick(SQL); o.call(`${step} prepare ${sql}`, () => { statements.push(db.prepare(sql)); return statements.length; }); continue; }
			const a = args();
			const call = (name, target = s) => o.call(`${step} ${name}`, () => { const r = target[name](...a); return r === target ? 'this' : r; });
			if (kind <= 4) call(pick(['get', 'all', 'run']));
			else if (kind === 5) o.call(`${step} get none`, () => s.get());
			else if (kind === 6) o.call(`${step} all none`, () => s.all());
			else if (kind === 7) o.call(`${step} mode`, () => { const mode = pick(['raw', 'pluck', 'expand', 'safeIntegers']); return s[mode](random() < 0.7) === s && mode; });
			else if (kind === 8) o.call(`${step} iterate`, () => { iterators.push(s.iterate(...(random() < 0.5 ? [] : a))); return iterators.length; });
			else if (kind === 9 && it) o.call(`${step} next`, () => it.next());
			else if (kind === 10 && it) o.call(`${step} return`, () => it.return());
			else if (kind === 11) call('bind');
			else if (kind === 12) o.call(`${step} exec`, () => db.exec(pick(SQL)) === db);
			else if (kind === 13) o.call(`${step} pragma`, () => db.pragma(pick(['user_version', 'table_info(t)', 'user_version = 3', 'x; y']), pick([undefined, { simple: true }, 5])));
			else o.call(`${step} transaction`, () => db.transaction(() => db.prepare('INSERT INTO t VALUES (9, 9)').run(...(random() < 0.3 ? a : [])))());
			o.note(`${step} state`, [db.open, db.inTransaction, s.busy]);
		}
	};
}
