// A migration that rebuilds a table: litekeel/drizzle runs it and keeps the rows that refer to it. Drizzle's own migrate would
// delete them, and is refused.
import assert from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { drizzle as upstream } from 'drizzle-orm/better-sqlite3';
import { migrate as upstreamMigrate } from 'drizzle-orm/better-sqlite3/migrator';
import { drizzle, migrate } from 'litekeel/drizzle';
import { assertOnLitekeel } from './on-litekeel.mjs';

const REBUILD = `PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE __new_site(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x');--> statement-breakpoint
INSERT INTO __new_site(id, name) SELECT id, name FROM site;--> statement-breakpoint
DROP TABLE site;--> statement-breakpoint
ALTER TABLE __new_site RENAME TO site;--> statement-breakpoint
PRAGMA foreign_keys=ON;`;
const steps = [
	"CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT);--> statement-breakpoint\nCREATE TABLE page(id INTEGER PRIMARY KEY, site_id INTEGER REFERENCES site(id) ON DELETE CASCADE);--> statement-breakpoint\nINSERT INTO site VALUES (1, 'a');--> statement-breakpoint\nINSERT INTO page VALUES (1, 1);",
	REBUILD,
	`${REBUILD.replace('site(id, name) SELECT id, name FROM site', 'site(id, name) SELECT id + 1, name FROM site')}`,
];
function write(folder, count) {
	mkdirSync(`${folder}/meta`, { recursive: true });
	steps.slice(0, count).forEach((text, at) => writeFileSync(`${folder}/000${at}_step.sql`, text));
	writeFileSync(`${folder}/meta/_journal.json`, JSON.stringify({ version: '7', dialect: 'sqlite', entries: steps.slice(0, count).map((_, idx) => ({ idx, version: '6', when: idx + 1, tag: `000${idx}_step`, breakpoints: true })) }));
	return { migrationsFolder: `./${folder}` };
}
const pages = (db) => db.$client.prepare('SELECT count(*) FROM page').pluck().get();

const lossy = upstream(new Database('upstream.db'));
upstreamMigrate(lossy, write('first', 1));
// Where nothing is thrown, Drizzle has mended this: litekeel's own migrate is no longer needed.
assert.throws(() => upstreamMigrate(lossy, write('first', 2)), (error) => /^DROP TABLE site is refused/.test(error.cause.message));
assert.strictEqual(pages(lossy), 1);
lossy.$client.close();

const db = drizzle('file:kept.db');
migrate(db, write('first', 2));
assert.strictEqual(pages(db), 1);
assert.strictEqual(db.$client.pragma('foreign_keys', { simple: true }), 1);
migrate(db, write('first', 2));
assert.throws(() => migrate(db, write('broken', 3)), (error) => /page to site/.test(error.message) && error.violations.length === 1);
assert.strictEqual(db.$client.pragma('foreign_keys', { simple: true }), 1);
db.$client.close();
assertOnLitekeel();
