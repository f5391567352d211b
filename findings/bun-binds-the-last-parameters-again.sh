#!/usr/bin/env bash
# bun:sqlite of Bun 1.4.5 (npm package @oven/bun-linux-x64): a statement that has parameters and is run without any takes those of the run
# before, so `insert.run(...values)` with an empty list inserts the last row once more. With too few or too many of them it is an error; a statement
# that was never run stores NULL. A guess beforehand was an error.
# Seen: "run('a'), run(): a a; run() first: null; run(1, 2): SQLite query expected 1 values, received 2".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @oven/bun-linux-x64@1.4.5
cat > again.ts <<'TS'
import { Database } from 'bun:sqlite';
const ran = (...calls: unknown[][]) => {
	const db = new Database(':memory:');
	db.run('CREATE TABLE t(a)');
	const insert = db.prepare('INSERT INTO t VALUES (?)');
	try {
		for (const values of calls) insert.run(...(values as []));
		return db.query('SELECT a FROM t').values().flat().map(String).join(' ');
	} catch (error) {
		return error.message;
	}
};
console.log(`run('a'), run(): ${ran(['a'], [])}; run() first: ${ran([])}; run(1, 2): ${ran([1, 2])}`);
TS
seen=$(node_modules/@oven/bun-linux-x64/bin/bun again.ts)
echo "$seen"
[ "$seen" = "run('a'), run(): a a; run() first: null; run(1, 2): SQLite query expected 1 values, received 2" ]
