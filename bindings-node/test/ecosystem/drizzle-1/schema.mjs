import { defineRelations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const site = sqliteTable('site', {
	id: integer('id').primaryKey({ autoIncrement: true }),
	name: text('name').notNull().unique(),
});
export const page = sqliteTable('page', {
	id: integer('id').primaryKey({ autoIncrement: true }),
	siteId: integer('site_id').notNull().references(() => site.id, { onDelete: 'cascade' }),
	path: text('path').notNull(),
	tags: text('tags', { mode: 'json' }),
});
export const relations = defineRelations({ site, page }, (r) => ({
	site: { pages: r.many.page() },
	page: { site: r.one.site({ from: r.page.siteId, to: r.site.id }) },
}));
