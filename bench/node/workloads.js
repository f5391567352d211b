'use strict';
// What is measured. `make(db, module)` prepares one contender and returns `op(n)`, which does the work n times and gives
// something to compare; `before` runs untimed ahead of every timed stretch. `goal` is what litekeel is to reach, as a
// multiple of better-sqlite3 12 and 13, node:sqlite and bun:sqlite; nowhere below 1.
const ROWS = 10_000;

/** The table of better-sqlite3's own benchmarks: a NULL, an integer, a real and a text. */
const SMALL = `CREATE TABLE small(nul, "integer" INTEGER, "real" REAL, "text" TEXT);
	WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
	INSERT INTO small SELECT NULL, 2147483647 - i, i + 0.5, 'John Peter Smith ' || i FROM n`;
const MIXED = `CREATE TABLE mixed(id INTEGER PRIMARY KEY, name TEXT, note TEXT, price REAL, stock INTEGER, seen INTEGER);
	WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
	INSERT INTO mixed SELECT i, 'item ' || i, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 'plain' ELSE 'Größe ' || i END, i * 1.25, i % 97, 1700000000000 + i FROM n`;
const LARGE = "CREATE TABLE large(id INTEGER PRIMARY KEY, t TEXT, b BLOB); INSERT INTO large SELECT 1, hex(zeroblob(16384)), zeroblob(32768)";
const COLUMNS = 'nul, "integer", "real", "text"';

const get = (sql, prepare = (db) => db.prepare(sql)) => (db) => {
	const statement = prepare(db);
	return (n) => {
		let last;
		for (let i = 0; i < n; ++i) last = statement.get(i % ROWS + 1);
		return last;
	};
};
const all = (sql, raw = false) => (db, module) => {
	const statement = raw ? module.raw(db.prepare(sql)) : db.prepare(sql);
	return (n) => {
		let last;
		for (let i = 0; i < n; ++i) last = statement.all();
		return last;
	};
};
/** Rows from a key on, which changes. */
const byKey = (sql, raw = false) => (db, module) => {
	const statement = raw ? module.raw(db.prepare(sql)) : db.prepare(sql);
	return (n) => {
		let last;
		for (let i = 0; i < n; ++i) last = statement.all(i % (ROWS - 10) + 1);
		return last;
	};
};
const iterate = (sql) => (db) => {
	const statement = db.prepare(sql);
	return (n) => {
		let sum = 0;
		for (let i = 0; i < n; ++i) for (const row of statement.iterate()) sum += row.integer;
		return sum / n;
	};
};
const insert = (db) => {
	const statement = db.prepare(`INSERT INTO small(${COLUMNS}) VALUES (@nul, @integer, @real, @text)`);
	const row = { nul: null, integer: 0x7fffffff, real: 0.12345, text: 'John Peter Smith' };
	return (n) => {
		for (let i = 0; i < n; ++i) statement.run(row);
		return null;
	};
};
const inserts = (db, module) => {
	const one = insert(db);
	const batch = module.transaction(db, () => one(100));
	return (n) => {
		for (let i = 0; i < n; ++i) batch();
		return null;
	};
};
/** Sites with ten pages each, as Drizzle sees them. */
function sites() {
	const { relations } = require('drizzle-orm');
	const { integer, sqliteTable, text } = require('drizzle-orm/sqlite-core');
	const site = sqliteTable('site', { id: integer('id').primaryKey(), name: text('name').notNull() });
	const page = sqliteTable('page', { id: integer('id').primaryKey(), siteId: integer('site_id').notNull(), path: text('path').notNull() });
	return {
		site, page,
		siteRelations: relations(site, ({ many }) => ({ pages: many(page) })),
		pageRelations: relations(page, ({ one }) => ({ site: one(site, { fields: [page.siteId], references: [site.id] }) })),
	};
}
const SITES = `CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE page(id INTEGER PRIMARY KEY, site_id INTEGER NOT NULL, path TEXT NOT NULL);
	CREATE INDEX page_site ON page(site_id);
	WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO site SELECT i, 'site ' || i FROM n;
	WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO page SELECT i + 1, i / 10 + 1, '/page/' || i FROM n`;
const drizzle = (query) => (db, module) => {
	const schema = sites();
	const orm = module.drizzle(db, schema);
	return (n) => {
		let last;
		for (let i = 0; i < n; ++i) last = query(orm, schema, i % 1000 + 1);
		return last;
	};
};
const hundred = (columns = COLUMNS) => `SELECT ${columns} FROM small WHERE rowid <= 100`;
const emptied = (db) => db.exec(`DELETE FROM small WHERE rowid > ${ROWS}`);
const goal = (bs12, bs13, bun, nodeSqlite = bs13) => ({ 'better-sqlite3 12': bs12, 'better-sqlite3 13': bs13, 'node:sqlite': nodeSqlite, 'bun:sqlite': bun });

module.exports = [
	{ id: 'get-4', label: '`get`, 4 columns', where: 'memory', setup: SMALL, goal: goal(2.5, 2.2, 1), make: get(`SELECT ${COLUMNS} FROM small WHERE rowid = ?`) },
	{ id: 'get-1', label: '`get` of `SELECT 1`', where: 'memory', goal: goal(4, 4, 1), make(db) {
		const statement = db.prepare('SELECT 1');
		return (n) => {
			let last;
			for (let i = 0; i < n; ++i) last = statement.get();
			return last;
		};
	} },
	{ id: 'all-100', label: '`all`, 100 rows', where: 'memory', setup: SMALL, goal: goal(5, 2, 1.2), make: all(hundred()) },
	{ id: 'all-1', label: '`all`, 1 row by its key', where: 'memory', setup: SMALL, goal: goal(2, 2, 1), make: byKey(`SELECT ${COLUMNS} FROM small WHERE rowid = ?`) },
	{ id: 'raw-1', label: '`raw().all()`, 1 row by its key', where: 'memory', setup: SMALL, goal: goal(2, 2, 1), make: byKey(`SELECT ${COLUMNS} FROM small WHERE rowid = ?`, true) },
	{ id: 'raw-5', label: '`raw().all()`, 5 rows', where: 'memory', setup: SMALL, goal: goal(2, 2, 1), make: byKey(`SELECT ${COLUMNS} FROM small WHERE rowid >= ? LIMIT 5`, true) },
	{ id: 'raw-20', label: '`raw().all()`, 20 rows', where: 'memory', setup: SMALL, goal: goal(4, 2, 1.4), make: all(`SELECT ${COLUMNS} FROM small WHERE rowid <= 20`, true) },
	{ id: 'raw-100', label: '`raw().all()`, 100 rows', where: 'memory', setup: SMALL, goal: goal(4, 2, 1.4), make: all(hundred(), true) },
	{ id: 'iterate-100', label: '`iterate`, 100 rows', where: 'memory', setup: SMALL, goal: goal(8, 5, 1.4), make: iterate(hundred()) },
	{ id: 'all-10000', label: '`all`, 10 000 mixed rows', where: 'memory', setup: MIXED, goal: goal(3.5, 2.5, 1.3), make: all('SELECT * FROM mixed') },
	{ id: 'run-named', label: '`run`, named parameters', where: 'memory', setup: SMALL, goal: goal(1.4, 2.2, 1), before: emptied, make: insert },
	{ id: 'insert-100', label: '100 inserts in a transaction', where: 'memory', setup: SMALL, goal: goal(3.5, 4, 1.2), before: emptied, make: inserts },
	{ id: 'prepare-get', label: 'the same SQL prepared again, `get`', where: 'memory', setup: SMALL, goal: goal(5, 4, 3), make: (db) => (n) => {
		let last;
		for (let i = 0; i < n; ++i) last = db.prepare(`SELECT ${COLUMNS} FROM small WHERE rowid = ?`).get(i % ROWS + 1);
		return last;
	} },
	{ id: 'prepare-cold', label: 'new SQL prepared each time, `get`', where: 'memory', setup: SMALL, goal: goal(1, 1, 1), make(db) {
		let made = 0;
		return (n) => {
			let last;
			for (let i = 0; i < n; ++i) last = db.prepare(`SELECT ${COLUMNS}, ${made += 1} AS made FROM small WHERE rowid = ?`).get(7).text;
			return last;
		};
	} },
	{ id: 'large-text', label: '`get`, a text of 32 KiB', where: 'memory', setup: LARGE, goal: goal(1, 1, 1), make: get('SELECT t FROM large WHERE id = 1 AND ? > 0') },
	{ id: 'large-blob', label: '`get`, a BLOB of 32 KiB', where: 'memory', setup: LARGE, goal: goal(1, 1, 1), make: get('SELECT b FROM large WHERE id = 1 AND ? > 0') },
	{ id: 'drizzle-key', label: 'Drizzle: `select` by primary key', where: 'memory', needs: 'drizzle', setup: SITES, goal: goal(1, 1.5, 1), make: drizzle((orm, { page }, id) => orm.select().from(page).where(require('drizzle-orm').eq(page.id, id)).all()) },
	{ id: 'drizzle-select', label: 'Drizzle: `select` of 10 rows', where: 'memory', needs: 'drizzle', setup: SITES, goal: goal(1, 1, 1), make: drizzle((orm, { page }, id) => orm.select().from(page).where(require('drizzle-orm').eq(page.siteId, id)).all()) },
	{ id: 'drizzle-find', label: 'Drizzle: `findFirst` with relations', where: 'memory', needs: 'drizzle', setup: SITES, goal: goal(1, 1, 1), make: drizzle((orm, { site }, id) => orm.query.site.findFirst({ where: require('drizzle-orm').eq(site.id, id), with: { pages: true } }).sync()) },
	{ id: 'file-get-4', label: '`get`, 4 columns', where: 'file', setup: SMALL, goal: goal(4, 4, 3), make: get(`SELECT ${COLUMNS} FROM small WHERE rowid = ?`) },
	{ id: 'file-run', label: '`run`, a transaction each', where: 'file', setup: SMALL, goal: goal(1.25, 1.25, 1), before: emptied, make: insert },
	{ id: 'file-all-100', label: '`all`, 100 rows', where: 'file', setup: SMALL, goal: goal(5, 2, 1.2), make: all(hundred()) },
	{ id: 'file-iterate-100', label: '`iterate`, 100 rows', where: 'file', setup: SMALL, goal: goal(5, 3, 1.2), make: iterate(hundred()) },
	{ id: 'file-insert-100', label: '100 inserts in a transaction', where: 'file', setup: SMALL, goal: goal(5, 3.5, 1.2), before: emptied, make: inserts },
];
