import { relations } from 'drizzle-orm';
import { integer, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core';

export const sites = sqliteTable('sites', {
	id: integer('id').primaryKey({ autoIncrement: true }),
	host: text('host').notNull().unique(),
});

export const pages = sqliteTable(
	'pages',
	{
		id: integer('id').primaryKey({ autoIncrement: true }),
		siteId: integer('site_id')
			.notNull()
			.references(() => sites.id, { onDelete: 'cascade' }),
		slug: text('slug').notNull(),
		body: text('body').notNull(),
	},
	(table) => [unique().on(table.siteId, table.slug)],
);

export const siteRelations = relations(sites, ({ many }) => ({ pages: many(pages) }));
export const pageRelations = relations(pages, ({ one }) => ({ site: one(sites, { fields: [pages.siteId], references: [sites.id] }) }));
