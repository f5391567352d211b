import 'reflect-metadata';
import assert from 'node:assert';
import { DataSource, EntitySchema } from 'typeorm';
import { assertOnLitekeel } from './on-litekeel.mjs';

const Site = new EntitySchema({
	name: 'site',
	columns: { id: { type: Number, primary: true, generated: true }, name: { type: String, unique: true }, created: { type: 'datetime', createDate: true } },
	relations: { pages: { type: 'one-to-many', target: 'page', inverseSide: 'site' } },
});
const Page = new EntitySchema({
	name: 'page',
	columns: { id: { type: Number, primary: true, generated: true }, path: { type: String }, live: { type: Boolean, default: true }, meta: { type: 'simple-json', nullable: true } },
	relations: { site: { type: 'many-to-one', target: 'site', inverseSide: 'pages', nullable: false, onDelete: 'CASCADE' } },
});
const source = await new DataSource({ type: 'better-sqlite3', database: 'deep/typeorm.db', entities: [Site, Page], synchronize: true, enableWAL: true }).initialize();
const site = await source.manager.save(Site, { name: 'example.org' });
assert.ok(site.created instanceof Date);
await source.manager.save(Page, [{ path: '/', site, meta: { tags: ['a'] } }, { path: '/about', site, live: false }]);
const [found] = await source.manager.find(Site, { relations: { pages: true }, order: { pages: { path: 'ASC' } } });
assert.deepStrictEqual(found.pages.map(({ path, live, meta }) => ({ path, live, meta })), [{ path: '/', live: true, meta: { tags: ['a'] } }, { path: '/about', live: false, meta: null }]);
await assert.rejects(source.transaction(async (manager) => {
	await manager.delete(Page, { path: '/' });
	throw new Error('undo');
}), /undo/);
assert.strictEqual(await source.manager.count(Page), 2);
await assert.rejects(source.manager.save(Site, { name: 'example.org' }), (error) => error.driverError.code === 'SQLITE_CONSTRAINT_UNIQUE');
assert.strictEqual((await source.createQueryBuilder(Page, 'p').innerJoin('p.site', 's').where('s.name = :name AND p.live = :live', { name: 'example.org', live: true }).getMany()).length, 1);
// Again on the existing file: the schema is compared, and nothing is to be changed.
await source.synchronize();
assert.strictEqual(await source.manager.count(Page), 2);
await source.manager.delete(Site, { id: site.id });
assert.strictEqual(await source.manager.count(Page), 0);
await source.destroy();
assertOnLitekeel();
