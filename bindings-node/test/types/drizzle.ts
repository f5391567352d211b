import { eq, relations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import Database = require('litekeel');
import { drizzle, migrate, type AsyncTransaction, type LitekeelClient, type LitekeelDatabase, type LitekeelTransaction } from 'litekeel/drizzle';

const site = sqliteTable('site', { id: integer('id').primaryKey(), name: text('name').notNull() });
const page = sqliteTable('page', { id: integer('id').primaryKey(), siteId: integer('site_id').notNull() });
const siteRelations = relations(site, ({ many }) => ({ pages: many(page) }));
const pageRelations = relations(page, ({ one }) => ({ site: one(site, { fields: [page.siteId], references: [site.id] }) }));
const schema = { site, page, siteRelations, pageRelations };

const db: LitekeelClient<typeof schema, Database.Tuned> & LitekeelDatabase<typeof schema> = drizzle(Database.open('file:a.db'), { schema });
const others = [drizzle(), drizzle('file:a.db', { schema }), drizzle({ client: new Database(':memory:') }), drizzle({ connection: { url: 'file:a.db', profile: 'durable' } })];
// What is known to be one of several kinds only.
declare const given: { either: Database.Database | string; perhaps?: Database.Database; config: { client: Database.Database } | { connection: string }; options: { client?: Database.Database } };
const unsure = [drizzle(given.either, { schema }).$client.open, drizzle(given.perhaps).$client.open, drizzle(given.config).$client.open, drizzle(given.options).$client.open];
migrate(db, { migrationsFolder: 'migrations' });
const names: string[] = db.query.site.findMany({ with: { pages: true } }).sync().map((one) => one.name + one.pages.length);
const changes: number = db.insert(site).values({ name: 'a' }).run().changes;
const sync: number = db.transaction((tx) => tx.select().from(site).where(eq(site.id, 1)).all().length);
const later: Promise<number> = db.transactionAsync(async (tx: LitekeelTransaction<typeof schema>) => {
	await tx.transactionAsync(async (inner) => inner.delete(page).run());
	if (tx.query.site.findMany().sync().length > 5) tx.rollback();
	return 5;
});
const alsoLater: Promise<string> = db.transaction(async (tx) => String(tx.select().from(site).all().length));
const closed: boolean = db.$client.close().open;

const journal: string = db.$client.report.journal_mode + drizzle().$client.report.url;
// @ts-expect-error only a connection of open() has a report
drizzle(new Database(':memory:')).$client.report;

// A service takes whatever its work is to run on: the database, or either kind of transaction.
type DrizzleDB = LitekeelDatabase<typeof schema>;
class SiteService {
	constructor(private readonly db: DrizzleDB) {}
	create(name: string): number { return this.db.insert(site).values({ name }).run().changes; }
	twice(name: string): number { return this.db.transaction((tx) => new SiteService(tx).create(name) + new SiteService(tx).create(name)); }
}
const created: number = new SiteService(db).create('a') + db.transaction((tx) => new SiteService(tx).twice('b'));
const createdLater: Promise<number> = db.transaction(async (tx) => {
	const kept: number = await tx.transaction(async (inner) => new SiteService(inner).create('c'));
	const beside: Promise<number> = tx.transactionAsync((inner) => new SiteService(inner).create('d'));
	const within: number = tx.transaction((inner) => new SiteService(inner).create('e'));
	return kept + (await beside) + within + (tx.$client.inTransaction ? new SiteService(tx).create('f') : 0);
});
const insideLater: Promise<boolean> = db.transactionAsync(async (tx: AsyncTransaction<typeof schema>) => tx.$client.open);
const nothing: void = db.transaction((tx) => { tx.delete(page).run(); });
// @ts-expect-error what a service is given may be a transaction, which has no connection of its own
(null as unknown as DrizzleDB).$client;

// @ts-expect-error a column that does not exist
db.insert(site).values({ title: 'a' });
// @ts-expect-error an option that does not exist
drizzle({ connection: { url: 'file:a.db', nonsense: 1 } });

export { journal, others, unsure, names, changes, sync, later, alsoLater, closed, created, createdLater, insideLater, nothing };
