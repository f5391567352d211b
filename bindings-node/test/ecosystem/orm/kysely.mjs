import assert from 'node:assert';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/sqlite';
import { assertOnLitekeel } from './on-litekeel.mjs';

const db = new Kysely({ dialect: new SqliteDialect({ database: new Database('kysely.db') }) });
await db.schema.createTable('site').addColumn('id', 'integer', (c) => c.primaryKey()).addColumn('name', 'text', (c) => c.notNull().unique()).execute();
await db.schema.createTable('page').addColumn('id', 'integer', (c) => c.primaryKey())
	.addColumn('site_id', 'integer', (c) => c.notNull().references('site.id').onDelete('cascade')).addColumn('path', 'text').execute();
const { id } = await db.insertInto('site').values({ name: 'example.org' }).returning('id').executeTakeFirstOrThrow();
const inserted = await db.insertInto('page').values([{ site_id: id, path: '/' }, { site_id: id, path: '/about' }]).executeTakeFirst();
assert.deepStrictEqual(inserted.numInsertedOrUpdatedRows, 2n);
const sites = await db.selectFrom('site').select((eb) => ['name', jsonArrayFrom(eb.selectFrom('page').select('path').whereRef('page.site_id', '=', 'site.id').orderBy('path')).as('pages')]).execute();
assert.deepStrictEqual(sites, [{ name: 'example.org', pages: '[{"path":"/"},{"path":"/about"}]' }]);
await assert.rejects(db.transaction().execute(async (tx) => {
	await tx.deleteFrom('site').execute();
	throw new Error('undo');
}), /undo/);
assert.strictEqual((await db.selectFrom('page').select(sql`count(*)`.as('n')).executeTakeFirst()).n, 2);
await assert.rejects(db.insertInto('site').values({ name: 'example.org' }).execute(), { code: 'SQLITE_CONSTRAINT_UNIQUE' });
await assert.rejects(db.insertInto('page').values({ site_id: 99 }).execute(), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' });
const streamed = [];
for await (const row of db.selectFrom('page').select('path').orderBy('id').stream()) streamed.push(row.path);
assert.deepStrictEqual(streamed, ['/', '/about']);
assert.deepStrictEqual((await db.introspection.getTables()).map((table) => table.name), ['page', 'site']);
await db.deleteFrom('site').execute();
assert.strictEqual((await db.selectFrom('page').select(sql`count(*)`.as('n')).executeTakeFirst()).n, 0);
await db.destroy();
assertOnLitekeel();
