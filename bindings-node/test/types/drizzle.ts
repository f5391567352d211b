import { eq, relations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import Database = require('litekeel');
import { drizzle, migrate, type AsyncTransaction, type LitekeelDatabase } from 'litekeel/drizzle';

const site = sqliteTable('site', { id: integer('id').primaryKey(), name: text('name').notNull() });
const page = sqliteTable('page', { id: integer('id').primaryKey(), siteId: integer('site_id').notNull() });
const siteRelations = relations(site, ({ many }) => ({ pages: many(page) }));
const pageRelations = relations(page, ({ one }) => ({ site: one(site, { fields: [page.siteId], references: [site.id] }) }));
const schema = { site, page, siteRelations, pageRelations };

const db = drizzle(Database.open('file:a.db'), { schema });
/** A service works on the database or on a transaction of it, synchronous or not. */
type DB = LitekeelDatabase<typeof schema>;
class Sites {
	constructor(private readonly db: DB) {}
	add(name: string): number {
		return this.db.transaction((tx) => new Sites(tx).count() + tx.insert(site).values({ name }).run().changes);
	}
	count(): number {
		return this.db.select().from(site).all().length;
	}
}
const counts: number[] = [new Sites(db).add('a'), db.transaction((tx) => new Sites(tx).add('b'))];
const laterCounts: Promise<number>[] = [db.transactionAsync(async (tx) => new Sites(tx).add('c')), db.transaction(async (tx) => new Sites(tx).add('d'))];
const others = [drizzle(), drizzle('file:a.db', { schema }), drizzle({ client: new Database(':memory:') }), drizzle({ connection: { url: 'file:a.db', profile: 'durable' } })];
migrate(db, { migrationsFolder: 'migrations' });
const names: string[] = db.query.site.findMany({ with: { pages: true } }).sync().map((one) => one.name + one.pages.length);
const changes: number = db.insert(site).values({ name: 'a' }).run().changes;
const sync: number = db.transaction((tx) => tx.select().from(site).where(eq(site.id, 1)).all().length);
const later: Promise<number> = db.transactionAsync(async (tx: AsyncTransaction<typeof schema>) => {
	await tx.transactionAsync(async (inner) => inner.delete(page).run());
	if (tx.query.site.findMany().sync().length > 5) tx.rollback();
	return 5;
});
const alsoLater: Promise<string> = db.transaction(async (tx) => String(tx.select().from(site).all().length));
const insideLater: Promise<boolean> = db.transactionAsync(async (tx) => tx.$client.open);
const closed: boolean = db.$client.close().open;
// @ts-expect-error a column that does not exist
db.insert(site).values({ title: 'a' });
// @ts-expect-error an option that does not exist
drizzle({ connection: { url: 'file:a.db', nonsense: 1 } });

export { others, names, changes, sync, later, alsoLater, closed, counts, laterCounts, insideLater };
