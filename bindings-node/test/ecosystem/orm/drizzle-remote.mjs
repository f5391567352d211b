// Drizzle 0.45 on a libSQL server: its own better-sqlite3 driver, litekeel/drizzle, and the asynchronous driver.
import assert from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { eq, sql } from 'drizzle-orm';
import { drizzle as upstream } from 'drizzle-orm/better-sqlite3';
import { drizzle, drizzleAsync, migrate, migrateAsync } from 'litekeel/drizzle';
import { assertOnLitekeel } from './on-litekeel.mjs';
import { remote } from './scenario-remote.mjs';
import * as schema from './schema.mjs';

const { site, page } = schema;
const url = process.env.REMOTE_URL;
mkdirSync('migrations/meta', { recursive: true });
// The second makes a table anew that others refer to.
writeFileSync('migrations/0000_a.sql', "CREATE TABLE entry(id INTEGER PRIMARY KEY, name TEXT);--> statement-breakpoint\nCREATE TABLE note(id INTEGER PRIMARY KEY, entry_id INTEGER REFERENCES entry(id) ON DELETE CASCADE);--> statement-breakpoint\nINSERT INTO entry(name) VALUES('a');--> statement-breakpoint\nINSERT INTO note(entry_id) VALUES(1);");
writeFileSync('migrations/0001_b.sql', 'PRAGMA foreign_keys=OFF;--> statement-breakpoint\nCREATE TABLE new_entry(id INTEGER PRIMARY KEY, name TEXT NOT NULL);--> statement-breakpoint\nINSERT INTO new_entry SELECT id, name FROM entry;--> statement-breakpoint\nDROP TABLE entry;--> statement-breakpoint\nALTER TABLE new_entry RENAME TO entry;--> statement-breakpoint\nPRAGMA foreign_keys=ON;');
writeFileSync('migrations/meta/_journal.json', JSON.stringify({ version: '7', dialect: 'sqlite', entries: ['0000_a', '0001_b'].map((tag, idx) => ({ idx, version: '6', when: idx + 1, tag, breakpoints: true })) }));

for (const [name, db] of [['upstream', upstream(Database.open(url), { schema })], ['litekeel', drizzle(url, { schema })]]) {
	db.run(sql`DROP TABLE IF EXISTS page`);
	db.run(sql`DROP TABLE IF EXISTS site`);
	db.run(sql`CREATE TABLE site(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL)`);
	db.run(sql`CREATE TABLE page(id INTEGER PRIMARY KEY AUTOINCREMENT, site_id INTEGER NOT NULL REFERENCES site(id) ON DELETE CASCADE, path TEXT NOT NULL, tags TEXT)`);
	const [{ id }] = db.insert(site).values({ name: 'example.org' }).returning().all();
	assert.strictEqual(db.insert(page).values([{ siteId: id, path: '/', tags: ['a'] }, { siteId: id, path: '/about' }]).run().changes, 2);
	assert.deepStrictEqual(db.query.site.findMany({ with: { pages: { columns: { path: true, tags: true } } } }).sync(),
		[{ id, name: 'example.org', created: new Date(1e12), pages: [{ path: '/', tags: ['a'] }, { path: '/about', tags: null }] }]);
	const prepared = db.select({ path: page.path }).from(page).where(eq(page.path, sql.placeholder('path'))).prepare();
	assert.deepStrictEqual([prepared.get({ path: '/' }), prepared.all({ path: '/nowhere' }), prepared.values({ path: '/' })], [{ path: '/' }, [], [['/']]]);
	assert.throws(() => db.transaction((tx) => {
		tx.delete(page).run();
		assert.throws(() => tx.transaction((inner) => { inner.delete(site).run(); inner.rollback(); }));
		assert.strictEqual(tx.select().from(site).all().length, 1);
		throw new Error('undo');
	}), /undo/);
	assert.strictEqual(await db.$count(page), 2);
	assert.throws(() => db.insert(site).values({ name: 'example.org' }).run(), (error) => (error.cause ?? error).code === 'SQLITE_CONSTRAINT_UNIQUE');
	assert.ok(db.$client instanceof Database, name);
	if (name === 'litekeel') {
		await db.transactionAsync(async (tx) => { tx.insert(page).values({ siteId: id, path: '/async' }).run(); });
		assert.strictEqual(await db.$count(page), 3);
		assert.throws(() => migrate(db, { migrationsFolder: './migrations' }), { code: 'KEEL_REMOTE_UNSUPPORTED' });
	}
	db.$client.close();
}
const db = drizzleAsync({ connection: { url }, schema });
await remote(db, { site, page, migrateAsync, migrations: { migrationsFolder: './migrations' } });
assert.deepStrictEqual(await db.query.site.findMany({ with: { pages: true } }), []);
assert.throws(() => drizzleAsync('file:local.db'), TypeError);
db.$client.close();
assertOnLitekeel();
