import assert from 'node:assert';
import { createDatabase } from 'db0';
import connector from 'db0/connectors/better-sqlite3';
import { assertOnLitekeel } from './on-litekeel.mjs';

const db = createDatabase(connector({ path: './deep/db0.db' }));
await db.sql`CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT)`;
const name = "O'Reilly";
await db.sql`INSERT INTO site(name) VALUES (${name})`;
assert.deepStrictEqual((await db.sql`SELECT * FROM site`).rows, [{ id: 1, name }]);
const statement = db.prepare('SELECT name FROM site WHERE id = ?');
assert.deepStrictEqual(await statement.bind(1).get(), { name });
assert.deepStrictEqual(await statement.all(1), [{ name }]);
assert.deepStrictEqual(await db.prepare('DELETE FROM site WHERE id = ?').run(1).then(({ changes, success }) => ({ changes, success })), { changes: 1, success: true });
await db.dispose();
assertOnLitekeel();
