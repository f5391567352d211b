import { defineRelations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import Database = require('litekeel');
import { drizzle, migrate, type LitekeelClient, type LitekeelDatabase } from 'litekeel/drizzle/1';

const site = sqliteTable('site', { id: integer('id').primaryKey(), name: text('name').notNull() });
const page = sqliteTable('page', { id: integer('id').primaryKey(), siteId: integer('site_id').notNull() });
const relations = defineRelations({ site, page }, (r) => ({ site: { pages: r.many.page() }, page: { site: r.one.site({ from: r.page.siteId, to: r.site.id }) } }));

const db: LitekeelClient<typeof relations> & LitekeelDatabase<typeof relations> = drizzle(Database.open('file:a.db'), { relations });
// What is known to be one of several kinds only.
declare const given: { either: Database.Database | string; perhaps?: Database.Database; config: { client: Database.Database } | { connection: string }; options: { client?: Database.Database } };
const unsure = [drizzle(given.either, { relations }).$client.open, drizzle(given.perhaps).$client.open, drizzle(given.config).$client.open, drizzle(given.options).$client.open];
migrate(db, { migrationsFolder: 'migrations' });
const names: Promise<string[]> = db.query.site.findMany({ with: { pages: true } }).then((all) => all.map((one) => one.name + one.pages.length));
const changes: number = db.insert(site).values({ name: 'a' }).run().changes;
const sync: number = db.transaction((tx) => tx.select().from(site).all().length);
const later: Promise<number> = db.transactionAsync(async (tx) => {
	if (tx.select().from(page).all().length > 5) tx.rollback();
	return 5;
});

// A service takes whatever its work is to run on: the database, or either kind of transaction.
class SiteService {
	constructor(private readonly db: LitekeelDatabase<typeof relations>) {}
	create(name: string): number { return this.db.insert(site).values({ name }).run().changes; }
}
const created: number = new SiteService(db).create('a') + db.transaction((tx) => new SiteService(tx).create('b'));
const createdLater: Promise<number> = db.transaction(async (tx) => new SiteService(tx).create('c') + (await tx.transaction(async (inner) => new SiteService(inner).create('d'))));

// @ts-expect-error a column that does not exist
db.insert(site).values({ title: 'a' });

export { unsure, names, changes, sync, later, created, createdLater };
