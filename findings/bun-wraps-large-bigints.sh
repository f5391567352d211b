#!/usr/bin/env bash
# bun:sqlite of Bun 1.4.5 (npm package @oven/bun-linux-x64): a BigInt that does not fit into 64 bits is cut to its low bits and stored, without an error:
# 2n ** 64n + 5n becomes 5. With `safeIntegers: true` it is a RangeError. A guess beforehand was an error either way: that option is known
# for what is read.
# Seen: "by default 5; with safeIntegers RangeError".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @oven/bun-linux-x64@1.4.5
cat > wrap.ts <<'TS'
import { Database } from 'bun:sqlite';
const stored = (options: object) => {
	try {
		const db = new Database(':memory:', options);
		db.run('CREATE TABLE t(a)');
		db.query('INSERT INTO t VALUES (?)').run(2n ** 64n + 5n);
		return String(db.query('SELECT a FROM t').values()[0][0]);
	} catch (error) {
		return error.name;
	}
};
console.log(`by default ${stored({ create: true })}; with safeIntegers ${stored({ create: true, safeIntegers: true })}`);
TS
seen=$(node_modules/@oven/bun-linux-x64/bin/bun wrap.ts)
echo "$seen"
[ "$seen" = "by default 5; with safeIntegers RangeError" ]
