// The other process of the tour: writes many pages in one transaction and holds it open for a while.
import { setTimeout } from 'node:timers/promises';
import { closeDatabase, connection, db } from './client.js';
import { page } from './schema.js';

const [pages, hold] = process.argv.slice(2).map(Number);
connection.exec('BEGIN IMMEDIATE');
for (let at = 0; at < pages; ++at) db.insert(page).values({ siteId: 1, path: `/archive/${at}`, title: `No. ${at}` }).run();
process.send('writing');
await setTimeout(hold);
connection.exec('COMMIT');
closeDatabase();
process.disconnect();
