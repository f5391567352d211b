import { count, sql } from 'drizzle-orm';
import { drizzle } from 'litekeel/drizzle';
import { assertOnLitekeel } from '../orm/on-litekeel.mjs';
import { asynchronousTransactions } from '../orm/scenario-async.mjs';
import { page, relations } from './schema.mjs';

await asynchronousTransactions(drizzle('file:async.db', { relations }), { page, count, sql });
assertOnLitekeel();
