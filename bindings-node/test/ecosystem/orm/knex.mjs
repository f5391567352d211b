import assert from 'node:assert';
import Knex from 'knex';
import { assertOnLitekeel } from './on-litekeel.mjs';

const knex = Knex({ client: 'better-sqlite3', connection: { filename: 'knex.db' }, useNullAsDefault: true });
await knex.schema.createTable('site', (t) => { t.increments('id'); t.string('name').notNullable().unique(); });
await knex.schema.createTable('page', (t) => { t.increments('id'); t.integer('site_id').notNullable().references('site.id').onDelete('CASCADE'); t.string('path'); t.boolean('live').defaultTo(true); });
const [{ id }] = await knex('site').insert({ name: 'example.org' }).returning('id');
await knex('page').insert([{ site_id: id, path: '/' }, { site_id: id, path: '/about' }]);
assert.deepStrictEqual(await knex('page').join('site', 'site.id', 'page.site_id').select('site.name', 'page.path', 'page.live').orderBy('path'),
	[{ name: 'example.org', path: '/', live: 1 }, { name: 'example.org', path: '/about', live: 1 }]);
assert.strictEqual(await knex('page').where({ path: '/' }).update({ path: '/home' }), 1);
await assert.rejects(knex.transaction(async (trx) => {
	await trx('page').delete();
	await trx.transaction(async (inner) => { await inner('site').delete(); });
	throw new Error('undo');
}), /undo/);
assert.deepStrictEqual(await knex('page').count({ n: '*' }), [{ n: 2 }]);
await assert.rejects(knex('site').insert({ name: 'example.org' }), { code: 'SQLITE_CONSTRAINT_UNIQUE' });
const streamed = [];
for await (const row of knex('page').select('path').orderBy('id').stream()) streamed.push(row.path);
assert.deepStrictEqual(streamed, ['/home', '/about']);
await knex.schema.alterTable('page', (t) => { t.string('title').defaultTo('untitled'); });
await knex.schema.alterTable('page', (t) => { t.dropColumn('live'); });
assert.deepStrictEqual(await knex('page').first('path', 'title'), { path: '/home', title: 'untitled' });
await knex('site').delete();
assert.deepStrictEqual(await knex('page').count({ n: '*' }), [{ n: 0 }]);
await knex.destroy();
assertOnLitekeel();
