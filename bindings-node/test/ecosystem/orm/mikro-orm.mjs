import assert from 'node:assert';
import { MikroORM, defineEntity, p } from '@mikro-orm/sqlite';
import { assertOnLitekeel } from './on-litekeel.mjs';

const Site = defineEntity({ name: 'Site', properties: { id: p.integer().primary(), name: p.string().unique(), pages: () => p.oneToMany(Page).mappedBy('site') } });
const Page = defineEntity({ name: 'Page', properties: { id: p.integer().primary(), path: p.string(), live: p.boolean().default(true), meta: p.json().nullable(), site: () => p.manyToOne(Site).deleteRule('cascade') } });

const orm = await MikroORM.init({ dbName: 'mikro.db', entities: [Site, Page] });
await orm.schema.create();
const em = orm.em.fork();
const site = em.create(Site, { name: 'example.org' });
em.create(Page, { path: '/', site, live: true, meta: { tags: ['a'] } });
em.create(Page, { path: '/about', site, live: false });
await em.flush();
const found = await orm.em.fork().findOneOrFail(Site, { name: 'example.org' }, { populate: ['pages'], orderBy: { pages: { path: 'asc' } } });
assert.deepStrictEqual(found.pages.getItems().map(({ path, live }) => [path, live]), [['/', true], ['/about', false]]);
await assert.rejects(orm.em.fork().transactional(async (inner) => {
	await inner.nativeDelete(Page, { path: '/' });
	throw new Error('undo');
}), /undo/);
assert.strictEqual(await orm.em.fork().count(Page), 2);
await assert.rejects(orm.em.fork().insert(Site, { name: 'example.org' }), { name: 'UniqueConstraintViolationException' });
await assert.rejects(orm.em.fork().insert(Page, { path: '/x', live: true, site: 99 }), { name: 'ForeignKeyConstraintViolationException' });
await orm.em.fork().nativeDelete(Site, {});
assert.strictEqual(await orm.em.fork().count(Page), 0);
assert.strictEqual(await orm.schema.getUpdateSchemaSQL(), '');
await orm.close();
assertOnLitekeel();
