// Drizzle 1 on a libSQL server, by the asynchronous driver.
import { mkdirSync, writeFileSync } from 'node:fs';
import { drizzleAsync, migrateAsync } from 'litekeel/drizzle';
import { assertOnLitekeel } from '../orm/on-litekeel.mjs';
import { remote } from '../orm/scenario-remote.mjs';
import { page, relations, site } from './schema.mjs';

for (const [name, text] of Object.entries({
	'20250101000000_a': "CREATE TABLE entry(id INTEGER PRIMARY KEY, name TEXT);--> statement-breakpoint\nCREATE TABLE note(id INTEGER PRIMARY KEY, entry_id INTEGER REFERENCES entry(id) ON DELETE CASCADE);--> statement-breakpoint\nINSERT INTO entry(name) VALUES('a');--> statement-breakpoint\nINSERT INTO note(entry_id) VALUES(1);",
	'20250101000001_b': 'PRAGMA foreign_keys=OFF;--> statement-breakpoint\nCREATE TABLE new_entry(id INTEGER PRIMARY KEY, name TEXT NOT NULL);--> statement-breakpoint\nINSERT INTO new_entry SELECT id, name FROM entry;--> statement-breakpoint\nDROP TABLE entry;--> statement-breakpoint\nALTER TABLE new_entry RENAME TO entry;--> statement-breakpoint\nPRAGMA foreign_keys=ON;',
})) {
	mkdirSync(`migrations/${name}`, { recursive: true });
	writeFileSync(`migrations/${name}/migration.sql`, text);
}
const db = drizzleAsync(process.env.REMOTE_URL, { relations });
await remote(db, { site, page, migrateAsync, migrations: { migrationsFolder: './migrations' } });
db.$client.close();
assertOnLitekeel();
