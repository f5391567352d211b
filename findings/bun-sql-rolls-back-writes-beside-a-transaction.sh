#!/usr/bin/env bash
# Bun.SQL of Bun 1.4.5 (npm package @oven/bun-linux-x64) on SQLite: a query beside `sql.begin`, by another request of the same process, goes into that
# transaction. It is answered, with its RETURNING row, and gone when the transaction is rolled back. Two calls of `begin` do wait for each other.
# A guess beforehand was that the query waits as well, as one on another connection does with Bun.SQL's PostgreSQL.
# Seen: "beside the transaction: [{"a":"beside"}]; the transaction: undo; rows afterwards: 0".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @oven/bun-linux-x64@1.4.5
cat > beside.ts <<'TS'
import { SQL } from 'bun';
const sql = new SQL('sqlite://:memory:');
await sql`CREATE TABLE t(a)`;
let wrote: () => void, goOn: () => void;
const written = new Promise<void>((resolve) => (wrote = resolve));
const answered = new Promise<void>((resolve) => (goOn = resolve));
const transaction = sql
	.begin(async (tx) => {
		await tx`INSERT INTO t VALUES ('inside')`;
		wrote();
		// A program's other requests get a second to be answered.
		await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 1000))]);
		throw new Error('undo');
	})
	.catch((error) => error.message);
await written;
const beside = await sql`INSERT INTO t VALUES ('beside') RETURNING a`;
goOn();
const [{ n }] = (await transaction) && (await sql`SELECT count(*) AS n FROM t`);
console.log(`beside the transaction: ${JSON.stringify(beside)}; the transaction: ${await transaction}; rows afterwards: ${n}`);
TS
seen=$(node_modules/@oven/bun-linux-x64/bin/bun beside.ts)
echo "$seen"
[ "$seen" = 'beside the transaction: [{"a":"beside"}]; the transaction: undo; rows afterwards: 0' ]
