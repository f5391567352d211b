// Drizzle's asynchronous driver on a libSQL server: queries, transactions, batches, and migrations that start together.
import assert from 'node:assert';
import { eq, sql } from 'drizzle-orm';

export async function remote(db, { site, page, migrateAsync, migrations }) {
	await db.run(sql`DROP TABLE IF EXISTS page`);
	await db.run(sql`DROP TABLE IF EXISTS site`);
	await db.run(sql`CREATE TABLE site(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER)`);
	await db.run(sql`CREATE TABLE page(id INTEGER PRIMARY KEY AUTOINCREMENT, site_id INTEGER NOT NULL REFERENCES site(id) ON DELETE CASCADE, path TEXT NOT NULL, tags TEXT)`);
	const [{ id }] = await db.insert(site).values({ name: 'example.org' }).returning();
	assert.strictEqual((await db.insert(page).values([{ siteId: id, path: '/', tags: ['a'] }, { siteId: id, path: '/about' }]).run()).rowsAffected, 2);
	assert.deepStrictEqual(await db.select({ path: page.path, tags: page.tags }).from(page).orderBy(page.path), [{ path: '/', tags: ['a'] }, { path: '/about', tags: null }]);
	assert.deepStrictEqual(await db.all(sql`SELECT 1 AS one`), [{ one: 1 }]);
	await assert.rejects(db.transaction(async (tx) => {
		await tx.delete(page);
		await assert.rejects(tx.transaction(async (inner) => { await inner.delete(site); inner.rollback(); }));
		assert.strictEqual((await tx.select().from(site)).length, 1);
		assert.strictEqual((await db.select().from(page)).length, 2, 'nobody else sees it');
		throw new Error('undo');
	}), /undo/);
	await db.transaction(async (tx) => { await tx.insert(page).values({ siteId: id, path: '/new' }); });
	assert.strictEqual((await db.select().from(page)).length, 3);
	const [, pages] = await db.batch([db.delete(page).where(eq(page.path, '/new')), db.select().from(page)]);
	assert.strictEqual(pages.length, 2);
	await assert.rejects(db.insert(site).values({ name: 'example.org' }), (error) => (error.cause ?? error).code === 'SQLITE_CONSTRAINT_UNIQUE');
	await db.delete(site);
	assert.deepStrictEqual(await db.select().from(page), []);

	// Ten at once, and each migration once.
	await Promise.all(Array.from({ length: 10 }, () => migrateAsync(db, migrations)));
	assert.deepStrictEqual(await db.all(sql`SELECT (SELECT count(*) FROM entry) AS entries, (SELECT count(*) FROM note) AS notes`), [{ entries: 1, notes: 1 }]);
}
