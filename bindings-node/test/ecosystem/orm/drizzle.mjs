// Drizzle 0.45, through its own better-sqlite3 driver and through litekeel/drizzle.
import assert from 'node:assert';
import Database from 'better-sqlite3';
import { count, eq, sql } from 'drizzle-orm';
import { drizzle as upstream } from 'drizzle-orm/better-sqlite3';
import { drizzle } from 'litekeel/drizzle';
import { assertOnLitekeel } from './on-litekeel.mjs';
import * as schema from './schema.mjs';

const { site, page } = schema;
const TABLES = [
	sql`CREATE TABLE site(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL)`,
	sql`CREATE TABLE page(id INTEGER PRIMARY KEY AUTOINCREMENT, site_id INTEGER NOT NULL REFERENCES site(id) ON DELETE CASCADE, path TEXT NOT NULL, tags TEXT)`,
];

for (const [name, db] of [['upstream', upstream(new Database('upstream.db'), { schema })], ['litekeel', drizzle('file:deep/litekeel.db', { schema })]]) {
	for (const table of TABLES) db.run(table);
	const [{ id }] = db.insert(site).values({ name: 'example.org' }).returning().all();
	assert.strictEqual(db.insert(page).values([{ siteId: id, path: '/', tags: ['a'] }, { siteId: id, path: '/about' }]).run().changes, 2);
	assert.deepStrictEqual(db.query.site.findMany({ with: { pages: { columns: { path: true, tags: true } } } }).sync(),
		[{ id, name: 'example.org', created: new Date(1e12), pages: [{ path: '/', tags: ['a'] }, { path: '/about', tags: null }] }]);
	assert.deepStrictEqual(await db.query.page.findFirst({ where: eq(page.path, '/about'), with: { site: { columns: { name: true } } }, columns: { path: true } }), { path: '/about', site: { name: 'example.org' } });
	assert.deepStrictEqual(db.select({ name: site.name, pages: count(page.id) }).from(site).leftJoin(page, eq(page.siteId, site.id)).groupBy(site.id).all(), [{ name: 'example.org', pages: 2 }]);
	const prepared = db.select({ path: page.path }).from(page).where(eq(page.path, sql.placeholder('path'))).prepare();
	assert.deepStrictEqual([prepared.get({ path: '/' }), prepared.all({ path: '/nowhere' }), prepared.values({ path: '/' })], [{ path: '/' }, [], [['/']]]);
	assert.throws(() => db.transaction((tx) => {
		tx.delete(page).run();
		assert.throws(() => tx.transaction((inner) => {
			inner.delete(site).run();
			inner.rollback();
		}));
		assert.strictEqual(tx.select().from(site).all().length, 1);
		throw new Error('undo');
	}), /undo/);
	assert.strictEqual(await db.$count(page), 2);
	assert.throws(() => db.insert(site).values({ name: 'example.org' }).run(), (error) => (error.cause ?? error).code === 'SQLITE_CONSTRAINT_UNIQUE');
	assert.throws(() => db.insert(page).values({ siteId: 99, path: '/' }).run(), (error) => (error.cause ?? error).code === 'SQLITE_CONSTRAINT_FOREIGNKEY');
	db.delete(site).where(eq(site.id, id)).run();
	assert.deepStrictEqual(db.select().from(page).all(), []);
	assert.ok(db.$client instanceof Database, name);
	db.$client.close();
}
assertOnLitekeel();
