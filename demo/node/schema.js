import { relations } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const site = sqliteTable('site', {
	id: integer().primaryKey({ autoIncrement: true }),
	name: text().notNull().unique(),
	plan: text({ enum: ['free', 'paid'] }).notNull().default('free'),
});

export const page = sqliteTable('page', {
	id: integer().primaryKey({ autoIncrement: true }),
	siteId: integer().notNull().references(() => site.id, { onDelete: 'cascade' }),
	path: text().notNull(),
	title: text().notNull(),
});

export const siteRelations = relations(site, ({ many }) => ({ pages: many(page) }));
export const pageRelations = relations(page, ({ one }) => ({ site: one(site, { fields: [page.siteId], references: [site.id] }) }));
