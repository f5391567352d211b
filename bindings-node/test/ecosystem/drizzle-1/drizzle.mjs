// Drizzle 1, through its own better-sqlite3 driver and through litekeel/drizzle.
import assert from 'node:assert';
import Database from 'better-sqlite3';
import { count, eq, sql } from 'drizzle-orm';
import { drizzle as upstream } from 'drizzle-orm/better-sqlite3';
import { drizzle } from 'litekeel/drizzle';
import { assertOnLitekeel } from '../orm/on-litekeel.mjs';
import { page, relations, site } from './schema.mjs';

for (const db of [upstream({ client: new Database('upstream.db'), relations }), drizzle('file:deep/litekeel.db', { relations })]) {
	db.run(sql`CREATE TABLE site(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)`);
	db.run(sql`CREATE TABLE page(id INTEGER PRIMARY KEY AUTOINCREMENT, site_id INTEGER NOT NULL REFERENCES site(id) ON DELETE CASCADE, path TEXT NOT NULL, tags TEXT)`);
	const [{ id }] = db.insert(site).values({ name: 'example.org' }).returning().all();
	db.insert(page).values([{ siteId: id, path: '/', tags: ['a'] }, { siteId: id, path: '/about' }]).run();
	assert.deepStrictEqual(await db.query.site.findMany({ with: { pages: { columns: { path: true, tags: true }, orderBy: { path: 'asc' } } } }),
		[{ id, name: 'example.org', pages: [{ path: '/', tags: ['a'] }, { path: '/about', tags: null }] }]);
	assert.deepStrictEqual(await db.query.page.findFirst({ where: { path: '/about' }, with: { site: { columns: { name: true } } }, columns: { path: true } }), { path: '/about', site: { name: 'example.org' } });
	assert.deepStrictEqual(db.select({ name: site.name, pages: count(page.id) }).from(site).leftJoin(page, eq(page.siteId, site.id)).groupBy(site.id).all(), [{ name: 'example.org', pages: 2 }]);
	assert.throws(() => db.transaction((tx) => {
		tx.delete(page).run();
		tx.rollback();
	}));
	assert.strictEqual(db.select().from(page).all().length, 2);
	assert.throws(() => db.insert(site).values({ name: 'example.org' }).run(), (error) => error.cause.code === 'SQLITE_CONSTRAINT_UNIQUE');
	db.delete(site).where(eq(site.id, id)).run();
	assert.deepStrictEqual(db.select().from(page).all(), []);
	db.$client.close();
}
assertOnLitekeel();
