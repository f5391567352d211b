import { relations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const site = sqliteTable('site', {
	id: integer('id').primaryKey({ autoIncrement: true }),
	name: text('name').notNull().unique(),
	created: integer('created', { mode: 'timestamp' }).notNull().$defaultFn(() => new Date(1e12)),
});
export const page = sqliteTable('page', {
	id: integer('id').primaryKey({ autoIncrement: true }),
	siteId: integer('site_id').notNull().references(() => site.id, { onDelete: 'cascade' }),
	path: text('path').notNull(),
	tags: text('tags', { mode: 'json' }),
});
export const siteRelations = relations(site, ({ many }) => ({ pages: many(page) }));
export const pageRelations = relations(page, ({ one }) => ({ site: one(site, { fields: [page.siteId], references: [site.id] }) }));
