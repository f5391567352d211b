import assert from 'node:assert';
import { count, sql } from 'drizzle-orm';
import { drizzle } from 'litekeel/drizzle';
import { assertOnLitekeel } from './on-litekeel.mjs';
import { asynchronousTransactions } from './scenario-async.mjs';
import * as schema from './schema.mjs';

await asynchronousTransactions(drizzle('file:async.db', { schema }), { page: schema.page, count, sql });
const memory = drizzle(':memory:');
await assert.rejects(memory.transaction(async () => {}), { code: 'KEEL_NO_SIBLING' });
memory.$client.close();
assertOnLitekeel();
